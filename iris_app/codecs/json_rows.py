"""Read rows from JSON.

Right rows are read in one pass, by msgspec. What it refuses is parsed again without types, to name all errors.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from types import GenericAlias
from typing import Any

import msgspec
import numpy as np

from iris_app.codecs import bounds
from iris_app.codecs.json_errors import (
    errors_in_list_or_object,
    errors_in_object,
    errors_in_rows,
    limit,
    raise_errors,
    raise_line_errors,
)
from iris_app.codecs.struct_array import StructArray
from iris_app.exceptions import InvalidValues
from iris_app.iris import SCHEMA
from iris_app.json_types import Measurement
from iris_app.schema import Floats

# Bytes of a long array that are read at once: few enough that the objects fit into a processor's cache.
BLOCK = 65_536

_values = tuple(Measurement.__annotations__[name] for name in SCHEMA.features_by_name)

_one = msgspec.json.Decoder(Measurement)
_one_or_many = msgspec.json.Decoder(Measurement | GenericAlias(list, (Measurement,)))
_unchecked: Any = msgspec.defstruct(
    "Unchecked", [(name, float) for name in SCHEMA.features_by_name], forbid_unknown_fields=True, gc=False
)
_many_unchecked = msgspec.json.Decoder(GenericAlias(list, (_unchecked,)))
_lists_type: Any = GenericAlias(list, (GenericAlias(tuple, _values),))
_lists_or_objects = msgspec.json.Decoder(GenericAlias(list, (GenericAlias(tuple, _values) | Measurement,)))
_array = StructArray(Measurement(*(feature.example for feature in SCHEMA.features)))


def read(body: bytes, max_rows: int) -> tuple[Floats, bool]:
    """Read one row or an array of rows.

    Parameters
    ----------
    body : bytes
        A JSON object with the features' names, or an array of such objects.
    max_rows : int
        How many objects the array may hold.

    Returns
    -------
    rows : ndarray of shape (n, features), float64
        The features in their order and units; n is 1 for an object.
    one : bool
        Whether it was an object.

    Raises
    ------
    MalformedDocument
        Where the body is not JSON in UTF-8.
    TooManyRows
        Where the array is longer than ``max_rows``.
    InvalidValues
        Where a value is missing, unknown, no number or out of bounds.
    """
    if len(body) > BLOCK and (array := _read_blocks(body, max_rows)) is not None:
        return array, False
    try:
        document = _one_or_many.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise_errors(body, max_rows, errors_in_object)
    is_one = not isinstance(document, list)
    rows = [document] if is_one else document
    if bounds.count(body, b":") != len(rows) * len(SCHEMA.features):
        raise_errors(body, max_rows, errors_in_object)
    if is_one:
        return np.array([msgspec.structs.astuple(document)]), True
    limit(rows, max_rows)
    return _array.to_array(rows), False


def _read_blocks(body: bytes, max_rows: int) -> Floats | None:
    """Read a long array block by block, so that not all objects exist at once, or return None if it has errors."""
    blocks, count = [], 0
    try:
        for block in _blocks(body):
            blocks.append(_array.to_array(_many_unchecked.decode(block)))
            count += len(blocks[-1])
            if count > max_rows:
                return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if bounds.count(body, b":") != count * len(SCHEMA.features):  # a field is given twice
        return None
    array = np.concatenate(blocks)
    # Behind a comma there must be something; and to check all values at once is faster than to check each.
    return array if all(map(len, blocks)) and not SCHEMA.find_out_of_bounds(array) else None


def _blocks(body: bytes) -> Iterator[bytes]:
    """Cut an array of objects into shorter ones, behind objects."""
    begin, opening = 0, b""
    while (end := body.find(b"},", begin + BLOCK)) >= 0:
        yield b"".join([opening, memoryview(body)[begin : end + 1], b"]"])
        begin, opening = end + 2, b"["
    yield opening + body[begin:]


def read_lines(body: bytes, max_rows: int) -> Floats:
    """Read rows from a body that holds an object a line; see ``read``."""
    try:
        rows = _one.decode_lines(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise_line_errors(body, max_rows)
    limit(rows, max_rows)
    if bounds.count(body, b":") != len(rows) * len(SCHEMA.features):
        raise_line_errors(body, max_rows)
    return _array.to_array(rows)


def read_rows(body: bytes, max_rows: int) -> Floats:
    """Read rows from an array of lists in the order of the features, or of objects; see ``read``."""
    bounds.check_json(body, max_rows)
    try:
        rows = _lists_or_objects.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        raise_errors(body, max_rows, errors_in_list_or_object)
    limit(rows, max_rows)
    colons = bounds.count(body, b":")
    if colons and colons != sum(type(row) is not tuple for row in rows) * len(SCHEMA.features):
        raise_errors(body, max_rows, errors_in_list_or_object)
    return _to_array((row if isinstance(row, tuple) else msgspec.structs.astuple(row) for row in rows), len(rows))


def check_rows(rows: list[list[object]], max_rows: int) -> Floats:
    """Read rows from lists that were parsed already, in the order of the features; see ``read``."""
    limit(rows, max_rows)
    try:
        return _to_array(msgspec.convert(rows, _lists_type), len(rows))
    except msgspec.ValidationError:
        raise InvalidValues(errors_in_rows(rows, errors_in_list_or_object)) from None


def _to_array(rows: Iterable[Iterable[float]], count: int) -> Floats:
    """Make an array of rows that are known to be right."""
    return np.fromiter(chain.from_iterable(rows), np.float64, count * len(SCHEMA.features)).reshape(
        -1, len(SCHEMA.features)
    )
