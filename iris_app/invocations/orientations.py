"""Read rows from JSON in the orientations of pandas, MLflow and TensorFlow Serving."""

import re
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache, partial
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from iris_app.codecs import bounds, csv_rows, json_constants, json_errors
from iris_app.codecs.json_rows import JsonRows
from iris_app.codecs.names import list_names, match_names
from iris_app.exceptions import InvalidValues, MalformedDocument
from iris_app.formatting import parse_int
from iris_app.schema import Floats, Schema

# The first character of an array's first element, or the end of an empty array.
FIRST_ELEMENT = re.compile(rb"\A\s*\[\s*([^\s])")

# The start of an object of columns, in place of an array of rows.
OBJECT_START = re.compile(rb"\A\s*\{")


class SplitFrame(msgspec.Struct, frozen=True):
    """A data frame as pandas writes it with ``orient="split"``; without names, columns are numbered."""

    data: list[Raw]
    columns: list[Any] | None = None


class Invocation(msgspec.Struct, frozen=True):
    """Rows in exactly one of four members; others, such as ``params``, are ignored."""

    dataframe_split: Raw | UnsetType = UNSET
    dataframe_records: Raw | UnsetType = UNSET
    instances: Raw | UnsetType = UNSET
    inputs: Raw | UnsetType = UNSET


_invocation_decoder = msgspec.json.Decoder(Invocation)
_split_decoder = msgspec.json.Decoder(SplitFrame)
_columns_decoder = msgspec.json.Decoder(dict[str, Raw])
_array_decoder = msgspec.json.Decoder(list[Raw])
_values_decoder = msgspec.json.Decoder(list[Any])
_any_decoder = msgspec.json.Decoder()


def read(schema: Schema, body: bytes, max_rows: int) -> Floats:
    """Read rows from one of the four members of an invocation.

    Parameters
    ----------
    schema : Schema
    body : bytes
        JSON, in which NaN stands for null.
    max_rows : int
        The maximum number of rows.

    Returns
    -------
    ndarray of shape (n, features), float64

    Raises
    ------
    MalformedDocument
        If it is no invocation.
    TooManyRows
        If there are more rows than ``max_rows``.
    InvalidValues
        If a value is missing, unknown, of another kind or out of bounds.
    """
    bounds.check_json(schema, body, max_rows)
    document, json = json_constants.decode(_invocation_decoder, body, "invocation")
    members = {name: rows for name, rows in msgspec.structs.asdict(document).items() if rows is not UNSET}
    _reject_repeated(json, members)
    if len(members) != 1:
        raise MalformedDocument(f"Send exactly one of {', '.join(Invocation.__struct_fields__)}, not {len(members)}.")
    ((name, rows),) = members.items()
    try:
        return _read_member(schema, name, bytes(rows), max_rows)
    except InvalidValues as error:
        if json != body:
            error.args = (f"{error} NaN is read as null.",)
        raise


def _read_member(schema: Schema, name: str, rows: bytes, max_rows: int) -> Floats:
    if name == "dataframe_split":
        return _read_split(schema, _decode(_split_decoder, rows), max_rows)
    if name == "inputs" and OBJECT_START.match(rows):
        return _read_columns(schema, _decode(_columns_decoder, rows), max_rows)
    return _read_array(schema, name, rows, max_rows)


def _reject_repeated(body: bytes, members: Mapping[str, Raw]) -> None:
    """Reject a repeated name in an object, except in rows, which are checked when they are read."""
    rows = members.get("dataframe_records", members.get("instances", members.get("inputs")))
    has_rows = rows is not None and not OBJECT_START.match(rows)
    inside = bytes(rows).count(b":") if rows is not None and has_rows else 0
    expected = 1 if has_rows else 3 if set(members) == {"dataframe_split"} else -1
    if len(members) == 1 and body.count(b":") - inside == expected:
        return
    known = sum(json_errors.count_fields(bytes(member)) for member in members.values())
    if name := json_errors.find_repeated(body, known):
        raise MalformedDocument(f"{name} is given more than once.")


def _read_columns(schema: Schema, columns: Mapping[str, Raw], max_rows: int) -> Floats:
    """Read rows from an object of columns, each a list of values."""
    indices = csv_rows.find_features(schema, list(columns))
    lists = [_decode(_array_decoder, column) for column in columns.values()]
    if len(set(map(len, lists))) > 1:
        raise MalformedDocument("The columns of inputs are not of one length.")
    json_errors.check_row_count(lists[0], max_rows)
    texts = list(columns.values())
    selected = [
        [None] * len(lists[0]) if index is None else _decode(_values_decoder, texts[index]) for index in indices
    ]
    return schema.derive(JsonRows).check_rows(list(map(list, zip(*selected, strict=True))), max_rows)


def _read_split(schema: Schema, frame: SplitFrame, max_rows: int) -> Floats:
    """Read rows from a split data frame, by the names of its columns or else by their order."""
    json_errors.check_row_count(frame.data, max_rows)
    indices, width = _find_columns(schema, frame.columns or [])
    rows = [_select(row, text, indices, width) for row, text in enumerate(frame.data)]
    return schema.derive(JsonRows).check_rows(rows, max_rows)


def _find_columns(schema: Schema, columns: Sequence[object]) -> tuple[Sequence[int | None], int]:
    """Return the index of each feature's column, and the number of columns."""
    names = list(map(str, columns))
    is_numbered = len(names) <= csv_rows.MAX_COLUMNS and all(parse_int(name) is not None for name in names)
    if not is_numbered or any(map(schema.match_feature, names)):
        return csv_rows.find_features(schema, names), len(names)
    numbered = list(range(len(schema.features)))
    if names and list(map(parse_int, names)) != numbered:
        raise MalformedDocument(
            f"The columns {list_names(names)} name no feature. Send their names, or {len(numbered)} columns in this "
            f"order: {list_names(list(schema.features_by_name))}."
        )
    return numbered, len(numbered)


def _select(row: int, text: Raw, indices: Sequence[int | None], width: int) -> list[Any]:
    values = _decode(_values_decoder, text)
    if len(values) != width:
        raise MalformedDocument(f"Row {row} of data has {len(values)} values, not {width}.")
    return [None if index is None else values[index] for index in indices]


def _read_array(schema: Schema, name: str, array: bytes, max_rows: int) -> Floats:
    """Read rows from an array of lists in the order of the features, or of objects that may have further fields."""
    first = FIRST_ELEMENT.match(array)
    if first is None or first[1] not in b"[{]":
        raise MalformedDocument(
            f"Send a list of rows in {name}, each a list or an object of {list_names(list(schema.features_by_name))}."
        )
    if first[1] != b"{" or _has_exact_names(schema, array[first.start(1) :]):
        try:
            return schema.derive(JsonRows).read_rows(array, max_rows)
        except InvalidValues:
            if b"{" not in array:
                raise
    return _read_objects(schema, array, max_rows)


def _has_exact_names(schema: Schema, array: bytes) -> bool:
    """Check whether the fields of the first object have names of features; some may be absent."""
    text = array[: array.find(b"}") + 1]
    try:
        return (
            text.count(b",") < json_errors.MAX_FIELDS
            and schema.features_by_name.keys() >= _columns_decoder.decode(text).keys()
        )
    except (msgspec.DecodeError, UnicodeDecodeError):
        return False


def _read_objects(schema: Schema, array: bytes, max_rows: int) -> Floats:
    """Read rows of which some are objects with other spellings or further fields."""
    texts = _decode(_array_decoder, array)
    json_errors.check_row_count(texts, max_rows)
    match = lru_cache(32)(partial(_match_fields, schema))
    rows = [_select_fields(row, bytes(text), match) for row, text in enumerate(texts)]
    return schema.derive(JsonRows).check_rows(rows, max_rows)


def _match_fields(schema: Schema, names: Sequence[str]) -> list[tuple[str | None, object]]:
    """Return the field of each feature, None for one that is absent, and the value in place of that."""
    indices = match_names(schema, names, "fields")
    return [
        (None if index is None else names[index], None if feature.optional else json_errors.ABSENT)
        for feature, index in zip(schema.features, indices, strict=True)
    ]


def _select_fields(row: int, text: bytes, match: Callable[[tuple[str, ...]], list[tuple[str | None, object]]]) -> Any:
    """Return the values of an object in the order of the features, and anything else as it is."""
    if text[:1] != b"{":
        return _decode(_any_decoder, text)
    if text.count(b",") > json_errors.MAX_FIELDS:
        raise MalformedDocument(f"Row {row} has more than the {json_errors.MAX_FIELDS:,} fields that it may have.")
    fields = _decode(_any_decoder, text)
    if text.count(b":") != len(fields) and (name := json_errors.find_repeated(text, len(fields))):
        raise MalformedDocument(f"Row {row}: {name} is given more than once.")
    return [fields.get(field, default) for field, default in match(tuple(fields))]


def _decode(decoder: msgspec.json.Decoder[Any], text: bytes | Raw) -> Any:
    decoded, _ = json_constants.decode(decoder, bytes(text), "invocation")
    return decoded
