"""The header of a table: its delimiter and its columns."""

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
from iris_app.schema import UNREADABLE, Feature, Schema, read_decimal

# Delimiters that are suggested, but not detected.
OTHER_DELIMITERS = " :~^"

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
    delimiter = options.delimiter or csv_rows.find_delimiter(schema, table)
    lines = io.StringIO(table, newline="")
    try:
        line, first = next(csv_rows.number_rows(lines, delimiter), (1, []))
    except MalformedDocument as error:
        raise MalformedDocument(f"{error} {_suggest(schema, table, [])}") from error
    if not first:
        raise MalformedDocument(csv_rows.EMPTY)
    columns, is_header, guesses = _columns(schema, line, first, options)
    try:
        feature_columns = csv_rows.find_features(schema, columns)
    except InvalidValues as error:
        missing = [str(wrong.column) for wrong in error.errors if wrong.detail.startswith("There is no")]
        if not missing:
            raise
        raise InvalidValues([partial(_missing_columns, schema, table, columns, missing)]) from error
    if not options.delimiter and delimiter != ",":
        guesses.append(f"cells are separated by {delimiter!r}")
    return Heading(
        delimiter, columns, feature_columns, preamble + (table[: lines.tell()] if is_header else ""), guesses
    )


def _preamble(text: str, options: ReadOptions) -> str:
    """Return the lines above the table: those to skip, and comments."""
    lines = io.StringIO(text, newline="")
    for _ in range(options.skip_lines):
        lines.readline()
    end = lines.tell()
    while options.comment and lines.readline().startswith(options.comment):
        end = lines.tell()
    return text[:end]


def _columns(schema: Schema, line: int, first: list[str], options: ReadOptions) -> tuple[list[str], bool, list[str]]:
    """Return the columns' names, whether the first row is a header, and what was guessed."""
    ((_, named),) = csv_rows.name_columns(schema, [(line, first)], None)
    if named != first:  # the header of scikit-learn's own file
        return named, True, []
    if options.columns:
        has_values = any(map(_is_number, first)) or _holds_values(schema, list(options.columns), first)
        return list(options.columns), not has_values if options.header is None else options.header, []
    columns = [*schema.features_by_name, schema.target][: len(first)]
    ends_with_class = len(first) == len(schema.features) + 1 and schema.match_class(first[-1]) is not None
    has_values = ends_with_class and _holds_values(schema, columns, first)
    if options.header or (options.header is None and not has_values):
        return first, True, []
    if len(first) not in {len(schema.features), len(schema.features) + 1}:
        names = "--columns with the name of each column"
        raise MalformedDocument(f"Without a header, {len(first)} columns cannot be told apart: use {names}.")
    return columns, False, [f"there is no header, and the columns are {', '.join(columns)}"]


def _holds_values(schema: Schema, columns: list[str], cells: list[str]) -> bool:
    """Return whether a row holds values of all features, whether they are within their bounds or not."""
    pairs = [(schema.match_feature(name), cell) for name, cell in zip(columns, cells, strict=False)]
    return all(_is_value(feature, cell) for feature, cell in pairs if feature) and any(feature for feature, _ in pairs)


def _is_value(feature: Feature, cell: str) -> bool:
    value = feature.read_text(cell)
    if math.isnan(value):
        return feature.optional
    return value >= 0 if feature.kind == "category" else value != UNREADABLE


def _is_number(cell: str) -> bool:
    return not math.isnan(read_decimal(cell))


def _missing_columns(schema: Schema, text: str, columns: Sequence[str], missing: Sequence[str]) -> InvalidValue:
    """Return an error with the columns, the first line, and the option that would help."""
    first = _lines(text)[0].encode(errors="replace").decode()
    found = ", ".join(f"“{truncate(name, 30)}”" for name in columns[:10])
    more = f" and {len(columns) - 10:,} more" if len(columns) > 10 else ""
    detail = (
        f"There is no column {' and none '.join(missing)}; the columns are {found}{more}. "
        f"The file begins with “{truncate(first, 80)}”. "
        f"{_suggest(schema, text, columns)}"
    )
    return InvalidValue(detail, column=missing[0])


def _suggest(schema: Schema, text: str, columns: Sequence[str]) -> str:
    lines = _lines(text)
    required = {feature.name for feature in schema.features if not feature.optional} or set(schema.features_by_name)
    for number, line in enumerate(lines[:MAX_PREAMBLE_LINES]):
        for other in csv_rows.DELIMITERS + OTHER_DELIMITERS:
            cells = _cells(line, other)
            if required <= {feature.name for feature in map(schema.match_feature, cells) if feature}:
                return _suggest_options(lines, number, other, cells)
    if any(map(_is_number, columns)):
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
    if delimiter not in csv_rows.DELIMITERS:
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
