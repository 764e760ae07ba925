"""Objects of JSON, one a line or in an array, read piece by piece."""

from collections.abc import Iterator, Sequence
from itertools import chain
from operator import attrgetter
from typing import Annotated, Any, BinaryIO

import msgspec
import numpy as np
import polars as pl

from iris_app.bulk.elements import ARRAY, Array, Elements, Lines, Numbered, count_lines
from iris_app.bulk.pieces import PARTS, Piece, Records
from iris_app.bulk.rows import Floats, Reject, Rows
from iris_app.codecs import csv_rows, json_errors
from iris_app.codecs.csv_rows import answer_columns
from iris_app.exceptions import InvalidValue, MalformedDocument
from iris_app.formatting import truncate
from iris_app.iris import SCHEMA
from iris_app.json_types import Measurement

# What msgspec and polars raise where a line is not of the type that it should be.
UNFIT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, pl.exceptions.PolarsError)

NOTHING = np.empty((0, len(SCHEMA.features)))

# What no value is.
Never = Annotated[int, msgspec.Meta(gt=0, lt=1)]


class NdjsonFile:
    """Objects with the features' names, in any usual spelling, among any others.

    Parameters
    ----------
    stream : binary file
    size : int, optional
        How many bytes it holds, where that is known.
    keep : bool
        Whether rows that cannot be classified stay among the others.
    typed : bool
        Whether the fields become columns, which are those of the first rows; else the lines go on as they came.

    Raises
    ------
    MalformedDocument
        Where no line is an object, here, or where it cannot be decompressed, when it is read.
    InvalidValues
        Where the first object names a feature twice or not at all.
    """

    def __init__(self, stream: BinaryIO, size: int | None = None, *, keep: bool = False, typed: bool = False) -> None:
        self._keep, self._typed = keep, typed
        self._records = Records(stream, size)
        array = ARRAY.match(self._records.peek())
        self._elements: Elements = Array() if array else Lines()
        self._first_line = 1 + count_lines(array[0] if array else b"")
        self._records.skip(array.end() if array else 0)
        objects = self._first_objects()
        if not objects:
            raise MalformedDocument("It holds no object; each line is one, with the lengths of a flower.")
        first = objects[0]
        more = dict.fromkeys(chain.from_iterable(objects))
        self.columns = [*first, *(name for name in more if name not in first and not SCHEMA.match_feature(name))]
        self.places = csv_rows.find_features(self.columns)
        self._names = [self.columns[place] for place in self.places]
        others = [name for name in self.columns if name not in self._names]
        self._schema = {name: _type(objects, name) for name in others} if typed else {}
        self._species = next(filter(SCHEMA.is_target_column, others), None)
        self._refused = [] if typed else answer_columns(self.columns)
        self._decoder = _decoder(self._names, self._species, others if typed else None, self._refused)
        self._values = attrgetter(*(f"feature_{at}" for at in range(len(SCHEMA.features))))

    def pieces(self) -> Iterator[Piece]:
        """Yield objects as they stand in the file."""
        return self._records.pieces(self._elements.rules, self._first_line)

    def done(self) -> float:
        """Say which share of the file has been handed out."""
        return self._records.done()

    def read(self, piece: Piece) -> Rows:
        """Read objects, all at once where all are right, which is most often so."""
        return self._read(self._elements.split(piece))

    def _first_objects(self) -> list[dict[str, msgspec.Raw]]:
        """Return the first objects, for what fields there are."""
        content = self._records.peek(self._elements.rules.last_ends)
        try:
            numbered = self._elements.split(Piece(1, content))
        except MalformedDocument:  # which is told when it is read
            numbered = []
        return [fields for _, line in numbered if (fields := _fields(line))]

    def _read(self, numbered: Numbered) -> Rows:
        lines = [line for _, line in numbered]
        try:
            measurements, given = self._decode(lines)
            return Rows(self._frame(lines, measurements), measurements, (), len(lines), lines, given)
        except UNFIT as error:
            if len(numbered) == 1:
                return self._read_wrong(*numbered[0], error)
        size = -(-len(numbered) // PARTS)
        return Rows.joined([self._read(numbered[start : start + size]) for start in range(0, len(numbered), size)])

    def _decode(self, lines: Sequence[bytes]) -> tuple[Floats, pl.Series | None]:
        """Return the measurements in lines, and what these say of the species."""
        b"".join(lines).decode()  # what is passed over may be no UTF-8
        rows = list(map(self._decoder.decode, lines))
        values = chain.from_iterable(map(self._values, rows))
        measurements = np.fromiter(values, np.float64, len(rows) * len(SCHEMA.features)).reshape(
            -1, len(SCHEMA.features)
        )
        return measurements, self._given([row.given for row in rows] if self._species is not None else [])

    def _given(self, values: list[object]) -> pl.Series | None:
        return None if self._species is None else pl.Series(list(map(_text, values)), dtype=pl.String)

    def _frame(self, lines: Sequence[bytes], features: Floats) -> pl.DataFrame:
        """Make columns of lines, the features' of these values."""
        if not self._typed:
            return pl.DataFrame()
        others = pl.DataFrame(schema=self._schema)
        if others.columns and lines:
            others = pl.read_ndjson(b"\n".join(lines), schema=self._schema)
        columns = [pl.Series(name, column) for name, column in zip(self._names, features.T, strict=True)]
        return pl.DataFrame([*others.get_columns(), *columns]).select(self.columns).fill_nan(None)

    def _read_wrong(self, at: int, line: bytes, error: Exception) -> Rows:
        """Say what is wrong with a line."""
        row, errors = self._wrong(at, line, error)
        rejects = [Reject(at, line.decode(errors="replace").strip(), errors)]
        if not self._keep:
            return Rows(self._frame([], NOTHING), NOTHING, rejects, 1, given=self._given([]))
        kept = b"{}" if row is None else line
        values = row or json_errors.Object()
        features = np.array([[_float(values.get(name)) for name in self._names]])
        try:
            frame = self._frame([kept], features)
        except pl.exceptions.PolarsError:
            frame = self._frame([b"{}"], features)
        return Rows(frame, np.full_like(features, np.nan), rejects, 1, [kept], self._given([None]))

    def _wrong(self, at: int, line: bytes, error: Exception) -> tuple[json_errors.Object | None, list[InvalidValue]]:
        """Say all that is wrong with a line, and return the object that it is, if it is one."""
        try:
            row = json_errors.parse(line, f"Line {at}")
        except MalformedDocument as malformed:
            return None, [InvalidValue(str(malformed), line=at)]
        if not isinstance(row, json_errors.Object):
            return None, [InvalidValue(f"Line {at} is no object with the lengths of a flower.", line=at)]
        wrong = [
            (name, feature.validate(row[name]) if name in row else feature.missing)
            for feature, name in zip(SCHEMA.features, self._names, strict=True)
        ]
        wrong += [(name, complaint) for name in row if (complaint := self._unwanted(name, row))]
        named = [_invalid(at, name, complaint) for name, complaint in wrong if complaint]
        if not named and isinstance(error, pl.exceptions.PolarsError):
            return row, [InvalidValue(f"Line {at} is not of the types of the first rows: {error}.", line=at)]
        if not named:
            return None, [InvalidValue(f"Line {at} is not JSON: {error}.", line=at)]
        return (row if _fields(line) else None), named

    def _unwanted(self, name: str, row: json_errors.Object) -> str | None:
        """Say what is wrong with a field for its name."""
        if name in row.twice and name in self._names:
            return f"{name} is given more than once."
        if self._typed and name not in self.columns:
            return "There is no such column in the first rows; NDJSON, written to, keeps any field."
        return (
            "The answers have a field of this name, since none of the first rows has."
            if name in self._refused
            else None
        )


def _type(objects: Sequence[dict[str, msgspec.Raw]], name: str) -> pl.DataType:
    """Say of what type a field is: text where it is no one type, or where it is a list or an object."""
    values = b"\n".join(msgspec.json.encode({name: one[name]}) for one in objects if name in one)
    try:
        dtype = pl.read_ndjson(values, infer_schema_length=None).schema[name]
    except pl.exceptions.PolarsError:
        return pl.String()
    return pl.String() if dtype.is_nested() or dtype == pl.Null else dtype


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _float(value: object) -> float:
    return value if isinstance(value, float) else np.nan


def _decoder(
    names: Sequence[str], species: str | None, others: Sequence[str] | None, refused: Sequence[str]
) -> msgspec.json.Decoder[Any]:
    """Make what decodes the features, under their names here, and refuses what is no measurement.

    Where ``others`` are named, it refuses any that are not, and else those that are ``refused``.
    """
    bounded = [Measurement.__annotations__[name] for name in SCHEMA.features_by_name]
    fields: list[Any] = [(f"feature_{at}", kind) for at, kind in enumerate(bounded)]
    given = [] if species is None else [species]
    fields += [("given", Any, None) for _ in given]
    more = [name for name in others or [] if name != species]
    fields += [(f"other_{at}", msgspec.Raw, msgspec.Raw()) for at in range(len(more))]
    fields += [(f"refused_{at}", Never, 0) for at in range(len(refused))]
    renamed = dict(zip([field[0] for field in fields], [*names, *given, *more, *refused], strict=True))
    return msgspec.json.Decoder(
        msgspec.defstruct("Flower", fields, rename=renamed, forbid_unknown_fields=others is not None, gc=False)
    )


def _invalid(line: int, name: str, complaint: str) -> InvalidValue:
    readable = name.encode(errors="replace").decode()
    return InvalidValue(f"Line {line}, column {truncate(readable)}: {complaint}", line=line, column=readable)


def _fields(line: bytes) -> dict[str, msgspec.Raw]:
    """Return the fields of an object, if a line is one."""
    try:
        return msgspec.json.decode(line, type=dict[str, msgspec.Raw])
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return {}
