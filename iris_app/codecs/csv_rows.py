"""Read measurements from CSV as it circulates, and write it back with the answers beside."""

import csv
import dataclasses
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, islice
from operator import itemgetter
from typing import Any, NamedTuple, cast

import msgspec
import numpy as np
from numpy.typing import NDArray

from iris_app.exceptions import InvalidValue, InvalidValues, MalformedDocument, TooManyRows
from iris_app.formatting import format_number, parse_number, truncate
from iris_app.iris import SCHEMA
from iris_app.json_types import Prediction
from iris_app.schema import Feature

Floats = NDArray[np.float64]

DELIMITERS = ",;\t"

EMPTY = "It is empty; a table begins with the names of its columns."

# What Excel may write above the header, for itself.
SEPARATOR_LINE = re.compile(r"\Asep=[,;\t](?=[\r\n])")

PROBABILITIES = [f"probability_{name}" for name in SCHEMA.class_names]

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

# More columns than any table of flowers has, and few enough to repeat for every row.
MAX_COLUMNS = 1000


class Heading(NamedTuple):
    """How a table begins: its delimiter, its columns, which of them are the features', and the text up to its rows."""

    delimiter: str
    columns: list[str]
    places: list[int]
    text: str


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it came: its cells, how it was written, and the measurements in it, of shape (n, 4).

    ``skipped`` names the wrong cells whose rows were left out.
    """

    header: list[str]
    rows: list[list[str]]
    measurements: Floats
    delimiter: str = ","
    newline: str = "\n"
    decimal_comma: bool = False
    quote_all: bool = False
    skipped: InvalidValues | None = None


def read(body: bytes, max_rows: int, header: list[str] | None = None, *, skip_bad_rows: bool = False) -> Table:
    """Read a table whose first row names its columns: the features', in any order and usual spelling, among any others.

    Separators may be commas, semicolons (with decimal commas, then, or points) or tabs. Where a ``header`` is given, it
    stands above a first row that names no feature. Rows with wrong cells may be skipped.

    Raises
    ------
    MalformedDocument
        Where the body is not CSV in UTF-8.
    TooManyRows
        Where there are more rows than ``max_rows``.
    InvalidValues
        Where a feature has no column or two, or where a cell of one is missing, no number or out of bounds.
    """
    text = SEPARATOR_LINE.sub("", decode(body))
    delimiter = _delimiter(text)
    (header_line, names), *numbered = _named_rows(list(islice(numbered_rows(text, delimiter), max_rows + 2)), header)
    places = find_features(names, header_line)
    if len(numbered) > max_rows:
        raise TooManyRows(f"There are more rows than the {max_rows:,} that one request may hold.")
    measurements = _measurements(numbered, names, places, delimiter)
    skipped = None
    if measurements is None:
        skipped = InvalidValues(wrong_in_rows(numbered, names, places, delimiter))
        if not skip_bad_rows:
            raise skipped
        numbered = [row for row in numbered if not any(wrong_in_rows([row], names, places, delimiter))]
        measurements = _measurements(numbered, names, places, delimiter)
    rows = [row for _, row in numbered]
    return Table(
        names,
        rows,
        cast("Floats", measurements),
        delimiter,
        newline="\r\n" if "\r\n" in text else "\n",
        decimal_comma=delimiter == ";" and any("," in row[place] for row in rows for place in places),
        skipped=skipped,
    )


def read_heading(text: str) -> Heading:
    """Read how a table begins; see ``read``."""
    names = SEPARATOR_LINE.sub("", text)
    delimiter, lines = _delimiter(names), io.StringIO(names, newline="")
    ((line, columns),) = _named_rows(list(islice(_numbered(lines, delimiter), 1)), None)
    end = lines.tell() + len(text) - len(names)
    return Heading(delimiter, columns, find_features(columns, line), text[:end])


def _delimiter(text: str) -> str:
    return max(DELIMITERS, key=partial(_promise, text))


def _named_rows(numbered: list[tuple[int, list[str]]], header: list[str] | None) -> list[tuple[int, list[str]]]:
    """Return the rows below the names of their columns, where the first row is none of these."""
    if not numbered:
        raise MalformedDocument(EMPTY)
    (line, first), *rows = numbered
    if first[1:] == [str(len(SCHEMA.features)), *SCHEMA.class_names]:  # how scikit-learn's own file begins
        return [(line, [*SCHEMA.features_by_name, "target"]), *rows]
    if header and not any(map(SCHEMA.match_feature, first)):
        return [(0, header), *numbered]
    return numbered


def table_of(measurements: Floats) -> Table:
    """Make a table of measurements that did not come as one."""
    rows = [list(map(format_number, row)) for row in measurements.tolist()]
    return Table([feature.name for feature in SCHEMA.features], rows, measurements)


def guard(table: Table) -> Table:
    """Put an apostrophe before cells that a spreadsheet would take for formulas; numbers stay as they are."""
    header, rows = list(map(_guarded, table.header)), [list(map(_guarded, row)) for row in table.rows]
    # Quoted, no cell falls into two where another separator is expected.
    return dataclasses.replace(table, header=header, rows=rows, quote_all=(header, rows) != (table.header, table.rows))


def _guarded(cell: str) -> str:
    computed = FORMULA.search(cell) and math.isnan(parse_number(cell.replace(",", ".").replace("\u2212", "-")))
    return f"'{cell}" if computed else cell


def write(table: Table, predictions: Sequence[Prediction]) -> str:
    """Write a table as it came, and beside each row its species, the probability of each species, and warnings."""
    written = io.StringIO()
    quoting: Any = csv.QUOTE_ALL if table.quote_all else quoting_of(chain.from_iterable(table.rows))
    writer = csv.writer(written, delimiter=table.delimiter, lineterminator=table.newline, quoting=quoting)
    writer.writerow(table.header + answer_columns(table.header))
    answers = map(partial(_answer, decimal_comma=table.decimal_comma), predictions)
    writer.writerows(row + answer for row, answer in zip(table.rows, answers, strict=True))
    return written.getvalue()


def quoting_of(cells: Iterable[str]) -> Any:
    """Say how cells are to be quoted, for ``csv``.

    A lone carriage return would be taken for the end of a line, and the writer does not think of quoting it.
    """
    return csv.QUOTE_ALL if any("\r" in cell for cell in cells) else csv.QUOTE_MINIMAL


def _answer(prediction: Prediction, *, decimal_comma: bool) -> list[object]:
    probabilities: Sequence[object] = msgspec.structs.astuple(prediction.probabilities)
    if decimal_comma:
        probabilities = [str(probability).replace(".", ",") for probability in probabilities]
    return [prediction.predicted_class, *probabilities, " ".join(one.label for one in prediction.warnings)]


def answer_columns(taken: Sequence[str]) -> list[str]:
    """Name the columns that answers stand in, beside those that came."""
    return [_untaken(name, taken) for name in ("species", *PROBABILITIES, "warnings")]


def _untaken(name: str, taken: Sequence[str]) -> str:
    """Name a column of ours otherwise where a column that came has its name."""
    while name in taken:
        name = f"predicted_{name}"
    return name


def decode(body: bytes) -> str:
    """Read what should be text, or raise ``MalformedDocument``."""
    try:
        text = body.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        message = f"This is not UTF-8: byte {error.start} cannot be read. A spreadsheet saves it as “CSV UTF-8”."
        raise MalformedDocument(message) from error
    if "\0" in text:
        raise MalformedDocument("There is a NUL character in it, as no table has; is it saved as CSV?")
    return text


def _promise(text: str, delimiter: str) -> tuple[int, bool]:
    """Rate a delimiter: by the features that it finds in the first row, and by whether there are as many cells."""
    try:
        _, row = next(numbered_rows(text, delimiter), (1, []))
    except MalformedDocument:
        return 0, False
    return sum(map(bool, map(SCHEMA.match_feature, row))), len(row) == len(SCHEMA.features)


def numbered_rows(text: str, delimiter: str, first_line: int = 1) -> Iterator[tuple[int, list[str]]]:
    """Yield each row that is not blank with the number of the line where it begins."""
    return _numbered(io.StringIO(text, newline=""), delimiter, first_line)


def _numbered(lines: Iterable[str], delimiter: str, first_line: int = 1) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line = first_line
    try:
        for row in reader:
            if any(row):
                yield line, row
            line = reader.line_num + first_line
    except csv.Error as error:
        raise MalformedDocument(f"Line {line} is not CSV: {error}.") from error


def find_features(header: list[str], line: int | None = None) -> list[int]:
    """Return the place of each feature's column, or raise what is wrong with the header.

    Raises
    ------
    MalformedDocument
        Where there are more columns than a table may have.
    InvalidValues
        Where a feature has no column, or more than one.
    """
    if len(header) > MAX_COLUMNS:
        raise MalformedDocument(f"{len(header):,} columns are more than the {MAX_COLUMNS:,} that a table may have.")
    spelt = [SCHEMA.match_feature(name) for name in header]
    if wrong := [partial(_wrong_column, one, header, spelt, line) for one in SCHEMA.features if spelt.count(one) != 1]:
        raise InvalidValues(wrong)
    return [spelt.index(feature) for feature in SCHEMA.features]


def _wrong_column(feature: Feature, header: list[str], spelt: list[Feature | None], line: int | None) -> InvalidValue:
    names = [truncate(name) for name, one in zip(header, spelt, strict=True) if one is feature]
    several = f"The columns {' and '.join(names[:5])} are each {feature.label.lower()}; there must be one."
    return InvalidValue(several if names else f"There is no column {feature.name}.", line=line, column=feature.name)


def _measurements(
    numbered: Sequence[tuple[int, list[str]]], header: list[str], places: list[int], delimiter: str
) -> Floats | None:
    """Return the numbers in the features' cells, of shape (n, 4), or None where one of them is wrong."""
    rows = [row for _, row in numbered]
    if set(map(len, rows)) - {len(header)}:
        return None
    texts = chain.from_iterable(map(itemgetter(*places), rows))
    values = np.array([_number(text, delimiter) for text in texts]).reshape(-1, len(SCHEMA.features))
    return None if SCHEMA.find_out_of_bounds(values) else values


def _number(text: str, delimiter: str) -> float:
    return parse_number(text.replace(",", ".") if delimiter == ";" else text)


def wrong_in_rows(
    numbered: list[tuple[int, list[str]]], header: list[str], places: list[int], delimiter: str
) -> Iterator[Callable[[], InvalidValue]]:
    """Yield what tells each wrong cell."""
    for line, row in numbered:
        if len(row) != len(header):
            detail = f"Line {line} has {len(row)} cells where the header has {len(header)}."
            yield partial(InvalidValue, detail, line=line)
            continue
        for feature, place in zip(SCHEMA.features, places, strict=True):
            if wrong := validate_cell(feature, row[place], delimiter):
                column = truncate(header[place])
                yield partial(InvalidValue, f"Line {line}, column {column}: {wrong}", line=line, column=column)


def validate_cell(feature: Feature, text: str, delimiter: str = ",") -> str | None:
    """Say what is wrong with a cell, or None where nothing is."""
    if not text.strip():
        return feature.missing
    value = _number(text, delimiter)
    if not math.isnan(value):
        return feature.validate(value)
    return f'{feature.label} must be a number in {feature.unit}, not "{truncate(text)}".'
