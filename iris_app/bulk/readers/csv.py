"""The reader of CSV: polars parses the rows, and Python those that polars cannot."""

import csv
import io
from collections.abc import Callable, Iterator
from functools import cache, lru_cache, partial
from itertools import repeat
from typing import BinaryIO

import numpy as np
import polars as pl
from numpy.typing import NDArray

from iris_app.bulk.readers.chunks import BYTE_ORDER_MARK, Chunk, Records
from iris_app.bulk.readers.heading import read_heading
from iris_app.bulk.readers.options import Reading, ReadOptions
from iris_app.bulk.readers.records import (
    LIMIT,
    Layout,
    Offsets,
    are_regular,
    bytes_of,
    count_cells,
    count_lines,
    drop_empty_rows,
    find_records,
    last_record_end,
)
from iris_app.bulk.readers.values import read_rows
from iris_app.bulk.rows import ERRORS, RejectedRows, Rows, cell_errors, select_rows, sort_errors
from iris_app.codecs import csv_header, csv_rows
from iris_app.schema import Floats, Schema

# The errors of rows apart from their values, by the rows' indices; each follows the number of the line in a message.
Unreadable = dict[int, str]

Mask = NDArray[np.bool_]


class CsvFile:
    """A table in CSV.

    An invalid row does not affect the others: bytes outside of the encoding, a NUL, an unclosed quote, more or fewer
    cells than columns, a cell that is too long. A file is refused if its header cannot be read, if a feature has no
    column or two, and if a line is longer than ``chunks.MAX_ROW_SIZE``.

    Parameters
    ----------
    stream : binary file
    reading : Reading
    size : int, optional
        The number of bytes, if it is known.

    Attributes
    ----------
    guesses : list of str
        What was detected and is not the default, each a part of a sentence.

    Raises
    ------
    MalformedDocument
        If it has no header that can be read.
    InvalidValues
        If a feature has no column or two.
    """

    def __init__(self, stream: BinaryIO, reading: Reading, size: int | None = None) -> None:
        self.schema, self._options, self._keep = reading.schema, reading.options, reading.keep
        self._comment = (self._options.comment or "").encode()
        self._records = Records(stream, size, self._options.encoding)
        text = self._peek()
        heading = read_heading(self.schema, text, self._options)
        self.delimiter, self.columns, self.feature_columns, preamble, self.guesses = heading
        if self._records.encoding != (self._options.encoding or "utf-8") and not self._options.encoding:
            self.guesses.append(f"it is encoded in {self._records.encoding}")
        skipped = preamble.encode(errors="surrogateescape")
        self._records.skip(len(skipped))
        self._first_line = count_lines(skipped) + 1
        self._delimiter = self.delimiter.encode()
        self.newline = "\r\n" if "\r\n" in text else "\n"
        self.decimal_comma = self.delimiter == ";" and self._has_decimal_commas(text.removeprefix(preamble))
        unique = len(set(self.columns)) == len(self.columns)
        self._dtypes = {name if unique else str(index): pl.String for index, name in enumerate(self.columns)}
        self._validate = lru_cache(maxsize=256)(partial(_validate, self.schema, self._options))

    def chunks(self) -> Iterator[Chunk]:
        """Yield chunks of the file."""
        last_end = partial(last_record_end, delimiter=self._delimiter, comment=self._comment)
        return self._records.chunks(
            last_end, count_lines, partial(drop_empty_rows, delimiter=self._delimiter), self._first_line
        )

    def done(self) -> float:
        """Return the fraction of the file that was read."""
        return self._records.done()

    def read(self, chunk: Chunk) -> Rows:
        """Parse the rows of a chunk."""
        content, unreadable = chunk.content, Unreadable()
        find_layout = cache(partial(find_records, content, self._delimiter, self._comment))
        frame = self._parse(content)
        if frame is None:
            frame, unreadable = self._parse_irregular(content, find_layout())
        values = self._values(frame)
        accepted = self.schema.accepted(values)
        accepted[list(unreadable)] = False
        rejects = partial(self._describe, chunk, find_layout, frame, accepted, unreadable)
        return select_rows(self, frame, values, accepted, rejects, keep=self._keep, plain=b'"' not in content)

    def _peek(self) -> str:
        """Return the first rows, decoded as cp1252 if their first line is not UTF-8."""
        delimiters = (self._options.delimiter or csv_header.DELIMITERS).encode()
        first = self._records.peek(partial(last_record_end, delimiter=delimiters))
        try:
            first.lstrip().partition(b"\n")[0].decode()
        except UnicodeDecodeError:
            self._records.decode("cp1252")
            first = self._records.peek(partial(last_record_end, delimiter=delimiters))
        return first.decode(errors="surrogateescape")

    def _has_decimal_commas(self, text: str) -> bool:
        """Return whether a number in the first rows has a comma."""
        columns = zip(self.schema.features, self.feature_columns, strict=True)
        numeric = [index for feature, index in columns if feature.is_numeric and index is not None]
        rows = csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter)
        try:
            return any("," in row[index] for row in rows if len(row) == len(self.columns) for index in numeric)
        except csv.Error:
            return False

    def _parse(self, content: bytes) -> pl.DataFrame | None:
        """Parse rows by polars, or return None if the API's reader could parse them otherwise."""
        quoted = b'"' in content
        if self._comment or b"\0" in content or (quoted and not are_regular(content, self._delimiter)):
            return None
        if b"\r" in content and content.count(b"\r") != content.count(b"\r\n"):
            return None
        if content[:1] in {b"\n", b"\r"} or b"\n\n" in content or b"\n\r\n" in content:  # polars skips blank lines
            return None
        frame = self._read_csv(content)
        if frame is None:
            return None
        if quoted and content.count(b"\n") + (not content.endswith(b"\n")) != len(frame):
            return None
        # A row that is too short is filled up with nulls.
        if frame.to_series(-1).null_count():
            delimiters = content.count(self._delimiter)
            if quoted or delimiters != len(frame) * (len(self.columns) - 1):
                return None
        longest = frame.select(pl.all().str.len_bytes().max()).max_horizontal().item() or 0
        return frame if longest <= LIMIT else None

    def _read_csv(self, content: bytes) -> pl.DataFrame | None:
        """Parse regular rows, or return None if polars cannot; empty cells are null."""
        marked = content.startswith(BYTE_ORDER_MARK)  # which polars would pass over
        if marked:
            content = self._delimiter * (len(self.columns) - 1) + b"\n" + content
        try:
            frame = pl.read_csv(content, has_header=False, separator=self.delimiter, schema=self._dtypes)
        except pl.exceptions.PolarsError:
            return None
        frame = frame[1:] if marked else frame
        return frame.with_columns(pl.when(pl.all() != "").then(pl.all())) if b'"' in content else frame

    def _parse_irregular(self, content: bytes, layout: Layout) -> tuple[pl.DataFrame, Unreadable]:
        """Parse the regular rows by polars, and the others one by one."""
        irregular = layout.irregular | (count_cells(content, layout, self._delimiter) != len(self.columns))
        irregular |= (layout.ends - layout.starts > LIMIT) | _undecodable(content, layout)
        characters = np.frombuffer(content, np.uint8).copy()
        last = layout.ends - 1
        characters[last[characters[last] == ord("\r")]] = ord("\n")
        frame = self._read_csv(characters[bytes_of(layout, ~irregular, len(content))].tobytes())
        expected = len(irregular) - np.count_nonzero(irregular)
        if frame is None or len(frame) != expected:  # pragma: no cover -- no such file is known
            irregular[:] = True
            frame = pl.DataFrame(schema=self._dtypes)
        rows, unreadable = [], Unreadable()
        for record in np.flatnonzero(irregular).tolist():
            cells, wrong = self._read_row(content[layout.starts[record] : layout.ends[record]])
            rows.append([cell or None for cell in cells])
            if wrong:
                unreadable[record] = wrong
        order = np.empty(len(irregular), np.intp)
        order[np.concatenate([np.flatnonzero(~irregular), np.flatnonzero(irregular)])] = np.arange(len(irregular))
        return pl.concat([frame, pl.DataFrame(rows, schema=self._dtypes, orient="row")])[order], unreadable

    def _read_row(self, record: bytes) -> tuple[list[str], str | None]:
        """Return a cell for each column, and the error of a row apart from its values."""
        text, wrong, cells = record.decode(errors="replace").replace("\0", "\N{REPLACEMENT CHARACTER}"), None, []
        try:
            cells = next(csv.reader(io.StringIO(text, newline=""), delimiter=self.delimiter, strict=True), [])
        except csv.Error as error:
            cells, wrong = text.rstrip("\r\n")[:LIMIT].split(self.delimiter), f"is not CSV: {error}."
        if len(cells) == 1 and not csv_header.strip_blanks(cells[0]):
            cells = []
        if wrong is None and cells and len(cells) != len(self.columns):
            wrong = f"has {len(cells)} cells where the header has {len(self.columns)}."
        if b"\0" in record:
            wrong = "holds a NUL character, which text never does."
        elif "\N{REPLACEMENT CHARACTER}" in text and not _is_utf_8(record):
            hint = ". Save it as “CSV UTF-8”, or use --encoding cp1252 where it is of Windows."
            encoding = self._records.encoding
            wrong = f"is not UTF-8{hint}" if encoding == "utf-8" else f"holds bytes that {encoding} has not."
        return (cells + [""] * len(self.columns))[: len(self.columns)], wrong

    def _values(self, frame: pl.DataFrame) -> Floats:
        columns = [None if index is None else frame.to_series(index) for index in self.feature_columns]
        if nulls := list(self._options.null_values):
            columns = [column if column is None else column.set(column.is_in(nulls), None) for column in columns]
        return read_rows(self.schema, columns, len(frame), self._options.decimal)

    def _describe(
        self,
        chunk: Chunk,
        find_layout: Callable[[], Layout],
        frame: pl.DataFrame,
        accepted: Mask,
        unreadable: Unreadable,
        wrong: Offsets,
    ) -> RejectedRows:
        """Describe rows that cannot be classified."""
        layout = find_layout()
        begins, ends = layout.starts[wrong], layout.ends[wrong]
        lines = chunk.line + np.searchsorted(layout.lines, begins, "right")
        spans = zip(begins.tolist(), ends.tolist(), strict=True)
        texts = [chunk.content[begin:end].decode(errors="replace").rstrip("\r\n") for begin, end in spans]
        of_rows = {index: f"Line {lines[index]} {unreadable[wrong[index]]}" for index in _find(wrong, unreadable)}
        blanks = f'{self.delimiter}" \t'
        for index, text in enumerate(texts):
            if not text.strip(blanks):
                of_rows.setdefault(index, csv_rows.empty_row(int(lines[index])).detail)
        errors = [pl.DataFrame([list(of_rows), [None] * len(of_rows), list(of_rows.values())], schema=ERRORS)]
        has_cells = np.ones(len(wrong), bool)
        has_cells[list(of_rows)] = False
        for feature, column in enumerate(self.feature_columns):
            indices = np.flatnonzero(has_cells & ~accepted[wrong, feature])
            if column is not None and len(indices):
                cells = frame.to_series(column)[wrong[indices]].to_list()
                reasons = map(self._validate, repeat(feature), cells)
                errors.append(cell_errors("Line", lines, indices, self.columns[column], reasons))
        return RejectedRows(lines, texts, sort_errors(errors))


def _find(wrong: Offsets, unreadable: Unreadable) -> list[int]:
    """Return the indices of the rows that are unreadable."""
    found: list[int] = np.flatnonzero(np.isin(wrong, list(unreadable))).tolist()
    return found


def _validate(schema: Schema, options: ReadOptions, feature: int, cell: str | None) -> str | None:
    text = "" if cell is None or cell in options.null_values else cell
    return schema.features[feature].validate_text(text, options.decimal)


def _undecodable(content: bytes, layout: Layout) -> Mask:
    """Return a mask of the records that hold a NUL or are not UTF-8."""
    found = np.zeros(len(layout.ends), bool)
    characters = np.frombuffer(content, np.uint8)
    if b"\0" in content:
        found[_records_of(layout, np.flatnonzero(characters == 0))] = True
    if not _is_utf_8(content):
        for record in _records_of(layout, np.flatnonzero(characters > 127)).tolist():
            found[record] |= not _is_utf_8(content[layout.starts[record] : layout.ends[record]])
    return found


def _records_of(layout: Layout, offsets: Offsets) -> Offsets:
    """Return the indices of the records that hold the bytes at these offsets."""
    records = np.unique(np.searchsorted(layout.ends, offsets, "right"))
    return records[records < len(layout.ends)]


def _is_utf_8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
