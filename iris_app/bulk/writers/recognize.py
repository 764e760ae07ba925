"""Recognize the files that this command wrote by their content; no other file is replaced or removed."""

import csv
import io
import os
import re
import zlib
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import PurePath
from typing import BinaryIO

import msgspec
from pyarrow import parquet

from iris_app.bulk.storage.addresses import open_source, read_source_stamp, translate_read_errors
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


# What reading a file raises that is none of ours.
UNREADABLE = (InputError, EOFError, ValueError, zlib.error, zstd.ZstdError)


def is_own(path: str, form: str) -> bool:
    """Return whether a file was written by this command, is empty, or does not exist.

    Parameters
    ----------
    path : str
    form : str
        ``csv``, ``ndjson``, ``parquet``, ``rejected`` or ``report``.
    """
    try:
        with _open(path) as stream:
            if stream is None:
                return True
            if form == "parquet":
                return _are_predictions(parquet.read_schema(stream).names)
            head = decompress(stream, path).read(HEAD)
    except UNREADABLE:
        return False
    if form == "report":
        return GENERATOR in head
    return not head or _has_own_names(head.decode(errors="replace"), form)


def holds_rejected(path: str, name: str | None = None) -> bool:
    """Return whether a file was written by this command, and holds only rejected rows, and only of files of a name."""
    if os.path.islink(path):  # noqa: PTH114 -- False for an address, too
        return False
    try:
        with _open(path) as stream:
            head = stream.read(HEAD).decode(errors="replace") if stream else ""
        header, *rows = csv.reader(io.StringIO(head, newline=""))
    except (*UNREADABLE, csv.Error):
        return False
    if len(head) >= HEAD:
        del rows[-1:]  # it may be cut
    return header == COLUMNS and all(len(row) == len(COLUMNS) and name in {None, PurePath(row[0]).name} for row in rows)


@contextmanager
def _open(path: str) -> Iterator[BinaryIO | None]:
    """Open a file, or yield None if it does not exist, is none, or is empty."""
    with translate_read_errors(path), ExitStack() as stack:
        stamp = read_source_stamp(path)
        yield open_source(path, stack) if stamp and stamp.size else None


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
