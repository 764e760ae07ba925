"""The fields of JSON objects: their names and types over a whole file, and their decoders."""

from collections.abc import Iterable, Mapping
from functools import cached_property
from typing import Annotated, Any

import msgspec
import polars as pl

from iris_app.codecs.json_constants import replace_constants
from iris_app.codecs.names import find_features
from iris_app.schema import Schema

# The errors of msgspec for a line of another type.
UNFIT = (msgspec.DecodeError, UnicodeDecodeError, RecursionError)

# Bounds of the integers that floats represent exactly, and of those that a column can hold.
EXACT, LONGEST = 2**53, 2**63
Exact = Annotated[int, msgspec.Meta(ge=-EXACT, le=EXACT)]
Long = Annotated[int, msgspec.Meta(ge=-LONGEST, le=LONGEST - 1)]

# The decoder's type and the column's type for values of these kinds; others become text.
TYPES: dict[frozenset[str], tuple[Any, pl.DataType]] = {
    frozenset(): (None, pl.String()),
    frozenset({"bool"}): (bool | None, pl.Boolean()),
    frozenset({"exact"}): (Exact | None, pl.Int64()),
    frozenset({"long"}): (Long | None, pl.Int64()),
    frozenset({"exact", "long"}): (Long | None, pl.Int64()),
    frozenset({"float"}): (Exact | float | None, pl.Float64()),
    frozenset({"exact", "float"}): (Exact | float | None, pl.Float64()),
    frozenset({"str"}): (str | None, pl.String()),
}
MIXED: tuple[Any, pl.DataType] = (msgspec.Raw, pl.String())


class Fields:
    """The fields of objects, in the order of their appearance.

    Parameters
    ----------
    schema : Schema

    Attributes
    ----------
    kinds : dict of str to set of str
        The kinds of each field's values.
    """

    def __init__(self, schema: Schema) -> None:
        self._schema = schema
        self.kinds: dict[str, set[str]] = {}
        self._first: dict[str, int] = {}
        self._others: set[str] = set()
        self._count = 0
        self._decoder = decoder({}, strict=True)

    def add(self, lines: Iterable[bytes]) -> None:
        """Add the fields of lines; skip lines that are no objects."""
        for line in lines:
            try:
                self._decoder.decode(line)
            except UNFIT:
                self._widen(line)

    @cached_property
    def feature_columns(self) -> list[int | None]:
        """The indices of the features' fields; see ``find_features``."""
        return find_features(self._schema, ["" if name in self._others else name for name in self.kinds])

    def type_of(self, name: str) -> tuple[Any, pl.DataType]:
        """Return the decoder's type of a field, and its column's."""
        return TYPES.get(frozenset(self.kinds[name]), MIXED)

    def _widen(self, line: bytes) -> None:
        try:
            values = msgspec.json.decode(replace_constants(line), type=dict[str, Any])
        except UNFIT:
            return
        self._count += 1
        for name, value in values.items():
            if name not in self.kinds:
                self._add_name(name)
            if value is not None:
                self.kinds[name].add(_kind(value))
        if len(self.kinds) > 1000:
            find_features(self._schema, list(self.kinds))
        fields = {name: (Any if self._has_own_type(name) else self.type_of(name)[0], None) for name in self.kinds}
        self._decoder = decoder(fields, strict=True)

    def _add_name(self, name: str) -> None:
        """Add a field; a second spelling of a feature is no feature."""
        self.kinds[name] = set()
        feature = self._schema.match_feature(name)
        if feature and self._first.setdefault(feature.name, self._count) != self._count:
            self._others.add(name)

    def _has_own_type(self, name: str) -> bool:
        """Return whether the type of a field does not depend on its values: that of a number or boolean feature."""
        feature = None if name in self._others else self._schema.match_feature(name)
        return feature is not None and feature.kind != "category"


def decoder(fields: Mapping[str, tuple[Any, ...]], *, strict: bool = False) -> msgspec.json.Decoder[Any]:
    """Make a decoder of objects with these fields, each with a type and, if it may be missing, a default.

    Other fields are skipped, or refused if it is ``strict``.
    """
    names = [f"field_{index}" for index in range(len(fields))]
    types = [(name, *kind) for name, kind in zip(names, fields.values(), strict=True)]
    renamed = dict(zip(names, fields, strict=True))
    made = msgspec.defstruct("Row", types, rename=renamed, forbid_unknown_fields=strict, gc=False, kw_only=True)
    return msgspec.json.Decoder(made)


def _kind(value: object) -> str:
    if type(value) is int:
        return "exact" if abs(value) <= EXACT else "long" if -LONGEST <= value < LONGEST else "other"
    return type(value).__name__
