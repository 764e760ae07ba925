"""Rows with their answers, written as CSV, as objects of JSON, or as Parquet."""

import csv
import io
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import chain, count, takewhile
from threading import Event
from typing import Any, BinaryIO, Protocol

import polars as pl
from polars.io.plugins import register_io_source

from iris_app.bulk.compressed import compressing
from iris_app.bulk.csv_file import CsvFile
from iris_app.bulk.frame_file import FrameFile, holds_bytes
from iris_app.bulk.ndjson_file import NdjsonFile
from iris_app.bulk.rows import Answers, Floats, Reader, Rows
from iris_app.bulk.values import read_numbers
from iris_app.codecs.csv_rows import answer_columns, quoting_of
from iris_app.exceptions import MalformedDocument
from iris_app.formatting import truncate

# How many lines of CSV a thread writes at once.
LINES = 8192

# How many rows one group of a Parquet file holds.
ROW_GROUP = 100_000


class Writer(Protocol):
    """A form of output: rows are encoded in any thread, and written one after the other."""

    def encode(self, rows: Rows, answers: Answers) -> Any:
        """Turn rows and their answers into what is written."""

    def write(self, stream: BinaryIO, encoded: Iterator[Any]) -> None:
        """Write what was encoded."""


class CsvWriter:
    """Tables as they came, with the answers beside; ``name`` says how they are compressed."""

    def __init__(self, reader: Reader, name: str) -> None:
        self._name = name
        self._goes_on = isinstance(reader, FrameFile) and reader.first_row > 1
        self._columns = [*reader.columns, *answer_columns(reader.columns)]
        _refuse(
            reader, lambda dtype: dtype.is_nested() or dtype.base_type() in {pl.Binary, pl.Object, pl.Duration}, "CSV"
        )
        delimiter, newline, decimal_comma = ",", "\n", False
        if isinstance(reader, CsvFile):
            delimiter, newline, decimal_comma = reader.delimiter, reader.newline, reader.decimal_comma
        self._form: Any = {"separator": delimiter, "line_terminator": newline, "decimal_comma": decimal_comma}

    def encode(self, rows: Rows, answers: Answers) -> bytes:
        """Return lines."""
        written = io.BytesIO()
        names = self._columns[-len(answers.columns) :]
        columns = [column.alias(name) for column, name in zip(answers.columns, names, strict=True)]
        columns[-1] = columns[-1].replace("", None)  # which would be written as two quotes
        quotes: Any = "never" if rows.plain else "necessary"  # to look at each cell takes a fifth of the time
        frame = rows.frame.with_columns(columns)
        frame.write_csv(written, include_header=False, quote_style=quotes, batch_size=LINES, **self._form)
        return written.getvalue()

    def write(self, stream: BinaryIO, encoded: Iterator[bytes]) -> None:
        """Write the names of the columns, unless rows stand above, and lines."""
        form = {"delimiter": self._form["separator"], "lineterminator": self._form["line_terminator"]}
        heading = io.StringIO()
        csv.writer(heading, quoting=quoting_of(self._columns), **form).writerow(self._columns)
        _write(stream, self._name, encoded if self._goes_on else chain([heading.getvalue().encode()], encoded))


class NdjsonWriter:
    """Objects as they came, with the answers as fields at their end, or rows as objects of their columns."""

    def __init__(self, reader: Reader, name: str) -> None:
        self._name = name
        self._table = _Table(reader)
        self._spliced = isinstance(reader, NdjsonFile)
        _refuse(reader, holds_bytes, "JSON")

    def encode(self, rows: Rows, answers: Answers) -> bytes:
        """Return lines."""
        if not self._spliced:
            return _ndjson(self._table.frame(rows, answers))
        answered = _ndjson(self._table.answers(answers)).splitlines(keepends=True)
        return b"".join(map(_with_fields, rows.lines, answered))

    def write(self, stream: BinaryIO, encoded: Iterator[bytes]) -> None:
        """Write lines."""
        _write(stream, self._name, encoded)


class ParquetWriter:
    """Columns, the features' as numbers."""

    def __init__(self, reader: Reader, _name: str) -> None:
        self._table = _Table(reader)

    def encode(self, rows: Rows, answers: Answers) -> pl.DataFrame:
        """Return columns."""
        return self._table.frame(rows, answers)

    @staticmethod
    def write(stream: BinaryIO, encoded: Iterator[pl.DataFrame]) -> None:
        """Write columns, by polars, in a thread of its own: so whoever waits here can be interrupted."""
        first = next(encoded, None)
        if first is None:  # there is a row in the first piece that keeps all from being written
            return
        failed: list[BaseException] = []
        given_up = Event()

        def more() -> pl.DataFrame | None:
            try:
                return None if given_up.is_set() else next(encoded, None)
            except BaseException as error:  # which polars would make another of
                failed.append(error)
                return None

        with ThreadPoolExecutor(1) as reading, ThreadPoolExecutor(1) as writing:
            following = (reading.submit(more).result() for _ in count())
            frames = chain([first], takewhile(lambda frame: frame is not None, following))
            sink = register_io_source(lambda *_: frames, schema=first.schema).sink_parquet  # type: ignore[arg-type]
            try:
                writing.submit(sink, stream, row_group_size=ROW_GROUP).result()
            except pl.exceptions.PolarsError as error:
                raise OSError(str(error)) from error
            finally:
                given_up.set()
        if failed:
            raise failed[0]


class _Table:
    """Rows and their answers, as columns with names of their own."""

    def __init__(self, reader: Reader) -> None:
        if twice := [name for name, count in Counter(reader.columns).items() if count > 1]:
            raise MalformedDocument(f"Two columns are called {truncate(twice[0])}, which only CSV can keep.")
        self._names = answer_columns(reader.columns)
        self._features = [reader.columns[place] for place in reader.places]
        self._decimal = "," if isinstance(reader, CsvFile) and reader.delimiter == ";" else "."

    def frame(self, rows: Rows, answers: Answers) -> pl.DataFrame:
        features = zip(self._features, rows.measurements.T, strict=True)
        numbers = [self._numbers(rows, name, values) for name, values in features if not self._holds_floats(rows, name)]
        return rows.frame.with_columns(numbers).with_columns(self.answers(answers))

    def answers(self, answers: Answers) -> pl.DataFrame:
        return pl.DataFrame([column.alias(name) for column, name in zip(answers.columns, self._names, strict=True)])

    def _numbers(self, rows: Rows, name: str, values: Floats) -> pl.Series:
        """Make numbers of a column, of rows without an answer too."""
        if rows.rejects:
            values = read_numbers(rows.frame[name], self._decimal)
        return pl.Series(name, values).fill_nan(None)

    @staticmethod
    def _holds_floats(rows: Rows, name: str) -> bool:
        return rows.frame.schema[name].is_float()


WRITERS: dict[str, Callable[[Reader, str], Writer]] = {
    "csv": CsvWriter,
    "ndjson": NdjsonWriter,
    "parquet": ParquetWriter,
}


def _refuse(reader: Reader, is_unfit: Callable[[pl.DataType], bool], form: str) -> None:
    """Refuse columns of types that a form has no way to write."""
    schema = reader.schema if isinstance(reader, FrameFile) else {}
    for name, dtype in schema.items():
        if is_unfit(dtype):
            raise MalformedDocument(f"Column {truncate(name)} holds {dtype}, which {form} has no way to write.")


def _write(stream: BinaryIO, name: str, encoded: Iterable[bytes]) -> None:
    out = compressing(stream, name)
    out.writelines(encoded)
    if out is not stream:
        out.close()


def _ndjson(frame: pl.DataFrame) -> bytes:
    written = io.BytesIO()
    frame.write_ndjson(written)
    return written.getvalue()


def _with_fields(line: bytes, fields: bytes) -> bytes:
    """Put fields at the end of an object."""
    beginning = line.rstrip().removesuffix(b"}").rstrip()
    return beginning + (b"" if beginning.endswith(b"{") else b",") + fields.removeprefix(b"{")
