"""The rows of a chunk of a file, and their predictions."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol, overload

import numpy as np
import polars as pl
from numpy.typing import NDArray

from iris_app.exceptions import InvalidValue
from iris_app.iris import SCHEMA
from iris_app.model.classifier import Model
from iris_app.model_service import predict
from iris_app.schema import Floats


class Reject(NamedTuple):
    """A row that cannot be classified: the number of its line, its text and its errors."""

    line: int
    row: str
    errors: Sequence[InvalidValue]


class Rejects(Sequence[Reject]):
    """Rows that cannot be classified, made on access.

    Parameters
    ----------
    count : int
    make : function
        Returns the rows of a range of indices.
    """

    def __init__(self, count: int, make: Callable[[int, int], list[Reject]]) -> None:
        self._count, self._make = count, make

    def __len__(self) -> int:
        return self._count

    @overload
    def __getitem__(self, index: int) -> Reject: ...
    @overload
    def __getitem__(self, index: slice) -> list[Reject]: ...
    def __getitem__(self, index: int | slice) -> Reject | list[Reject]:
        chosen = range(self._count)[index]
        return self._make(chosen, chosen + 1)[0] if isinstance(chosen, int) else self._make(chosen.start, chosen.stop)

    def __iter__(self) -> Iterator[Reject]:
        return iter(self._make(0, self._count))


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a file, in their order.

    Attributes
    ----------
    frame : DataFrame of n rows
        The columns of the file; empty if ``lines`` hold the rows.
    measurements : ndarray of shape (n, 4), float64
        The features; NaN in a row that is kept and cannot be classified.
    rejects : sequence of Reject
        The rows that cannot be classified, among the n or not.
    read : int
        The number of rows that were read.
    lines : sequence of bytes, optional
        The rows, if they are JSON objects.
    given : Series of n values, optional
        The true classes, if a column names them.
    plain : bool
        True if no cell needs quotes in CSV with the file's delimiter.
    """

    frame: pl.DataFrame
    measurements: Floats
    rejects: Sequence[Reject]
    read: int
    lines: Sequence[bytes] = ()
    actual: pl.Series | None = None
    plain: bool = False


def find_wrong(rows: Floats) -> NDArray[np.intp]:
    """Return the row and the column of each value that is not accepted, of shape (m, 2)."""
    return np.argwhere(~SCHEMA.accepted(rows))


def find_labels(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series | None:
    """Return the column of true classes, if there is one; ``columns`` are the names that came."""
    index = next((index for index, name in enumerate(columns) if SCHEMA.is_target_column(name)), None)
    return None if index is None else frame.to_series(index)


class Reader(Protocol):
    """A reader of one format: ``chunks`` runs in one thread, ``read`` in any."""

    columns: list[str]
    feature_columns: list[int]

    def chunks(self) -> Iterator[Any]:
        """Yield chunks of the file."""

    def read(self, chunk: Any) -> Rows:
        """Parse the rows of a chunk."""

    def done(self) -> float:
        """Return the fraction of the file that was read."""


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


def predict_columns(model: Model, rows: Floats) -> PredictionColumns:
    """Predict the class of each row.

    Parameters
    ----------
    model : Model
    rows : ndarray of shape (n, features), float64
        A row with NaN gets no prediction.
    """
    known = np.logical_not(np.isnan(rows).any(axis=1))
    if known.all():
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
        _names.gather(batch.classes),
        list(map(pl.Series, batch.probabilities)),
        warnings,
        np.bincount(batch.classes, minlength=len(SCHEMA.classes)).tolist(),
        len(outliers.rows),
    )


_names = pl.Series(SCHEMA.class_names)
