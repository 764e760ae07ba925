"""Files of typed columns, and files by address: read by polars, piece by piece."""

import os
from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from iris_app.bulk.rows import Reject, Rows, species_in
from iris_app.bulk.values import read_numbers
from iris_app.codecs import csv_rows
from iris_app.exceptions import InvalidValue, InvalidValues
from iris_app.formatting import truncate
from iris_app.iris import SCHEMA
from iris_app.schema import Feature

# How many rows are read at once: with more it is a little faster, and takes the more memory the longer the file is.
ROWS = 16_384

# How many groups of rows polars reads ahead, unless it was told otherwise: more are memory that makes nothing faster.
os.environ.setdefault("POLARS_ROW_GROUP_PREFETCH_SIZE", "1")


class FrameFile:
    """Columns that polars reads by itself.

    Parameters
    ----------
    scan : LazyFrame
        What is read.
    keep : bool
        Whether rows that cannot be classified stay among the others.
    first_row : int
        The number of the first row, where the scan begins behind others.

    Raises
    ------
    InvalidValues
        Where a feature has no column or two, or one of a type that holds no numbers.
    """

    def __init__(self, scan: pl.LazyFrame, *, keep: bool = False, first_row: int = 1) -> None:
        self._keep, self.first_row = keep, first_row
        self.schema = schema = scan.collect_schema()
        self.columns = schema.names()
        self.places = csv_rows.find_features(self.columns)
        wrong = [self.columns[place] for place in self.places if not _holds_numbers(schema.dtypes()[place])]
        if wrong:
            raise InvalidValues([partial(_unfit, name, schema[name]) for name in wrong])
        self._told = [name for name, dtype in schema.items() if not holds_bytes(dtype)]
        self._scan = scan.with_columns(pl.col(pl.Categorical, pl.Enum).cast(pl.String))
        self._count = scan.select(pl.len()).collect().item()
        self._read = 0

    def pieces(self) -> Iterator[tuple[int, pl.DataFrame]]:
        """Yield rows as they stand in the file, and the number of the first."""
        if not self._count:
            yield self.first_row, self._scan.collect()
        for frame in self._scan.collect_batches(chunk_size=ROWS):
            yield self.first_row + self._read, frame
            self._read += len(frame)

    def done(self) -> float:
        """Say which share of the file has been handed out."""
        return self._read / self._count if self._count else 1.0

    def read(self, piece: tuple[int, pl.DataFrame]) -> Rows:
        """Read rows, and say what is wrong with each that cannot be classified."""
        first, frame = piece
        measurements = np.column_stack([read_numbers(frame.to_series(place)) for place in self.places])
        wrong: dict[int, list[InvalidValue]] = {}
        for row, feature in SCHEMA.find_out_of_bounds(measurements):
            place = self.places[feature]
            wrong.setdefault(row, []).append(
                _invalid(first + row, SCHEMA.features[feature], self.columns[place], frame[row, place])
            )
        texts = frame[list(wrong)].select(self._told).write_ndjson().splitlines() if wrong else []
        rejects = [Reject(first + row, text, errors) for text, (row, errors) in zip(texts, wrong.items(), strict=True)]
        read = len(frame)
        if wrong and self._keep:
            measurements[list(wrong)] = np.nan
        elif wrong:
            kept = np.ones(read, bool)
            kept[list(wrong)] = False
            measurements, frame = measurements[kept], frame.filter(kept)
        return Rows(frame, measurements, rejects, read, given=species_in(frame, self.columns))


def holds_bytes(dtype: pl.DataType) -> bool:
    """Say whether a column holds what JSON has no way to write."""
    parts: list[Any] = [field.dtype for field in getattr(dtype, "fields", [])] or [getattr(dtype, "inner", None)]
    return dtype in {pl.Binary, pl.Object} or any(holds_bytes(part) for part in parts if part is not None)


def _holds_numbers(dtype: pl.DataType) -> bool:
    return dtype.is_numeric() or dtype in {pl.String, pl.Null} or isinstance(dtype, pl.Categorical | pl.Enum)


def _unfit(name: str, dtype: pl.DataType) -> InvalidValue:
    detail = f"Column {truncate(name)} holds {dtype}, and not numbers."
    return InvalidValue(detail, column=name)


def _invalid(row: int, feature: Feature, name: str, value: Any) -> InvalidValue:
    if value is None:
        complaint: str | None = feature.missing
    elif isinstance(value, str):
        complaint = csv_rows.validate_cell(feature, value)
    else:
        complaint = feature.validate(float(value))
    return InvalidValue(f"Row {row}, column {truncate(name)}: {complaint}", line=row, column=name)
