"""The reader of JSON objects, one a line or in an array."""

import re
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from itertools import repeat
from operator import contains
from typing import Annotated, Any, BinaryIO, cast
from weakref import finalize

import msgspec
import numpy as np
import polars as pl

from iris_app.bulk.readers.chunks import Chunk, Records
from iris_app.bulk.readers.fields import MIXED, UNFIT, Fields, decoder
from iris_app.bulk.readers.options import Reading
from iris_app.bulk.readers.values import to_column
from iris_app.bulk.rows import ERRORS, RejectedRows, Rejects, Rows, find_target
from iris_app.codecs import json_errors
from iris_app.codecs.csv_rows import answer_columns
from iris_app.codecs.json_columns import JsonColumns
from iris_app.codecs.json_constants import replace_constants
from iris_app.exceptions import InvalidValue, MalformedDocument
from iris_app.formatting import MAX_FLOAT, truncate
from iris_app.json_types import field_type
from iris_app.schema import Feature, Floats, Value

# The beginning of an array of objects, and its maximum size in bytes, since it is read whole.
ARRAY = re.compile(rb"\A\s*\[(?=\s*[{\]])")
MAX_ARRAY_SIZE = 256 * 1024 * 1024

# The elements of an array in a chunk.
ELEMENTS = 10_000

# The features whose names are counted in a text, which takes longer than parsing it where they are many.
MAX_COUNTED = 16

# The type that no value has.
Never = Annotated[int, msgspec.Meta(gt=0, lt=1)]

Numbered = Sequence[tuple[int, bytes]]

_array = msgspec.json.Decoder(list[msgspec.Raw])
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])


class NdjsonFile:
    """Objects with the features' names, in any usual spelling, among any others.

    An invalid line does not affect the others. A file is refused if a feature that may not be missing is in none of its
    objects (if it is not ``typed``, in none of its first megabyte), and if a line is longer than
    ``chunks.MAX_ROW_SIZE``. An array is refused if it is longer than ``MAX_ARRAY_SIZE``, or is not valid JSON.

    Parameters
    ----------
    stream : binary file
    reading : Reading
        If it is ``typed``, the file is read twice, first for the names and types of all fields. Otherwise the lines
        stay as they are; only a field named as a column of the predictions is renamed.
    size : int, optional
        The number of bytes, if it is known.

    Raises
    ------
    MalformedDocument
        If no line is an object, or the file cannot be decompressed.
    InvalidValues
        If a feature has no field or two.
    """

    def __init__(self, stream: BinaryIO, reading: Reading, size: int | None = None) -> None:
        self.schema, self._keep, self._typed = reading.schema, reading.keep, reading.typed
        encoding = reading.options.encoding
        stream = self._make_rereadable(stream) if self._typed else stream
        self._records = Records(stream, size, encoding)
        first = self._records.peek(_last_end)
        self._array = self._read_array() if ARRAY.match(first) else None
        fields = Fields(self.schema)
        for chunk in self.chunks() if self._typed or self._array else [Chunk(1, first)]:
            fields.add(line for _, line in _numbered(chunk))
        if not fields.kinds:
            raise MalformedDocument(f"It holds no object; each line is one, with the features of a {self.schema.noun}.")
        if self._typed and self._array is None:
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
        rejects = Rejects(len(wrong), lambda count: self._describe([numbered[index] for index in wrong[:count]]))
        if self._keep:
            for index in wrong:
                lines[index], cells[index] = self._read_leniently(lines[index])
        elif wrong:
            lines, cells = [[row for row, cell in zip(rows, cells, strict=True) if cell] for rows in (lines, cells)]
        columns = list(zip(*cells, strict=True)) or [()] * (len(self._names) + len(self._others) + 1)
        values = self.schema.derive(JsonColumns).encode(columns[: len(self._names)])
        known = None
        if self._keep and wrong:
            known = np.ones(len(values), bool)
            known[wrong] = False
        frame, actual = self._frame(columns, values), self._actual(columns)
        return Rows(frame, values, rejects, len(numbered), lines, actual, known=known)

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
        content = replace_constants(self._records.read_all(MAX_ARRAY_SIZE))
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
        features = self.schema.features
        names = [
            feature.name if column is None else self.columns[column]
            for feature, column in zip(features, self.feature_columns, strict=True)
        ]
        others = [name for name in self.columns if name not in names]
        self._names = names
        # An escaped letter may hide a feature's name from a search.
        self._escape = re.compile(rb"\\u00[2-7]" if all(map(str.isascii, names)) else rb"\\u")
        self._keys = {
            f'"{name}"'.encode(errors="replace"): feature.optional
            for name, feature in zip(names, features, strict=True)
        }
        # A text may stand for a missing value where any other is a category.
        self._lax = [index for index, one in enumerate(features) if one.allow_unknown and not one.optional]
        target = find_target(self.schema, self.columns, self.feature_columns)
        self._target = None if target is None else self.columns[target]
        self._refused = [] if self._typed else answer_columns(self.schema, self.columns)
        self._others = {name: fields.type_of(name) for name in others} if self._typed else {}
        self._categories = {name: fields.type_of(name)[1] for name in names if self._typed and name in fields.kinds}
        actual = {} if self._typed or self._target is None else {self._target: (Any, None)}
        more = actual | {name: (kind, None) for name, (kind, _) in self._others.items()}
        refused = dict.fromkeys(self._refused, (Never, 0))
        self._strict = decoder(dict(zip(names, map(field_type, features), strict=True)) | more | refused).decode
        self._lenient = decoder(dict.fromkeys(names, (Any, None)) | more).decode

    def _decode(self, lines: list[bytes]) -> tuple[list[Any], list[int]]:
        """Decode lines; return their fields, and the indices of those that cannot be classified."""
        cells: list[Any] = self._decode_all(lines) or list(map(self._decode_one, lines))
        wrong = []
        for index in (index for index, cell in enumerate(cells) if cell is None):
            renamed = self._renamed(lines[index])
            cells[index] = None if renamed is lines[index] else self._decode_one(renamed)
            cells[index] = cells[index] or self._decode_untyped(renamed)
            if cells[index] is None:
                wrong.append(index)
            else:
                lines[index] = renamed
        return cells, wrong

    def _decode_all(self, lines: list[bytes]) -> list[Any] | None:
        """Decode lines that can all be classified, or return None."""
        try:
            content = b"\n".join(lines)
            content.decode()  # fields that are skipped may not be UTF-8
            cells = list(map(msgspec.structs.astuple, map(self._strict, lines)))
        except UNFIT:
            return None
        return cells if self._are_unique(content, lines) and self._are_accepted(cells) else None

    def _decode_one(self, line: bytes) -> tuple[Any, ...] | None:
        try:
            line.decode()
            cells = msgspec.structs.astuple(self._strict(line))
        except UNFIT:
            return None
        return cells if self._are_accepted([cells]) and not self._repeats_a_feature(line) else None

    def _are_accepted(self, cells: list[Any]) -> bool:
        """Return whether values are accepted whose types take more."""
        distinct = [(self.schema.features[index], {cell[index] for cell in cells}) for index in self._lax]
        return all(feature.accepts(value) for feature, values in distinct for value in values)

    def _decode_untyped(self, line: bytes) -> tuple[Any, ...] | None:
        """Decode an object whose values are accepted, but of another type, as 1.0 is for a category 1."""
        if self.schema.is_numeric:
            return None
        try:
            line.decode()
            cells = msgspec.structs.astuple(self._lenient(line))
        except UNFIT:
            return None
        pairs = zip(self.schema.features, cells, strict=False)
        is_accepted = all(feature.accepts(value) for feature, value in pairs) and not self._repeats_a_feature(line)
        return (*cells, *[0] * len(self._refused)) if is_accepted else None

    def _are_unique(self, content: bytes, lines: Sequence[bytes]) -> bool:
        """Return whether no line has a feature twice."""
        if len(self._keys) > MAX_COUNTED or self._escape.search(content):
            return not any(map(self._repeats_a_feature, lines))
        return all(
            content.count(key) == (sum(map(contains, lines, repeat(key))) if optional else len(lines))
            for key, optional in self._keys.items()
        )

    def _repeats_a_feature(self, line: bytes) -> bool:
        """Return whether an object has a feature twice, or whether only msgspec can read it."""
        counted = self._keys.items() if len(self._keys) <= MAX_COUNTED and not self._escape.search(line) else ()
        if counted and all(line.count(key) == 1 or (optional and key not in line) for key, optional in counted):
            return False
        try:
            row = json_errors.parse(line, "")
        except MalformedDocument:
            return True
        return isinstance(row, json_errors.Object) and not set(self._names).isdisjoint(row.twice)

    def _renamed(self, line: bytes) -> bytes:
        """Replace constants of Python in a line, and rename its fields that have names of the predictions' columns."""
        line = replace_constants(line)
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
        count = len(self._names)
        return line, (*map(_readable, self.schema.features, cells), *cells[count:], *[0] * len(self._refused))

    def _frame(self, columns: Sequence[Sequence[Any]], values: Floats) -> pl.DataFrame:
        if not self._typed:
            return pl.DataFrame()
        made = {}
        for feature, name, column, numbers in zip(self.schema.features, self._names, columns, values.T, strict=False):
            if feature.kind == "category":
                made[name] = _category_column(name, column, self._categories.get(name, pl.String()))
            else:
                made[name] = to_column(feature, name, numbers)
        for (name, (kind, dtype)), column in zip(self._others.items(), columns[len(self._names) :], strict=False):
            made[name] = pl.Series(name, map(_text_of, column) if kind is MIXED[0] else column, dtype)
        return pl.DataFrame([made[name] for name in self.columns]).fill_nan(None)

    def _actual(self, columns: Sequence[Sequence[Any]]) -> pl.Series | None:
        """Return the true classes that a field names, if there is one."""
        if self._target is None:
            return None
        index = len(self._names) + (list(self._others).index(self._target) if self._typed else 0)
        texts = (None if value is None else str(value) for value in columns[index])
        return pl.Series(list(texts), dtype=pl.String)

    def _describe(self, wrong: Numbered) -> RejectedRows:
        """Describe lines that cannot be classified."""
        found = [
            (row, error.column, error.detail)
            for row, (number, line) in enumerate(wrong)
            for error in self._errors(number, line)
        ]
        texts = [line.decode(errors="replace").strip() for _, line in wrong]
        numbers = np.array([number for number, _ in wrong], np.int64)
        return RejectedRows(numbers, texts, pl.DataFrame(found, schema=ERRORS, orient="row"))

    def _errors(self, number: int, line: bytes) -> list[InvalidValue]:
        """Return all errors of a line."""
        try:
            row = json_errors.parse(replace_constants(line), f"Line {number}")
        except MalformedDocument as malformed:
            return [InvalidValue(str(malformed), line=number)]
        if not isinstance(row, json_errors.Object):
            return [InvalidValue(f"Line {number} is no object with the features of a {self.schema.noun}.", line=number)]
        errors = []
        for feature, name in zip(self.schema.features, self._names, strict=True):
            missing = None if feature.optional else feature.missing
            if error := feature.validate(row[name]) if name in row else missing:
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


def _readable(feature: Feature, value: object) -> Value:
    """Return a value if it is of the feature's kind, accepted or not; else None."""
    if isinstance(value, bool):
        return value if feature.kind == "boolean" else None
    if feature.kind == "category":
        return value if isinstance(value, str | int | float) else None
    if feature.kind == "boolean" or not isinstance(value, int | float) or abs(value) > MAX_FLOAT:
        return None
    return float(value)


def _category_column(name: str, column: Sequence[Any], dtype: pl.DataType) -> pl.Series:
    """Return the values of a category as they came; as text if they are of several types."""
    texts = dtype == pl.String
    values = [None if value is None else str(value) if texts else value for value in column]
    return pl.Series(name, values, dtype, strict=False)


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
