"""Read rows from CSV in its usual variants, and write it with the predictions beside."""

import codecs
import csv
import dataclasses
import io
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import chain, compress, islice
from operator import itemgetter
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from iris_app.codecs import bounds
from iris_app.exceptions import InvalidValue, InvalidValues, MalformedDocument, TooManyRows
from iris_app.formatting import format_number, parse_number, truncate
from iris_app.iris import SCHEMA
from iris_app.json_types import Prediction
from iris_app.schema import Feature, Floats

DELIMITERS = ",;\t|"

EMPTY = "It is empty; a table begins with the names of its columns."

# What Excel may write above the header, for itself.
SEPARATOR_TEXT = re.compile(r'\A"?sep=[,;\t|]"?(?=[\r\n])')
SEPARATOR_LINE = re.compile(rb'(?:\xef\xbb\xbf)?"?sep=[,;\t|]"?(?=[\r\n])')

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

# The same in any of the cells of a row, one a line.
FORMULA_IN_ROW = re.compile(rf"(?:\A|\n)[\t\r]|(?:\A|[,;\t\r\n])[{BLANK}]*[{OPERATORS}]")

# More columns than most tables have, and few enough to repeat for every row.
MAX_COLUMNS = 1000

# Characters in the names of all columns.
MAX_HEADING = 64 * 1024

# Bytes in a line, and so more than in a row without line ends in its cells.
MAX_LINE = 1024 * 1024

# Rows whose numbers are read at once.
BLOCK = 4096

# In place of the cells of a row with the wrong number of them: a character that no table has.
ODD = ("\0",) * len(SCHEMA.features)


class Lines:
    """The lines of a body, decoded anew each time, so that never all of them are in memory."""

    def __init__(self, body: bytes) -> None:
        self._body = body[separator.end() :] if (separator := SEPARATOR_LINE.match(body)) else body

    def __iter__(self) -> Iterator[str]:
        """Yield each line with its end."""
        return io.TextIOWrapper(io.BytesIO(self._body), encoding="utf-8-sig", newline="")


@dataclass(frozen=True, slots=True)
class Rows:
    """The rows of a table that are not blank, parsed anew each time.

    ``header`` says whether the first one names the columns, and ``kept``, of shape (n,), which of the others count.
    """

    lines: Lines
    delimiter: str
    header: bool = True
    kept: NDArray[np.bool_] | None = None

    def __iter__(self) -> Iterator[list[str]]:
        """Yield each row."""
        return (row for _, row in self.numbered())

    def numbered(self) -> Iterator[tuple[int, list[str]]]:
        """Yield each row with the number of the line where it begins."""
        numbered = islice(number_rows(self.lines, self.delimiter), int(self.header), None)
        return numbered if self.kept is None else compress(numbered, self.kept.tolist())


@dataclass(frozen=True, slots=True)
class Table:
    """A table as it came: its rows, how it was written, and the measurements in it, of shape (n, 4).

    ``skipped`` names the wrong cells whose rows were left out.
    """

    header: list[str]
    rows: Iterable[list[str]]
    measurements: Floats
    delimiter: str = ","
    newline: str = "\n"
    decimal_comma: bool = False
    quote_all: bool = False
    skipped: InvalidValues | None = None


def read(body: bytes, max_rows: int, header: list[str] | None = None, *, skip_bad_rows: bool = False) -> Table:
    """Read a table whose first row names its columns: the features', in any order and usual spelling, among any others.

    Separators may be commas, semicolons, tabs or vertical bars; decimals stand behind a point or a comma. Where a
    ``header`` is given, it stands above a first row that names no feature. Rows with wrong cells may be skipped.

    Raises
    ------
    MalformedDocument
        Where the body is not CSV in UTF-8.
    TooManyRows
        Where there are more rows than ``max_rows``, or more lines or cells than so many rows may have.
    InvalidValues
        Where a feature has no column or two, or where a cell of one is missing, no number or out of bounds.
    """
    _check_text(body, max_rows)
    lines = Lines(body)
    delimiter = max(DELIMITERS, key=partial(_rate, lines))
    bounds.check(body.count(delimiter.encode()), "cells", bounds.CELLS_PER_ROW, max_rows)
    ((line, names), *_) = name_columns(list(islice(number_rows(lines, delimiter), 1)), header)
    places = find_features(names, line)
    rows = Rows(lines, delimiter, header=bool(line))
    measurements, odd, has_comma = _measure(rows, len(names), places, max_rows)
    skipped = None
    if wrong := _count_wrong(measurements, odd):
        good: NDArray[np.bool_] = np.logical_and.reduce(SCHEMA.accepted(measurements), axis=1)
        bad_rows = dataclasses.replace(rows, kept=~good).numbered()
        skipped = InvalidValues(wrong_in_rows(bad_rows, names, places), wrong)
        if not skip_bad_rows:
            raise skipped
        measurements, rows = measurements[good], dataclasses.replace(rows, kept=good)
    return Table(
        names,
        rows,
        measurements,
        delimiter,
        newline="\r\n" if b"\r\n" in body else "\n",
        decimal_comma=delimiter == ";" and has_comma,
        quote_all=b"\r" in body
        and b'"' in body
        and quoting_of(chain(names, chain.from_iterable(rows))) == csv.QUOTE_ALL,
        skipped=skipped,
    )


def _measure(rows: Rows, width: int, places: list[int], max_rows: int) -> tuple[Floats, int, bool]:
    """Read the numbers in the features' cells, NaN where there is none.

    Returns
    -------
    measurements : ndarray of shape (n, 4), float64
    odd : int
        How many rows have not ``width`` cells.
    has_comma : bool
        Whether a comma stands in one of the cells.
    """
    pick, blocks, odd, count, has_comma = itemgetter(*places), [], 0, 0, False
    numbered = rows.numbered()
    while block := [pick(row) if len(row) == width else ODD for _, row in islice(numbered, BLOCK)]:
        count += len(block)
        if count > max_rows:
            raise TooManyRows(f"There are more rows than the {max_rows:,} that one request may hold.")
        odd += block.count(ODD)
        texts = list(chain.from_iterable(block))
        has_comma = has_comma or any("," in text for text in texts)
        blocks.append(np.array(list(map(read_decimal, texts))))
    values: Floats = np.concatenate(blocks or [np.empty(0)]).reshape(-1, len(SCHEMA.features))
    return values, odd, has_comma


def _count_wrong(measurements: Floats, odd: int) -> int:
    """Count the wrong values, those of a row with the wrong number of cells as one."""
    return int(np.count_nonzero(~SCHEMA.accepted(measurements))) - odd * (len(SCHEMA.features) - 1)


def find_delimiter(text: str) -> str:
    """Return the delimiter by which the first row of a text names the most features."""
    return max(DELIMITERS, key=lambda delimiter: _rate(io.StringIO(text, newline=""), delimiter))


def name_columns(numbered: list[tuple[int, list[str]]], header: list[str] | None) -> list[tuple[int, list[str]]]:
    """Return the rows below the names of their columns, where the first row is none of these."""
    if not numbered:
        raise MalformedDocument(EMPTY)
    (line, first), *rows = numbered
    if first[1:] == [str(len(SCHEMA.features)), *SCHEMA.class_names]:  # how scikit-learn's own file begins
        return [(line, [*SCHEMA.features_by_name, "target"]), *rows]
    if header and not any(_spelt(first)):
        return [(0, header), *numbered]
    return numbered


def table_of(measurements: Floats) -> Table:
    """Make a table of measurements that did not come as one."""
    rows = [list(map(format_number, row)) for row in measurements.tolist()]
    return Table([feature.name for feature in SCHEMA.features], rows, measurements)


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


def write(table: Table, blocks: Iterable[Sequence[Prediction]]) -> Iterator[str]:
    """Write a table as it came, and beside each row its class, the probability of each class, and warnings.

    Yields
    ------
    str
        The rows of one block of predictions, the first time behind the names of the columns.
    """
    written = io.StringIO()
    quoting: Any = csv.QUOTE_ALL if table.quote_all else csv.QUOTE_MINIMAL
    writer = csv.writer(written, delimiter=table.delimiter, lineterminator=table.newline, quoting=quoting)
    writer.writerow(table.header + answer_columns(table.header))
    rows = iter(table.rows)
    for block in blocks:
        answers = map(partial(_answer, decimal_comma=table.decimal_comma), block)
        writer.writerows(row + answer for row, answer in zip(islice(rows, len(block)), answers, strict=True))
        yield written.getvalue()
        written.seek(0)
        written.truncate()
    yield written.getvalue()


def quoting_of(cells: Iterable[str]) -> Any:
    """Return the quoting of cells, for ``csv``.

    A lone carriage return would be taken for the end of a line, and the writer does not think of quoting it.
    """
    return csv.QUOTE_ALL if any("\r" in cell for cell in cells) else csv.QUOTE_MINIMAL


def _answer(prediction: Prediction, *, decimal_comma: bool) -> list[object]:
    probabilities: Sequence[object] = msgspec.structs.astuple(prediction.probabilities)
    if decimal_comma:
        probabilities = [str(probability).replace(".", ",") for probability in probabilities]
    return [prediction.predicted_class, *probabilities, " ".join(one.label for one in prediction.warnings)]


def answer_columns(taken: Sequence[str]) -> list[str]:
    """Return the names of the columns of predictions, beside those that came."""
    return [_untaken(name, taken) for name in (SCHEMA.target, *PROBABILITIES, "warnings")]


def _untaken(name: str, taken: Sequence[str]) -> str:
    """Return a name that no column has that came."""
    while name in taken:
        name = f"predicted_{name}"
    return name


def _check_text(body: bytes, max_rows: int) -> None:
    """Raise ``MalformedDocument`` where a body is no text in lines, or ``TooManyRows`` where these are too many."""
    if not body.isascii():
        _check_utf_8(body)
    if b"\0" in body:
        raise MalformedDocument("There is a NUL character in it, as no table has; is it saved as CSV?")
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
            message = f"This is not UTF-8: byte {at} cannot be read. A spreadsheet saves it as “CSV UTF-8”."
            raise MalformedDocument(message) from error


def _rate(lines: Iterable[str], delimiter: str) -> tuple[int, bool]:
    """Rate a delimiter by the features in the first row, and by whether it has as many cells."""
    try:
        _, row = next(number_rows(lines, delimiter), (1, []))
    except MalformedDocument:
        return 0, False
    return sum(map(bool, _spelt(row))), len(row) == len(SCHEMA.features)


def _spelt(names: list[str]) -> list[Feature | None]:
    """Find the feature that each of some names means, where they are no more than a table may have."""
    is_heading = len(names) <= MAX_COLUMNS and sum(map(len, names)) <= MAX_HEADING
    return list(map(SCHEMA.match_feature, names)) if is_heading else []


def number_rows(lines: Iterable[str], delimiter: str) -> Iterator[tuple[int, list[str]]]:
    """Yield each row with the number of the line where it begins.

    Blank lines are left out, and rows of empty cells where no other row is above or below them.
    """
    reader = csv.reader(lines, delimiter=delimiter, strict=True)
    line, begun = 1, False
    empty: list[tuple[int, list[str]]] = []
    try:
        for row in reader:
            if any(row):
                yield from empty if begun else ()
                yield line, row
                begun, empty = True, []
            elif row:
                empty.append((line, row))
            line = reader.line_num + 1
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
    if sum(map(len, header)) > MAX_HEADING:
        raise MalformedDocument(
            f"The names of the columns have more than the {MAX_HEADING:,} characters that they may."
        )
    spelt = list(map(SCHEMA.match_feature, header))
    if wrong := [partial(_wrong_column, one, header, spelt, line) for one in SCHEMA.features if spelt.count(one) != 1]:
        raise InvalidValues(wrong)
    return [spelt.index(feature) for feature in SCHEMA.features]


def _wrong_column(feature: Feature, header: list[str], spelt: list[Feature | None], line: int | None) -> InvalidValue:
    names = [truncate(name) for name, one in zip(header, spelt, strict=True) if one is feature]
    several = f"The columns {' and '.join(names[:5])} are each {feature.label.lower()}; there must be one."
    return InvalidValue(several if names else f"There is no column {feature.name}.", line=line, column=feature.name)


def read_decimal(text: str, decimal: str | None = None) -> float:
    """Read a number whose decimals stand behind ``decimal``, or behind a point or a comma; NaN where there is none."""
    if decimal == ",":
        text = text.replace(".", "_")
    return parse_number(text if decimal == "." else text.replace(",", "."))


def wrong_in_rows(
    numbered: Iterable[tuple[int, list[str]]], header: list[str], places: list[int]
) -> Iterator[Callable[[], InvalidValue]]:
    """Yield a factory of the error for each wrong cell."""
    for line, row in numbered:
        if len(row) != len(header):
            detail = f"Line {line} has {len(row)} cells where the header has {len(header)}."
            yield partial(InvalidValue, detail, line=line)
            continue
        for feature, place in zip(SCHEMA.features, places, strict=True):
            if wrong := validate_cell(feature, row[place]):
                column = truncate(header[place])
                yield partial(InvalidValue, f"Line {line}, column {column}: {wrong}", line=line, column=column)


def validate_cell(feature: Feature, text: str, decimal: str | None = None) -> str | None:
    """Return the error in a cell, or None; see ``read_decimal``."""
    if not text.strip():
        return feature.missing
    value = read_decimal(text, decimal)
    if not math.isnan(value):
        return feature.validate(value)
    return f'{feature.label} must be a number in {feature.unit}, not "{truncate(text)}".'
