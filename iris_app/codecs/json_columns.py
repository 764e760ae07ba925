"""Encode decoded JSON values of any kind as rows, column by column."""

from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

import numpy as np
from msgspec import UNSET

from iris_app.schema import MISSING, Feature, Floats, Schema, Value

# The values of one feature; UNSET stands for those that are absent.
Column: TypeAlias = tuple[Any, ...]


class JsonColumns:
    """Encode the values of a schema's rows; ``schema.derive(JsonColumns)`` makes it once."""

    def __init__(self, schema: Schema) -> None:
        self._encoders = [_Codes(feature) if feature.kind == "category" else _Numbers() for feature in schema.features]
        self._colons = [1 + feature.name.count(":") for feature in schema.features]
        self._with_colons = [index for index, feature in enumerate(schema.features) if _may_have_colons(feature)]

    def split(self, rows: Iterable[tuple[Any, ...]]) -> list[Column]:
        """Return the columns of rows, each a tuple of the features' values."""
        return list(zip(*rows, strict=True)) or [()] * len(self._encoders)

    def encode(self, columns: Sequence[Column]) -> Floats:
        """Return the values of columns as an array of shape (n, features)."""
        encoded = zip(self._encoders, columns, strict=True)
        if len(columns[0]) == 1:  # an array of each column would take longer than all else
            return np.array([[encoder[value] for encoder, (value,) in encoded]], np.float64)
        return np.array([encoder.encode(column) for encoder, column in encoded]).T

    def count_colons(self, columns: Sequence[Column], array: Floats, objects: int) -> int:
        """Count the colons in the JSON of columns, of whose rows so many are objects, if it escapes none."""
        incomplete = np.flatnonzero(np.isnan(array).any(axis=0)).tolist()
        absent = sum(columns[index].count(UNSET) * self._colons[index] for index in incomplete)
        values = (found for index in self._with_colons for found in Counter(columns[index]).items())
        inside = sum(value.count(":") * count for value, count in values if isinstance(value, str))
        return objects * sum(self._colons) - absent + inside


def _may_have_colons(feature: Feature) -> bool:
    return feature.allow_unknown or any(":" in str(category) for category in feature.categories)


class _Numbers(dict[Any, float]):
    """The numbers or booleans of a feature, of which None and UNSET become NaN."""

    def __init__(self) -> None:
        super().__init__({None: MISSING, UNSET: MISSING})

    def __missing__(self, value: float) -> float:
        return value

    def encode(self, column: Column) -> Floats:
        """Return a column as an array."""
        try:
            return np.array(column, np.float64)
        except TypeError:
            return np.array([None if value is UNSET else value for value in column], np.float64)


class _Codes(dict[Any, float]):
    """The codes of a feature's categories as JSON has them."""

    def __init__(self, feature: Feature) -> None:
        known: dict[Any, float] = {None: MISSING, UNSET: MISSING}
        super().__init__(known | dict(feature.indices) | dict(feature.whole_numbers))
        self._feature = feature

    def __missing__(self, value: Value) -> float:
        return self._feature.encode(value)

    def encode(self, column: Column) -> Floats:
        """Return a column as an array."""
        return np.fromiter(map(self.__getitem__, column), np.float64, len(column))
