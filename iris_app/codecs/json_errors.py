"""Read JSON without types: what typed decoding rejects, with every error in it."""

import contextlib
import io
import json
import re
from array import array
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import partial
from typing import Any, NoReturn

import msgspec
import numpy as np

from iris_app.codecs import bounds
from iris_app.exceptions import ERRORS_NAMED, InvalidValue, InvalidValues, MalformedDocument, TooManyRows
from iris_app.formatting import find_nearest, printable, truncate
from iris_app.schema import Feature, Floats, Schema

ErrorFactories = Iterator[Callable[[], InvalidValue]]
FindErrors = Callable[[Schema, object, str, int | None], ErrorFactories]

# The length up to which an error repeats the name of an unknown field in full.
MAX_NAME_LENGTH = 60

# The fields that an object may have.
MAX_FIELDS = 1000

# The features that a description of a row names.
FEATURES_NAMED = 20

# The end of a field's name and the colon after it, with space between.
SPACED_COLON = re.compile(rb'"[ \t\r\n]+:')

# In place of the value of an absent field.
ABSENT = object()

_any_object = msgspec.json.Decoder(dict[str, Any])
_any_rows = msgspec.json.Decoder(list[msgspec.Raw])


def check_row_count(rows: Sized, max_rows: int) -> None:
    """Raise ``TooManyRows`` if there are more than ``max_rows`` rows."""
    if len(rows) > max_rows:
        raise TooManyRows(f"{len(rows):,} rows are more than the {max_rows:,} that one request may hold.")


def read_untyped(schema: Schema, body: bytes, max_rows: int, find_errors: FindErrors) -> tuple[Floats, bool]:
    """Read one row or an array of rows, or raise the errors in them.

    Returns
    -------
    rows : ndarray of shape (n, features), float64
    is_single : bool
        Whether the body is no array.
    """
    rows = None
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        bounds.check_json(schema, body, max_rows)
        rows = _any_rows.decode(body)
    if rows is not None:
        check_row_count(rows, max_rows)  # before the slow search for errors
        texts = ((f"/{index}", None, bytes(row)) for index, row in enumerate(rows))
        return _read_each(schema, texts, find_errors), False
    document = _parse_bounded(body, "The body")
    if isinstance(document, list):  # with half a surrogate pair, which msgspec does not read
        check_row_count(document, max_rows)
        return encode_rows(schema, document, find_errors), False
    _raise_any(find_errors(schema, document, "", None))
    return _to_array(schema, _encode(schema, document)), True


def read_lines_untyped(schema: Schema, body: bytes, max_rows: int) -> Floats:
    """Read rows from NDJSON, or raise the errors in them."""
    bounds.check_lines(body, max_rows)
    bounds.check_json(schema, body, max_rows)
    check_row_count(range(sum(1 for line in io.BytesIO(body) if line.strip())), max_rows)
    numbered = ((number, line) for number, line in enumerate(io.BytesIO(body), start=1) if line.strip())
    texts = (("", number, line.rstrip(b"\n")) for number, line in numbered)
    return _read_each(schema, texts, errors_in_object)


def _read_each(schema: Schema, rows: Iterable[tuple[str, int | None, bytes]], find_errors: FindErrors) -> Floats:
    """Read rows, each a pointer, a line number and a text, or raise their errors, by parsing one at a time."""
    listed: list[Callable[[], InvalidValue]] = []
    count = 0
    values = array("d")
    for pointer, line, text in rows:
        if len(listed) >= ERRORS_NAMED and (wrong := _count_errors(schema, text)) is not None:
            count += wrong
            continue
        row = _parse_bounded(text, "The body" if line is None else f"Line {line}")
        errors = list(find_errors(schema, row, pointer, line))
        count += len(errors)
        listed += errors[: ERRORS_NAMED - len(listed)]
        if not count:
            values.extend(_encode(schema, row))
    if count:
        raise InvalidValues(listed, count)
    return _to_array(schema, values)


def encode_rows(schema: Schema, rows: list[Any], find_errors: FindErrors) -> Floats:
    """Return rows that were parsed as an array of shape (n, features), or raise the errors in them."""
    _raise_any(factory for index, row in enumerate(rows) for factory in find_errors(schema, row, f"/{index}", None))
    return _to_array(schema, [value for row in rows for value in _encode(schema, row)])


def _raise_any(factories: Iterable[Callable[[], InvalidValue]]) -> None:
    """Raise ``InvalidValues`` if there is an error."""
    error = InvalidValues(factories)
    if error.errors:
        raise error


def _encode(schema: Schema, row: Any) -> list[float]:
    """Return the values of a list or an object without errors as floats."""
    return schema.encode(row if isinstance(row, list) else [row.get(name) for name in schema.features_by_name])


def _to_array(schema: Schema, values: Sequence[float]) -> Floats:
    return np.array(values, np.float64).reshape(-1, len(schema.features))


def _count_errors(schema: Schema, text: bytes) -> int | None:
    """Count the errors in an object, or return None if it must be parsed again for that."""
    try:
        row = _any_object.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if text.count(b":") != len(row):
        return None
    wrong = sum(not feature.accepts(row.get(name)) for name, feature in schema.features_by_name.items())
    return wrong + sum(name not in schema.features_by_name for name in row)


def _parse_bounded(text: bytes, what: str) -> object:
    """Parse JSON without types, or raise ``MalformedDocument`` if it is an object of too many fields."""
    if text.lstrip()[:1] == b"{" and text.count(b",") > MAX_FIELDS:
        raise MalformedDocument(f"{what} has more than the {MAX_FIELDS:,} fields that an object may have.")
    return parse(text, what)


def count_fields(text: bytes) -> int:
    """Count the fields of all objects in a document, and what looks like one within its strings."""
    return text.count(b'":') + sum(1 for _ in SPACED_COLON.finditer(text))


def find_repeated(text: bytes, known: int) -> str | None:
    """Return a name that is repeated in an object of valid JSON, if there is one.

    Raises
    ------
    MalformedDocument
        If there are more than ``MAX_FIELDS`` fields beside the ``known`` ones.
    """
    if count_fields(text) > known + MAX_FIELDS:
        raise MalformedDocument(f"There are more than {MAX_FIELDS:,} fields beside those that are read.")
    found: list[str] = []

    def collect(pairs: list[tuple[str, object]]) -> None:
        found.extend(_repeated(pairs))

    _load(text, "The body", collect)
    return truncate(found[0]) if found else None


def parse(text: bytes, what: str) -> object:
    """Parse JSON without types; integers become floats, since Python parses long ones in quadratic time."""
    return _load(text, what, _object)


def _load(text: bytes, what: str, hook: Callable[[list[tuple[str, object]]], object]) -> object:
    try:
        return json.loads(text.decode(), object_pairs_hook=hook, parse_int=float, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise MalformedDocument(f"{what} is nested too deeply to be read.") from error
    except UnicodeDecodeError as error:
        raise MalformedDocument(f"{what} is not UTF-8: byte {error.start} cannot be read.") from error
    except ValueError as error:
        raise MalformedDocument(f"{what} is not JSON: {error}.") from error


class Object(dict[str, object]):
    """A JSON object with a list of its repeated names."""

    twice: Sequence[str] = ()


def _object(pairs: list[tuple[str, object]]) -> Object:
    document = Object(pairs)
    if len(document) < len(pairs):
        document.twice = _repeated(pairs)
    return document


def _repeated(pairs: list[tuple[str, object]]) -> list[str]:
    return [name for name, count in Counter(name for name, _ in pairs).items() if count > 1]


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def errors_in_object(schema: Schema, row: object, pointer: str, line: int | None = None) -> ErrorFactories:
    """Yield a factory of each error in a row."""
    if not isinstance(row, Object):
        yield partial(InvalidValue, f"A row is an object with the fields {_list_names(schema)}.", pointer, line)
        return
    for name, feature in schema.features_by_name.items():
        if not feature.accepts(row.get(name)):
            yield partial(_invalid_value, feature, row.get(name, ABSENT), f"{pointer}/{_escape(name)}", line)
    for name in row:
        if name not in schema.features_by_name:
            yield partial(_unknown_field, schema, name, pointer, line)
        elif name in row.twice:
            yield partial(InvalidValue, f"{name} is given more than once.", f"{pointer}/{_escape(name)}", line)


def errors_in_list_or_object(schema: Schema, row: object, pointer: str, line: int | None = None) -> ErrorFactories:
    """Yield a factory of each error in a row that may be a list."""
    if not isinstance(row, list):
        yield from errors_in_object(schema, row, pointer, line)
    elif len(row) != len(schema.features):
        detail = f"A row is a list of {len(schema.features)} values: {_list_names(schema)}."
        yield partial(InvalidValue, detail, pointer)
    else:
        for index, (feature, value) in enumerate(zip(schema.features, row, strict=True)):
            if not feature.accepts(value):
                yield partial(_invalid_value, feature, value, f"{pointer}/{index}")


def _list_names(schema: Schema) -> str:
    names = list(schema.features_by_name)
    omitted = len(names) - FEATURES_NAMED
    return ", ".join(names[:FEATURES_NAMED]) + (f" and {omitted} more" if omitted > 0 else "")


def _invalid_value(feature: Feature, value: object, pointer: str, line: int | None = None) -> InvalidValue:
    error = feature.missing if value is ABSENT else feature.validate(value)
    return InvalidValue(str(error), pointer, line)


def _unknown_field(schema: Schema, name: str, pointer: str, line: int | None) -> InvalidValue:
    """Return the error for an unknown field, with a suggestion if there is a similar one."""
    if len(name) > MAX_NAME_LENGTH:
        return InvalidValue(f'There is no field "{truncate(_readable(name))}".', pointer, line)
    shown, suggestion = _readable(name), _suggest_feature(schema, name)
    detail = f'There is no field "{shown}".' + (f' Did you mean "{suggestion}"?' if suggestion else "")
    return InvalidValue(detail, f"{pointer}/{_escape(shown)}", line)


def _suggest_feature(schema: Schema, name: str) -> str | None:
    """Return the name of the feature that is most similar, if one is."""
    if feature := schema.match_feature(name):
        return feature.name
    return find_nearest(name.lower(), schema.features_by_name)


def _escape(name: str) -> str:
    """Escape a name for a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _readable(name: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot encode, and escape unprintable characters."""
    return printable(name.encode(errors="replace").decode())
