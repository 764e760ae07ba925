"""Read measurements from JSON.

What is right is read in one pass, by msgspec. What it refuses is read again without types, to name all that is wrong.
"""

import contextlib
import difflib
import io
import json
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence, Sized
from functools import partial
from itertools import accumulate, chain
from types import GenericAlias
from typing import Any, NoReturn

import msgspec
import numpy as np
from numpy.typing import NDArray

from iris_app.codecs import bounds
from iris_app.exceptions import ERRORS_NAMED, InvalidValue, InvalidValues, MalformedDocument, TooManyRows
from iris_app.formatting import printable, truncate
from iris_app.iris import SCHEMA
from iris_app.json_types import Measurement

Floats = NDArray[np.float64]
ErrorFactories = Iterator[Callable[[], InvalidValue]]
WrongIn = Callable[[object, str, int | None], ErrorFactories]

# How long an unknown field's name may be to be repeated whole, and pointed at.
LONGEST_NAME = 60

# Fields of an object, features and others.
MAX_FIELDS = 1000

# The end of a field's name, where the colon does not follow at once.
SPACED = re.compile(rb'"[ \t\r\n]+:')

# How many bytes of a long array are read at once: what is made of so many fits into a processor's cache.
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
_any_object = msgspec.json.Decoder(dict[str, Any])
_any_rows = msgspec.json.Decoder(list[msgspec.Raw])

# How MessagePack writes a measurement: behind its own head, for each field the name, a byte, and eight of the value.
_pack = msgspec.msgpack.Encoder().encode
_spans = [len(_pack(name)) + 9 for name in SCHEMA.features_by_name]
_size = len(_pack(Measurement(*(feature.example for feature in SCHEMA.features))))
_packed: Any = np.dtype(
    {
        "names": list(SCHEMA.features_by_name),
        "formats": [">f8"] * len(_spans),
        "offsets": [_size - sum(_spans) + end - 8 for end in accumulate(_spans)],
        "itemsize": _size,
    }
)


def read(body: bytes, max_rows: int) -> tuple[Floats, bool]:
    """Read one measurement or an array of them.

    Parameters
    ----------
    body : bytes
        A JSON object with the features' names, or an array of such objects.
    max_rows : int
        How many objects the array may hold.

    Returns
    -------
    measurements : ndarray of shape (n, 4), float64
        ``SCHEMA.features`` in their order and units; n is 1 for an object.
    one : bool
        Whether it was an object.

    Raises
    ------
    MalformedDocument
        Where the body is not JSON in UTF-8.
    TooManyRows
        Where the array is longer than ``max_rows``.
    InvalidValues
        Where it is JSON but something in it is missing, unknown, no number or out of bounds.
    """
    if len(body) > BLOCK and (measurements := _read_blocks(body, max_rows)) is not None:
        return measurements, False
    try:
        document = _one_or_many.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        _explain(body, max_rows, _wrong_in_object)
    is_one = not isinstance(document, list)
    rows = [document] if is_one else document
    if bounds.count(body, b":") != len(rows) * len(SCHEMA.features):
        _explain(body, max_rows, _wrong_in_object)
    if is_one:
        return np.array([msgspec.structs.astuple(document)]), True
    limit(rows, max_rows)
    return _unpack(rows), False


def _read_blocks(body: bytes, max_rows: int) -> Floats | None:
    """Read a long array block by block, so that not all objects are there at once, or None where it is not right."""
    blocks, count = [], 0
    try:
        for block in _blocks(body):
            blocks.append(_unpack(_many_unchecked.decode(block)))
            count += len(blocks[-1])
            if count > max_rows:
                return None
    except (msgspec.DecodeError, UnicodeDecodeError):
        return None
    if bounds.count(body, b":") != count * len(SCHEMA.features):  # a field is given twice
        return None
    measurements = np.concatenate(blocks)
    # Behind a comma there must be something; and to check all values at once is faster than to check each.
    return measurements if all(map(len, blocks)) and not SCHEMA.find_out_of_bounds(measurements) else None


def _blocks(body: bytes) -> Iterator[bytes]:
    """Cut an array of objects into shorter ones, behind objects; together they are right just where it is."""
    begin, opening = 0, b""
    while (end := body.find(b"},", begin + BLOCK)) >= 0:
        yield b"".join([opening, memoryview(body)[begin : end + 1], b"]"])
        begin, opening = end + 2, b"["
    yield opening + body[begin:]


def read_lines(body: bytes, max_rows: int) -> Floats:
    """Read measurements from a body that holds an object a line; see ``read``."""
    try:
        rows = _one.decode_lines(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        _explain_lines(body, max_rows)
    limit(rows, max_rows)
    if bounds.count(body, b":") != len(rows) * len(SCHEMA.features):
        _explain_lines(body, max_rows)
    return _unpack(rows)


def read_rows(body: bytes, max_rows: int) -> Floats:
    """Read measurements from an array of lists, each in the order of ``SCHEMA.features``, or of objects; see ``read``."""
    bounds.check_json(body, max_rows)
    try:
        rows = _lists_or_objects.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        _explain(body, max_rows, _wrong_in_list_or_object)
    limit(rows, max_rows)
    colons = bounds.count(body, b":")
    if colons and colons != sum(type(row) is not tuple for row in rows) * len(SCHEMA.features):
        _explain(body, max_rows, _wrong_in_list_or_object)
    return _array((row if isinstance(row, tuple) else msgspec.structs.astuple(row) for row in rows), len(rows))


def check_rows(rows: list[list[object]], max_rows: int) -> Floats:
    """Read measurements from lists that were parsed already, each in the order of ``SCHEMA.features``; see ``read``."""
    limit(rows, max_rows)
    try:
        return _array(msgspec.convert(rows, _lists_type), len(rows))
    except msgspec.ValidationError:
        raise InvalidValues(_wrong_in_rows(rows, _wrong_in_list_or_object)) from None


def _unpack(rows: list[Measurement]) -> Floats:
    """Make an array of measurements by way of MessagePack, which writes each in as many bytes: no loop is as fast."""
    packed = _pack(rows)
    columns = np.frombuffer(packed, _packed, offset=len(packed) - len(rows) * _packed.itemsize)
    return np.array([columns[name] for name in _packed.names], np.float64).T


def _array(rows: Iterable[Iterable[float]], count: int) -> Floats:
    """Make an array of rows that are known to be right."""
    return np.fromiter(chain.from_iterable(rows), np.float64, count * len(SCHEMA.features)).reshape(
        -1, len(SCHEMA.features)
    )


def limit(rows: Sized, max_rows: int) -> None:
    """Raise ``TooManyRows`` where there are more rows than one request may hold."""
    if len(rows) > max_rows:
        raise TooManyRows(f"{len(rows):,} measurements are more than the {max_rows:,} that one request may hold.")


def _explain(body: bytes, max_rows: int, wrong_in: WrongIn) -> NoReturn:
    """Raise what is wrong with a body that could not be read as measurements."""
    rows = None
    with contextlib.suppress(msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        bounds.check_json(body, max_rows)
        rows = _any_rows.decode(body)
    if rows is not None:
        limit(rows, max_rows)  # before they are parsed for all that is wrong, which takes long
        _raise_wrong(((f"/{index}", None, bytes(row)) for index, row in enumerate(rows)), wrong_in)
    document = _parse_bounded(body, "The body")
    if not isinstance(document, list):
        raise InvalidValues(wrong_in(document, "", None))
    raise InvalidValues(_wrong_in_rows(document, wrong_in))


def _explain_lines(body: bytes, max_rows: int) -> NoReturn:
    """Raise what is wrong with a body whose lines could not be read as measurements."""
    bounds.check_lines(body, max_rows)
    bounds.check_json(body, max_rows)
    limit(range(sum(1 for line in io.BytesIO(body) if line.strip())), max_rows)
    numbered = ((number, line) for number, line in enumerate(io.BytesIO(body), start=1) if line.strip())
    _raise_wrong((("", number, line.rstrip(b"\n")) for number, line in numbered), _wrong_in_object)


def _raise_wrong(rows: Iterable[tuple[str, int | None, bytes]], wrong_in: WrongIn) -> NoReturn:
    """Raise what is wrong with rows, of which each is parsed alone: what is right costs little, and nothing is kept.

    ``rows`` are the pointer and the line of each, and its text.
    """
    named: list[Callable[[], InvalidValue]] = []
    count = 0
    for pointer, line, text in rows:
        if len(named) >= ERRORS_NAMED and (wrong := _count_wrong(text)) is not None:
            count += wrong
            continue
        row = _parse_bounded(text, "The body" if line is None else f"Line {line}")
        wrong_here = list(wrong_in(row, pointer, line))
        count += len(wrong_here)
        named += wrong_here[: ERRORS_NAMED - len(named)]
    raise InvalidValues(named, count)


def _count_wrong(text: bytes) -> int | None:
    """Count what is wrong with an object of right and wrong fields, or return None where it must be looked at."""
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


def _wrong_in_rows(rows: list[Any], wrong_in: WrongIn) -> ErrorFactories:
    return chain.from_iterable(wrong_in(row, f"/{index}", None) for index, row in enumerate(rows))


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


def _wrong_in_object(row: object, pointer: str, line: int | None = None) -> ErrorFactories:
    """Yield what tells each wrong value of a row."""
    if not isinstance(row, Object):
        detail = f"A measurement is an object with the fields {', '.join(SCHEMA.features_by_name)}."
        yield partial(InvalidValue, detail, pointer, line)
        return
    for name, feature in SCHEMA.features_by_name.items():
        complaint = feature.validate(row[name]) if name in row else feature.missing
        if complaint:
            yield partial(InvalidValue, complaint, f"{pointer}/{name}", line)
    for name in row:
        if name not in SCHEMA.features_by_name:
            yield partial(_unknown_field, name, pointer, line)
        elif name in row.twice:
            yield partial(InvalidValue, f"{name} is given more than once.", f"{pointer}/{name}", line)


def _wrong_in_list_or_object(row: object, pointer: str, line: int | None = None) -> ErrorFactories:
    """Yield what tells each wrong value of a row that may be a list."""
    if not isinstance(row, list):
        yield from _wrong_in_object(row, pointer, line)
    elif len(row) != len(SCHEMA.features):
        detail = f"A measurement is a list of {len(SCHEMA.features)} numbers: {', '.join(SCHEMA.features_by_name)}."
        yield partial(InvalidValue, detail, pointer)
    else:
        for index, (feature, value) in enumerate(zip(SCHEMA.features, row, strict=True)):
            if complaint := feature.validate(value):
                yield partial(InvalidValue, complaint, f"{pointer}/{index}")


def _unknown_field(name: str, pointer: str, line: int | None) -> InvalidValue:
    """Say that there is no such field, and which was meant where that can be guessed, which takes long."""
    if len(name) > LONGEST_NAME:
        return InvalidValue(f'There is no field "{truncate(_readable(name))}".', pointer, line)
    shown, meant = _readable(name), _meant_by(name)
    escaped = shown.replace("~", "~0").replace("/", "~1")
    detail = f'There is no field "{shown}".' + (f' Did you mean "{meant}"?' if meant else "")
    return InvalidValue(detail, f"{pointer}/{escaped}", line)


def _meant_by(name: str) -> str | None:
    """Guess which feature's name was meant by another."""
    feature = SCHEMA.match_feature(name)
    return (
        feature.name
        if feature
        else next(iter(difflib.get_close_matches(name.lower(), SCHEMA.features_by_name, n=1)), None)
    )


def _readable(name: str) -> str:
    """Replace what UTF-8 cannot write, half of a surrogate pair, and escape what is not printable."""
    return printable(name.encode(errors="replace").decode())
