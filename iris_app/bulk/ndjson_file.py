"""Objects of JSON, one a line, read piece by piece."""

from collections.abc import Iterator, Sequence
from itertools import chain
from typing import Any, BinaryIO

import msgspec
import numpy as np
import polars as pl

from iris_app import csv_rows, json_rows
from iris_app.bulk.pieces import BYTE_ORDER_MARK, Piece, Records
from iris_app.bulk.rows import Floats, Reject, Rows
from iris_app.exceptions import InvalidValue, MalformedDocument
from iris_app.iris import FEATURES, FEATURES_BY_NAME, Measurement, is_species_column, shortened

Numbered = Sequence[tuple[int, bytes]]

# What msgspec and polars raise where a line is not of the type that it should be.
UNFIT = (msgspec.DecodeError, UnicodeDecodeError, pl.exceptions.PolarsError)


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
    InvalidMeasurements
        Where the first object names a feature twice or not at all.
    """

    def __init__(self, stream: BinaryIO, size: int | None = None, *, keep: bool = False, typed: bool = False) -> None:
        self._keep = keep
        self._records = Records(stream, size, last_line_ends)
        self._records.skip(BYTE_ORDER_MARK)
        objects = [line for line in self._records.peek().split(b"\n") if _fields(line)]
        if not objects:
            raise MalformedDocument("It holds no object; each line is one, with the lengths of a flower.")
        self._typed = typed
        self.columns = list(dict.fromkeys(chain.from_iterable(map(_fields, objects if typed else objects[:1]))))
        self.places = csv_rows.find_features(self.columns)
        self._names = [self.columns[place] for place in self.places]
        others = [name for name in self.columns if name not in self._names]
        self._schema = _types(objects, others) if typed else {}
        self._species = next(filter(is_species_column, others), None)
        self._decoder = _decoder(self._names, self._species, others if typed else None)

    def pieces(self) -> Iterator[Piece]:
        """Yield lines as they stand in the file."""
        return self._records.after(1)

    def done(self) -> float:
        """Say which share of the file has been handed out."""
        return self._records.done()

    def read(self, piece: Piece) -> Rows:
        """Read lines, all at once where all are right, which is most often so."""
        numbered = [(at, line) for at, line in enumerate(piece.content.split(b"\n"), piece.line) if line.strip()]
        lines = [line for _, line in numbered]
        try:
            measurements, given = self._decode(piece.content)
            if len(measurements) == len(lines):  # else an object goes on over several lines
                return Rows(self._frame(lines, measurements), measurements, (), len(lines), lines, given)
        except UNFIT:
            pass
        return self._read_lines(numbered)

    def _decode(self, content: bytes) -> tuple[Floats, pl.Series | None]:
        """Return the measurements in lines, and what these say of the species."""
        rows = self._decoder.decode_lines(content)
        values = [msgspec.structs.astuple(row)[: len(FEATURES)] for row in rows]
        measurements = np.array(values, np.float64).reshape(-1, len(FEATURES))
        return measurements, self._given([row.given for row in rows])

    def _given(self, values: list[object]) -> pl.Series | None:
        return None if self._species is None else pl.Series(map(_text, values), dtype=pl.String)

    def _frame(self, lines: Sequence[bytes], measurements: Floats) -> pl.DataFrame:
        """Make columns of lines, the features' of their measurements."""
        if not self._typed:
            return pl.DataFrame()
        others = pl.read_ndjson(b"\n".join(lines), schema=self._schema) if self._schema and lines else pl.DataFrame()
        features = [pl.Series(name, column) for name, column in zip(self._names, measurements.T, strict=True)]
        empty = [pl.Series(name, [], dtype) for name, dtype in self._schema.items() if not lines]
        return others.with_columns(*features, *empty).select(self.columns).fill_nan(None)

    def _read_lines(self, numbered: Numbered) -> Rows:
        """Read lines one by one, and say what is wrong with each."""
        parts = [self._read_line(at, line) for at, line in numbered]
        return Rows.joined(parts) if parts else Rows(self._frame([], NOTHING), NOTHING, (), 0, given=self._given([]))

    def _read_line(self, at: int, line: bytes) -> Rows:
        try:
            measurements, given = self._decode(line)
            return Rows(self._frame([line], measurements), measurements, (), 1, [line], given)
        except UNFIT as error:
            rejects = [Reject(at, line.decode(errors="replace").strip(), self._wrong(at, line, error))]
        if not self._keep:
            return Rows(self._frame([], NOTHING), NOTHING, rejects, 1, given=self._given([]))
        measurements = np.full((1, len(FEATURES)), np.nan)
        kept = line if _fields(line) else b"{}"
        try:
            frame = self._frame([kept], measurements)
        except pl.exceptions.PolarsError:
            frame = self._frame([b"{}"], measurements)
        return Rows(frame, measurements, rejects, 1, [kept], self._given([None]))

    def _wrong(self, at: int, line: bytes, error: Exception) -> list[InvalidValue]:
        """Say all that is wrong with a line."""
        try:
            row = json_rows.parse(line, f"Line {at}")
        except MalformedDocument as malformed:
            return [InvalidValue(str(malformed), line=at)]
        if not isinstance(row, json_rows.Object):
            return [InvalidValue(f"Line {at} is no object with the lengths of a flower.", line=at)]
        wrong = {}
        for feature, name in zip(FEATURES, self._names, strict=True):
            wrong[name] = feature.complaint(row[name]) if name in row else feature.missing
        wrong |= {name: f"{name} is given more than once." for name in row.twice if name in self._names}
        if self._typed:
            unknown = "There is no such column in the first rows; NDJSON, written to, keeps any field."
            wrong |= {name: unknown for name in row if name not in self.columns}
        named = [_invalid(at, name, complaint) for name, complaint in wrong.items() if complaint]
        return named or [InvalidValue(f"Line {at} is not of the types of the first rows: {error}.", line=at)]


NOTHING = np.empty((0, len(FEATURES)))


def last_line_ends(content: bytes) -> int:
    """Say where the last line ends that is whole."""
    return content.rfind(b"\n") + 1


def _types(objects: Sequence[bytes], names: Sequence[str]) -> dict[str, pl.DataType]:
    """Say of what type each field is: text where it is no one type, or where it is a list or an object."""
    fields = [msgspec.json.decode(line, type=dict[str, msgspec.Raw]) for line in objects]
    some = [msgspec.json.encode({name: row[name] for name in names if name in row}) for row in fields]
    try:
        schema = pl.read_ndjson(b"\n".join(some), infer_schema_length=None).schema
    except pl.exceptions.PolarsError:
        return dict.fromkeys(names, pl.String())
    return {name: pl.String() if dtype.is_nested() else dtype for name, dtype in schema.items()}


def _text(value: object) -> str | None:
    return None if value is None else str(value)


def _decoder(names: Sequence[str], species: str | None, others: Sequence[str] | None) -> msgspec.json.Decoder[Any]:
    """Make what decodes the features, under their names here, and refuses what is no measurement.

    Where ``others`` are named, it refuses any that are not.
    """
    bounded = [Measurement.__annotations__[name] for name in FEATURES_BY_NAME]
    fields: list[Any] = [(f"feature_{at}", kind) for at, kind in enumerate(bounded)]
    fields.append(("given", Any, None))
    more = [name for name in others or [] if name != species]
    fields += [(f"other_{at}", msgspec.Raw, msgspec.Raw()) for at in range(len(more))]
    renamed = dict(zip([field[0] for field in fields], [*names, species or "", *more], strict=True))
    return msgspec.json.Decoder(
        msgspec.defstruct("Flower", fields, rename=renamed, forbid_unknown_fields=others is not None, gc=False)
    )


def _invalid(line: int, name: str, complaint: str) -> InvalidValue:
    return InvalidValue(f"Line {line}, column {shortened(name)}: {complaint}", line=line, column=name)


def _fields(line: bytes) -> list[str]:
    """Name the fields of an object, if a line is one."""
    try:
        return list(msgspec.json.decode(line, type=dict[str, msgspec.Raw]))
    except (msgspec.DecodeError, UnicodeDecodeError):
        return []
