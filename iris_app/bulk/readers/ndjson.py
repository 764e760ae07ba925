"""Objects of JSON, one a line or in an array, read by msgspec."""

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from functools import partial
from typing import Annotated, Any, BinaryIO, cast
from weakref import finalize

import msgspec
import numpy as np
import polars as pl

from iris_app.bulk.readers.fields import MIXED, UNFIT, Fields, decoder
from iris_app.bulk.readers.options import ReadOptions
from iris_app.bulk.readers.pieces import Piece, Records
from iris_app.bulk.rows import Reject, Rejects, Rows
from iris_app.codecs import json_errors
from iris_app.codecs.csv_rows import answer_columns
from iris_app.exceptions import InvalidValue, MalformedDocument
from iris_app.formatting import truncate
from iris_app.iris import SCHEMA
from iris_app.json_types import Measurement
from iris_app.schema import Floats

# How an array of objects begins, and how many bytes it may have, since it is read whole.
ARRAY = re.compile(rb"\s*\[(?=\s*[{\]])")
LONGEST_ARRAY = 256 * 1024 * 1024

# How many elements of an array are read at once.
ELEMENTS = 10_000

# What no value is.
Never = Annotated[int, msgspec.Meta(gt=0, lt=1)]

Numbered = Sequence[tuple[int, bytes]]

_array = msgspec.json.Decoder(list[msgspec.Raw])
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


class NdjsonFile:
    """Objects with the features' names, in any usual spelling, among any others.

    A line costs only itself, whatever is wrong with it. A file is refused where none of its objects, or of those of
    the first megabyte where it is not ``typed``, has some feature; where a line is longer than
    ``pieces.LONGEST_ROW``; and an array where it is longer than ``LONGEST_ARRAY``, or is not JSON as a whole, since
    nothing shows then where its elements end.

    Parameters
    ----------
    stream : binary file
    size : int, optional
        How many bytes it holds, where that is known.
    keep : bool
        Whether rows that cannot be classified stay among the others.
    typed : bool
        Whether the fields become columns; the file is read twice then, first for their names and types. Else the lines
        go on as they came, but for a field that is called as one of the answers and none of the first objects has.
    options : ReadOptions, optional
        The encoding, where it is known.

    Raises
    ------
    MalformedDocument
        Where no line is an object, here, or where it cannot be decompressed, when it is read.
    InvalidValues
        Where a feature has no field or two.
    """

    def __init__(
        self,
        stream: BinaryIO,
        size: int | None = None,
        *,
        keep: bool = False,
        typed: bool = False,
        options: ReadOptions | None = None,
    ) -> None:
        self._keep, self._typed = keep, typed
        encoding = options.encoding if options else None
        stream = self._hold(stream) if typed else stream
        self._records = Records(stream, size, encoding)
        first = self._records.peek(_last_end)
        self._array = self._read_array() if ARRAY.match(first) else None
        fields = Fields()
        for piece in self.pieces() if typed or self._array else [Piece(1, first)]:
            fields.add(line for _, line in _numbered(piece))
        if not fields.kinds:
            raise MalformedDocument("It holds no object; each line is one, with the lengths of a flower.")
        if typed and self._array is None:
            stream.seek(0)
            self._records = Records(stream, size, encoding)
        self.columns, self.places = list(fields.kinds), fields.places
        self._make_decoders(fields)

    def pieces(self) -> Iterator[Piece | Numbered]:
        """Yield objects as they stand in the file."""
        if self._array is None:
            return self._records.pieces(_last_end, lambda content: content.count(b"\n"))
        array = self._array
        return (array[start : start + ELEMENTS] for start in range(0, max(len(array), 1), ELEMENTS))

    def done(self) -> float:
        """Return which share of the file has been handed out."""
        return self._records.done()

    def read(self, piece: Piece | Numbered) -> Rows:
        """Read objects."""
        numbered = _numbered(piece)
        lines = [line for _, line in numbered]
        cells, wrong = self._decode(lines)
        rejects = Rejects(len(wrong), partial(self._rejects, numbered, wrong))
        if self._keep:
            for at in wrong:
                lines[at], cells[at] = self._keep_row(lines[at])
        elif wrong:
            lines, cells = [[row for row, cell in zip(rows, cells, strict=True) if cell] for rows in (lines, cells)]
        columns = list(zip(*cells, strict=True)) or [()] * (len(SCHEMA.features) + len(self._others) + 1)
        values = np.array(columns[: len(SCHEMA.features)], np.float64).T
        frame, given = self._frame(columns, values), self._given(columns)
        if self._keep and wrong:
            values = values.copy()
            values[wrong] = np.nan
        return Rows(frame, values, rejects, len(numbered), lines, given)

    def _hold(self, stream: BinaryIO) -> BinaryIO:
        """Return a stream that can be read twice."""
        if getattr(stream, "seekable", bool)():
            return stream
        held = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 -- the line below closes it
        finalize(self, held.close)
        shutil.copyfileobj(stream, held)
        held.seek(0)
        return held

    def _read_array(self) -> list[tuple[int, bytes]]:
        """Return the elements of an array, each as one line with the number of the line where it begins."""
        content = self._records.read_all(LONGEST_ARRAY)
        try:
            elements = [bytes(element) for element in _array.decode(content)]
        except UNFIT as error:
            raise MalformedDocument(f"It is an array that is not JSON: {error}.") from error
        numbered, line, end = [], 1, 0
        for element in elements:
            begin = content.index(element, end)
            line += content.count(b"\n", end, begin)
            numbered.append((line, element.replace(b"\n", b" ").replace(b"\r", b" ")))
            line += element.count(b"\n")
            end = begin + len(element)
        return numbered

    def _make_decoders(self, fields: Fields) -> None:
        """Make what decodes the features and, where rows are typed, all others: good rows, and bad ones."""
        names = [self.columns[place] for place in self.places]
        others = [name for name in self.columns if name not in names]
        self._names = names
        self._species = next(filter(SCHEMA.is_target_column, others), None)
        self._refused = [] if self._typed else answer_columns(self.columns)
        self._others = {name: fields.type_of(name) for name in others} if self._typed else {}
        given = {} if self._typed or self._species is None else {self._species: (Any, None)}
        more = given | {name: (kind, None) for name, (kind, _) in self._others.items()}
        bounded = [(Measurement.__annotations__[name],) for name in SCHEMA.features_by_name]
        refused = dict.fromkeys(self._refused, (Never, 0))
        self._strict = decoder(dict(zip(names, bounded, strict=True)) | more | refused).decode
        self._lenient = decoder(dict.fromkeys(names, (Any, None)) | more).decode

    def _decode(self, lines: list[bytes]) -> tuple[list[Any], list[int]]:
        """Return the fields of each line, and which lines cannot be classified; rename fields called as answers."""
        try:
            b"\n".join(lines).decode()  # what is passed over may be no UTF-8
            return list(map(msgspec.structs.astuple, map(self._strict, lines))), []
        except UNFIT:
            cells = list(map(self._decode_one, lines))
        wrong = []
        for at in (at for at, cell in enumerate(cells) if cell is None):
            renamed = self._renamed(lines[at])
            cells[at] = None if renamed is lines[at] else self._decode_one(renamed)
            if cells[at] is None:
                wrong.append(at)
            else:
                lines[at] = renamed
        return cells, wrong

    def _decode_one(self, line: bytes) -> tuple[Any, ...] | None:
        try:
            line.decode()
            return msgspec.structs.astuple(self._strict(line))
        except UNFIT:
            return None

    def _renamed(self, line: bytes) -> bytes:
        """Rename the fields of a line that are called as those of the answers."""
        values = _fields(line)
        if not any(name in values for name in self._refused):
            return line
        made = {}
        for name, value in values.items():
            new = f"given_{name}" if name in self._refused else name
            while new != name and new in values:
                new = f"given_{new}"
            made[new] = value
        return msgspec.json.encode(made)

    def _keep_row(self, line: bytes) -> tuple[bytes, tuple[Any, ...]]:
        """Return a line that cannot be classified, or an empty object where it is none, and its fields."""
        line = self._renamed(line)
        try:
            line.decode()
            cells = msgspec.structs.astuple(self._lenient(line))
        except UNFIT:
            line, cells = b"{}", msgspec.structs.astuple(self._lenient(b"{}"))
        count = len(SCHEMA.features)
        return line, (*map(_float, cells[:count]), *cells[count:], *[0] * len(self._refused))

    def _frame(self, columns: Sequence[Sequence[Any]], values: Floats) -> pl.DataFrame:
        if not self._typed:
            return pl.DataFrame()
        made = {name: pl.Series(name, column) for name, column in zip(self._names, values.T, strict=True)}
        for (name, (kind, dtype)), column in zip(self._others.items(), columns[len(SCHEMA.features) :], strict=False):
            made[name] = pl.Series(name, map(_text_of, column) if kind is MIXED[0] else column, dtype)
        return pl.DataFrame([made[name] for name in self.columns]).fill_nan(None)

    def _given(self, columns: Sequence[Sequence[Any]]) -> pl.Series | None:
        """Return what a field says of each row's class, where there is one."""
        if self._species is None:
            return None
        place = len(SCHEMA.features) + (list(self._others).index(self._species) if self._typed else 0)
        texts = (None if value is None else str(value) for value in columns[place])
        return pl.Series(list(texts), dtype=pl.String)

    def _rejects(self, numbered: Numbered, wrong: Sequence[int], start: int, stop: int) -> list[Reject]:
        """Return some of the lines that cannot be classified, and what is wrong with them."""
        chosen = [numbered[at] for at in wrong[start:stop]]
        return [Reject(at, line.decode(errors="replace").strip(), self._wrong(at, line)) for at, line in chosen]

    def _wrong(self, at: int, line: bytes) -> list[InvalidValue]:
        """Return all that is wrong with a line."""
        try:
            row = json_errors.parse(line, f"Line {at}")
        except MalformedDocument as malformed:
            return [InvalidValue(str(malformed), line=at)]
        if not isinstance(row, json_errors.Object):
            return [InvalidValue(f"Line {at} is no object with the lengths of a flower.", line=at)]
        errors = []
        for feature, name in zip(SCHEMA.features, self._names, strict=True):
            if complaint := feature.validate(row[name]) if name in row else feature.missing:
                errors.append(_invalid(at, name, complaint))
        twice = [name for name in row if name in row.twice and name in self._names]
        errors += [_invalid(at, name, f"{truncate(name)} is given more than once.") for name in twice]
        return errors or [InvalidValue(f"Line {at} is not JSON: {self._error(line)}.", line=at)]

    def _error(self, line: bytes) -> str:
        """Return what msgspec says of a line that Python reads."""
        try:
            self._strict(line)
        except UNFIT as error:
            return str(error)
        return "it cannot be read"  # pragma: no cover


def _last_end(content: bytes) -> int:
    return content.rfind(b"\n") + 1


def _numbered(piece: Piece | Numbered) -> Numbered:
    """Return the lines in a piece that are not blank, and their numbers."""
    if not isinstance(piece, Piece):
        return piece
    return [(at, line) for at, line in enumerate(piece.content.split(b"\n"), piece.line) if line.strip()]


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else np.nan


def _text_of(value: Any) -> str | None:
    """Return a value of any type as text, as it is written in JSON; a text as it is."""
    if value is None or bytes(value) == b"null":
        return None
    text = bytes(value)
    return msgspec.json.decode(text, type=str) if text.startswith(b'"') else text.decode()


def _invalid(line: int, name: str, complaint: str) -> InvalidValue:
    readable = name.encode(errors="replace").decode()
    return InvalidValue(f"Line {line}, column {truncate(readable)}: {complaint}", line=line, column=readable)


def _fields(line: bytes) -> dict[str, msgspec.Raw]:
    """Return the fields of an object, if a line is one."""
    try:
        return _object.decode(line)
    except UNFIT:
        return {}
