"""The header of a table: its delimiter and its columns."""

import csv
import io
from collections.abc import Sequence
from functools import partial
from itertools import islice
from typing import NamedTuple

from iris_app.bulk.readers.options import ReadOptions
from iris_app.codecs import csv_header, csv_rows
from iris_app.codecs.csv_header import Header, Numbered
from iris_app.codecs.names import describe_unnamed, find_absent, find_features, match_names, quote_names
from iris_app.exceptions import InvalidValue, InvalidValues, MalformedDocument
from iris_app.formatting import truncate
from iris_app.schema import Schema

# Delimiters that are suggested, but not detected.
OTHER_DELIMITERS = ":~^"

# The lines above a header that are searched.
MAX_PREAMBLE_LINES = 20


class Heading(NamedTuple):
    """A table's delimiter, columns, the indices of the features' columns, the text above its rows, and the guesses."""

    delimiter: str
    columns: list[str]
    feature_columns: list[int | None]
    text: str
    guesses: list[str]


def read_heading(schema: Schema, text: str, options: ReadOptions) -> Heading:
    """Detect the delimiter and the columns of a table.

    Raises
    ------
    MalformedDocument
        If it is empty, or its first row is not CSV.
    InvalidValues
        If a feature has no column or two.
    """
    preamble = _preamble(text, options)
    rest = text[len(preamble) :]
    table = csv_rows.SEPARATOR_TEXT.sub("", rest)
    preamble += rest[: len(rest) - len(table)]
    lines = list(io.StringIO(table, newline=""))
    delimiter = options.delimiter or csv_header.find_delimiter(schema, lines)
    try:
        rows = csv_header.first_rows(lines, delimiter)
    except MalformedDocument as error:
        raise MalformedDocument(f"{error} {_suggest(schema, table, [])}") from error
    if not rows:
        raise MalformedDocument(csv_header.EMPTY)
    columns, skip, _, guess = _read_header(schema, rows, options, table)
    try:
        feature_columns = find_features(schema, columns)
    except InvalidValues as error:
        if not any(wrong.detail.startswith("There is no") for wrong in error.errors):
            raise
        raise InvalidValues([partial(_missing_columns, schema, table, columns)]) from error
    guesses = [*([guess] if guess else []), *describe_unnamed(schema, feature_columns)]
    if not options.delimiter and delimiter != ",":
        guesses.append(f"cells are separated by {delimiter!r}")
    above = _first_rows(table, delimiter, skip) if skip else "".join(lines[: rows[0][0] - 1])
    return Heading(delimiter, columns, feature_columns, preamble + above, guesses)


def _first_rows(text: str, delimiter: str, count: int) -> str:
    """Return the text of the first rows."""
    lines = io.StringIO(text, newline="")
    for _ in islice(csv_header.number_rows(lines, delimiter), count):
        pass
    return text[: lines.tell()]


def _preamble(text: str, options: ReadOptions) -> str:
    """Return the lines above the table: those to skip, and comments."""
    lines = io.StringIO(text, newline="")
    for _ in range(options.skip_lines):
        lines.readline()
    end = lines.tell()
    while options.comment and lines.readline().startswith(options.comment):
        end = lines.tell()
    return text[:end]


def _read_header(schema: Schema, rows: Sequence[Numbered], options: ReadOptions, table: str) -> Header:
    """Read the header of a table, or name its columns as the options do."""
    _, first = rows[0]
    if options.columns:
        named = [schema.match_feature(name) is not None for name in options.columns]
        is_row = any(map(csv_header.is_number, first)) or (any(named) and _holds_values(schema, options.columns, first))
        has_header = not is_row if options.header is None else options.header
        return Header(list(options.columns), int(has_header))
    try:
        return csv_header.read_header(schema, rows, options.header)
    except InvalidValues:
        raise InvalidValues([partial(_missing_columns, schema, table, first)]) from None
    except MalformedDocument as error:
        raise MalformedDocument(f"{error} Or use --columns with the name of each column.") from error


def _holds_values(schema: Schema, columns: Sequence[str], cells: Sequence[str]) -> bool:
    """Check whether a row holds values of the features in named columns."""
    found = ((schema.match_feature(name), cell) for name, cell in zip(columns, cells, strict=False))
    by_name = {feature.name: cell for feature, cell in found if feature}
    return csv_header.holds_values(schema, [by_name.get(name, "") for name in schema.features_by_name])


def _missing_columns(schema: Schema, text: str, columns: Sequence[str]) -> InvalidValue:
    """Return an error with the columns, the first line, and the option that would help."""
    first = _lines(text)[0].encode(errors="replace").decode()
    match = match_names(schema, columns)
    absent = find_absent(schema, match)
    misspelt = {feature.name: f" (is it “{truncate(columns[index], 30)}”?)" for index, feature in match.misspelt}
    missing = [feature.name + misspelt.get(feature.name, "") for feature in absent]
    detail = (
        f"There is no column {' and none '.join(missing)}; the columns are {quote_names(columns)}. "
        f"The file begins with “{truncate(first, 80)}”. "
        f"{_suggest(schema, text, columns)}"
    )
    return InvalidValue(detail, column=absent[0].name)


def _suggest(schema: Schema, text: str, columns: Sequence[str]) -> str:
    lines = _lines(text)
    required = {feature.name for feature in schema.features if not feature.optional} or set(schema.features_by_name)
    for number, line in enumerate(lines[:MAX_PREAMBLE_LINES]):
        for other in csv_header.DELIMITERS + OTHER_DELIMITERS:
            cells = _cells(line, other)
            if required <= {feature.name for feature in map(schema.match_feature, cells) if feature}:
                return _suggest_options(lines, number, other, cells)
    if any(map(csv_header.is_number, columns)):
        return "It seems to have no header: use --no-header --columns with the name of each column."
    return (
        "Use --columns with a name for each column where they are called otherwise, or --delimiter where they are one."
    )


def _suggest_options(lines: Sequence[str], number: int, delimiter: str, cells: Sequence[str]) -> str:
    """Suggest the options for a header below other lines, or with another delimiter."""
    options = []
    if number:
        mark = next((mark for mark in "#%" if all(line.startswith(mark) for line in lines[:number])), None)
        options.append(f'--comment "{mark}"' if mark else f"--skip-lines {number}")
    options.append(f'--delimiter "{delimiter}"')
    below = _cells(lines[number + 1], delimiter) if number + 1 < len(lines) else []
    if len(below) == len(cells) + 1:  # as R's write.table does
        options.append(f"--columns row,{','.join(cells)}")
    finding = f"Line {number + 1} seems to be the header" if number else "It seems to be a table"
    return f"{finding}: use {' '.join(options)}."


def _lines(text: str) -> list[str]:
    """Return the first lines, at least one."""
    return text.lstrip("\r\n").splitlines()[: MAX_PREAMBLE_LINES + 2] or [""]


def _cells(line: str, delimiter: str) -> list[str]:
    try:
        return next(iter(islice(csv.reader([line], delimiter=delimiter, skipinitialspace=delimiter == " "), 1)), [])
    except csv.Error:
        return []
