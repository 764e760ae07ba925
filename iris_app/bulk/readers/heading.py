"""How a table begins: its delimiter and its columns, or why they cannot be found."""

import csv
import io
import math
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

from iris_app.bulk.readers.options import ReadOptions
from iris_app.codecs import csv_rows
from iris_app.exceptions import InvalidValue, InvalidValues, MalformedDocument
from iris_app.formatting import truncate
from iris_app.iris import SCHEMA

# Delimiters that are named where they would do, but not taken without being asked for.
OTHER_DELIMITERS = " :~^"

# How many lines may stand above a header for it to be found.
ABOVE = 20


class Heading(NamedTuple):
    """A table's delimiter, columns, the features' places among these, the text above its rows, and what was guessed."""

    delimiter: str
    columns: list[str]
    places: list[int]
    text: str
    guesses: list[str]


def read_heading(text: str, options: ReadOptions) -> Heading:
    """Read how a table begins.

    Raises
    ------
    MalformedDocument
        Where it is empty, or its first row is not CSV.
    InvalidValues
        Where a feature has no column or two.
    """
    above = _above(text, options)
    rest = text[len(above) :]
    table = csv_rows.SEPARATOR_TEXT.sub("", rest)
    above += rest[: len(rest) - len(table)]
    delimiter = options.delimiter or csv_rows.find_delimiter(table)
    lines = io.StringIO(table, newline="")
    try:
        line, first = next(csv_rows.number_rows(lines, delimiter), (1, []))
    except MalformedDocument as error:
        raise MalformedDocument(f"{error} {_advice(table, [])}") from error
    if not first:
        raise MalformedDocument(csv_rows.EMPTY)
    columns, is_header, guesses = _columns(line, first, options)
    try:
        places = csv_rows.find_features(columns)
    except InvalidValues as error:
        missing = [str(wrong.column) for wrong in error.errors if wrong.detail.startswith("There is no")]
        raise InvalidValues([partial(_explained, table, columns, missing)]) if missing else error from error
    if not options.delimiter and delimiter != ",":
        guesses.append(f"cells are separated by {delimiter!r}")
    return Heading(delimiter, columns, places, above + (table[: lines.tell()] if is_header else ""), guesses)


def _above(text: str, options: ReadOptions) -> str:
    """Return the lines above the table that are to be skipped, and comments."""
    lines = io.StringIO(text, newline="")
    for _ in range(options.skip_lines):
        lines.readline()
    end = lines.tell()
    while options.comment and lines.readline().startswith(options.comment):
        end = lines.tell()
    return text[:end]


def _columns(line: int, first: list[str], options: ReadOptions) -> tuple[list[str], bool, list[str]]:
    """Return the columns' names, whether the first row is a header, and what was guessed."""
    numbers = [not math.isnan(csv_rows.read_decimal(cell)) for cell in first]
    ((_, named),) = csv_rows.name_columns([(line, first)], None)
    if named != first:  # the header of scikit-learn's own file
        return named, True, []
    count = len(SCHEMA.features)
    ends_with_class = numbers == [True] * count + [False] and SCHEMA.match_class(first[-1]) is not None
    is_header = (
        options.header if options.header is not None else not (ends_with_class or (options.columns and any(numbers)))
    )
    if options.columns:
        return list(options.columns), is_header, []
    if is_header:
        return first, True, []
    if len(first) not in {count, count + 1}:
        names = "--columns with the name of each column"
        raise MalformedDocument(f"Without a header, {len(first)} columns cannot be told apart: use {names}.")
    columns = [*SCHEMA.features_by_name, "species"][: len(first)]
    return columns, False, [f"there is no header, and the columns are {', '.join(columns)}"]


def _explained(text: str, columns: Sequence[str], missing: Sequence[str]) -> InvalidValue:
    """Say which columns were found, how the file begins, and which option would help."""
    first = _lines(text)[0].encode(errors="replace").decode()
    found = ", ".join(f"“{truncate(name, 30)}”" for name in columns[:10])
    more = f" and {len(columns) - 10:,} more" if len(columns) > 10 else ""
    detail = (
        f"There is no column {' and none '.join(missing)}; the columns are {found}{more}. "
        f"The file begins with “{truncate(first, 80)}”. "
        f"{_advice(text, columns)}"
    )
    return InvalidValue(detail, column=missing[0])


def _advice(text: str, columns: Sequence[str]) -> str:
    lines = _lines(text)
    for number, line in enumerate(lines[:ABOVE]):
        for other in csv_rows.DELIMITERS + OTHER_DELIMITERS:
            cells = _cells(line, other)
            if len({SCHEMA.match_feature(cell) for cell in cells} - {None}) == len(SCHEMA.features):
                return _advice_for(lines, number, other, cells)
    if not all(math.isnan(csv_rows.read_decimal(cell)) for cell in columns):
        return "It seems to have no header: use --no-header --columns with the name of each column."
    return (
        "Use --columns with a name for each column where they are called otherwise, or --delimiter where they are one."
    )


def _advice_for(lines: Sequence[str], number: int, delimiter: str, cells: Sequence[str]) -> str:
    """Say how to read a file whose header was found below other lines, or by another delimiter."""
    options = []
    if number:
        mark = next((mark for mark in "#%" if all(line.startswith(mark) for line in lines[:number])), None)
        options.append(f'--comment "{mark}"' if mark else f"--skip-lines {number}")
    if delimiter not in csv_rows.DELIMITERS:
        options.append(f'--delimiter "{delimiter}"')
    below = _cells(lines[number + 1], delimiter) if number + 1 < len(lines) else []
    if len(below) == len(cells) + 1:  # as R's write.table does
        options.append(f"--columns row,{','.join(cells)}")
    place = f"Line {number + 1} seems to be the header" if number else "It seems to be a table"
    return f"{place}: use {' '.join(options)}."


def _lines(text: str) -> list[str]:
    """Return the first lines, one at least."""
    return text.lstrip("\r\n").splitlines()[: ABOVE + 2] or [""]


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(iter(islice(csv.reader([line], delimiter=delimiter, skipinitialspace=delimiter == " "), 1)), [])
    except csv.Error:
        return []
