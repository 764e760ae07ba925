"""Read rows from JSON.

Valid rows are read in one pass by msgspec. What it rejects is parsed again without types, to list all errors.
"""

import io
from collections.abc import Iterable, Iterator
from itertools import chain
from types import GenericAlias
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET, Raw, UnsetType

from iris_app.codecs import bounds, json_constants
from iris_app.codecs.json_columns import Column, JsonColumns
from iris_app.codecs.json_errors import (
    check_lines,
    check_row_count,
    encode_rows,
    find_repeated,
    read_lines_untyped,
    read_untyped,
)
from iris_app.codecs.names import MAX_NAMES, NameMatcher
from iris_app.codecs.struct_array import StructArray
from iris_app.json_types import define, field_type
from iris_app.schema import Feature, Floats, Schema

# Bytes per block of a long array: their objects fit into a processor's cache.
BLOCK_SIZE = 65_536

# How an escaped colon begins.
ESCAPED_COLON = b"\\u003"


_rows_decoder = msgspec.json.Decoder(list[Raw])
_any_decoder = msgspec.json.Decoder()


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

    def read_exact(self, body: bytes, max_rows: int) -> tuple[Floats, bool] | None:
        """Read an object or an array of objects that have exactly the features' names, without an error.

        Parameters
        ----------
        body : bytes
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
        TooManyRows
            If the array is longer than ``max_rows``.
        """
        if len(body) > BLOCK_SIZE and (array := self._read_blocks(body, max_rows)) is not None:
            return array, False
        try:
            document = self._rows_decoder.decode(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            return None
        is_single = not isinstance(document, list)
        rows = [document] if is_single else document
        check_row_count(rows, max_rows)
        array = self._to_array(body, rows)
        return None if array is None else (array, is_single)

    def read_any(self, body: bytes, max_rows: int) -> tuple[Floats, bool]:
        """Read a row, or an array of rows; each is an object, or a list in the order of the features.

        Raises
        ------
        MalformedDocument
            If the body is not JSON in UTF-8.
        TooManyRows
            If the array is longer than ``max_rows``.
        InvalidValues
            If a value is missing, of another kind or out of bounds.
        """
        is_single = body.lstrip()[:1] != b"["
        try:
            texts = [Raw(body)] if is_single else _rows_decoder.decode(body)
            check_row_count(texts, max_rows)
            if not is_single and (array := self._read_mixed(body)) is not None:
                return array, False
            if (array := self._read_matched(texts)) is not None:
                return array, is_single
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            pass
        return read_untyped(self._schema, body, max_rows)

    def read_lines(self, body: bytes, max_rows: int) -> Floats:
        """Read rows from NDJSON; see ``read_any``."""
        try:
            rows = self._row_decoder.decode_lines(body)
        except (msgspec.DecodeError, UnicodeDecodeError):
            array = None
        else:
            check_row_count(rows, max_rows)
            array = self._to_array(body, rows)
        if array is not None:
            return array
        check_lines(self._schema, body, max_rows)
        with json_constants.without_constants(body) as text:
            try:
                array = self._read_matched(line for line in io.BytesIO(text) if line.strip())
            except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
                array = None
            return read_lines_untyped(self._schema, text) if array is None else array

    def check_rows(self, rows: list[list[Any]], max_rows: int) -> Floats:
        """Read rows from lists that were parsed already, in the order of the features; see ``read_any``."""
        check_row_count(rows, max_rows)
        array = self._convert(rows)
        return encode_rows(self._schema, rows) if array is None else array

    def _convert(self, rows: list[Any]) -> Floats | None:
        """Return lists as an array, or None if there is an error."""
        try:
            array, _ = self._encode(msgspec.convert(rows, self._lists_type), len(rows))
        except msgspec.ValidationError:
            return None
        return None if self._schema.find_out_of_bounds(array) else array  # NaN passes the types

    def _read_mixed(self, body: bytes) -> Floats | None:
        """Read an array of lists, and of objects with exactly the features' names, or return None."""
        try:
            rows = self._mixed_decoder.decode(body)
        except msgspec.DecodeError:
            return None
        objects = sum(type(row) is not tuple for row in rows) if b":" in body else 0
        tuples = (row if type(row) is tuple else msgspec.structs.astuple(row) for row in rows)
        array, columns = self._encode(tuples if objects else rows, len(rows))
        return None if self._has_repeated(body, objects, array, columns) else array

    def _read_matched(self, texts: Iterable[bytes | Raw]) -> Floats | None:
        """Read rows of which some have other spellings or further fields, or return None if there is an error."""
        match = NameMatcher(self._schema).match
        rows = []
        for text in map(bytes, texts):
            if text.count(b":") > MAX_NAMES:  # perhaps too many fields to be decoded
                return None
            row = _any_decoder.decode(text)
            if isinstance(row, dict):
                matched = _has_no_repeated(text, row) and match(tuple(row))
                if not (matched and matched.is_clear):
                    return None
                values = list(row.values())
                row = [None if index is None else values[index] for index in matched.indices]
            rows.append(row)
        return self._convert(rows)

    def _to_array(self, body: bytes, rows: list[Any]) -> Floats | None:
        """Return decoded objects as an array, or None if a name may be given twice in the body."""
        if self._is_numeric:
            if self._has_repeated(body, len(rows)):
                return None
            return np.array([msgspec.structs.astuple(rows[0])]) if len(rows) == 1 else self._struct_array.to_array(rows)
        array, columns = self._encode(map(msgspec.structs.astuple, rows), len(rows))
        return None if self._has_repeated(body, len(rows), array, columns) else array

    def _encode(self, rows: Iterable[tuple[Any, ...]], count: int) -> tuple[Floats, list[Column] | None]:
        """Return so many decoded rows as an array, and their columns if not all are numbers."""
        if self._is_numeric:
            values = np.fromiter(chain.from_iterable(rows), np.float64, count * self._width)
            return values.reshape(-1, self._width), None
        columns = self._columns.split(rows)
        return self._columns.encode(columns), columns

    def _has_repeated(
        self, body: bytes, objects: int, array: Floats | None = None, columns: list[Column] | None = None
    ) -> bool:
        """Check whether a name may be given twice in a valid body with so many objects, by its colons."""
        colons = bounds.count(body, b":")
        if self._has_texts and ESCAPED_COLON in body:
            return True
        if array is None or columns is None or (colons == objects * self._colons and not np.isnan(array).any()):
            return colons != objects * self._colons
        return colons != self._columns.count_colons(columns, array, objects)

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
        if self._has_repeated(body, count):
            return None
        array = np.concatenate(blocks)
        # An empty block follows a trailing comma. Checking the bounds of all values at once is faster than of each.
        return array if all(map(len, blocks)) and not self._schema.find_out_of_bounds(array) else None


def _has_no_repeated(text: bytes, row: dict[str, Any]) -> bool:
    """Check whether each field of an object is given once."""
    return text.count(b":") == len(row) or find_repeated(text, len(row)) is None


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
