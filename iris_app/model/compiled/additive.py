"""Linear classifiers of preprocessed rows, as sums of what each feature adds."""

from collections.abc import Sequence

import numpy as np

from iris_app.model.compiled.preprocessing import Preprocessing, count_values, positions
from iris_app.model.compiled.tracing import Column, fill, is_missing
from iris_app.model.linear import Affine, AffineMap, ordered_sum
from iris_app.schema import Floats


class AdditiveMap:
    """The sum of what each feature adds to each output.

    A number adds its multiple by a weight, and another value adds what a table has for it. The sums are ordered, and
    one row is computed in Python's floats: see ``iris_app.model.linear``.

    Parameters
    ----------
    weights : ndarray of shape (features, outputs)
        What a unit of each number adds.
    tables : sequence of ndarray of shape (values + 2, outputs)
        What the values of each feature add: one that is not known, the known ones, and a missing one. A number has
        no known ones, and is not looked up unless it is missing.
    intercepts : ndarray of shape (outputs,)
    """

    def __init__(self, weights: Floats, tables: Sequence[Floats], intercepts: Floats) -> None:
        self._weights = weights
        self._tables = tables
        self._intercepts = intercepts
        self._one = [
            (weight.tolist() if len(table) == 2 else None, [*table[1:].tolist(), table[0].tolist()], len(table) - 2)
            for weight, table in zip(weights, tables, strict=True)
        ]
        self._one_intercepts: list[float] = intercepts.tolist()

    def transform(self, columns: Floats) -> Floats:
        """Map columns of shape (features, n) to columns of shape (outputs, n)."""
        terms = map(self._term, columns, self._weights, self._tables)
        mapped: Floats = ordered_sum(terms) + self._intercepts[:, None]
        return mapped

    def transform_one(self, row: Sequence[float]) -> list[float]:
        """Map a row of one value per feature to one value per output."""
        sums: list[float] = []
        for (weights, table, missing), value in zip(self._one, row):  # noqa: B905 -- strict takes as long as the sum
            if value != value:
                terms = table[missing]
            elif weights is None:
                terms = table[int(value)]
            else:
                terms = [value * weight for weight in weights]
            sums = [sum_ + term for sum_, term in zip(sums, terms)] if sums else terms  # noqa: B905
        return [sum_ + intercept for sum_, intercept in zip(sums, self._one_intercepts)]  # noqa: B905

    def _term(self, column: Floats, weights: Floats, table: Floats) -> Floats:
        if len(table) > 2:
            return table.T[:, positions(column, len(table) - 2)]
        terms = weights[:, None] * column
        missing = np.isnan(column)
        if missing.any():
            terms[:, missing] = table[1][:, None]
        return terms


def fold(preprocessing: Preprocessing, affine: Affine) -> AdditiveMap | AffineMap | None:
    """Fold preprocessing and an affine map of what it makes into one map, or return None if it is not affine."""
    weights, intercepts = affine
    outputs, features = len(weights), preprocessing.schema.features
    slopes = np.zeros((len(features), outputs))
    intercepts = intercepts.copy()
    counts = [0 if feature.is_numeric else count_values(feature) for feature in features]
    tables = [np.zeros((count + 2, outputs)) for count in counts]
    for column, table, weight in zip(preprocessing.columns, preprocessing.tables(), weights.T, strict=True):
        if table is not None:
            tables[column.feature] += table[:, None] * weight
            continue
        terms = _fold_operations(column)
        if terms is None:
            return None
        slope, offset, missing = terms
        slopes[column.feature] += weight * slope
        intercepts += weight * offset
        tables[column.feature][1] += weight * (missing - offset)
    if all(feature.is_numeric and not feature.optional for feature in features):
        return AffineMap(slopes.T, intercepts)
    return AdditiveMap(slopes, tables, intercepts)


def _fold_operations(column: Column) -> tuple[float, float, float] | None:
    """Return the slope and the offset of what is done to a number, and what a missing value becomes."""
    slope, offset, missing = 1.0, 0.0, np.nan
    for function, operand in column.operations:
        if function is is_missing:
            slope, offset, missing = 0.0, 0.0, float(np.isnan(missing))
        elif operand is None or function in {np.maximum, np.minimum}:
            return None
        elif function is fill:
            missing = operand if np.isnan(missing) else missing
        else:
            missing, offset = float(function(missing, operand)), float(function(offset, operand))
            if function in {np.multiply, np.divide}:
                slope = float(function(slope, operand))
    return slope, offset, missing
