"""Recognize the files that this command wrote by their content; no other file is replaced or removed."""

import csv
import io
import re
import zlib
from contextlib import ExitStack
from pathlib import Path

import msgspec
from pyarrow import parquet

from iris_app.bulk.storage.addresses import is_address, open_source, read_source_stamp, translate_read_errors
from iris_app.bulk.storage.compression import decompress, zstd
from iris_app.bulk.writers.rejected import COLUMNS
from iris_app.exceptions import InputError

# The bytes of a file that are read.
HEAD = 1024 * 1024

# The mark of a report's page.
GENERATOR = b'<meta name="generator" content="iris_app classify">'

# The names of the predictions' columns of any model, one a line.
ADDED = re.compile(r"(?:\A|\n)[^\n]+\n(?:(?:predicted_)*probability_[^\n]*\n){2,}(?:predicted_)*warnings\n\Z")

# The delimiter before one of them in a header of CSV.
ADJACENT = re.compile(r'[^\n]"?([^\w"])"?(?:predicted_)*probability_')


def is_own(path: str, form: str, *, default: bool = True) -> bool:
    """Return whether a file was written by this command; the default if it does not exist or is empty.

    Parameters
    ----------
    path : str
    form : str
        ``csv``, ``ndjson``, ``parquet``, ``rejected`` or ``report``.
    """
    if not is_address(path) and not Path(path).is_file():
        return default
    with ExitStack() as stack:
        try:
            with translate_read_errors(path):
                stamp = read_source_stamp(path)
                if stamp is None or not stamp.size:
                    return default
                stream = open_source(path, stack)
                if form == "parquet":
                    return _are_predictions(parquet.read_schema(stream).names)
                head = decompress(stream, path).read(HEAD)
        except (InputError, EOFError, ValueError, zlib.error, zstd.ZstdError):
            return False
    if form == "report":
        return GENERATOR in head
    return not head or _has_own_names(head.decode(errors="replace"), form)


def _has_own_names(text: str, form: str) -> bool:
    """Return whether a header or a first JSON object has the predictions' names."""
    if form == "ndjson":
        try:
            return _are_predictions(list(msgspec.json.decode(text.partition("\n")[0], type=dict[str, msgspec.Raw])))
        except (msgspec.DecodeError, UnicodeEncodeError):
            return False
    match = ADJACENT.search(text) if form == "csv" else None
    try:
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=match[1] if match else ","), [])
    except csv.Error:
        return False
    return names == COLUMNS if form == "rejected" else _are_predictions(names)


def _are_predictions(names: list[str]) -> bool:
    return ADDED.search("".join(f"{name}\n" for name in names)) is not None
