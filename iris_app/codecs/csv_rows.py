"""Read rows from CSV in its usual variants, and write it with the predictions beside."""

import codecs
import contextlib
import csv
import dataclasses
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, compress, islice, repeat
from operator import contains
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from iris_app.codecs import bounds, csv_header
from iris_app.codecs.bounds import RowBounds
from iris_app.codecs.names import find_features
from iris_app.exceptions import InvalidValue, InvalidValues, MalformedDocument, TooManyRows
from iris_app.formatting import format_number, parse_number, truncate
from iris_app.json_types import Prediction
from iris_app.schema import MISSING, UNREADABLE, Feature, Floats, Schema

# What Excel may write above the header, for itself.
SEPARATOR_TEXT = re.compile(r'\A"?sep=[,;\t|]"?(?=[\r\n])')
SEPARATOR_LINE = re.compile(rb'(?:\xef\xbb\xbf)?"?sep=[,;\t|]"?(?=[\r\n])')

# Characters with which a formula begins, and all that Unicode takes for them (NFKC), and the minus sign.
OPERATORS = "=+@\\-\u207a\u207c\u208a\u208c\u2212\u2a75\u2a76\ufb29\ufe62\ufe63\ufe66\ufe6b\uff0b\uff0d\uff1d\uff20"

# Space, control and format characters, but for those that may separate cells.
BLANK = (
    r" \x00-\x08\x0b\x0c\x0e-\x1f\x7f-\xa0\xad\u061c\u1680\u180e\u2000-\u200f\u2028-\u202f\u205f-\u206f\u3000\ufeff"
    r"\ufff9-\ufffb\U000e0000-\U000e007f"
)

# What a spreadsheet computes, at the start of a cell or behind what may separate cells elsewhere. Nothing that is blank
# separates, so no character is looked at by two attempts.
FORMULA = re.compile(rf"\A[\t\r]|(?:\A|[,;\t\r\n])[{BLANK}]*[{OPERATORS}]")

# The same in any of the cells of a row, one a line.
FORMULA_IN_ROW = re.compile(rf"(?:\A|\n)[\t\r]|(?:\A|[,;\t\r\n])[{BLANK}]*[{OPERATORS}]")

# The characters of plain numbers, which NumPy reads as everybody does.
PLAIN_NUMBERS = re.compile(r"[-+.0-9Ee]*")

# What may stand before decimals, and numbers in which it may stand between thousands.
MARKS = ".,"
THOUSANDS = re.compile(r"\A *[-+]?[1-9]\d{0,2}[.,]\d{3} *\Z")

# Bytes in a line, and so more than in a row without line ends in its cells.
MAX_LINE = 1024 * 1024

_encoder = msgspec.json.Encoder()

# Rows whose numbers are read at once.
BLOCK = 4096


class Lines:
    """The lines of a body, decoded anew each time, so that never all of them are in memory."""

    def __init__(self, body: bytes) -> None:
        self._body = body[separator.end() :] if (separator := SEPARATOR_LINE.match(body)) else body

    def __iter__(self) -> Iterator[str]:
        """Yield each line with its end."""
        return io.TextIOWrapper(io.BytesIO(self._body), encoding="utf-8-sig", newline="")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table, parsed anew each time.

    ``skip`` is the number of those up to the header, ``width`` the number of cells of a blank line, and ``kept``, of
    shape (n,), says which of the rows count.
    """

    lines: Lines
    delimiter: str
    skip: int
    width: int
    kept: NDArray[np.bool_] | None = None

    def __iter__(self) -> Iterator[list[str]]:
        """Yield each row."""
        return (row for _, row in self.numbered())

    def numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row with the number of the line where it begins."""
        numbered = islice(csv_header.number_rows(self.lines, self.delimiter), self.skip, None)
        kept = numbered if self.kept is None else compress(numbered, self.kept.tolist())
        return ((line, row or [""] * self.width) for line, row in kept)


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it came: its rows, how it was written, and the features' values, of shape (n, features).

    ``skipped`` names the wrong cells whose rows were left out.
    """

    header: list[str]
    rows: Iterable[list[str]]
    values: Floats
    delimiter: str = ","
    newline: str = "\n"
    decimal_comma: bool = False
    quote_all: bool = False
    skipped: InvalidValues | None = None


@dataclass(frozen=True, slots=True)
class ParsedTable(Table):
    """A table that was read from CSV, with the line of each of its rows."""

    rows: Rows


def read(
    schema: Schema,
    body: bytes,
    max_rows: int,
    *,
    header: bool | None = None,
    by_position: bool = False,
    skip_bad_rows: bool = False,
) -> ParsedTable:
    """Read a table whose header names its columns: the features', in any order and usual spelling, among any others.

    Separators may be commas, semicolons, tabs, vertical bars or spaces; decimals stand behind a point or a comma. Rows
    with wrong cells may be skipped. For ``header`` and ``by_position`` see ``csv_header.read_header``.

    Raises
    ------
    MalformedDocument
        Where the body is not CSV in UTF-8, or where it cannot be known whether it has a header.
    TooManyRows
        Where there are more rows than ``max_rows``, or more lines or cells than so many rows may have.
    InvalidValues
        Where a feature has two columns, or none although it may not be missing, or where a cell is not accepted.
    """
    with _recognized(body):
        _check_text(body)
    _check_lines(body, max_rows)
    lines = Lines(body)
    delimiter = csv_header.find_delimiter(schema, lines)
    bounds.check(body.count(delimiter.encode()), "cells", schema.derive(RowBounds).cells, max_rows)
    with _recognized(body):
        first = csv_header.first_rows(lines, delimiter)
    names, skip, line, _ = csv_header.read_header(schema, first, header, by_position=by_position)
    places = find_features(schema, names, line=line)
    rows = Rows(lines, delimiter, skip, len(names))
    values, odd, marks = _read_values(schema, rows, len(names), places, max_rows)
    if len(marks) > 1:
        _check_decimals(schema, rows, names, places)
    skipped = None
    accepted = schema.accepted(values)
    if wrong := _count_wrong(accepted, odd):
        good: NDArray[np.bool_] = np.logical_and.reduce(accepted, axis=1)
        bad_rows = dataclasses.replace(rows, kept=~good).numbered()
        skipped = InvalidValues(wrong_in_rows(schema, bad_rows, names, places), wrong)
        if not skip_bad_rows:
            raise skipped
        values, rows = values[good], dataclasses.replace(rows, kept=good)
    return ParsedTable(
        names,
        rows,
        values,
        delimiter,
        newline="\r\n" if b"\r\n" in body else "\n",
        decimal_comma=delimiter == ";" and "," in marks,
        quote_all=b"\r" in body
        and b'"' in body
        and quoting_of(chain(names, chain.from_iterable(rows))) == csv.QUOTE_ALL,
        skipped=skipped,
    )


def _read_values(
    schema: Schema, rows: Rows, width: int, places: list[int | None], max_rows: int
) -> tuple[Floats, int, set[str]]:
    """Read the features' cells.

    Returns
    -------
    values : ndarray of shape (n, features), float64
        ``UNREADABLE`` in the whole of a row with the wrong number of cells.
    odd : int
        How many rows have not ``width`` cells, or only empty ones, though some may not be missing.
    marks : set of str
        The marks, of point and comma, that stand in numbers.
    """
    blocks, odd, count, marks = [np.empty((0, len(places)))], 0, 0, set[str]()
    numbered = rows.numbered()
    while block := [row for _, row in islice(numbered, BLOCK)]:
        count += len(block)
        if count > max_rows:
            raise TooManyRows(f"There are more rows than the {max_rows:,} that one request may hold.")
        odd_rows = _find_odd(block, width)
        for index in odd_rows:
            block[index] = [""] * width
        values, found = _read_block(schema, block, places)
        odd_rows += _find_blank(schema, block, values, set(odd_rows))
        values[odd_rows] = UNREADABLE
        blocks.append(values)
        odd += len(odd_rows)
        marks |= found
    return np.concatenate(blocks), odd, marks


def _find_blank(schema: Schema, rows: list[list[str]], values: Floats, odd_rows: set[int]) -> list[int]:
    """Return the indices of further rows of blank cells, where some may not be missing."""
    if all(feature.optional for feature in schema.features):
        return []
    missing = np.flatnonzero(np.isnan(values).all(axis=1)).tolist()
    return [index for index in missing if index not in odd_rows and _is_blank(rows[index])]


def _is_blank(row: list[str]) -> bool:
    """Check whether a row has no cell with more than blanks."""
    return not any(map(csv_header.strip_blanks, row))


def _find_odd(rows: list[list[str]], width: int) -> list[int]:
    """Return the indices of the rows with another number of cells."""
    if set(map(len, rows)) == {width}:
        return []
    return [index for index, row in enumerate(rows) if len(row) != width]


def _read_block(schema: Schema, rows: list[list[str]], places: list[int | None]) -> tuple[Floats, set[str]]:
    """Return the features' values in rows of as many cells, and the marks that stand in numbers."""
    values, marks = np.full((len(rows), len(places)), MISSING), set[str]()
    columns = list(zip(*rows, strict=True))
    for column, (feature, place) in enumerate(zip(schema.features, places, strict=True)):
        if place is not None:
            values[:, column] = _read_column(feature, columns[place])
            if feature.is_numeric and len(marks) < len(MARKS):
                text = "".join(columns[place])
                marks.update(mark for mark in MARKS if mark in text)
    return values, marks


def _check_decimals(schema: Schema, rows: Rows, names: list[str], places: list[int | None]) -> None:
    """Raise ``InvalidValues`` if all numbers with one of two marks may have it between thousands."""
    doubtful: dict[str, tuple[int, str, str] | None] = {}
    pairs = zip(schema.features, places, strict=True)
    numeric = [place for feature, place in pairs if feature.is_numeric and place is not None]
    for line, row in rows.numbered():
        if doubtful == dict.fromkeys(MARKS):
            return
        for place in numeric if len(row) == len(names) else []:
            for mark in MARKS:
                if mark in row[place]:
                    found = doubtful.get(mark, (line, names[place], row[place]))
                    doubtful[mark] = found if THOUSANDS.match(row[place]) else None
    if cells := list(filter(None, doubtful.values())):
        raise InvalidValues(partial(_doubtful, *cell) for cell in cells)


def _doubtful(line: int, column: str, cell: str) -> InvalidValue:
    detail = (
        f'Line {line}, column {truncate(column)}: "{cell.strip()}" may be a decimal, or have a mark between thousands, '
        "since other numbers of the table have the other mark. Write all numbers without marks between thousands."
    )
    return InvalidValue(detail, line=line, column=truncate(column))


def _read_column(feature: Feature, texts: Sequence[str]) -> Floats:
    """Read the cells of a feature: plain numbers at once, and other texts once each."""
    if feature.is_numeric and PLAIN_NUMBERS.fullmatch("".join(texts)):
        with contextlib.suppress(ValueError):
            return np.array([text or "nan" for text in texts], np.float64)
    values = {text: feature.read_text(text) for text in set(texts)}
    return np.array(list(map(values.__getitem__, texts)))


def _count_wrong(accepted: NDArray[np.bool_], odd: int) -> int:
    """Count the wrong values, those of an odd row as one."""
    return int(np.count_nonzero(~accepted)) - odd * int(accepted.shape[1] - 1)


def table_of(schema: Schema, rows: Floats) -> Table:
    """Make a table of rows that did not come as one."""
    columns = [list(map(_formatter(feature), rows[:, index].tolist())) for index, feature in enumerate(schema.features)]
    return Table(list(schema.features_by_name), list(map(list, zip(*columns, strict=True))), rows)


def _formatter(feature: Feature) -> Callable[[float], str]:
    return format_number if feature.kind == "number" and not feature.optional else feature.format


@dataclass(frozen=True, slots=True)
class GuardedRows:
    """Rows with an apostrophe before cells that a spreadsheet would take for formulas."""

    rows: Iterable[list[str]]

    def __iter__(self) -> Iterator[list[str]]:
        """Yield each row, the same list where nothing in it had to change."""
        return map(_guarded_row, self.rows)


def guard(table: Table) -> Table:
    """Put an apostrophe before cells that a spreadsheet would take for formulas; numbers stay as they are."""
    header, rows = _guarded_row(table.header), GuardedRows(table.rows)
    # Quoted, no cell falls into two where another separator is expected.
    changed = any(_guarded_row(row) != row for row in chain([table.header], table.rows))
    return dataclasses.replace(table, header=header, rows=rows, quote_all=table.quote_all or changed)


def _guarded_row(row: list[str]) -> list[str]:
    return list(map(_guarded, row)) if FORMULA_IN_ROW.search("\n".join(row)) else row


def _guarded(cell: str) -> str:
    computed = FORMULA.search(cell) and math.isnan(parse_number(cell.replace(",", ".").replace("\u2212", "-")))
    return f"'{cell}" if computed else cell


def write(schema: Schema, table: Table, blocks: Iterable[Sequence[Prediction]]) -> Iterator[str]:
    """Write a table as it came, and beside each row its class, the probability of each class, and warnings.

    Yields
    ------
    str
        First the names of the columns, then the rows of each block of predictions.
    """
    names = table.header + answer_columns(schema, table.header)
    yield _join(table, [names])
    rows = iter(table.rows)
    for block in blocks:
        answers = _to_cells(schema, block, decimal_comma=table.decimal_comma)
        yield _join(table, [[*row, *cells] for row, cells in zip(islice(rows, len(block)), answers, strict=True)])


def _join(table: Table, rows: Sequence[list[str]]) -> str:
    """Return rows of as many cells each as CSV; csv is asked only where cells are quoted, since it takes far longer."""
    text = "".join([table.delimiter.join(row) + table.newline for row in rows])
    separators = {'"': 0, table.delimiter: sum(map(len, rows)) - len(rows)}
    separators |= {character: len(rows) if character in table.newline else 0 for character in "\r\n"}
    if not table.quote_all and all(text.count(separator) == count for separator, count in separators.items()):
        return text
    written = io.StringIO()
    quoting: Any = csv.QUOTE_ALL if table.quote_all else csv.QUOTE_MINIMAL
    csv.writer(written, delimiter=table.delimiter, lineterminator=table.newline, quoting=quoting).writerows(rows)
    return written.getvalue()


def quoting_of(cells: Iterable[str]) -> Any:
    """Return the quoting of cells, for ``csv``.

    A lone carriage return would be taken for the end of a line, and the writer does not think of quoting it.
    """
    return csv.QUOTE_ALL if any(map(contains, cells, repeat("\r"))) else csv.QUOTE_MINIMAL


def _to_cells(schema: Schema, block: Sequence[Prediction], *, decimal_comma: bool) -> Iterator[tuple[str, ...]]:
    """Return the cells of each prediction."""
    probabilities = (msgspec.structs.astuple(prediction.probabilities) for prediction in block)
    texts = _encoder.encode(list(chain.from_iterable(probabilities))).decode()[1:-1].split(",")  # far faster than csv
    if decimal_comma:
        texts = [text.replace(".", ",") for text in texts]
    labels = [prediction.predicted_class for prediction in block]
    warnings = [
        " ".join([one.label for one in found]) if (found := prediction.warnings) else "" for prediction in block
    ]
    return zip(labels, *[iter(texts)] * len(schema.classes), warnings, strict=False)


def answer_columns(schema: Schema, taken: Sequence[str]) -> list[str]:
    """Return the names of the columns of predictions, beside those that came."""
    names = list(taken)
    for name in (schema.answer_key, *(f"probability_{name}" for name in schema.class_names), "warnings"):
        names.append(_untaken(name, names))
    return names[len(taken) :]


def _untaken(name: str, taken: Sequence[str]) -> str:
    """Return a name that no other column has."""
    while name in taken:
        name = f"predicted_{name}"
    return name


@contextlib.contextmanager
def _recognized(body: bytes) -> Iterator[None]:
    """Name what a body is where it is malformed, if that is known."""
    try:
        yield
    except MalformedDocument:
        if kind := csv_header.recognize(body):
            raise MalformedDocument(f"This is {kind}.") from None
        raise


def _check_text(body: bytes) -> None:
    """Raise ``MalformedDocument`` where a body is no text."""
    if not body.isascii():
        _check_utf_8(body)
    if b"\0" in body:
        raise MalformedDocument("The table holds a NUL character, which text never does. Is it saved as CSV?")


def _check_lines(body: bytes, max_rows: int) -> None:
    """Raise ``TooManyRows`` where there are too many lines, or ``MalformedDocument`` where one is too long."""
    bounds.check_lines(body, max_rows)
    start = 0
    while len(body) - start > MAX_LINE:
        end = max(body.rfind(line_end, start, start + MAX_LINE) for line_end in (b"\n", b"\r"))
        if end < 0:
            raise MalformedDocument(f"A line is longer than the {MAX_LINE:,} bytes that it may have.")
        start = end + 1


def _check_utf_8(body: bytes) -> None:
    decoder = codecs.getincrementaldecoder("utf-8")()
    for start in range(0, len(body) + MAX_LINE, MAX_LINE):
        pending, _ = decoder.getstate()
        piece = body[start : start + MAX_LINE]
        try:
            decoder.decode(piece, final=not piece)
        except UnicodeDecodeError as error:
            at = start - len(pending) + error.start
            message = f"This text is not UTF-8: byte {at} cannot be read. In a spreadsheet, save it as “CSV UTF-8”."
            raise MalformedDocument(message) from error


def empty_row(line: int) -> InvalidValue:
    """Return the error for a row of blank cells where some may not be missing."""
    return InvalidValue(f"Line {line} is empty: take it out, or fill it in.", line=line)


def wrong_in_rows(
    schema: Schema, numbered: Iterable[tuple[int, list[str]]], header: list[str], places: list[int | None]
) -> Iterator[Callable[[], InvalidValue]]:
    """Yield a factory of the error for each wrong cell."""
    for line, row in numbered:
        if len(row) != len(header):
            detail = f"Line {line} has {len(row)} cells where the header has {len(header)}."
            yield partial(InvalidValue, detail, line=line)
            continue
        if _is_blank(row):
            yield partial(empty_row, line)
            continue
        for feature, place in zip(schema.features, places, strict=True):
            if place is not None and (wrong := feature.validate_text(row[place])):
                column = truncate(header[place])
                yield partial(InvalidValue, f"Line {line}, column {column}: {wrong}", line=line, column=column)
