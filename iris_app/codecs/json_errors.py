"""Find every error in JSON that could not be read as rows, by parsing it without types."""

import contextlib
import difflib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import partial
from itertools import chain
from typing import Any, NoReturn

import msgspec

from iris_app.codecs import bounds
from iris_app.exceptions import ERRORS_NAMED, InvalidValue, InvalidValues, MalformedDocument, TooManyRows
from iris_app.formatting import printable, truncate
from iris_app.iris import SCHEMA

ErrorFactories = Iterator[Callable[[], InvalidValue]]
FindErrors = Callable[[object, str, int | None], ErrorFactories]

# The length up to which an error repeats the name of an unknown field in full.
MAX_NAME_LENGTH = 60

# The fields that an object may have.
MAX_FIELDS = 1000

# The end of a field's name and the colon after it, with space between.
SPACED_COLON = re.compile(rb'"[ \t\r\n]+:')

_any_object = msgspec.json.Decoder(dict[str, Any])
_any_rows = msgspec.json.Decoder(list[msgspec.Raw])


def check_row_count(rows: Sized, max_rows: int) -> None:
    """Raise ``TooManyRows`` if there are more than ``max_rows`` rows."""
    if len(rows) > max_rows:
        raise TooManyRows(f"{len(rows):,} measurements are more than the {max_rows:,} that one request may hold.")


def raise_errors(body: bytes, max_rows: int, find_errors: FindErrors) -> NoReturn:
    """Raise the errors in a body that could not be read as rows."""
    rows = None
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        bounds.check_json(body, max_rows)
        rows = _any_rows.decode(body)
    if rows is not None:
        check_row_count(rows, max_rows)  # before the slow search for errors
        _raise_row_errors(((f"/{index}", None, bytes(row)) for index, row in enumerate(rows)), find_errors)
    document = _parse_bounded(body, "The body")
    raise InvalidValues(
        errors_in_rows(document, find_errors) if isinstance(document, list) else find_errors(document, "", None)
    )


def raise_line_errors(body: bytes, max_rows: int) -> NoReturn:
    """Raise the errors in a body whose lines could not be read as rows."""
    bounds.check_lines(body, max_rows)
    bounds.check_json(body, max_rows)
    check_row_count(range(sum(1 for line in io.BytesIO(body) if line.strip())), max_rows)
    numbered = ((number, line) for number, line in enumerate(io.BytesIO(body), start=1) if line.strip())
    _raise_row_errors((("", number, line.rstrip(b"\n")) for number, line in numbered), errors_in_object)


def _raise_row_errors(rows: Iterable[tuple[str, int | None, bytes]], find_errors: FindErrors) -> NoReturn:
    """Raise the errors in rows, each a pointer, a line number and a text, by parsing one at a time."""
    listed: list[Callable[[], InvalidValue]] = []
    count = 0
    for pointer, line, text in rows:
        if len(listed) >= ERRORS_NAMED and (wrong := _count_errors(text)) is not None:
            count += wrong
            continue
        row = _parse_bounded(text, "The body" if line is None else f"Line {line}")
        errors = list(find_errors(row, pointer, line))
        count += len(errors)
        listed += errors[: ERRORS_NAMED - len(listed)]
    raise InvalidValues(listed, count)


def _count_errors(text: bytes) -> int | None:
    """Count the errors in an object, or return None if it must be parsed again for that."""
    try:
        row = _any_object.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if text.count(b":") != len(row):
        return None
    known = [row.get(name) for name in SCHEMA.features_by_name]
    wrong = sum(
        1 for feature, value in zip(SCHEMA.features, known, strict=True) if value is None or not feature.accepts(value)
    )
    return wrong + sum(1 for name in row if name not in SCHEMA.features_by_name)


def _parse_bounded(text: bytes, what: str) -> object:
    """Parse JSON without types, or raise ``MalformedDocument`` if it is an object of too many fields."""
    if text.lstrip()[:1] == b"{" and text.count(b",") > MAX_FIELDS:
        raise MalformedDocument(f"{what} has more than the {MAX_FIELDS:,} fields that an object may have.")
    return parse(text, what)


def errors_in_rows(rows: list[Any], find_errors: FindErrors) -> ErrorFactories:
    """Yield a factory of each error in an array of rows."""
    return chain.from_iterable(find_errors(row, f"/{index}", None) for index, row in enumerate(rows))


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


def errors_in_object(row: object, pointer: str, line: int | None = None) -> ErrorFactories:
    """Yield a factory of each error in a row."""
    if not isinstance(row, Object):
        detail = f"A measurement is an object with the fields {', '.join(SCHEMA.features_by_name)}."
        yield partial(InvalidValue, detail, pointer, line)
        return
    for name, feature in SCHEMA.features_by_name.items():
        error = feature.validate(row[name]) if name in row else feature.missing
        if error:
            yield partial(InvalidValue, error, f"{pointer}/{name}", line)
    for name in row:
        if name not in SCHEMA.features_by_name:
            yield partial(_unknown_field, name, pointer, line)
        elif name in row.twice:
            yield partial(InvalidValue, f"{name} is given more than once.", f"{pointer}/{name}", line)


def errors_in_list_or_object(row: object, pointer: str, line: int | None = None) -> ErrorFactories:
    """Yield a factory of each error in a row that may be a list."""
    if not isinstance(row, list):
        yield from errors_in_object(row, pointer, line)
    elif len(row) != len(SCHEMA.features):
        detail = f"A measurement is a list of {len(SCHEMA.features)} numbers: {', '.join(SCHEMA.features_by_name)}."
        yield partial(InvalidValue, detail, pointer)
    else:
        for index, (feature, value) in enumerate(zip(SCHEMA.features, row, strict=True)):
            if error := feature.validate(value):
                yield partial(InvalidValue, error, f"{pointer}/{index}")


def _unknown_field(name: str, pointer: str, line: int | None) -> InvalidValue:
    """Return the error for an unknown field, with a suggestion if there is a similar one."""
    if len(name) > MAX_NAME_LENGTH:
        return InvalidValue(f'There is no field "{truncate(_readable(name))}".', pointer, line)
    shown, suggestion = _readable(name), _suggest_feature(name)
    escaped = shown.replace("~", "~0").replace("/", "~1")
    detail = f'There is no field "{shown}".' + (f' Did you mean "{suggestion}"?' if suggestion else "")
    return InvalidValue(detail, f"{pointer}/{escaped}", line)


def _suggest_feature(name: str) -> str | None:
    """Return the name of the feature that is most similar, if one is."""
    feature = SCHEMA.match_feature(name)
    return (
        feature.name
        if feature
        else next(iter(difflib.get_close_matches(name.lower(), SCHEMA.features_by_name, n=1)), None)
    )


def _readable(name: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot encode, and escape unprintable characters."""
    return printable(name.encode(errors="replace").decode())
