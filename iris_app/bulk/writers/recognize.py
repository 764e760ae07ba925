"""Recognize the files that this command wrote, by their content: no other file is replaced or removed."""

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

# How many bytes of a file are looked at.
HEAD = 1024 * 1024

# What the page of a report holds.
GENERATOR = b'<meta name="generator" content="iris_app classify">'

# The names of the columns that are added, one a line.
ADDED = re.compile(r"(?:predicted_)*species\n(?:(?:predicted_)*probability_.*\n)+(?:predicted_)*warnings\n\Z")

# Where two of them stand beside each other in CSV.
BESIDE = re.compile(r'species"?([^\w"])"?(?:predicted_)*probability_')


def is_own(path: str, form: str, *, default: bool = True) -> bool:
    """Return whether a file was written by this command, or the default where none or an empty one is there.

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
    """Return whether a table or a first line of JSON has the names of what this command writes."""
    if form == "ndjson":
        try:
            return _are_predictions(list(msgspec.json.decode(text.partition("\n")[0], type=dict[str, msgspec.Raw])))
        except (msgspec.DecodeError, UnicodeEncodeError):
            return False
    beside = BESIDE.search(text) if form == "csv" else None
    try:
        names = next(csv.reader(io.StringIO(text, newline=""), delimiter=beside[1] if beside else ","), [])
    except csv.Error:
        return False
    return names == COLUMNS if form == "rejected" else _are_predictions(names)


def _are_predictions(names: list[str]) -> bool:
    return ADDED.search("".join(f"{name}\n" for name in names)) is not None
