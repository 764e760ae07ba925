"""The header of a table: its delimiter, and the names of its columns."""

import csv
import math
from collections.abc import Iterable, Iterator, Sequence
from functools import partial
from itertools import islice
from operator import methodcaller
from typing import NamedTuple

from iris_app.codecs.names import MAX_CHARACTERS, MAX_NAMES, check_size, list_features, quote_names
from iris_app.exceptions import InvalidValue, InvalidValues, MalformedDocument
from iris_app.formatting import parse_int
from iris_app.schema import UNREADABLE, Feature, Schema, read_decimal

# Those of write.table in R are spaces.
DELIMITERS = ",;\t| "

EMPTY = "The table is empty. Its first line should name the columns."

# The rows that are searched for a header, below lines that are no part of the table.
MAX_ROWS_ABOVE = 20

# The rows that are looked at first: those, the header and the row below it.
FIRST_ROWS = MAX_ROWS_ABOVE + 2

# The characters that are searched for it, and the rest of the line in which they end.
MAX_SEARCHED = 1024 * 1024

# The name of a column of row names that has none, as R writes it.
ROW_NAMES = "row"

# How files begin that are no tables in text, what they are, and what to do.
SIGNATURES = {
    "PK\x03\x04": "a zip archive; unpack it and send the table in it, as CSV",
    "PAR1": "Parquet; convert it to CSV",
    "{": "JSON, so send it as application/json",
    "[": "JSON, so send it as application/json",
    "<": "HTML or XML; save the table as CSV",
    "@relation": "ARFF; save the table as CSV",
    "\xd0\xcf\x11\xe0": "an old Excel workbook (.xls), or one with a password; save the sheet as CSV",
    "\x1f\x8b": "compressed with gzip; unpack it first",
    "BZh": "compressed with bzip2; unpack it first",
    "\xfd7zXZ": "compressed with xz; unpack it first",
    "(\xb5/\xfd": "compressed with Zstandard; unpack it first",
    "7z\xbc\xaf": "a 7z archive; unpack it and send the table in it, as CSV",
    "Rar!": "a RAR archive; unpack it and send the table in it, as CSV",
    "%PDF": "a PDF document; save the table as CSV",
    "\x89PNG": "a picture; type its values into a table, and save that as CSV",
    "\xff\xd8\xff": "a picture; type its values into a table, and save that as CSV",
    "GIF8": "a picture; type its values into a table, and save that as CSV",
    "RIFF": "a picture, a sound or a film; type its values into a table, and save that as CSV",
    "II*\x00": "a picture; type its values into a table, and save that as CSV",
    "MM\x00*": "a picture; type its values into a table, and save that as CSV",
    "SQLite format 3": "an SQLite database; save the table as CSV",
    "ARROW1": "an Arrow file; convert it to CSV",
    "\x89HDF": "HDF5; convert it to CSV",
    "\x93NUMPY": "an array of NumPy; convert it to CSV",
}

# What zip archives hold, by a name that is in them.
ARCHIVES = {
    "xl/workbook": "an Excel workbook; save the sheet as CSV",
    "opendocument.spreadsheet": "an OpenDocument spreadsheet; save the sheet as CSV",
    "Index/Document.iwa": "a document of Numbers or Pages; export the table as CSV",
    "word/document": "a Word document; save its table as CSV",
    "ppt/presentation": "a presentation; save its table as CSV",
}

Numbered = tuple[int, list[str]]


class Header(NamedTuple):
    """The columns of a table.

    Attributes
    ----------
    columns : list of str
    skip : int
        The number of rows to skip: the header's, and those above it.
    line : int
        The line of the header, or 0 if there is none.
    guess : str
        What is unusual, as a part of a sentence.
    """

    columns: list[str]
    skip: int = 1
    line: int = 1
    guess: str = ""


def find_delimiter(schema: Schema, lines: Iterable[str]) -> str:
    """Return the delimiter by which one of the first rows names the most features, or else has a number for each."""
    rates: dict[str, tuple[int, bool, int]] = {}
    for delimiter in DELIMITERS:
        named, fits, _ = rates[delimiter] = _rate(schema, lines, delimiter)
        if fits and named >= len(schema.features):
            break
    return max(rates, key=rates.__getitem__)


def _rate(schema: Schema, lines: Iterable[str], delimiter: str) -> tuple[int, bool, int]:
    try:
        rows = [row for _, row in first_rows(lines, delimiter)]
    except MalformedDocument:
        return 0, False, 0
    first = rows[0] if rows else []
    fits = len(first) in {len(schema.features), len(schema.features) + 1}
    named = 0
    for row in rows:
        named = max(named, count_features(schema, row))
        if named >= len(schema.features):
            break
    return named, fits, sum(map(is_number, first)) if fits else 0


# Without the blanks around it, a cell that holds nothing else is empty.
strip_blanks = methodcaller("strip", " \t")


def first_rows(lines: Iterable[str], delimiter: str) -> list[Numbered]:
    """Return the rows among which the header is, with the numbers of their lines."""
    rows: list[Numbered] = []
    try:
        rows.extend(islice(number_rows(_first_lines(lines), delimiter, FIRST_ROWS), FIRST_ROWS))
    except MalformedDocument:
        if not rows:
            raise
    return rows


def _first_lines(lines: Iterable[str]) -> Iterator[str]:
    """Yield the lines that begin in the first ``MAX_SEARCHED`` characters."""
    start = 0
    for line in lines:
        if start > MAX_SEARCHED:
            return
        yield line
        start += len(line)


def number_rows(lines: Iterable[str], delimiter: str, most: int | None = None) -> Iterator[Numbered]:
    """Yield each row with the number of the line where it begins.

    Rows of blank cells, and blank lines, which have no cells, are left out where no other row is above or below them,
    and beyond the first ``most`` runs of them where that is given.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line, begun = 1, False
    empty: list[tuple[range, list[str]]] = []  # the lines of each run: there may be very many, and they are kept
    try:
        for row in reader:
            if any(map(strip_blanks, row)):
                yield from ((number, blank) for numbers, blank in empty for number in numbers)
                yield line, row
                begun, empty = True, []
            elif begun and len(row) < 2 and empty and not empty[-1][1]:
                empty[-1] = range(empty[-1][0].start, line + 1), []
            elif begun and (most is None or len(empty) < most):
                empty.append((range(line, line + 1), row if len(row) > 1 else []))
            line = reader.line_num + 1
    except csv.Error as error:
        raise MalformedDocument(f"Line {line} is not CSV: {error}.") from error


def read_header(schema: Schema, rows: Sequence[Numbered], header: bool | None, *, by_position: bool = False) -> Header:
    """Find the header in the first rows of a table.

    Parameters
    ----------
    schema : Schema
    rows : sequence of (int, list of str)
        The first rows, with the numbers of their lines.
    header : bool, optional
        Whether there is one; by default, it is recognized.
    by_position : bool
        Whether rows without a header have the features in their order. Otherwise they need a class at their end.

    Raises
    ------
    MalformedDocument
        If the table is empty, or if it cannot be known whether there is a header.
    InvalidValues
        If the first row names no feature and is no row of values.
    """
    if not rows:
        raise MalformedDocument(EMPTY)
    line, first = rows[0]
    check_size(first, "column")
    if first[1:] == [str(len(schema.features)), *schema.class_names] and first[0].isdecimal():
        return Header([*schema.features_by_name, "target"], 1, line)  # as in the files that scikit-learn brings
    if header is not False and (index := _find_named(schema, rows)) is not None:
        return _named(schema, rows, index)
    if header:
        return Header(first, 1, line)
    _check_class_is_last(schema, rows)
    columns = [*schema.features_by_name, schema.target][: len(first)]
    fits = len(first) == len(schema.features) or (len(first) == len(columns) and bool(schema.match_class(first[-1])))
    if header is None and not _is_row(schema, first, fits=fits, by_position=by_position):
        raise InvalidValues([partial(_unnamed, schema, line, first)])
    if not fits:
        raise MalformedDocument(
            f"Line {line} has {len(first)} cells; without a header, they are {list_features(schema)}, in this order."
        )
    return Header(columns, 0, 0, f"there is no header, and the columns are {', '.join(columns)}")


def _is_row(schema: Schema, cells: list[str], *, fits: bool, by_position: bool) -> bool:
    """Check whether the first row, which names no feature, is a row of values."""
    if _are_column_numbers(schema, cells):
        or_header = ", or send Content-Type: text/csv; header=absent" if fits else ""
        raise MalformedDocument(
            f"The first line, {','.join(cells[:10])}, may be a row or the numbers of the columns. If it is these, put "
            f"the names {list_features(schema)} in its place. If it is a row, put them above it{or_header}."
        )
    is_positional = by_position or len(cells) > len(schema.features)
    return fits and is_positional and (holds_values(schema, cells) or any(map(is_number, cells)))


def _are_column_numbers(schema: Schema, cells: list[str]) -> bool:
    """Check whether cells count the columns from 0 or 1, perhaps behind the empty name of an index."""
    numbers = [parse_int(cell) for cell in (cells if cells[0] else cells[1:])]
    width = len(numbers)
    return 0 <= width - len(schema.features) <= 1 and numbers in (list(range(width)), list(range(1, width + 1)))


def _find_named(schema: Schema, rows: Sequence[Numbered]) -> int | None:
    """Return the index of the first row that names features; below others, those that may not be missing."""
    required = sum(not feature.optional for feature in schema.features) or 1
    for index, (_, row) in enumerate(rows):
        if count_features(schema, row) >= (required if index else 1):
            return index
        if holds_values(schema, row):
            return None
    return None


def _named(schema: Schema, rows: Sequence[Numbered], index: int) -> Header:
    """Return the header at an index, with a name for the column of R's row names."""
    line, names = rows[index]
    features = list(map(schema.match_feature, names))
    _check_above(schema, features, rows[:index], line)
    guesses = [f"the columns are named in line {line}"] if index else []
    below = [row for _, row in rows[index + 1 :]]
    if below and all(len(row) == len(names) + 1 for row in below):
        _check_class_is_named(schema, features, below)
        if _has_row_names(features, below):
            names = [ROW_NAMES, *names]
            guesses.append("the first column, which has no name, holds the names of the rows")
    return Header(names, index + 1, line, " and ".join(guesses))


def _check_above(schema: Schema, features: Sequence[Feature | None], above: Sequence[Numbered], line: int) -> None:
    """Raise ``MalformedDocument`` if a row stands above the header, as in a table that was sorted with it."""
    for number, row in above:
        if len(row) == len(features) and _count_values(features, row) > len(schema.features) / 2:
            raise MalformedDocument(
                f"Line {number} looks like a row, and line {line} names the columns: put the names above all rows."
            )


def _count_values(features: Sequence[Feature | None], row: Sequence[str]) -> int:
    """Count the features of which a row has a value in its place."""
    pairs = zip(features, row, strict=True)
    return sum(feature is not None and cell.strip() != "" and _is_value(feature, cell) for feature, cell in pairs)


def _check_class_is_last(schema: Schema, rows: Sequence[Numbered]) -> None:
    """Raise ``MalformedDocument`` if the class may be in the first cell of rows without a header, or in the last."""
    width = len(schema.features) + 1
    if all(
        len(row) == width
        and holds_values(schema, row[1:])
        and holds_values(schema, row[:-1])
        and all(schema.match_class(cell) for cell in (row[0], row[-1]))
        for _, row in rows
    ):
        raise MalformedDocument(
            f"The rows have {width} cells, of which the first or the last may be the {schema.target}: put the names of "
            "the columns above them."
        )


def _check_class_is_named(schema: Schema, features: Sequence[Feature | None], rows: Sequence[list[str]]) -> None:
    """Raise ``MalformedDocument`` if the cell that rows have more than a header of features may be their class."""
    if None not in features and all(
        schema.match_class(row[-1]) and _count_values(features, row[:-1]) == len(schema.features) for row in rows
    ):
        width = len(features)
        raise MalformedDocument(
            f"The rows have {width + 1} cells and the header {width}: name the first column, if it holds the names of "
            f"the rows, or the last, if it holds the {schema.target}."
        )


def _has_row_names(features: Sequence[Feature | None], rows: Sequence[list[str]]) -> bool:
    """Check whether the cell that rows have more than the header is the first, their name or number."""
    labels = [row[0] for row in rows]
    return (
        all(row[-1] for row in rows)
        and all(
            _is_value(feature, cell)
            for row in rows
            for feature, cell in zip(features, row[1:], strict=True)
            if feature is not None
        )
        and (not any(map(is_number, labels)) or _are_row_numbers(features[0], labels, rows))
    )


def _are_row_numbers(first: Feature | None, labels: list[str], rows: Sequence[list[str]]) -> bool:
    """Check whether whole numbers are those of rows, as they are where they cannot be values of the first column.

    Otherwise they follow each other, or differ in at least two rows that hold fractions.
    """
    numbers = [parse_int(label) for label in labels]
    start, count = numbers[0], len(numbers)
    if start is None or None in numbers or len(set(numbers)) < count:
        return False
    if (count == 1 and start < 2) or (count > 1 and numbers == list(range(start, start + count))):
        return True
    has_fraction = any(is_number(cell) and parse_int(cell) is None for row in rows for cell in row[1:])
    return (count > 1 and has_fraction) or (first is not None and not all(map(first.accepts, numbers)))


def count_features(schema: Schema, names: list[str]) -> int:
    """Count the names that mean a feature, where they are no more than a table may have."""
    is_heading = len(names) <= MAX_NAMES and sum(map(len, names)) <= MAX_CHARACTERS
    return sum(map(bool, map(schema.match_feature, names))) if is_heading else 0


def holds_values(schema: Schema, cells: list[str]) -> bool:
    """Check whether a row begins with a value of each feature, in their order, within its bounds or not."""
    pairs = list(zip(schema.features, cells, strict=False))
    is_any = any(cell.strip() for _, cell in pairs)
    return len(pairs) == len(schema.features) and is_any and all(_is_value(feature, cell) for feature, cell in pairs)


def _is_value(feature: Feature, cell: str) -> bool:
    value = feature.read_text(cell)
    if math.isnan(value):
        return feature.optional
    return value >= 0 if feature.kind == "category" else value != UNREADABLE


def is_number(cell: str) -> bool:
    """Check whether a cell is a number."""
    return not math.isnan(read_decimal(cell))


def recognize(body: bytes) -> str:
    """Return what a file is that is no table in text, and what to do; an empty string if that is not known."""
    if body.startswith(b"PK\3\4"):
        found = (kind for name, kind in ARCHIVES.items() if name.encode() in body)
        return next(found, SIGNATURES["PK\x03\x04"])
    if 0 in body[:2]:
        return "text in UTF-16; save it as “CSV UTF-8”"
    return recognize_text(body[:100].decode("latin-1"))


def recognize_text(text: str) -> str:
    """Return the same by the beginning of its text."""
    begins = text[:100].casefold()
    return next((kind for signature, kind in SIGNATURES.items() if begins.startswith(signature.casefold())), "")


def _unnamed(schema: Schema, line: int, cells: list[str]) -> InvalidValue:
    """Return the error for a first row that names no feature."""
    detail = f"There is no column {list_features(schema)}; line {line} is {quote_names(cells)}. "
    if kind := recognize_text(cells[0].lstrip()):
        detail += f"It looks like {kind}."
    elif any(map(is_number, cells)):
        detail += "It looks like a row without a header: put the names of the columns above it."
        if len(cells) == len(schema.features):
            detail += " A program may send Content-Type: text/csv; header=absent instead, if they are in this order."
    else:
        detail += "It looks like a header with other names: rename its columns to those that are missing."
    return InvalidValue(detail, line=line, column=schema.features[0].name)
