"""The rows of a chunk of a file, and their predictions."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from iris_app.exceptions import InvalidValue
from iris_app.formatting import truncate
from iris_app.model.classifier import Model
from iris_app.model_service import predict
from iris_app.schema import Floats, Schema

# The errors of rows: the index of each one's row, the name of its column if it has one, and a sentence.
ERRORS = pl.Schema({"row": pl.Int64, "column": pl.String, "detail": pl.String})


class RejectedRows(NamedTuple):
    """Rows that cannot be classified: the numbers of their lines, their texts, and the frame of their ``ERRORS``."""

    lines: NDArray[np.int64]
    texts: list[str]
    errors: pl.DataFrame


@dataclass(frozen=True, slots=True)
class Rejects:
    """A number of rows that cannot be classified, described on demand: ``describe`` returns so many of the first."""

    count: int
    describe: Callable[[int], RejectedRows]

    def first_errors(self, count: int) -> list[InvalidValue]:
        """Return so many of the first errors."""
        if not self.count:
            return []
        lines, _, errors = self.describe(min(count, self.count))
        return [InvalidValue(detail, line=int(lines[row]), column=name) for row, name, detail in errors[:count].rows()]


def cell_errors(
    kind: str, lines: NDArray[np.int64], indices: NDArray[np.intp], column: str, reasons: Iterable[str | None]
) -> pl.DataFrame:
    """Return the errors of cells of one column.

    Parameters
    ----------
    kind : str
        What the numbers count: lines or rows.
    lines : ndarray of shape (n,)
        The number of each row.
    indices : ndarray of shape (m,)
        The rows of the cells.
    column : str
    reasons : iterable of m str
    """
    name = truncate(column)
    frame = pl.DataFrame({"row": indices, "number": lines[indices], "reason": pl.Series(reasons, dtype=pl.String)})
    detail = pl.concat_str(pl.lit(f"{kind} "), "number", pl.lit(f", column {name}: "), "reason")
    return frame.select("row", pl.lit(name).alias("column"), detail.alias("detail"))


def sort_errors(frames: Sequence[pl.DataFrame]) -> pl.DataFrame:
    """Return the errors of rows by their rows."""
    return pl.concat([pl.DataFrame(schema=ERRORS), *frames]).sort("row", maintain_order=True)


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a file, in their order.

    Attributes
    ----------
    frame : DataFrame of n rows
        The columns of the file; empty if ``lines`` hold the rows.
    values : ndarray of shape (n, features), float64
        The features.
    rejects : Rejects
        The rows that cannot be classified, among the n or not.
    read : int
        The number of rows that were read.
    lines : sequence of bytes, optional
        The rows, if they are JSON objects.
    actual : Series of n values, optional
        The true classes, if a column names them.
    plain : bool
        True if no cell needs quotes in CSV with the file's delimiter.
    known : ndarray of shape (n,), bool, optional
        Whether each row can be classified; None if all can.
    """

    frame: pl.DataFrame
    values: Floats
    rejects: Rejects
    read: int
    lines: Sequence[bytes] = ()
    actual: pl.Series | None = None
    plain: bool = False
    known: NDArray[np.bool_] | None = None


class Reader(Protocol):
    """A reader of one format: ``chunks`` runs in one thread, ``read`` in any.

    ``feature_columns`` holds the index of each feature's column, None if it is absent.
    """

    schema: Schema
    columns: list[str]
    feature_columns: list[int | None]

    def chunks(self) -> Iterator[Any]:
        """Yield chunks of the file."""

    def read(self, chunk: Any) -> Rows:
        """Parse the rows of a chunk."""

    def done(self) -> float:
        """Return the fraction of the file that was read."""


def select_rows(
    reader: Reader,
    frame: pl.DataFrame,
    values: Floats,
    accepted: NDArray[np.bool_],
    describe: Callable[[NDArray[np.intp]], RejectedRows],
    *,
    keep: bool,
    plain: bool = False,
) -> Rows:
    """Reject the rows with a value that is not accepted, and leave them out unless they are kept.

    Parameters
    ----------
    reader : Reader
    frame : DataFrame of n rows
        All columns.
    values : ndarray of shape (n, features), float64
    accepted : ndarray of shape (n, features), bool
    describe : function
        Called with the indices of rejected rows.
    keep, plain : bool
    """
    read, known = len(values), find_known(accepted)
    wrong = np.flatnonzero(~known)
    rejects = Rejects(len(wrong), lambda count: describe(wrong[:count]))
    if not len(wrong):
        return Rows(frame, values, rejects, read, actual=_find_labels(reader, frame), plain=plain)
    if keep:
        return Rows(frame, values, rejects, read, actual=_find_labels(reader, frame), plain=plain, known=known)
    frame, values = frame.filter(known), values[known]
    return Rows(frame, values, rejects, read, actual=_find_labels(reader, frame), plain=plain)


def find_known(accepted: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return whether all values of each row are accepted, of shape (n,)."""
    known: NDArray[np.bool_] = np.logical_and.reduce(accepted, axis=1)
    return known


def find_target(schema: Schema, columns: Sequence[str], feature_columns: Sequence[int | None]) -> int | None:
    """Return the index of the first column that may hold the true class and is no feature's."""
    return next(
        (index for index, name in enumerate(columns) if index not in feature_columns and schema.is_target_column(name)),
        None,
    )


def _find_labels(reader: Reader, frame: pl.DataFrame) -> pl.Series | None:
    index = find_target(reader.schema, reader.columns, reader.feature_columns)
    return None if index is None else frame.to_series(index)


@dataclass(frozen=True, slots=True)
class PredictionColumns:
    """The predictions for n rows, by columns; null in rows that cannot be classified.

    Attributes
    ----------
    labels : Series of str
        The class of each row.
    probabilities : list of Series of float
        One a class.
    warnings : Series of str
        The labels of each row's warnings, and an empty text where there are none.
    counts : list of int
        The number of rows of each class.
    unusual : int
        The number of rows with warnings.
    """

    labels: pl.Series
    probabilities: list[pl.Series]
    warnings: pl.Series
    counts: list[int]
    unusual: int

    @property
    def columns(self) -> list[pl.Series]:
        """All columns, as ``csv_rows.answer_columns`` names them."""
        return [self.labels, *self.probabilities, self.warnings]


def predict_columns(model: Model, rows: Floats, known: NDArray[np.bool_] | None = None) -> PredictionColumns:
    """Predict the class of each row.

    Parameters
    ----------
    model : Model
    rows : ndarray of shape (n, features), float64
    known : ndarray of shape (n,), bool, optional
        Whether each row gets a prediction; by default all do.
    """
    if known is None:
        return _predict(model, rows)
    predicted, indices = _predict(model, rows[known]), np.flatnonzero(known)
    sources = np.full(len(known), len(indices))
    sources[indices] = np.arange(len(indices))

    def spread(column: pl.Series) -> pl.Series:
        return column.append(pl.Series([None], dtype=column.dtype)).gather(sources)

    return PredictionColumns(
        spread(predicted.labels),
        list(map(spread, predicted.probabilities)),
        spread(predicted.warnings),
        predicted.counts,
        predicted.unusual,
    )


def _predict(model: Model, rows: Floats) -> PredictionColumns:
    batch = predict(model, rows)
    outliers = batch.outliers
    warnings = pl.zeros(len(batch), pl.UInt32, eager=True).replace_strict({0: ""}, return_dtype=pl.String)
    if len(outliers.rows):
        warnings = warnings.scatter(outliers.rows, outliers.labels())
    return PredictionColumns(
        model.schema.derive(_name_series).gather(batch.classes),
        list(map(pl.Series, batch.probabilities)),
        warnings,
        np.bincount(batch.classes, minlength=len(model.schema.classes)).tolist(),
        len(outliers.rows),
    )


def _name_series(schema: Schema) -> pl.Series:
    return pl.Series(schema.class_names)
