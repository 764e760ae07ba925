"""CSV, read piece by piece: what is right by polars, what is not by the reader of the API's."""

import contextlib
import csv
import io
from collections.abc import Iterator
from functools import partial
from typing import BinaryIO

import numpy as np
import polars as pl

from iris_app.bulk.pieces import BYTE_ORDER_MARK, Piece, Records, Rules, split
from iris_app.bulk.quotes import are_regular, count_lines, last_row_ends, outside
from iris_app.bulk.rows import Floats, Reject, Rows, species_in
from iris_app.bulk.values import read_numbers
from iris_app.codecs import csv_rows
from iris_app.exceptions import MalformedDocument
from iris_app.iris import SCHEMA

# A piece of this many bytes is read row by row where something in it is wrong; a longer one is parted first.
SMALL = 16 * 1024


class CsvFile:
    """A table in CSV.

    Parameters
    ----------
    stream : binary file
    size : int, optional
        How many bytes it holds, where that is known.
    keep : bool
        Whether rows that cannot be classified stay among the others.

    Raises
    ------
    MalformedDocument
        Where it is not CSV in UTF-8, here or when it is read.
    InvalidValues
        Where a feature has no column or two.
    """

    def __init__(self, stream: BinaryIO, size: int | None = None, *, keep: bool = False) -> None:
        self._keep = keep
        self._records = Records(stream, size)
        text = _decode(self._records.peek(partial(last_row_ends, delimiter=csv_rows.DELIMITERS.encode())), 1)
        self.delimiter, self.columns, self.places, heading = csv_rows.read_heading(text)
        self._records.skip(len(heading.encode()))
        self._first_line = count_lines(heading.encode()) + 1
        self._delimiter = self.delimiter.encode()
        self._rules = Rules(partial(last_row_ends, delimiter=self._delimiter), count_lines)
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.decimal_comma = self.delimiter == ";" and self._has_decimal_commas(text.removeprefix(heading))
        unique = len(set(self.columns)) == len(self.columns)
        self._schema = {name if unique else str(at): pl.String for at, name in enumerate(self.columns)}

    def pieces(self) -> Iterator[Piece]:
        """Yield rows as they stand in the file."""
        return self._records.pieces(self._rules, self._first_line)

    def done(self) -> float:
        """Say which share of the file has been handed out."""
        return self._records.done()

    def read(self, piece: Piece) -> Rows:
        """Read rows, all at once where all are right, which is most often so."""
        frame = self._parse(piece.content)
        if frame is not None:
            measurements = self._numbers(frame)
            if not SCHEMA.find_out_of_bounds(measurements):
                plain = b'"' not in piece.content
                return Rows(frame, measurements, (), len(frame), given=species_in(frame, self.columns), plain=plain)
        parts = split(piece, self._rules) if len(piece.content) > SMALL else [piece]
        return Rows.joined(list(map(self.read, parts))) if len(parts) > 1 else self._read_rows(*piece)

    def _has_decimal_commas(self, text: str) -> bool:
        """Say whether a comma stands in a feature's cell in the first rows."""
        rows = csv_rows.numbered_rows(text, self.delimiter)
        with contextlib.suppress(MalformedDocument):  # which is told when it is read
            return any("," in row[place] for _, row in rows if len(row) == len(self.columns) for place in self.places)
        return False

    def _parse(self, content: bytes) -> pl.DataFrame | None:
        """Parse rows, or return None where they are not certain to be what the API's reader would make of them."""
        if content.startswith(BYTE_ORDER_MARK) or b"\0" in content:  # which polars would pass over
            return None
        quoted = b'"' in content
        if quoted and not are_regular(content, self._delimiter):
            return None
        if b"\r" in content and content.count(b"\r") != content.count(b"\r\n"):
            if quoted:
                return None
            content = content.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        try:
            frame = pl.read_csv(content, has_header=False, separator=self.delimiter, schema=self._schema)
        except pl.exceptions.PolarsError:
            return None
        # A row that is too short is filled up with nulls.
        if frame.to_series(-1).null_count():
            delimiters = outside(content, self._delimiter) if quoted else content.count(self._delimiter)
            if delimiters != len(frame) * (len(self.columns) - 1):
                return None
        if (frame.select(pl.all().str.len_bytes().max()).max_horizontal().item() or 0) > csv.field_size_limit():
            return None
        # An empty cell is null, with quotes and without.
        return frame.with_columns(pl.when(pl.all() != "").then(pl.all())) if quoted else frame

    def _numbers(self, frame: pl.DataFrame) -> Floats:
        decimal = "," if self.delimiter == ";" else "."
        return np.column_stack([read_numbers(frame.to_series(place), decimal) for place in self.places])

    def _read_rows(self, line: int, content: bytes) -> Rows:
        """Read rows one by one, as the API does."""
        text = _decode(content, line)
        rows: list[list[str]] = []
        rejects: list[Reject] = []
        unanswered: list[int] = []
        numbered = list(csv_rows.numbered_rows(text, self.delimiter, line))
        for at, row in numbered:
            wrong = csv_rows.wrong_in_rows([(at, row)], self.columns, self.places, self.delimiter)
            if errors := [tell() for tell in wrong]:
                rejects.append(Reject(at, self._written(row), errors))
                if not self._keep:
                    continue
                unanswered.append(len(rows))
            rows.append((row + [""] * len(self.columns))[: len(self.columns)])
        frame = pl.DataFrame([[cell or None for cell in row] for row in rows], schema=self._schema, orient="row")
        measurements = self._numbers(frame)
        measurements[unanswered] = np.nan
        return Rows(frame, measurements, rejects, len(numbered), given=species_in(frame, self.columns))

    def _written(self, row: list[str]) -> str:
        written = io.StringIO()
        csv.writer(written, delimiter=self.delimiter).writerow(row)
        return written.getvalue().removesuffix("\r\n")


def _decode(content: bytes, line: int) -> str:
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        at = line + count_lines(content[: error.start])
        raise MalformedDocument(f"Line {at} is not UTF-8. A spreadsheet saves it as “CSV UTF-8”.") from error
    if "\0" in text:
        at = line + count_lines(content[: content.index(b"\0")])
        raise MalformedDocument(f"Line {at} holds a NUL character, as no table does; is it saved as CSV?")
    return text
