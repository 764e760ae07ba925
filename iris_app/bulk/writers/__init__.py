"""The writers of rows and their predictions: CSV, JSON objects and Parquet."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any, BinaryIO, Protocol

import polars as pl
import pyarrow as pa
from pyarrow import parquet

from iris_app.bulk.readers.columnar import holds_bytes
from iris_app.bulk.readers.values import has_own_type, to_column
from iris_app.bulk.rows import PredictionColumns, Reader, Rows
from iris_app.bulk.storage.compression import compress
from iris_app.codecs.csv_rows import answer_columns, quoting_of
from iris_app.exceptions import MalformedDocument
from iris_app.formatting import truncate
from iris_app.schema import Schema

# The lines of CSV that a thread formats at once.
LINES = 8192

# The rows of a row group of Parquet.
ROW_GROUP = 100_000


class Writer(Protocol):
    """A writer of one format: ``encode`` runs in any thread, ``write`` in one."""

    def encode(self, rows: Rows, answers: PredictionColumns) -> Any:
        """Encode rows and their predictions."""

    def write(self, stream: BinaryIO, encoded: Iterator[Any]) -> None:
        """Write the encoded rows in their order."""


class AddedColumns:
    """The columns that are appended to a file's own: those of its partitions, then the predictions.

    Parameters
    ----------
    reader : Reader
    partitions : mapping of str to str or None
        The columns in the names of its folders, as in ``year=2026/a.parquet``.
    """

    def __init__(self, reader: Reader, partitions: Mapping[str, int | str | None]) -> None:
        self._partitions = {name: value for name, value in partitions.items() if name not in reader.columns}
        self.names = [*self._partitions, *answer_columns(reader.schema, [*reader.columns, *self._partitions])]

    def columns(self, rows: Rows, answers: PredictionColumns) -> list[pl.Series]:
        """Return the appended columns of these rows."""
        length = len(rows.values)
        constant = [
            pl.Series([value] * length, dtype=pl.Int64 if isinstance(value, int) else pl.String)
            for value in self._partitions.values()
        ]
        return [column.alias(name) for column, name in zip([*constant, *answers.columns], self.names, strict=True)]


class CsvWriter:
    """A writer of CSV in the dialect of the input; the suffix of ``name`` selects the compression."""

    def __init__(self, reader: Reader, added: AddedColumns, name: str, *, heading: bool) -> None:
        self._name, self._heading, self._added = name, heading, added
        self._columns = [*reader.columns, *added.names]
        _refuse_types(
            reader, lambda dtype: dtype.is_nested() or dtype.base_type() in {pl.Binary, pl.Object, pl.Duration}, "CSV"
        )
        self._form: Any = {
            "separator": getattr(reader, "delimiter", ","),
            "line_terminator": getattr(reader, "newline", "\n"),
            "decimal_comma": getattr(reader, "decimal_comma", False),
        }
        # Nothing is added but the predictions, and no word in these needs quotes.
        self._plain = len(added.names) == len(reader.schema.classes) + 2 and not self._needs_quotes(reader.schema)

    def encode(self, rows: Rows, answers: PredictionColumns) -> bytes:
        """Format rows as lines."""
        written = io.BytesIO()
        columns = self._added.columns(rows, answers)
        columns[-1] = columns[-1].replace("", None)  # an empty text would be written as two quotes
        # Checking each cell for quotes takes a fifth of the time.
        quotes: Any = "never" if rows.plain and self._plain else "necessary"
        frame = rows.frame.with_columns(columns)
        frame.write_csv(written, include_header=False, quote_style=quotes, batch_size=LINES, **self._form)
        return written.getvalue()

    def _needs_quotes(self, schema: Schema) -> bool:
        """Return whether a predicted class or a warning may need quotes."""
        words = " ".join(["code:", *schema.class_names, *schema.features_by_name])
        return any(character in words for character in f'{self._form["separator"]}"\r\n')

    def write(self, stream: BinaryIO, encoded: Iterator[bytes]) -> None:
        """Write the header, except for a later part of a file, and the lines."""
        form = {"delimiter": self._form["separator"], "lineterminator": self._form["line_terminator"]}
        heading = io.StringIO()
        csv.writer(heading, quoting=quoting_of(self._columns), **form).writerow(self._columns)
        _write_bytes(stream, self._name, chain([heading.getvalue().encode()] if self._heading else [], encoded))


class NdjsonWriter:
    """A writer of JSON objects: those of the input with the predictions' fields appended, or the rows of a table."""

    def __init__(self, reader: Reader, added: AddedColumns, name: str, *, heading: bool) -> None:  # noqa: ARG002
        self._name, self._added = name, added
        self._table = _Table(reader, added)
        _refuse_types(reader, holds_bytes, "JSON")

    def encode(self, rows: Rows, answers: PredictionColumns) -> bytes:
        """Format rows as lines."""
        if rows.frame.columns:
            return _ndjson(self._table.frame(rows, answers))
        added = _ndjson(pl.DataFrame(self._added.columns(rows, answers))).splitlines(keepends=True)
        return b"".join(map(_with_fields, rows.lines, added))

    def write(self, stream: BinaryIO, encoded: Iterator[bytes]) -> None:
        """Write the lines."""
        _write_bytes(stream, self._name, encoded)


class ParquetWriter:
    """A writer of Parquet, with the features as columns of their types."""

    def __init__(self, reader: Reader, added: AddedColumns, name: str, *, heading: bool) -> None:  # noqa: ARG002
        self._table = _Table(reader, added)

    def encode(self, rows: Rows, answers: PredictionColumns) -> pa.Table:
        """Return a table of Arrow."""
        return self._table.frame(rows, answers).to_arrow()

    @staticmethod
    def write(stream: BinaryIO, encoded: Iterator[pa.Table]) -> None:
        """Write row groups of ``ROW_GROUP`` rows, or nothing if there is no table."""
        first = next(encoded, None)
        if first is None:
            return
        writer = parquet.ParquetWriter(stream, first.schema, compression="zstd")
        try:
            waiting, rows = [first], first.num_rows
            for table in encoded:
                waiting.append(table)
                rows += table.num_rows
                if rows >= ROW_GROUP:
                    together = pa.concat_tables(waiting).combine_chunks()
                    writer.write_table(together.slice(0, ROW_GROUP), row_group_size=ROW_GROUP)
                    waiting = [together.slice(ROW_GROUP)]
                    rows -= ROW_GROUP
            writer.write_table(pa.concat_tables(waiting).combine_chunks(), row_group_size=ROW_GROUP)
            writer.close()
        except BaseException:
            with suppress(Exception):  # pyarrow warns later if it is not closed
                writer.close()
            raise


class _Table:
    """Rows and their predictions, as columns with unique names."""

    def __init__(self, reader: Reader, added: AddedColumns) -> None:
        if duplicates := [name for name, count in Counter(reader.columns).items() if count > 1]:
            raise MalformedDocument(f"Two columns are called {truncate(duplicates[0])}, which only CSV can keep.")
        self._added = added
        columns = enumerate(zip(reader.schema.features, reader.feature_columns, strict=True))
        self._features = [
            (index, feature, reader.columns[column])
            for index, (feature, column) in columns
            if column is not None and feature.kind != "category"
        ]

    def frame(self, rows: Rows, answers: PredictionColumns) -> pl.DataFrame:
        dtypes = rows.frame.schema
        typed = [
            to_column(feature, name, rows.values[:, index])
            for index, feature, name in self._features
            if not has_own_type(feature, dtypes[name])
        ]
        return rows.frame.with_columns(typed).with_columns(self._added.columns(rows, answers))


WRITERS: dict[str, Callable[..., Writer]] = {"csv": CsvWriter, "ndjson": NdjsonWriter, "parquet": ParquetWriter}


def _refuse_types(reader: Reader, is_unfit: Callable[[pl.DataType], bool], form: str) -> None:
    """Refuse columns of types that a format cannot write."""
    dtypes: Mapping[str, pl.DataType] = getattr(reader, "dtypes", {})
    for name, dtype in dtypes.items():
        if is_unfit(dtype):
            raise MalformedDocument(f"Column {truncate(name)} holds {dtype}, which {form} has no way to write.")


def _write_bytes(stream: BinaryIO, name: str, encoded: Iterator[bytes]) -> None:
    out = compress(stream, name)
    out.writelines(encoded)
    if out is not stream:
        out.close()


def _ndjson(frame: pl.DataFrame) -> bytes:
    written = io.BytesIO()
    frame.write_ndjson(written)
    return written.getvalue()


def _with_fields(line: bytes, fields: bytes) -> bytes:
    """Append fields to an object."""
    beginning = line.rstrip().removesuffix(b"}").rstrip()
    return beginning + (b"" if beginning.endswith(b"{") else b",") + fields.removeprefix(b"{")
