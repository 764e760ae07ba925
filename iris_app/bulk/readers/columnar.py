"""The reader of Parquet and Arrow."""

import math
from collections.abc import Iterator
from functools import lru_cache, partial
from typing import Any, BinaryIO

import numpy as np
import polars as pl
import pyarrow as pa
from pyarrow import ipc, parquet

from iris_app.bulk.readers.options import Reading
from iris_app.bulk.readers.values import read_rows
from iris_app.bulk.rows import RejectedRows, Rows, cell_errors, select_rows, sort_errors
from iris_app.bulk.storage.addresses import translate_read_errors
from iris_app.codecs.names import describe_unnamed, find_features
from iris_app.exceptions import InvalidValue, InvalidValues
from iris_app.formatting import truncate
from iris_app.schema import Feature

# The rows of a chunk; more are slightly faster, but need more memory.
CHUNK_ROWS = 16_384

# What columns of a feature hold, by its kind.
HELD = {"number": "numbers", "integer": "numbers", "boolean": "true and false", "category": "categories"}

# The bytes of a column that are read at once.
BUFFER = 1024 * 1024


class FrameFile:
    """A file of Parquet or Arrow.

    An invalid row does not affect the others; a file that pyarrow cannot read is refused.

    Parameters
    ----------
    source : str or binary file
        A path, or a seekable file.
    reading : Reading
    form : str
        ``parquet`` or ``arrow``.
    rows : pair of int, optional
        The first row to read and the one after the last, at the bounds of row groups.

    Raises
    ------
    MalformedDocument
        If it cannot be read.
    InvalidValues
        If a feature has no column or two, or one of a type that holds no values of it.
    """

    def __init__(
        self,
        source: str | BinaryIO,
        reading: Reading,
        form: str = "parquet",
        rows: tuple[int, int] | None = None,
    ) -> None:
        self.schema, self._keep, self._decimal = reading.schema, reading.keep, reading.options.decimal
        with translate_read_errors(source if isinstance(source, str) else ""):
            self._file: _Parquet | _Arrow = (_Parquet if form == "parquet" else _Arrow)(source)
            empty = pl.DataFrame(pl.from_arrow(self._file.schema.empty_table()))
        self.dtypes, self.columns = empty.schema, empty.columns
        self.feature_columns = find_features(self.schema, self.columns)
        self.guesses = describe_unnamed(self.schema, self.feature_columns)
        wrong = [
            partial(_unfit, feature, self.columns[column], empty.dtypes[column])
            for feature, column in zip(self.schema.features, self.feature_columns, strict=True)
            if column is not None and not _holds(feature, empty.dtypes[column])
        ]
        if wrong:
            raise InvalidValues(wrong)
        self._shown = [name for name, dtype in self.dtypes.items() if not holds_bytes(dtype)]
        first, last = rows or (0, self._file.rows)
        self.first_row, self._count, self._read = first + 1, last - first, 0

    def chunks(self) -> Iterator[tuple[int, pl.DataFrame]]:
        """Yield rows, with the number of the first."""
        if not self._count:
            yield self.first_row, _frame(self._file.schema.empty_table())
        for batch in self._file.batches(self.first_row - 1, self._count):
            yield self.first_row + self._read, _frame(batch)
            self._read += len(batch)

    def done(self) -> float:
        """Return the fraction of the file that was read."""
        return self._read / self._count if self._count else 1.0

    def read(self, chunk: tuple[int, pl.DataFrame]) -> Rows:
        """Read the features of rows, and the errors of those that cannot be classified."""
        first, frame = chunk
        columns = [None if index is None else frame.to_series(index) for index in self.feature_columns]
        values = read_rows(self.schema, columns, len(frame), self._decimal)
        accepted = self.schema.accepted(values)
        rejects = partial(self._describe, first, frame, accepted)
        return select_rows(self, frame, values, accepted, rejects, keep=self._keep)

    def _describe(self, first: int, frame: pl.DataFrame, accepted: Any, wrong: Any) -> RejectedRows:
        """Describe rows that cannot be classified."""
        numbers, chosen, errors = first + wrong, frame[wrong], []
        for number, (feature, column) in enumerate(zip(self.schema.features, self.feature_columns, strict=True)):
            indices = np.flatnonzero(~accepted[wrong, number])
            if column is not None and len(indices):
                validate = lru_cache(maxsize=256, typed=True)(partial(_validate, feature, decimal=self._decimal))
                reasons = map(validate, chosen.to_series(column)[indices])
                errors.append(cell_errors("Row", numbers, indices, chosen.columns[column], reasons))
        texts = chosen.select(self._shown).write_ndjson().splitlines()
        return RejectedRows(numbers, texts, sort_errors(errors))


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


def _holds(feature: Feature, dtype: pl.DataType) -> bool:
    """Return whether a column may hold values of a feature."""
    is_own = dtype.is_numeric() or (dtype == pl.Boolean and feature.kind == "boolean")
    return is_own or dtype in {pl.String, pl.Null} or isinstance(dtype, pl.Categorical | pl.Enum)


def _unfit(feature: Feature, name: str, dtype: pl.DataType) -> InvalidValue:
    detail = f"Column {truncate(name)} holds {dtype}, and not {HELD[feature.kind]}."
    return InvalidValue(detail, column=name)


def _validate(feature: Feature, value: Any, decimal: str | None) -> str | None:
    if isinstance(value, str):
        return feature.validate_text(value, decimal)
    if value is None or math.isnan(value):
        return feature.missing
    return feature.validate(value if isinstance(value, bool) else float(value))
