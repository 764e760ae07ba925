"""The columns that a classifier takes, traced back through its preprocessing to the features that they come from.

Every step that is known here makes its columns of one feature each. What it does to a number is noted, to be done again
in the same order, and so with the same bits. What it does to the few values of a category is asked of the step itself.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import (
    SelectFdr,
    SelectFpr,
    SelectFromModel,
    SelectFwe,
    SelectKBest,
    SelectPercentile,
    VarianceThreshold,
)
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)

from iris_app.schema import Floats


class NotCompilable(Exception):
    """The arithmetic of a step is not known here."""


def fill(values: Floats, filling: Floats) -> Floats:
    """Replace missing values."""
    return np.where(np.isnan(values), filling, values)


def is_missing(values: Floats) -> Floats:
    """Return 1 for missing values, and 0 for others."""
    return np.isnan(values).astype(np.float64)


INVERSES: dict[Callable[..., Floats], Callable[..., Any]] = {
    np.add: np.subtract,
    np.subtract: np.add,
    np.multiply: np.divide,
    np.divide: np.multiply,
}


@dataclass(frozen=True)
class Column:
    """A column that a step makes.

    Attributes
    ----------
    feature : int
        The index of the feature that it is made of; -1 for a column of the training that is no feature.
    is_number : bool
        Whether the feature is a number.
    operations : tuple
        What was done to a number: functions, and their second operands if they take one.
    """

    feature: int
    is_number: bool
    operations: tuple[tuple[Callable[..., Floats], float | None], ...] = ()

    def then(self, function: Callable[..., Floats], operand: Any = None) -> "Column":
        """Return the column after one more operation."""
        if not self.is_number:
            return self
        operation = (function, None if operand is None else float(operand))
        return replace(self, operations=(*self.operations, operation))

    def invert(self, value: float) -> tuple[int, float] | None:
        """Return the feature, and about which number the column has a value for, or None if that cannot be known."""
        if not self.is_number:
            return None
        for function, operand in reversed(self.operations):
            if function in INVERSES and operand is not None:
                value = float(INVERSES[function](value, operand))
            elif function is not fill:
                return None
        return self.feature, value


Columns = list[Column]


def trace(step: Any, columns: Columns) -> Columns:
    """Return the columns that a fitted step makes of some columns, or raise ``NotCompilable``.

    The type must be exactly one that is known: a subclass may compute otherwise.
    """
    if isinstance(step, str):
        return columns if step == "passthrough" else []
    tracer = TRACERS.get(type(step))
    if tracer is None:
        raise NotCompilable(f"a {type(step).__name__}")
    return tracer(step, columns)


def _trace_pipeline(step: Any, columns: Columns) -> Columns:
    for _, inner in step.steps:
        columns = trace(inner, columns)
    return columns


def _trace_column_transformer(step: Any, columns: Columns) -> Columns:
    _refuse(step.transformer_weights is not None, "weights of transformers")
    names = list(getattr(step, "feature_names_in_", ()))
    traced: Columns = []
    for _, inner, key in step.transformers_:
        chosen = [columns[index] for index in _indices(key, names, len(columns))]
        traced += trace(inner, chosen) if chosen else []
    return traced


def _indices(key: Any, names: list[str], count: int) -> list[int]:
    """Return the indices of the columns that a key selects: names, indices, a slice or a mask."""
    keys: Any = key if isinstance(key, slice) else list(key)
    if isinstance(keys, list) and all(isinstance(one, str) for one in keys):
        return [names.index(one) for one in keys]
    indices: list[int] = np.arange(count)[keys].tolist()
    return indices


def _trace_union(step: Any, columns: Columns) -> Columns:
    _refuse(step.transformer_weights is not None, "weights of transformers")
    return [column for _, inner in step.transformer_list for column in trace(inner, columns)]


def _trace_imputer(step: Any, columns: Columns) -> Columns:
    is_nan = isinstance(step.missing_values, float) and np.isnan(step.missing_values)
    _refuse(not is_nan and any(column.is_number for column in columns), "an imputer of other values than NaN")
    pairs = zip(columns, step.statistics_, strict=True)
    kept = [column.then(fill, value) for column, value in pairs if step.keep_empty_features or value == value]
    return kept + (_trace_indicator(step.indicator_, columns) if step.add_indicator else [])


def _trace_indicator(step: Any, columns: Columns) -> Columns:
    return [columns[index].then(is_missing) for index in step.features_]


def _trace_scaler(step: Any, columns: Columns) -> Columns:
    for function, operands, switch in SCALERS[type(step)]:
        if getattr(step, switch, True):
            pairs = zip(columns, getattr(step, operands), strict=True)
            columns = [column.then(function, operand) for column, operand in pairs]
    if getattr(step, "clip", False):
        low, high = getattr(step, "feature_range", (-1.0, 1.0))
        columns = [column.then(np.maximum, low).then(np.minimum, high) for column in columns]
    return columns


def _trace_function(step: Any, columns: Columns) -> Columns:
    if step.func is None:
        return columns
    _refuse(type(step.func) is not np.ufunc or step.func.nin != 1 or bool(step.kw_args), "an own function")
    return [column.then(step.func) for column in columns]


def _trace_selector(step: Any, columns: Columns) -> Columns:
    return [columns[index] for index in step.get_support(indices=True)]


def _trace_one_hot(step: Any, columns: Columns) -> Columns:
    nothing = [None] * len(columns)
    dropped = nothing if step.drop_idx_ is None else step.drop_idx_
    infrequent = getattr(step, "infrequent_categories_", nothing)
    counts = [
        len(categories) - (max(len(rare) - 1, 0) if rare is not None else 0) - (drop is not None)
        for categories, rare, drop in zip(step.categories_, infrequent, dropped, strict=True)
    ]
    return _encode(columns, counts)


def _trace_target_encoder(step: Any, columns: Columns) -> Columns:
    return _encode(columns, [len(step.encodings_) // len(columns)] * len(columns))


def _encode(columns: Columns, counts: Sequence[int]) -> Columns:
    _refuse(any(column.is_number for column in columns), "numbers that are encoded as categories")
    return [column for column, count in zip(columns, counts, strict=True) for _ in range(count)]


def _refuse(condition: bool, reason: str) -> None:
    if condition:
        raise NotCompilable(reason)


# The operations of a scaler: the function, the attribute of its operands, and the parameter that switches it.
SCALERS: dict[type, Iterable[tuple[Callable[..., Floats], str, str]]] = {
    StandardScaler: [(np.subtract, "mean_", "with_mean"), (np.divide, "scale_", "with_std")],
    RobustScaler: [(np.subtract, "center_", "with_centering"), (np.divide, "scale_", "with_scaling")],
    MinMaxScaler: [(np.multiply, "scale_", ""), (np.add, "min_", "")],
    MaxAbsScaler: [(np.divide, "scale_", "")],
}

SELECTORS = (SelectFdr, SelectFpr, SelectFromModel, SelectFwe, SelectKBest, SelectPercentile, VarianceThreshold)

TRACERS: dict[type, Callable[[Any, Columns], Columns]] = {
    Pipeline: _trace_pipeline,
    ColumnTransformer: _trace_column_transformer,
    FeatureUnion: _trace_union,
    SimpleImputer: _trace_imputer,
    MissingIndicator: _trace_indicator,
    FunctionTransformer: _trace_function,
    OneHotEncoder: _trace_one_hot,
    OrdinalEncoder: lambda _step, columns: _encode(columns, [1] * len(columns)),
    TargetEncoder: _trace_target_encoder,
    **dict.fromkeys(SCALERS, _trace_scaler),
    **dict.fromkeys(SELECTORS, _trace_selector),
}
