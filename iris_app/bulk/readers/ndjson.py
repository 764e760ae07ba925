"""The reader of JSON objects, one a line or in an array."""

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

from iris_app.bulk.readers.chunks import Chunk, Records
from iris_app.bulk.readers.fields import MIXED, UNFIT, Fields, decoder
from iris_app.bulk.readers.options import ReadOptions
from iris_app.bulk.rows import Reject, Rejects, Rows
from iris_app.codecs import json_errors
from iris_app.codecs.csv_rows import answer_columns
from iris_app.exceptions import InvalidValue, MalformedDocument
from iris_app.formatting import truncate
from iris_app.iris import SCHEMA
from iris_app.json_types import Measurement
from iris_app.schema import Floats

# The beginning of an array of objects, and its maximum size in bytes, since it is read whole.
ARRAY = re.compile(rb"\A\s*\[(?=\s*[{\]])")
MAX_ARRAY_SIZE = 256 * 1024 * 1024

# The elements of an array in a chunk.
ELEMENTS = 10_000

# The type that no value has.
Never = Annotated[int, msgspec.Meta(gt=0, lt=1)]

Numbered = Sequence[tuple[int, bytes]]

_array = msgspec.json.Decoder(list[msgspec.Raw])
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


class NdjsonFile:
    """Objects with the features' names, in any usual spelling, among any others.

    An invalid line does not affect the others. A file is refused if a feature is in none of its objects (if it is not
    ``typed``, in none of its first megabyte), and if a line is longer than ``chunks.MAX_ROW_SIZE``. An array is refused
    if it is longer than ``MAX_ARRAY_SIZE``, or is not valid JSON.

    Parameters
    ----------
    stream : binary file
    size : int, optional
        The number of bytes, if it is known.
    keep : bool
        Whether to keep the rows that cannot be classified among the others.
    typed : bool
        Whether the fields become columns, for which the file is read twice: first for their names and types. Otherwise
        the lines stay as they are; only a field named as a column of the predictions is renamed.
    options : ReadOptions, optional
        The encoding, if it is known.

    Raises
    ------
    MalformedDocument
        If no line is an object, or the file cannot be decompressed.
    InvalidValues
        If a feature has no field or two.
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
        stream = self._make_rereadable(stream) if typed else stream
        self._records = Records(stream, size, encoding)
        first = self._records.peek(_last_end)
        self._array = self._read_array() if ARRAY.match(first) else None
        fields = Fields()
        for chunk in self.chunks() if typed or self._array else [Chunk(1, first)]:
            fields.add(line for _, line in _numbered(chunk))
        if not fields.kinds:
            raise MalformedDocument(f"It holds no object; each line is one, with the features of a {SCHEMA.noun}.")
        if typed and self._array is None:
            stream.seek(0)
            self._records = Records(stream, size, encoding)
        self.columns, self.feature_columns = list(fields.kinds), fields.feature_columns
        self._make_decoders(fields)

    def chunks(self) -> Iterator[Chunk | Numbered]:
        """Yield chunks of the file."""
        if self._array is None:
            return self._records.chunks(_last_end, lambda content: content.count(b"\n"))
        array = self._array
        return (array[start : start + ELEMENTS] for start in range(0, max(len(array), 1), ELEMENTS))

    def done(self) -> float:
        """Return the fraction of the file that was read."""
        return self._records.done()

    def read(self, chunk: Chunk | Numbered) -> Rows:
        """Decode the objects of a chunk."""
        numbered = _numbered(chunk)
        lines = [line for _, line in numbered]
        cells, wrong = self._decode(lines)
        rejects = Rejects(len(wrong), partial(self._rejects, numbered, wrong))
        if self._keep:
            for index in wrong:
                lines[index], cells[index] = self._read_leniently(lines[index])
        elif wrong:
            lines, cells = [[row for row, cell in zip(rows, cells, strict=True) if cell] for rows in (lines, cells)]
        columns = list(zip(*cells, strict=True)) or [()] * (len(SCHEMA.features) + len(self._others) + 1)
        values = np.array(columns[: len(SCHEMA.features)], np.float64).T
        frame, actual = self._frame(columns, values), self._actual(columns)
        if self._keep and wrong:
            values = values.copy()
            values[wrong] = np.nan
        return Rows(frame, values, rejects, len(numbered), lines, actual)

    def _make_rereadable(self, stream: BinaryIO) -> BinaryIO:
        """Return a stream that can be read twice."""
        if getattr(stream, "seekable", bool)():
            return stream
        held = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 -- the line below closes it
        finalize(self, held.close)
        shutil.copyfileobj(stream, held)
        held.seek(0)
        return held

    def _read_array(self) -> list[tuple[int, bytes]]:
        """Return the elements of an array, each as one line, with the number of its first line."""
        content = self._records.read_all(MAX_ARRAY_SIZE)
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
        """Make a strict and a lenient decoder of the features and, if the rows are typed, of all other fields."""
        names = [self.columns[index] for index in self.feature_columns]
        others = [name for name in self.columns if name not in names]
        self._names = names
        self._keys = [f'"{name}"'.encode(errors="replace") for name in names]
        self._target = next(filter(SCHEMA.is_target_column, others), None)
        self._refused = [] if self._typed else answer_columns(self.columns)
        self._others = {name: fields.type_of(name) for name in others} if self._typed else {}
        actual = {} if self._typed or self._target is None else {self._target: (Any, None)}
        more = actual | {name: (kind, None) for name, (kind, _) in self._others.items()}
        bounded = [(Measurement.__annotations__[name],) for name in SCHEMA.features_by_name]
        refused = dict.fromkeys(self._refused, (Never, 0))
        self._strict = decoder(dict(zip(names, bounded, strict=True)) | more | refused).decode
        self._lenient = decoder(dict.fromkeys(names, (Any, None)) | more).decode

    def _decode(self, lines: list[bytes]) -> tuple[list[Any], list[int]]:
        """Decode lines; return their fields, and the indices of those that cannot be classified."""
        try:
            content = b"\n".join(lines)
            content.decode()  # fields that are skipped may not be UTF-8
            cells: list[Any] = list(map(msgspec.structs.astuple, map(self._strict, lines)))
            if all(content.count(key) == len(lines) for key in self._keys):
                return cells, []
            cells = list(map(self._decode_one, lines))
        except UNFIT:
            cells = list(map(self._decode_one, lines))
        wrong = []
        for index in (index for index, cell in enumerate(cells) if cell is None):
            renamed = self._renamed(lines[index])
            cells[index] = None if renamed is lines[index] else self._decode_one(renamed)
            if cells[index] is None:
                wrong.append(index)
            else:
                lines[index] = renamed
        return cells, wrong

    def _decode_one(self, line: bytes) -> tuple[Any, ...] | None:
        try:
            line.decode()
            cells = msgspec.structs.astuple(self._strict(line))
        except UNFIT:
            return None
        return None if self._repeats_a_feature(line) else cells

    def _repeats_a_feature(self, line: bytes) -> bool:
        """Return whether an object has a feature twice, of which msgspec takes the last."""
        if all(line.count(key) == 1 for key in self._keys):
            return False
        row = json_errors.parse(line, "")
        return isinstance(row, json_errors.Object) and not set(self._names).isdisjoint(row.twice)

    def _renamed(self, line: bytes) -> bytes:
        """Rename the fields of a line that have names of the predictions' columns."""
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

    def _read_leniently(self, line: bytes) -> tuple[bytes, tuple[Any, ...]]:
        """Decode a line that cannot be classified; if it is not an object, as an empty one."""
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

    def _actual(self, columns: Sequence[Sequence[Any]]) -> pl.Series | None:
        """Return the true classes that a field names, if there is one."""
        if self._target is None:
            return None
        index = len(SCHEMA.features) + (list(self._others).index(self._target) if self._typed else 0)
        texts = (None if value is None else str(value) for value in columns[index])
        return pl.Series(list(texts), dtype=pl.String)

    def _rejects(self, numbered: Numbered, wrong: Sequence[int], start: int, stop: int) -> list[Reject]:
        """Return a slice of the lines that cannot be classified, with their errors."""
        chosen = [numbered[index] for index in wrong[start:stop]]
        return [
            Reject(number, line.decode(errors="replace").strip(), self._errors(number, line)) for number, line in chosen
        ]

    def _errors(self, number: int, line: bytes) -> list[InvalidValue]:
        """Return all errors of a line."""
        try:
            row = json_errors.parse(line, f"Line {number}")
        except MalformedDocument as malformed:
            return [InvalidValue(str(malformed), line=number)]
        if not isinstance(row, json_errors.Object):
            return [InvalidValue(f"Line {number} is no object with the features of a {SCHEMA.noun}.", line=number)]
        errors = []
        for feature, name in zip(SCHEMA.features, self._names, strict=True):
            if error := feature.validate(row[name]) if name in row else feature.missing:
                errors.append(_invalid(number, name, error))
        duplicates = [name for name in row if name in row.twice and name in self._names]
        errors += [_invalid(number, name, f"{truncate(name)} is given more than once.") for name in duplicates]
        return errors or [InvalidValue(f"Line {number} is not JSON: {self._error(line)}.", line=number)]

    def _error(self, line: bytes) -> str:
        """Return the error of msgspec for a line that Python's parser accepts."""
        try:
            self._strict(line)
        except UNFIT as error:
            return str(error)
        return "it cannot be read"  # pragma: no cover


def _last_end(content: bytes) -> int:
    return content.rfind(b"\n") + 1


def _numbered(chunk: Chunk | Numbered) -> Numbered:
    """Return the lines of a chunk that are not blank, with their numbers."""
    if not isinstance(chunk, Chunk):
        return chunk
    return [(number, line) for number, line in enumerate(chunk.content.split(b"\n"), chunk.line) if line.strip()]


def _float(value: object) -> float:
    return float(value) if isinstance(value, int | float) and not isinstance(value, bool) else np.nan


def _text_of(value: Any) -> str | None:
    """Return a value of any type as JSON text; a string as it is."""
    if value is None or bytes(value) == b"null":
        return None
    text = bytes(value)
    return msgspec.json.decode(text, type=str) if text.startswith(b'"') else text.decode()


def _invalid(line: int, name: str, error: str) -> InvalidValue:
    readable = name.encode(errors="replace").decode()
    return InvalidValue(f"Line {line}, column {truncate(readable)}: {error}", line=line, column=readable)


def _fields(line: bytes) -> dict[str, msgspec.Raw]:
    """Return the fields of an object, or none if the line is no object."""
    try:
        return _object.decode(line)
    except UNFIT:
        return {}
