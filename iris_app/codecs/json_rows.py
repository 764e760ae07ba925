"""Read rows from JSON.

Valid rows are read in one pass by msgspec. What it rejects is parsed again without types, to list all errors.
"""

from collections.abc import Iterable, Iterator
from itertools import chain
from types import GenericAlias
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType

from iris_app.codecs import bounds
from iris_app.codecs.json_columns import JsonColumns
from iris_app.codecs.json_errors import (
    check_row_count,
    encode_rows,
    errors_in_list_or_object,
    errors_in_object,
    read_lines_untyped,
    read_untyped,
)
from iris_app.codecs.struct_array import StructArray
from iris_app.json_types import define, field_type
from iris_app.schema import Feature, Floats, Schema

# Bytes per block of a long array: their objects fit into a processor's cache.
BLOCK_SIZE = 65_536

# How an escaped colon begins.
ESCAPED_COLON = b"\\u003"


class JsonRows:
    """Read the rows of a schema; ``schema.derive(JsonRows)`` makes it once."""

    def __init__(self, schema: Schema) -> None:
        types = [field_type(feature)[0] for feature in schema.features]
        row = _define_row(schema, "Row", list(map(_field, schema.features, types)))
        values = GenericAlias(tuple, tuple(types))
        self._schema = schema
        self._is_numeric = schema.is_numeric
        self._width = len(types)
        self._columns = schema.derive(JsonColumns)
        self._colons = sum(1 + feature.name.count(":") for feature in schema.features)
        self._has_texts = not schema.is_numeric or self._colons > len(types)
        self._row_decoder = msgspec.json.Decoder(row)
        self._rows_decoder = msgspec.json.Decoder(row | GenericAlias(list, (row,)))
        self._mixed_decoder = msgspec.json.Decoder(GenericAlias(list, (values | row,)))
        self._lists_type: Any = GenericAlias(list, (values,))
        if schema.is_numeric:
            unchecked = _define_row(schema, "Unchecked", [(float,)] * len(types))
            self._unchecked_decoder = msgspec.json.Decoder(GenericAlias(list, (unchecked,)))
            self._struct_array = StructArray(row)

    def read(self, body: bytes, max_rows: int) -> tuple[Floats, bool]:
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
            If a value is missing, unknown, of another kind or out of bounds.
        """
        if len(body) > BLOCK_SIZE and (array := self._read_blocks(body, max_rows)) is not None:
            return array, False
        try:
            document = self._rows_decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return read_untyped(self._schema, body, max_rows, errors_in_object)
        is_single = not isinstance(document, list)
        rows = [document] if is_single else document
        check_row_count(rows, max_rows)
        array = self._to_array(body, rows)
        if array is None:
            return read_untyped(self._schema, body, max_rows, errors_in_object)
        return array, is_single

    def read_lines(self, body: bytes, max_rows: int) -> Floats:
        """Read rows from NDJSON; see ``read``."""
        try:
            rows = self._row_decoder.decode_lines(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return read_lines_untyped(self._schema, body, max_rows)
        check_row_count(rows, max_rows)
        array = self._to_array(body, rows)
        return read_lines_untyped(self._schema, body, max_rows) if array is None else array

    def read_rows(self, body: bytes, max_rows: int) -> Floats:
        """Read rows from an array of lists in the order of the features, or of objects; see ``read``."""
        bounds.check_json(self._schema, body, max_rows)
        try:
            rows = self._mixed_decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return read_untyped(self._schema, body, max_rows, errors_in_list_or_object)[0]
        check_row_count(rows, max_rows)
        objects = sum(type(row) is not tuple for row in rows) if b":" in body else 0
        tuples = (row if type(row) is tuple else msgspec.structs.astuple(row) for row in rows)
        array, colons = self._encode(tuples if objects else rows, len(rows), objects)
        if self._has_repeated(body, colons):
            return read_untyped(self._schema, body, max_rows, errors_in_list_or_object)[0]
        return array

    def check_rows(self, rows: list[list[Any]], max_rows: int) -> Floats:
        """Read rows from lists that were parsed already, in the order of the features; see ``read``."""
        check_row_count(rows, max_rows)
        try:
            array, _ = self._encode(msgspec.convert(rows, self._lists_type), len(rows), 0)
        except msgspec.ValidationError:
            return encode_rows(self._schema, rows, errors_in_list_or_object)
        if self._schema.find_out_of_bounds(array):  # NaN, which passes the types
            return encode_rows(self._schema, rows, errors_in_list_or_object)
        return array

    def _to_array(self, body: bytes, rows: list[Any]) -> Floats | None:
        """Return decoded objects as an array, or None if a name may be given twice in the body."""
        if self._is_numeric:
            if self._has_repeated(body, len(rows) * self._colons):
                return None
            return np.array([msgspec.structs.astuple(rows[0])]) if len(rows) == 1 else self._struct_array.to_array(rows)
        array, colons = self._encode(map(msgspec.structs.astuple, rows), len(rows), len(rows))
        return None if self._has_repeated(body, colons) else array

    def _encode(self, rows: Iterable[tuple[Any, ...]], count: int, objects: int) -> tuple[Floats, int]:
        """Return so many decoded rows as an array, and the colons in their JSON, if so many of them are objects."""
        if self._is_numeric:
            values = np.fromiter(chain.from_iterable(rows), np.float64, count * self._width)
            return values.reshape(-1, self._width), objects * self._colons
        columns = self._columns.split(rows)
        return self._columns.encode(columns), self._columns.count_colons(columns, objects)

    def _has_repeated(self, body: bytes, colons: int) -> bool:
        """Check whether a name may be given twice in a valid body, by its colons."""
        return bounds.count(body, b":") != colons or (self._has_texts and ESCAPED_COLON in body)

    def _read_blocks(self, body: bytes, max_rows: int) -> Floats | None:
        """Read a long array of numbers in blocks, so that not all objects exist at once, or return None."""
        if not self._is_numeric:
            return None
        blocks, count = [], 0
        try:
            for block in _blocks(body):
                blocks.append(self._struct_array.to_array(self._unchecked_decoder.decode(block)))
                count += len(blocks[-1])
                if count > max_rows:
                    return None
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        if self._has_repeated(body, count * self._colons):
            return None
        array = np.concatenate(blocks)
        # An empty block follows a trailing comma. Checking the bounds of all values at once is faster than of each.
        return array if all(map(len, blocks)) and not self._schema.find_out_of_bounds(array) else None


def _blocks(body: bytes) -> Iterator[bytes]:
    """Split an array of objects into shorter arrays."""
    start, opening = 0, b""
    while (end := body.find(b"},", start + BLOCK_SIZE)) >= 0:
        yield b"".join([opening, memoryview(body)[start : end + 1], b"]"])
        start, opening = end + 2, b"["
    yield opening + body[start:]


def _define_row(schema: Schema, name: str, types: list[tuple[Any, ...]]) -> Any:
    return define(
        name,
        [(f"f{index}", *type_) for index, type_ in enumerate(types)],
        "",
        {f"f{index}": feature.name for index, feature in enumerate(schema.features)},
        forbid_unknown_fields=True,
        kw_only=True,
    )


def _field(feature: Feature, type_: Any) -> tuple[Any, ...]:
    """Return the type of a field, with UNSET for one that may be absent."""
    return (type_ | UnsetType, UNSET) if feature.optional else (type_,)
