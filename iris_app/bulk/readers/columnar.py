"""The reader of Parquet and Arrow."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import ipc, parquet

from iris_app.bulk.readers.options import ReadOptions
from iris_app.bulk.readers.values import read_numbers
from iris_app.bulk.rows import Reject, Rejects, Rows, find_labels, find_wrong
from iris_app.codecs import csv_rows
from iris_app.exceptions import InvalidValue, InvalidValues, MalformedDocument
from iris_app.formatting import truncate
from iris_app.iris import SCHEMA
from iris_app.schema import Feature

# The rows of a chunk; more are slightly faster, but need more memory.
CHUNK_ROWS = 16_384

# The bytes of a column that are read at once.
BUFFER = 1024 * 1024


class FrameFile:
    """A file of Parquet or Arrow.

    An invalid row does not affect the others; a file that pyarrow cannot read is refused.

    Parameters
    ----------
    source : str or binary file
        A path, or a seekable file.
    form : str
        ``parquet`` or ``arrow``.
    keep : bool
        Whether to keep the rows that cannot be classified among the others.
    rows : pair of int, optional
        The first row to read and the one after the last, at the bounds of row groups.
    options : ReadOptions, optional
        The options for reading texts as numbers.

    Raises
    ------
    MalformedDocument
        If it cannot be read.
    InvalidValues
        If a feature has no column or two, or one whose type holds no numbers.
    """

    def __init__(
        self,
        source: str | BinaryIO,
        form: str = "parquet",
        *,
        keep: bool = False,
        rows: tuple[int, int] | None = None,
        options: ReadOptions | None = None,
    ) -> None:
        self._keep, self._options = keep, options or ReadOptions()
        with _translate_arrow_errors():
            self._file: _Parquet | _Arrow = (_Parquet if form == "parquet" else _Arrow)(source)
            schema = pl.DataFrame(pl.from_arrow(self._file.schema.empty_table()))
        self.schema = schema.schema
        self.columns = schema.columns
        self.feature_columns = csv_rows.find_features(self.columns)
        wrong = [self.columns[index] for index in self.feature_columns if not _holds_numbers(schema.dtypes[index])]
        if wrong:
            raise InvalidValues([partial(_unfit, name, self.schema[name]) for name in wrong])
        self._shown = [name for name, dtype in self.schema.items() if not holds_bytes(dtype)]
        first, last = rows or (0, self._file.rows)
        self.first_row, self._count, self._read = first + 1, last - first, 0

    def chunks(self) -> Iterator[tuple[int, pl.DataFrame]]:
        """Yield rows, with the number of the first."""
        if not self._count:
            yield self.first_row, _frame(self._file.schema.empty_table())
        with _translate_arrow_errors():
            for batch in self._file.batches(self.first_row - 1, self._count):
                yield self.first_row + self._read, _frame(batch)
                self._read += len(batch)

    def done(self) -> float:
        """Return the fraction of the file that was read."""
        return self._read / self._count if self._count else 1.0

    def read(self, chunk: tuple[int, pl.DataFrame]) -> Rows:
        """Read the features of rows, and the errors of those that cannot be classified."""
        first, frame = chunk
        read, cells = len(frame), frame
        measurements = np.column_stack(
            [read_numbers(frame.to_series(index), self._options.decimal) for index in self.feature_columns]
        )
        wrong = np.unique(find_wrong(measurements)[:, 0])
        if not len(wrong):
            return Rows(frame, measurements, (), read, actual=find_labels(frame, self.columns))
        rejects = Rejects(len(wrong), partial(self._rejects, first, cells, wrong))
        if self._keep:
            measurements[wrong] = np.nan
        else:
            kept = np.ones(read, bool)
            kept[wrong] = False
            measurements, frame = measurements[kept], frame.filter(kept)
        return Rows(frame, measurements, rejects, read, actual=find_labels(frame, self.columns))

    def _rejects(self, first: int, frame: pl.DataFrame, wrong: Any, start: int, stop: int) -> list[Reject]:
        """Return a slice of the rows that cannot be classified, with their errors."""
        rows = wrong[start:stop]
        chosen = frame[rows]
        texts = chosen.select(self._shown).write_ndjson().splitlines()
        values = chosen.select(self.columns[index] for index in self.feature_columns).rows()
        numbers = (first + rows).tolist()
        return [
            Reject(number, text, self._errors(number, cells))
            for number, text, cells in zip(numbers, texts, values, strict=True)
        ]

    def _errors(self, row: int, cells: Sequence[Any]) -> list[InvalidValue]:
        errors = []
        for feature, index, value in zip(SCHEMA.features, self.feature_columns, cells, strict=True):
            if error := _validate(feature, value, self._options.decimal):
                name = self.columns[index]
                detail = f"Row {row}, column {truncate(name)}: {error}"
                errors.append(InvalidValue(detail, line=row, column=name))
        return errors


@contextmanager
def _translate_arrow_errors() -> Iterator[None]:
    """Raise ``MalformedDocument`` if pyarrow cannot read a file."""
    try:
        yield
    except pa.ArrowException as error:
        raise MalformedDocument(f"It cannot be read: {str(error).splitlines()[0].rstrip('.')}.") from error


class _Parquet:
    def __init__(self, source: str | BinaryIO) -> None:
        self._file = parquet.ParquetFile(source, buffer_size=BUFFER)
        self.schema: pa.Schema = self._file.schema_arrow
        self.rows: int = self._file.metadata.num_rows

    def batches(self, first: int, count: int) -> Iterator[Any]:
        """Yield the row groups that begin in a range."""
        groups, row = [], 0
        for group in range(self._file.num_row_groups):
            if first <= row < first + count:
                groups.append(group)
            row += self._file.metadata.row_group(group).num_rows
        yield from self._file.iter_batches(CHUNK_ROWS, row_groups=groups)


class _Arrow:
    def __init__(self, source: str | BinaryIO) -> None:
        self._file = ipc.open_file(pa.memory_map(source) if isinstance(source, str) else source)
        self.schema: pa.Schema = self._file.schema
        self.rows = sum(self._file.get_batch(index).num_rows for index in range(self._file.num_record_batches))

    def batches(self, _first: int, _count: int) -> Iterator[Any]:
        """Yield all rows."""
        for index in range(self._file.num_record_batches):
            batch = self._file.get_batch(index)
            for start in range(0, batch.num_rows, CHUNK_ROWS):
                yield batch.slice(start, CHUNK_ROWS)


def _frame(batch: Any) -> pl.DataFrame:
    frame = pl.DataFrame(pl.from_arrow(batch))
    return frame.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))


def holds_bytes(dtype: pl.DataType) -> bool:
    """Return whether a column holds values that JSON cannot represent."""
    parts: list[Any] = [field.dtype for field in getattr(dtype, "fields", [])] or [getattr(dtype, "inner", None)]
    return dtype in {pl.Binary, pl.Object} or any(holds_bytes(part) for part in parts if part is not None)


def _holds_numbers(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype in {pl.String, pl.Null} or isinstance(dtype, pl.Categorical | pl.Enum)


def _unfit(name: str, dtype: pl.DataType) -> InvalidValue:
    detail = f"Column {truncate(name)} holds {dtype}, and not numbers."
    return InvalidValue(detail, column=name)


def _validate(feature: Feature, value: Any, decimal: str | None) -> str | None:
    if value is None:
        return feature.missing
    if isinstance(value, str):
        return csv_rows.validate_cell(feature, value, decimal)
    return feature.validate(float(value))
