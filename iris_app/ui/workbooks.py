"""Read Excel workbooks (.xlsx) as CSV, where openpyxl is installed."""

import csv
import datetime as dt
import io
import zipfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import chain, islice
from typing import Any

from iris_app.codecs.csv_header import ARCHIVES, MAX_ROWS_ABOVE, count_features
from iris_app.exceptions import InputError, MalformedDocument, TooManyRows
from iris_app.formatting import format_number, truncate
from iris_app.schema import Schema

CAN_READ_WORKBOOKS = find_spec("openpyxl") is not None

# The parts of a workbook, each with a header that costs time; a usual one has twenty.
MAX_PARTS = 1000

# Bytes that a workbook is unpacked to, by those of the largest body, and the tags of their XML, which take the time: a
# cell has up to four. Those of styles and of what else is no table take the time of twenty, and those of sheets' names
# of two hundred.
MAX_INFLATION = 4
MAX_TAGS, OTHER_TAG = 900_000, 20
TAGS = {"xl/worksheets/": 1, "xl/sharedStrings": 1, "xl/workbook": 200, "xl/_rels/": 200}

# The cells that are read, and as how many a blank row counts: XML can leave out those that are empty.
MAX_CELLS, BLANK_ROW = 200_000, 20

# The sheets that are searched for the table, and that a sentence names.
MAX_SHEETS, MAX_SHEETS_NAMED = 20, 5

# The rows that say how wide the table is.
HEAD = MAX_ROWS_ABOVE + 2

Cells = tuple[object, ...]


def is_workbook(body: bytes) -> bool:
    """Check whether a body is an Excel workbook, by the names in its archive."""
    return body.startswith(b"PK\3\4") and b"xl/workbook" in body


def read_workbook(schema: Schema, body: bytes, max_bytes: int) -> tuple[bytes, str]:
    """Return the table of a workbook as CSV, and a sentence that names its sheet if there are others.

    The table is the visible sheet that names the most features.

    Parameters
    ----------
    schema : Schema
    body : bytes
    max_bytes : int
        The bytes that the CSV may have.

    Raises
    ------
    MalformedDocument
        If it cannot be read, or openpyxl is not installed.
    TooManyRows
        If reading it would take long; this is known before most of the work is done.
    """
    if not CAN_READ_WORKBOOKS:
        raise MalformedDocument(f"This is {ARCHIVES['xl/workbook']}.")
    import openpyxl  # not at import: few need it

    try:
        _check_size(body, max_bytes * MAX_INFLATION)
        workbook = openpyxl.load_workbook(io.BytesIO(body), read_only=True, data_only=True, keep_links=False)
        sheets = [sheet for sheet in workbook.worksheets if sheet.sheet_state == "visible"] or workbook.worksheets
        sheet = sheets[0] if len(sheets) == 1 else max(sheets[:MAX_SHEETS], key=lambda one: _rate(schema, one))
        return _to_csv(_rows(sheet), max_bytes), _name_sheets(sheet.title, [one.title for one in sheets])
    except InputError:
        raise
    except Exception as error:  # whatever zipfile, the XML parser and openpyxl raise for a damaged file
        raise MalformedDocument("This Excel workbook cannot be read: open it in Excel and save it as CSV.") from error


def _check_size(body: bytes, limit: int) -> None:
    """Raise ``TooManyRows`` if a workbook would unpack to more than ``limit`` bytes, or to too many tags."""
    if body.count(b"PK\1\2") > MAX_PARTS:
        raise _too_large(f"{MAX_PARTS:,} parts")
    with zipfile.ZipFile(io.BytesIO(body)) as archive:
        parts = archive.infolist()
        if sum(part.file_size for part in parts) > limit:  # no part is read beyond the size that it says
            raise _too_large(f"{limit:,} bytes, unpacked")
        if any(part.compress_type not in {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED} for part in parts):
            raise MalformedDocument("This Excel workbook is packed in an unusual way: save it as CSV.")
        tags = 0
        for part in parts:
            weight = next((tag for name, tag in TAGS.items() if part.filename.startswith(name)), OTHER_TAG)
            with archive.open(part) as file:
                while chunk := file.read(1 << 16):
                    tags += weight * chunk.count(b"<")
                    if tags > MAX_TAGS:
                        raise _too_large(f"{MAX_CELLS:,} cells")


def _too_large(limit: str) -> TooManyRows:
    return TooManyRows(f"This Excel workbook has more than {limit}, and would take long to read: save it as CSV.")


def _rate(schema: Schema, sheet: Any) -> int:
    """Return how many features a sheet names in one of its first rows."""
    return max((count_features(schema, list(map(_text, row))) for row in islice(_rows(sheet), HEAD)), default=0)


def _rows(sheet: Any) -> Iterator[Cells]:
    """Yield the rows of a sheet without empty cells at their ends, and raise ``TooManyRows`` beyond the limit."""
    sheet.reset_dimensions()  # which may be wrong
    count = 0
    for row in sheet.iter_rows(values_only=True):
        width = next((index for index in range(len(row), 0, -1) if row[index - 1] is not None), 0)
        count += len(row) if width else len(row) + BLANK_ROW
        if count > MAX_CELLS:
            raise _too_large(f"{MAX_CELLS:,} cells")
        yield row[:width]


def _to_csv(rows: Iterator[Cells], max_bytes: int) -> bytes:
    """Write rows as CSV; those that are shorter than the first ones are filled up."""
    head = list(islice(rows, HEAD))
    width = max(map(len, head), default=0)
    written = io.StringIO()
    writer = csv.writer(written, lineterminator="\n")
    for row in chain(head, rows):
        writer.writerow([*map(_text, row), *[""] * (width - len(row))])
        if written.tell() > max_bytes:
            raise _too_large(f"{max_bytes:,} bytes")
    return written.getvalue().encode()


def _text(cell: object) -> str:
    match cell:
        case None:
            return ""
        case bool():
            return str(cell).lower()
        case float():
            return format_number(cell)
        case dt.datetime() if cell.time() == dt.time():
            return cell.date().isoformat()
    return str(cell)


def _name_sheets(title: str, titles: Sequence[str]) -> str:
    others = [f"“{truncate(other)}”" for other in titles if other != title]
    if not others:
        return ""
    return f"This is the sheet “{truncate(title)}” of the workbook. Not read: {_list(others)}."


def _list(names: Sequence[str]) -> str:
    more = len(names) - MAX_SHEETS_NAMED
    return ", ".join(names[:MAX_SHEETS_NAMED]) + (f" and {more} more" if more > 0 else "")
