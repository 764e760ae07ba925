"""The input of a classifier, made from rows: an array, or a data frame with the columns of the training."""

from collections.abc import Callable
from importlib import import_module
from typing import Any, Literal

import msgspec
import numpy as np
from numpy.typing import NDArray

from iris_app.exceptions import ModelUnavailable
from iris_app.schema import Feature, Floats, Schema

# The largest whole number up to which floats hold all.
MAX_WHOLE = 2**53


class Inputs(msgspec.Struct, frozen=True):
    """The input that a classifier takes: an array, or a data frame with the names and types of the training's columns.

    Attributes
    ----------
    kind : str
    dtypes : dict of str to str
        The type of each column as pandas names it: float64, int64, bool, object, str, category, ... The columns of a
        frame are in this order, and those that are no features are missing in all rows.
    limit : float, optional
        The largest magnitude of numbers that the classifier answers; larger ones are taken for it.
    """

    kind: Literal["array", "frame"] = "array"
    dtypes: dict[str, str] = {}
    limit: float | None = None


class PipelineInputs:
    """Convert rows to the input of a classifier.

    Parameters
    ----------
    schema : Schema
    inputs : Inputs

    Raises
    ------
    ModelUnavailable
        If it takes data frames, and pandas is not installed.
    """

    def __init__(self, schema: Schema, inputs: Inputs) -> None:
        self._schema = schema
        self._dtypes = [inputs.dtypes.get(feature.name, "") for feature in schema.features]
        self._plain = all(feature.is_numeric for feature in schema.features)
        self._limit = inputs.limit
        self._convert: Callable[[Floats], Any] = self._to_array
        if inputs.kind == "frame":
            self._pandas = _import_pandas()
            self._order = list(inputs.dtypes or schema.features_by_name)
            self._categories = [_lookup(*one) for one in zip(schema.features, self._dtypes, strict=True)]
            self._convert = self._to_frame

    def to_input(self, rows: Floats) -> Any:
        """Return an array of shape (n, features) as the classifier takes it."""
        return self._convert(self.clip(rows))

    def clip(self, rows: Floats) -> Floats:
        """Return rows whose numbers are no larger than those that the classifier answers."""
        return rows if self._limit is None else rows.clip(-self._limit, self._limit)

    def _to_array(self, rows: Floats) -> NDArray[Any]:
        """Return an array of floats, or of objects if a feature is text."""
        if self._plain or not any(_is_text(feature) for feature in self._schema.features):
            return self._with_category_values(rows)
        columns = [_lookup(*one) for one in zip(self._schema.features, self._dtypes, strict=True)]
        objects = np.empty(rows.shape, object)
        for index, lookup in enumerate(columns):
            objects[:, index] = rows[:, index] if lookup is None else lookup[_codes(rows[:, index], lookup)]
        return objects

    def _with_category_values(self, rows: Floats) -> Floats:
        """Return rows in which categories that are numbers have their own values."""
        if self._plain:
            return rows
        rows = rows.copy()
        for index, feature in enumerate(self._schema.features):
            if feature.kind == "category":
                lookup = np.array([*feature.categories, np.nan, _unknown_number(feature)], np.float64)
                rows[:, index] = lookup[_codes(rows[:, index], lookup)]
        return rows

    def _to_frame(self, rows: Floats) -> Any:
        """Return a data frame with the columns of the training."""
        columns = {
            feature.name: self._to_column(rows[:, index], feature, self._dtypes[index], self._categories[index])
            for index, feature in enumerate(self._schema.features)
        }
        unused = np.full(len(rows), np.nan)
        return self._pandas.DataFrame({name: columns.get(name, unused) for name in self._order}, copy=False)

    def _to_column(self, values: Floats, feature: Feature, dtype: str, lookup: NDArray[Any] | None) -> Any:
        if lookup is not None:
            return self._to_categories(values, feature, dtype, lookup)
        if feature.kind == "boolean" and dtype in {"bool", "boolean", "object"}:
            return self._to_booleans(values, dtype)
        if dtype.lower().startswith(("int", "uint")) and not _fits(values, dtype):
            return values
        if dtype.startswith(("Int", "UInt", "Float")):
            return self._pandas.array(_with_none(values), dtype=dtype)
        return values.astype(dtype if dtype.startswith(("int", "uint", "float")) else "float64", copy=False)

    def _to_booleans(self, values: Floats, dtype: str) -> Any:
        missing = np.isnan(values)
        if dtype == "bool" and not missing.any():
            return values.astype(bool)
        objects = (values == 1).astype(object)
        objects[missing] = None if dtype == "boolean" else np.nan
        return self._pandas.array(objects, dtype=dtype) if dtype == "boolean" else objects

    def _to_categories(self, values: Floats, feature: Feature, dtype: str, lookup: NDArray[Any]) -> Any:
        codes = _codes(values, lookup)
        if dtype == "category":
            known = np.where(codes < len(feature.categories), codes, -1)
            return self._pandas.Categorical.from_codes(known, categories=list(feature.categories))
        column = lookup[codes]
        if dtype in {"", "object", "bool"}:
            return column
        if dtype.startswith(("int", "float", "uint")):
            return column.astype("float64" if np.isnan(values).any() else dtype)
        return self._pandas.array(column, dtype=dtype)


def _fits(values: Floats, dtype: str) -> bool:
    """Check whether whole numbers fit into an integer type; missing ones fit into a nullable one."""
    limits = np.iinfo(dtype.lower())
    low, high = max(limits.min, -MAX_WHOLE), min(limits.max, MAX_WHOLE)
    inside = (values >= low) & (values <= high)
    return bool((inside | np.isnan(values) if dtype[0].isupper() else inside).all())


def _with_none(values: Floats) -> NDArray[np.object_]:
    objects = values.astype(object)
    objects[np.isnan(values)] = None
    return objects


def _import_pandas() -> Any:
    try:
        return import_module("pandas")
    except ImportError as error:
        raise ModelUnavailable(
            "The model takes data frames, and pandas is not installed here: install iris_app[frames].",
            "a package is missing",
        ) from error


def _lookup(feature: Feature, dtype: str) -> NDArray[Any] | None:
    """Return the categories of a feature as objects, followed by a missing and an unknown value; None for others."""
    if feature.kind != "category":
        return None
    lookup = np.empty(len(feature.categories) + 2, object)
    lookup[:-2] = feature.categories
    lookup[-2] = np.nan
    if dtype.startswith("float"):  # fractions are texts in a schema
        lookup[:-2] = list(map(float, feature.categories))
        lookup[-1] = max(lookup[:-2]) + 1
    else:
        lookup[-1] = _unknown_text(feature) if _is_text(feature) else _unknown_number(feature)
    return lookup


def _codes(values: Floats, lookup: NDArray[Any]) -> NDArray[np.intp]:
    """Return the indices of categories in a lookup that ends with the missing and the unknown one."""
    codes = np.where(np.isnan(values), len(lookup) - 2, values).astype(np.intp)
    return np.where(codes < 0, len(lookup) - 1, codes)


def _is_text(feature: Feature) -> bool:
    return feature.kind == "category" and any(isinstance(category, str) for category in feature.categories)


def _unknown_text(feature: Feature) -> str:
    """Return a text that is none of the categories."""
    text = "unknown"
    while text in feature.categories:
        text += "_"
    return text


def _unknown_number(feature: Feature) -> float:
    """Return a number that is none of the categories."""
    return float(max(category for category in feature.categories if isinstance(category, int)) + 1)
