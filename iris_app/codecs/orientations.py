"""Read rows from JSON in the orientations of pandas, MLflow, TensorFlow Serving and of hand-written clients."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import UNSET, Raw, UnsetType

from iris_app.codecs import bounds, json_constants, json_errors
from iris_app.codecs.json_rows import JsonRows
from iris_app.codecs.names import MAX_NAMES, find_features, list_features, list_names, match_names
from iris_app.exceptions import InvalidValue, InvalidValues, MalformedDocument
from iris_app.formatting import parse_int, truncate
from iris_app.schema import Floats, Schema

# Members that hold rows in any of the orientations, beside members that do not matter.
WRAPPERS = ("dataframe_split", "dataframe_records", "instances", "inputs")

# Members of a frame as pandas writes it.
FRAME = ("columns", "index", "schema", "data")

# The place of a row, and that of a value in rows that were put in the order of the features.
PLACE = re.compile(r"\A/(\d+)")
VALUE = re.compile(r"\A/(\d+)/(\d+)")

# Return the JSON pointer in what was sent of one in what was read.
Relocate = Callable[[str], str]


class _Object(msgspec.Struct):
    """Any object."""


class _List(msgspec.Struct, array_like=True):
    """Any list."""


# The members that may hold rows; the others are passed over.
_wrapping_decoder = msgspec.json.Decoder(
    msgspec.defstruct("_Wrapping", [(name, Raw | UnsetType, UNSET) for name in (*WRAPPERS, *FRAME)])
)
_object_members_decoder = msgspec.json.Decoder(dict[str, _Object])
_list_members_decoder = msgspec.json.Decoder(dict[str, _List])
_members_decoder = msgspec.json.Decoder(dict[str, Raw])
_array_decoder = msgspec.json.Decoder(list[Raw])
_values_decoder = msgspec.json.Decoder(list[Any])
_names_decoder = msgspec.json.Decoder(list[Any] | None)


def read(schema: Schema, body: bytes, max_rows: int) -> tuple[Floats, bool]:
    """Read one row or many.

    Parameters
    ----------
    schema : Schema
    body : bytes
        JSON, perhaps with constants of Python: an object, a list of values in the order of the features, a list of such
        rows, an object of columns, or a frame of pandas in any orientation, alone or in one of ``WRAPPERS``.
    max_rows : int
        The maximum number of rows.

    Returns
    -------
    rows : ndarray of shape (n, features), float64
        The features in their order and units.
    is_single : bool
        Whether the body is one row, and no list of rows.

    Raises
    ------
    MalformedDocument
        If it is not JSON, or not in an orientation that is known.
    TooManyRows
        If there are more rows than ``max_rows``.
    InvalidValues
        If a value is missing, of another kind or out of bounds.
    """
    if (exact := schema.derive(JsonRows).read_exact(body, max_rows)) is not None:
        return exact
    with json_constants.without_constants(body) as text:
        bounds.check_json(schema, text, max_rows)
        return Reader(schema, max_rows).read(text)


class Reader:
    """Read rows of a schema, up to a number."""

    def __init__(self, schema: Schema, max_rows: int) -> None:
        self._schema = schema
        self._max_rows = max_rows
        self._rows = schema.derive(JsonRows)

    def read(self, text: bytes) -> tuple[Floats, bool]:
        """Read rows in any orientation; return whether they are a single one."""
        match text.lstrip()[:1]:
            case b"[":
                return self._read_list(text)
            case b"{":
                return self._read_object(text)
        return self._rows.read_any(text, self._max_rows)

    def _read_list(self, text: bytes) -> tuple[Floats, bool]:
        """Read a list of rows, or of the values of one row."""
        if text.lstrip()[1:].lstrip()[:1] in {b"[", b"{", b"]"}:
            return self._rows.read_any(text, self._max_rows)
        elements = _decode(_array_decoder, text)
        width = len(self._schema.features)
        if len(elements) != width or any(bytes(element[:1]) in {b"[", b"{"} for element in map(bytes, elements)):
            raise MalformedDocument(
                f"Send a list of rows, each an object or a list of {width} values: {list_features(self._schema)}. "
                f"This is a list of {len(elements)} values."
            )
        with _located(lambda pointer: pointer.removeprefix("/0")):
            rows, _ = self._rows.read_any(b"[" + text + b"]", self._max_rows)
        return rows, True

    def _read_object(self, text: bytes) -> tuple[Floats, bool]:
        """Read an object: of rows, of columns, or a row."""
        try:
            _check_members(text)
            members = _members_decoder.decode(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._rows.read_any(text, self._max_rows)  # which says what is wrong
        read = self._select_reader(members)
        if read is None:
            return self._rows.read_any(text, self._max_rows)
        _reject_repeated(text, members)
        return read(members), False

    def _select_reader(self, members: Mapping[str, Raw]) -> Callable[[Mapping[str, Raw]], Floats] | None:
        """Select the reader of an object that holds many rows; return None if it may be a row."""
        is_named = any(index is not None for index in match_names(self._schema, tuple(members)[:MAX_NAMES]).indices)
        kinds = {bytes(member)[:1] for member in members.values()}
        if not is_named and any(name in members for name in WRAPPERS):
            return self._read_wrapper
        if not is_named and ("columns" in members or bytes(members.get("data", b""))[:1] == b"["):
            return self._read_frame
        if kinds == {b"["}:
            return self._read_lists
        if kinds == {b"{"}:
            return self._read_labelled_columns if is_named else self._read_labelled_rows
        return None

    def _read_wrapper(self, members: Mapping[str, Raw]) -> Floats:
        """Read rows from exactly one of ``WRAPPERS``."""
        names = [name for name in WRAPPERS if name in members]
        if len(names) > 1:
            raise MalformedDocument(f"Send exactly one of {', '.join(WRAPPERS)}, not {len(names)}.")
        with _located(f"/{names[0]}".__add__):
            return self.read(bytes(members[names[0]]))[0]

    def _read_frame(self, members: Mapping[str, Raw]) -> Floats:
        """Read a frame with ``data``: a list of rows, in the order of ``columns`` if there are any."""
        columns = _decode(_names_decoder, members["columns"]) if "columns" in members else None
        if bytes(members.get("data", b""))[:1] != b"[":
            raise MalformedDocument("There are columns, and no data, which is a list of rows.")
        if not columns:
            with _located("/data".__add__):
                return self.read(bytes(members["data"]))[0]
        data = _decode(_array_decoder, members["data"])
        json_errors.check_row_count(data, self._max_rows)
        indices = _find_columns(self._schema, columns)
        rows = [_select(row, text, indices, len(columns)) for row, text in enumerate(data)]
        with _located(_by_place(lambda row, column: f"/data/{row}/{indices[column]}")):
            return self._rows.check_rows(rows, self._max_rows)

    def _read_lists(self, members: Mapping[str, Raw]) -> Floats:
        """Read columns, each a list of values."""
        return self._read_columns({name: _decode(_array_decoder, member) for name, member in members.items()})

    def _read_labelled_columns(self, members: Mapping[str, Raw]) -> Floats:
        """Read columns, each an object of values by the labels of their rows, as pandas writes by default."""
        columns = {name: _decode_members(bytes(member)) for name, member in members.items()}
        labels = list(next(iter(columns.values())))
        if any(column.keys() != set(labels) for column in columns.values()):
            raise MalformedDocument("The columns have not the same labels of rows.")
        values = {name: [column[label] for label in labels] for name, column in columns.items()}
        return self._read_columns(values, labels)

    def _read_labelled_rows(self, members: Mapping[str, Raw]) -> Floats:
        """Read rows by their labels."""
        labels = list(map(json_errors.escape, members))
        with _located(lambda pointer: PLACE.sub(lambda place: f"/{labels[int(place[1])]}", pointer), list(members)):
            return self._rows.read_any(b"[" + b",".join(members.values()) + b"]", self._max_rows)[0]

    def _read_columns(self, columns: Mapping[str, Sequence[Raw]], labels: Sequence[str] | None = None) -> Floats:
        """Read rows from columns, each with a value for each row."""
        names = list(columns)
        indices = find_features(self._schema, names)
        if len(set(map(len, columns.values()))) > 1:
            raise MalformedDocument("The columns are not of one length.")
        count = len(columns[names[0]])
        json_errors.check_row_count(range(count), self._max_rows)
        texts = [b"[" + b",".join(columns[name]) + b"]" for name in names]
        selected = [[None] * count if index is None else _decode(_values_decoder, texts[index]) for index in indices]

        def locate(row: int, column: int) -> str:
            label = str(row) if labels is None else labels[row]
            return f"/{json_errors.escape(names[indices[column] or 0])}/{json_errors.escape(label)}"

        with _located(_by_place(locate), labels):
            return self._rows.check_rows(list(map(list, zip(*selected, strict=True))), self._max_rows)


def _find_columns(schema: Schema, columns: Sequence[object]) -> Sequence[int | None]:
    """Return the index of each feature's column."""
    names = list(map(str, columns))
    is_numbered = len(names) <= MAX_NAMES and all(parse_int(name) is not None for name in names)
    if not is_numbered or any(map(schema.match_feature, names)):
        return find_features(schema, names)
    numbered = list(range(len(schema.features)))
    if list(map(parse_int, names)) != numbered:
        raise MalformedDocument(
            f"The columns {list_names(names)} name no feature. Send their names, or {len(numbered)} columns in this "
            f"order: {list_features(schema)}."
        )
    return numbered


def _select(row: int, text: Raw, indices: Sequence[int | None], width: int) -> list[Any]:
    values = _decode(_values_decoder, text) if bytes(text)[:1] == b"[" else None
    if values is None or len(values) != width:
        found = "is no list of" if values is None else f"has {len(values)} values, not"
        raise MalformedDocument(f"Row {row} of data {found} {width}{' values' if values is None else ''}.")
    return [None if index is None else values[index] for index in indices]


@contextmanager
def _located(relocate: Relocate, labels: Sequence[str] | None = None) -> Iterator[None]:
    """Point errors in rows at the values that were sent, and name the rows, by their labels if they have some."""
    try:
        yield
    except InvalidValues as error:
        error.errors = tuple(_relocate(wrong, relocate, labels) for wrong in error.errors)
        raise


def _relocate(wrong: InvalidValue, relocate: Relocate, labels: Sequence[str] | None) -> InvalidValue:
    if wrong.pointer is None:
        return wrong
    place = None if wrong.detail.startswith("Row ") else PLACE.match(wrong.pointer)
    row = place and (place[1] if labels is None else truncate(labels[int(place[1])]))
    detail = f"Row {row}: {wrong.detail}" if place else wrong.detail
    return msgspec.structs.replace(wrong, pointer=relocate(wrong.pointer), detail=detail)


def _by_place(locate: Callable[[int, int], str]) -> Relocate:
    """Relocate pointers to values by their rows and the indices of their features."""
    return lambda pointer: VALUE.sub(lambda place: locate(int(place[1]), int(place[2])), pointer)


def _check_members(text: bytes) -> None:
    """Raise an error where an object has many members that are no rows or columns, before each of them is made."""
    if text.count(b":") <= MAX_NAMES:
        return
    wrapping = msgspec.structs.asdict(_wrapping_decoder.decode(text))
    held = {name: bytes(value) for name, value in wrapping.items() if value is not UNSET}
    if held and json_errors.count_fields(text) - sum(map(json_errors.count_fields, held.values())) <= MAX_NAMES:
        return
    try:
        _object_members_decoder.decode(text)
    except msgspec.ValidationError:
        try:
            _list_members_decoder.decode(text)
        except msgspec.ValidationError:
            if held:
                raise MalformedDocument(
                    f"There are more than {MAX_NAMES:,} fields beside {next(iter(held))}."
                ) from None
            raise


def _decode_members(text: bytes) -> dict[str, Raw]:
    """Return the members of an object, none of which is repeated."""
    members: dict[str, Raw] = _decode(_members_decoder, text)
    _reject_repeated(text, members)
    return members


def _reject_repeated(text: bytes, members: Mapping[str, Raw]) -> None:
    """Raise ``MalformedDocument`` if a name of an object is repeated; those within its members are checked later."""
    inside = sum(bytes(member).count(b":") for member in members.values())
    if text.count(b":") - inside == len(members):
        return
    known = sum(json_errors.count_fields(bytes(member)) for member in members.values())
    if name := json_errors.find_repeated(text, known):
        raise MalformedDocument(f"{name} is given more than once.")


def _decode(decoder: msgspec.json.Decoder[Any], text: bytes | Raw) -> Any:
    try:
        return decoder.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        document = json_errors.parse(bytes(text), json_errors.BODY)  # its errors say more
        try:
            return msgspec.convert(document, decoder.type)  # with numbers beyond all bounds
        except (msgspec.ValidationError, UnicodeEncodeError):  # half a surrogate pair has no encoding
            raise MalformedDocument(f"The body cannot be read: {error}.") from error
