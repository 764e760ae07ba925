"""Read rows from JSON.

Valid rows are read in one pass by msgspec. What it rejects is parsed again without types, to list all errors.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from types import GenericAlias
from typing import Any

import msgspec
import numpy as np

from iris_app.codecs import bounds
from iris_app.codecs.json_errors import (
    check_row_count,
    errors_in_list_or_object,
    errors_in_object,
    errors_in_rows,
    raise_errors,
    raise_line_errors,
)
from iris_app.codecs.struct_array import StructArray
from iris_app.exceptions import InvalidValues
from iris_app.iris import SCHEMA
from iris_app.json_types import Measurement
from iris_app.schema import Floats

# Bytes per block of a long array: their objects fit into a processor's cache.
BLOCK_SIZE = 65_536

_value_types = tuple(Measurement.__annotations__[name] for name in SCHEMA.features_by_name)

_row_decoder = msgspec.json.Decoder(Measurement)
_rows_decoder = msgspec.json.Decoder(Measurement | GenericAlias(list, (Measurement,)))
_UncheckedRow: Any = msgspec.defstruct(
    "Unchecked", [(name, float) for name in SCHEMA.features_by_name], forbid_unknown_fields=True, gc=False
)
_unchecked_decoder = msgspec.json.Decoder(GenericAlias(list, (_UncheckedRow,)))
_lists_type: Any = GenericAlias(list, (GenericAlias(tuple, _value_types),))
_mixed_decoder = msgspec.json.Decoder(GenericAlias(list, (GenericAlias(tuple, _value_types) | Measurement,)))
_struct_array = StructArray(Measurement(*(feature.example for feature in SCHEMA.features)))


def read(body: bytes, max_rows: int) -> tuple[Floats, bool]:
    """Read one row or an array of rows.

    Parameters
    ----------
    body : bytes
        A JSON object with the features' names, or an array of such objects.
    max_rows : int
        The maximum length of the array.

    Returns
    -------
    rows : ndarray of shape (n, features), float64
        The features in their order and units; n is 1 for an object.
    is_single : bool
        Whether the body was an object.

    Raises
    ------
    MalformedDocument
        If the body is not JSON in UTF-8.
    TooManyRows
        If the array is longer than ``max_rows``.
    InvalidValues
        If a value is missing, unknown, not a number or out of bounds.
    """
    if len(body) > BLOCK_SIZE and (array := _read_blocks(body, max_rows)) is not None:
        return array, False
    try:
        document = _rows_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise_errors(body, max_rows, errors_in_object)
    is_single = not isinstance(document, list)
    rows = [document] if is_single else document
    if bounds.count(body, b":") != len(rows) * len(SCHEMA.features):
        raise_errors(body, max_rows, errors_in_object)
    if is_single:
        return np.array([msgspec.structs.astuple(document)]), True
    check_row_count(rows, max_rows)
    return _struct_array.to_array(rows), False


def _read_blocks(body: bytes, max_rows: int) -> Floats | None:
    """Read a long array block by block, so that not all objects exist at once, or return None if it has errors."""
    blocks, count = [], 0
    try:
        for block in _blocks(body):
            blocks.append(_struct_array.to_array(_unchecked_decoder.decode(block)))
            count += len(blocks[-1])
            if count > max_rows:
                return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if bounds.count(body, b":") != count * len(SCHEMA.features):  # a field is given twice
        return None
    array = np.concatenate(blocks)
    # An empty block follows a trailing comma. Checking the bounds of all values at once is faster than of each.
    return array if all(map(len, blocks)) and not SCHEMA.find_out_of_bounds(array) else None


def _blocks(body: bytes) -> Iterator[bytes]:
    """Split an array of objects into shorter arrays."""
    start, opening = 0, b""
    while (end := body.find(b"},", start + BLOCK_SIZE)) >= 0:
        yield b"".join([opening, memoryview(body)[start : end + 1], b"]"])
        start, opening = end + 2, b"["
    yield opening + body[start:]


def read_lines(body: bytes, max_rows: int) -> Floats:
    """Read rows from NDJSON; see ``read``."""
    try:
        rows = _row_decoder.decode_lines(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise_line_errors(body, max_rows)
    check_row_count(rows, max_rows)
    if bounds.count(body, b":") != len(rows) * len(SCHEMA.features):
        raise_line_errors(body, max_rows)
    return _struct_array.to_array(rows)


def read_rows(body: bytes, max_rows: int) -> Floats:
    """Read rows from an array of lists in the order of the features, or of objects; see ``read``."""
    bounds.check_json(body, max_rows)
    try:
        rows = _mixed_decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise_errors(body, max_rows, errors_in_list_or_object)
    check_row_count(rows, max_rows)
    colons = bounds.count(body, b":")
    if colons and colons != sum(type(row) is not tuple for row in rows) * len(SCHEMA.features):
        raise_errors(body, max_rows, errors_in_list_or_object)
    return _to_array((row if isinstance(row, tuple) else msgspec.structs.astuple(row) for row in rows), len(rows))


def check_rows(rows: list[list[object]], max_rows: int) -> Floats:
    """Read rows from lists that were parsed already, in the order of the features; see ``read``."""
    check_row_count(rows, max_rows)
    try:
        return _to_array(msgspec.convert(rows, _lists_type), len(rows))
    except msgspec.ValidationError:
        raise InvalidValues(errors_in_rows(rows, errors_in_list_or_object)) from None


def _to_array(rows: Iterable[Iterable[float]], count: int) -> Floats:
    """Return valid rows as an array."""
    return np.fromiter(chain.from_iterable(rows), np.float64, count * len(SCHEMA.features)).reshape(
        -1, len(SCHEMA.features)
    )
