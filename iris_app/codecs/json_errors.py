"""The errors in JSON that could not be read as rows: it is parsed again without types, to name every wrong value."""

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

# The longest name of an unknown field that is repeated whole, and pointed at.
LONGEST_NAME = 60

# Fields of an object, features and others.
MAX_FIELDS = 1000

# The end of a field's name, where the colon does not follow at once.
SPACED = re.compile(rb'"[ \t\r\n]+:')

_any_object = msgspec.json.Decoder(dict[str, Any])
_any_rows = msgspec.json.Decoder(list[msgspec.Raw])


def limit(rows: Sized, max_rows: int) -> None:
    """Raise ``TooManyRows`` where there are more rows than one request may hold."""
    if len(rows) > max_rows:
        raise TooManyRows(f"{len(rows):,} measurements are more than the {max_rows:,} that one request may hold.")


def raise_errors(body: bytes, max_rows: int, find_errors: FindErrors) -> NoReturn:
    """Raise the errors in a body that could not be read as rows."""
    rows = None
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        bounds.check_json(body, max_rows)
        rows = _any_rows.decode(body)
    if rows is not None:
        limit(rows, max_rows)  # before they are parsed for all that is wrong, which takes long
        _raise_row_errors(((f"/{index}", None, bytes(row)) for index, row in enumerate(rows)), find_errors)
    document = _parse_bounded(body, "The body")
    if not isinstance(document, list):
        raise InvalidValues(find_errors(document, "", None))
    raise InvalidValues(errors_in_rows(document, find_errors))


def raise_line_errors(body: bytes, max_rows: int) -> NoReturn:
    """Raise the errors in a body whose lines could not be read as rows."""
    bounds.check_lines(body, max_rows)
    bounds.check_json(body, max_rows)
    limit(range(sum(1 for line in io.BytesIO(body) if line.strip())), max_rows)
    numbered = ((number, line) for number, line in enumerate(io.BytesIO(body), start=1) if line.strip())
    _raise_row_errors((("", number, line.rstrip(b"\n")) for number, line in numbered), errors_in_object)


def _raise_row_errors(rows: Iterable[tuple[str, int | None, bytes]], find_errors: FindErrors) -> NoReturn:
    """Raise the errors in rows, each a pointer, a line and a text, and parsed alone, so that nothing is kept."""
    named: list[Callable[[], InvalidValue]] = []
    count = 0
    for pointer, line, text in rows:
        if len(named) >= ERRORS_NAMED and (wrong := _count_errors(text)) is not None:
            count += wrong
            continue
        row = _parse_bounded(text, "The body" if line is None else f"Line {line}")
        errors = list(find_errors(row, pointer, line))
        count += len(errors)
        named += errors[: ERRORS_NAMED - len(named)]
    raise InvalidValues(named, count)


def _count_errors(text: bytes) -> int | None:
    """Count the errors in an object, or return None where it must be parsed to find them."""
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
    """Parse JSON without types, if an object in it can be no longer than one may be."""
    if text.lstrip()[:1] == b"{" and text.count(b",") > MAX_FIELDS:
        raise MalformedDocument(f"{what} has more than the {MAX_FIELDS:,} fields that an object may have.")
    return parse(text, what)


def errors_in_rows(rows: list[Any], find_errors: FindErrors) -> ErrorFactories:
    """Yield a factory of each error in an array of rows."""
    return chain.from_iterable(find_errors(row, f"/{index}", None) for index, row in enumerate(rows))


def count_fields(text: bytes) -> int:
    """Count the fields of all objects in a document, and in its strings what looks like one."""
    return text.count(b'":') + sum(1 for _ in SPACED.finditer(text))


def find_repeated(text: bytes, known: int) -> str | None:
    """Find a name that is given more than once in any object of a document that is known to be JSON.

    Raises
    ------
    MalformedDocument
        Where there are more than ``MAX_FIELDS`` fields beside so many ``known`` ones.
    """
    if count_fields(text) > known + MAX_FIELDS:
        raise MalformedDocument(f"There are more than {MAX_FIELDS:,} fields beside those that are read.")
    found: list[str] = []

    def note(pairs: list[tuple[str, object]]) -> None:
        found.extend(_repeated(pairs))

    _load(text, "The body", note)
    return truncate(found[0]) if found else None


def parse(text: bytes, what: str) -> object:
    """Parse JSON without types; integers become floats, since there is no length that they may not have."""
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
    """A JSON object that remembers which of its names were given more than once."""

    twice: Sequence[str] = ()


def _object(pairs: list[tuple[str, object]]) -> Object:
    made = Object(pairs)
    if len(made) < len(pairs):
        made.twice = _repeated(pairs)
    return made


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
    """Return the error for an unknown field, with the feature that was meant if it can be guessed."""
    if len(name) > LONGEST_NAME:
        return InvalidValue(f'There is no field "{truncate(_readable(name))}".', pointer, line)
    shown, meant = _readable(name), _guess_feature(name)
    escaped = shown.replace("~", "~0").replace("/", "~1")
    detail = f'There is no field "{shown}".' + (f' Did you mean "{meant}"?' if meant else "")
    return InvalidValue(detail, f"{pointer}/{escaped}", line)


def _guess_feature(name: str) -> str | None:
    """Guess the feature that was meant by a name."""
    feature = SCHEMA.match_feature(name)
    return (
        feature.name
        if feature
        else next(iter(difflib.get_close_matches(name.lower(), SCHEMA.features_by_name, n=1)), None)
    )


def _readable(name: str) -> str:
    """Replace lone surrogates, which UTF-8 cannot write, and escape what is not printable."""
    return printable(name.encode(errors="replace").decode())
