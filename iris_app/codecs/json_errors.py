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
from iris_app.codecs.names import MAX_NAMES, Match, NameMatcher, describe_repeated, list_features, quote_names
from iris_app.exceptions import ERRORS_NAMED, InvalidValue, InvalidValues, MalformedDocument, TooManyRows
from iris_app.formatting import printable, truncate
from iris_app.schema import Feature, Floats, Schema

ErrorFactories = Iterator[Callable[[], InvalidValue]]
Matcher = Callable[[tuple[str, ...]], Match]

# The length up to which an error repeats the name of an unknown field in full.
MAX_NAME_LENGTH = 60

# What an error calls a document and the first line of one, and the bytes of it by which its form is guessed.
BODY, FIRST_LINE, MAX_LOOKED_AT = "The body", "Line 1", 1000

# The end of a field's name and the colon after it, with space between.
SPACED_COLON = re.compile(rb'"[ \t\r\n]+:')

# In place of the value of an absent field.
ABSENT = object()

_document = msgspec.json.Decoder(msgspec.Raw)
_any_object = msgspec.json.Decoder(dict[str, Any])
_any_rows = msgspec.json.Decoder(list[msgspec.Raw])


def check_row_count(rows: Sized, max_rows: int) -> None:
    """Raise ``TooManyRows`` if there are more than ``max_rows`` rows."""
    if len(rows) > max_rows:
        raise TooManyRows(f"{len(rows):,} rows are more than the {max_rows:,} that one request may hold.")


def read_untyped(schema: Schema, body: bytes, max_rows: int) -> tuple[Floats, bool]:
    """Read one row or an array of rows, or raise the errors in them.

    Returns
    -------
    rows : ndarray of shape (n, features), float64
    is_single : bool
        Whether the body is no array.
    """
    rows = None
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        rows = _any_rows.decode(body)
    if rows is not None:
        check_row_count(rows, max_rows)  # before the slow search for errors
        texts = ((f"/{index}", None, bytes(row)) for index, row in enumerate(rows))
        return _read_each(schema, texts), False
    document = _parse_bounded(body, BODY)
    if isinstance(document, list):  # with half a surrogate pair, which msgspec does not read
        check_row_count(document, max_rows)
        return encode_rows(schema, document), False
    return _encode_checked(schema, [("", document)]), True


def check_lines(schema: Schema, body: bytes, max_rows: int) -> None:
    """Raise ``TooManyRows`` if NDJSON has more lines, values, arrays or objects than so many rows may have."""
    bounds.check_lines(body, max_rows)
    bounds.check_json(schema, body, max_rows)
    check_row_count(range(sum(1 for line in io.BytesIO(body) if line.strip())), max_rows)


def read_lines_untyped(schema: Schema, body: bytes) -> Floats:
    """Read rows from NDJSON, or raise the errors in them."""
    numbered = ((number, line) for number, line in enumerate(io.BytesIO(body), start=1) if line.strip())
    try:
        return _read_each(schema, (("", number, line.rstrip(b"\n")) for number, line in numbered))
    except MalformedDocument as error:
        with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            _document.decode(body)
            hint = "It looks like one JSON document on several lines: send it as application/json, or a row a line."
            raise MalformedDocument(f"{error} {hint}") from error
        raise


def _read_each(schema: Schema, rows: Iterable[tuple[str, int | None, bytes]]) -> Floats:
    """Read rows, each a pointer, a line number and a text, or raise their errors, by parsing one at a time."""
    match = NameMatcher(schema).match
    listed: list[Callable[[], InvalidValue]] = []
    count = 0
    values = array("d")
    for pointer, line, text in rows:
        if len(listed) >= ERRORS_NAMED and (wrong := _count_errors(schema, text, match)) is not None:
            count += wrong
            continue
        row = _parse_bounded(text, BODY if line is None else f"Line {line}")
        errors = list(find_errors(schema, row, match, pointer, line))
        count += len(errors)
        listed += errors[: ERRORS_NAMED - len(listed)]
        if not count:
            values.extend(_encode(schema, row, match))
    if count:
        raise InvalidValues(listed, count)
    return _to_array(schema, values)


def encode_rows(schema: Schema, rows: Sequence[object]) -> Floats:
    """Return rows that were parsed as an array of shape (n, features), or raise the errors in them."""
    return _encode_checked(schema, [(f"/{index}", row) for index, row in enumerate(rows)])


def _encode_checked(schema: Schema, rows: Sequence[tuple[str, object]]) -> Floats:
    """Return parsed rows, each behind its pointer, as an array, or raise the errors in them."""
    match = NameMatcher(schema).match
    _raise_any(factory for pointer, row in rows for factory in find_errors(schema, row, match, pointer))
    return _to_array(schema, [value for _, row in rows for value in _encode(schema, row, match)])


def _raise_any(factories: Iterable[Callable[[], InvalidValue]]) -> None:
    """Raise ``InvalidValues`` if there is an error."""
    error = InvalidValues(factories)
    if error.errors:
        raise error


def _encode(schema: Schema, row: Any, match: Matcher) -> list[float]:
    """Return the values of a list or an object without errors as floats."""
    if isinstance(row, list):
        return schema.encode(row)
    values = list(row.values())
    return schema.encode(None if index is None else values[index] for index in match(tuple(row)).indices)


def _to_array(schema: Schema, values: Sequence[float]) -> Floats:
    return np.array(values, np.float64).reshape(-1, len(schema.features))


def _count_errors(schema: Schema, text: bytes, match: Matcher) -> int | None:
    """Count the errors in an object, or return None if it must be parsed again for that."""
    try:
        row = _any_object.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if text.count(b":") != len(row) or len(row) > MAX_NAMES:
        return None
    matched, values = match(tuple(row)), list(row.values())
    if row and not _is_any(matched):
        return 1
    wrong = sum(
        not feature.accepts(None if index is None else values[index])
        for feature, index in zip(schema.features, matched.indices, strict=True)
    )
    return wrong + len(matched.repeated) + len(matched.misspelt)


def _parse_bounded(text: bytes, what: str) -> object:
    """Parse JSON without types, or raise ``MalformedDocument`` if it is an object of too many fields."""
    if text.lstrip()[:1] == b"{" and text.count(b",") > MAX_NAMES:
        raise MalformedDocument(f"{what} has more than the {MAX_NAMES:,} fields that an object may have.")
    return parse(text, what)


def count_fields(text: bytes) -> int:
    """Count the fields of all objects in a document, and what looks like one within its strings."""
    return text.count(b'":') + sum(1 for _ in SPACED_COLON.finditer(text))


def find_repeated(text: bytes, known: int) -> str | None:
    """Return a name that is repeated in an object of valid JSON, if there is one.

    Raises
    ------
    MalformedDocument
        If there are more than ``MAX_NAMES`` fields beside the ``known`` ones.
    """
    if count_fields(text) > known + MAX_NAMES:
        raise MalformedDocument(f"There are more than {MAX_NAMES:,} fields beside those that are read.")
    found: list[str] = []

    def collect(pairs: list[tuple[str, object]]) -> None:
        found.extend(_repeated(pairs))

    _load(text, BODY, collect)
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
        suggestion = _suggest_form(text, what, error) if what in {BODY, FIRST_LINE} else ""
        raise MalformedDocument(f"{what} is not JSON: {_describe(error)}.{suggestion}") from error


def _describe(error: ValueError) -> str:
    """Describe why a text is not JSON, with the place; a text of one line has no number of its own lines."""
    if isinstance(error, json.JSONDecodeError) and "\n" not in error.doc.strip():
        return f"{error.msg}: column {error.colno}"
    return str(error)


def _suggest_form(text: bytes, what: str, error: ValueError) -> str:
    """Suggest the form of a body that is not JSON, by how it begins."""
    line = text[:MAX_LOOKED_AT].lstrip().partition(b"\n")[0]
    if what == BODY and line.startswith(b"{") and str(error).startswith("Extra data"):
        return " An object a line is NDJSON: send it as application/x-ndjson."
    if not line.startswith((b"{", b"[")) and any(delimiter in line for delimiter in (b",", b";", b"\t")):
        return " It looks like CSV: send it as text/csv."
    return ""


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


def find_errors(schema: Schema, row: object, match: Matcher, pointer: str, line: int | None = None) -> ErrorFactories:
    """Yield a factory of each error in a row: a list in the order of the features, or an object."""
    if isinstance(row, list):
        yield from _find_errors_in_list(schema, row, pointer, line)
        return
    if not isinstance(row, Object):
        detail = f"A row is an object with the fields {list_features(schema)}, or a list of them in this order."
        if isinstance(row, str) and row.lstrip()[:1] in {"{", "["}:
            detail += " This is a text that holds JSON: encode it only once."
        yield partial(InvalidValue, detail, pointer, line)
        return
    names, values = tuple(row), list(row.values())
    matched = match(names)
    if names and not _is_any(matched):
        detail = f"None of the fields {quote_names(list(map(_readable, names)))} is one of {list_features(schema)}."
        yield partial(InvalidValue, detail, pointer, line)
        return
    for feature, index in zip(schema.features, matched.indices, strict=True):
        value = ABSENT if index is None else values[index]
        if not feature.accepts(None if index is None else value):
            name = escape(_readable(feature.name if index is None else names[index]))
            yield partial(_invalid_value, feature, value, f"{pointer}/{name}", line)
    for feature, indices in matched.repeated:
        several = [_readable(names[index]) for index in indices]
        yield partial(InvalidValue, describe_repeated(feature, several, "field"), pointer, line)
    for index, feature in matched.misspelt:
        yield partial(_misspelt_field, feature, names[index], pointer, line)
    for name in row.twice:
        shown = _readable(name)
        yield partial(InvalidValue, f"{truncate(shown)} is given more than once.", f"{pointer}/{escape(shown)}", line)


def _find_errors_in_list(schema: Schema, row: list[object], pointer: str, line: int | None) -> ErrorFactories:
    width = len(schema.features)
    holds_rows = any(isinstance(value, Object) or (isinstance(value, list) and len(value) == width) for value in row)
    if len(row) != width or holds_rows:
        detail = f"A row is a list of {width} values: {list_features(schema)}."
        hint = " This is a list of rows; send each of them by itself." if holds_rows else ""
        yield partial(InvalidValue, detail + hint, pointer, line)
        return
    for index, (feature, value) in enumerate(zip(schema.features, row, strict=True)):
        if not feature.accepts(value):
            yield partial(_invalid_value, feature, value, f"{pointer}/{index}", line)


def _invalid_value(feature: Feature, value: object, pointer: str, line: int | None = None) -> InvalidValue:
    error = feature.missing if value is ABSENT else feature.validate(value)
    return InvalidValue(str(error), pointer, line)


def _misspelt_field(feature: Feature, name: str, pointer: str, line: int | None) -> InvalidValue:
    shown = _readable(name)
    detail = f'There is no field "{truncate(shown, MAX_NAME_LENGTH)}". Did you mean "{truncate(feature.name)}"?'
    return InvalidValue(detail, f"{pointer}/{escape(shown)}", line)


def _is_any(match: Match) -> bool:
    return any(index is not None for index in match.indices) or bool(match.misspelt)


def escape(name: str) -> str:
    """Escape a name for a JSON pointer."""
    return name.replace("~", "~0").replace("/", "~1")


def _readable(name: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot encode, and escape unprintable characters."""
    return printable(name.encode(errors="replace").decode())
