"""Preprocessing as a function on the float array below the doors."""

from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from iris_app.model.compiled.tracing import Column, Columns, NotCompilable, trace
from iris_app.model.inputs import Inputs, PipelineInputs
from iris_app.schema import MISSING, Feature, Floats, Schema


@dataclass(frozen=True)
class Preprocessing:
    """The columns that a step takes, as they are made of the features.

    Attributes
    ----------
    schema : Schema
    columns : list of Column
    probes : array, data frame or sparse matrix
        The columns' values in the rows of ``probe_rows``, as scikit-learn computes them.
    """

    schema: Schema
    columns: Columns
    probes: Any

    @classmethod
    def begin(cls, schema: Schema, inputs: Inputs) -> Self:
        """Return the columns that the first step takes."""
        indices = {feature.name: index for index, feature in enumerate(schema.features)}
        order = list(inputs.dtypes) if inputs.kind == "frame" and inputs.dtypes else list(indices)
        numbers = {feature.name for feature in schema.features if feature.is_numeric}
        columns = [Column(indices.get(name, -1), name in numbers) for name in order]
        return cls(schema, columns, PipelineInputs(schema, inputs).to_input(probe_rows(schema)))

    def then(self, step: Any) -> Self:
        """Return the columns that a fitted step makes of these, or raise ``NotCompilable``."""
        if isinstance(step, str):  # passthrough
            return self
        return type(self)(self.schema, trace(step, self.columns), step.transform(self.probes))

    def tables(self) -> list[Floats | None]:
        """Return the values of each column by the values of its feature, or None where that is a number.

        They begin with that of a category that is not known, and end with that of a missing one; where the schema does
        not accept them they are NaN.
        """
        try:
            probes = np.asarray(self.probes.toarray() if hasattr(self.probes, "toarray") else self.probes, np.float64)
        except ValueError:
            raise NotCompilable("a classifier that takes texts") from None
        codes = list(map(_codes, self.schema.features))
        starts = np.cumsum([0, *map(len, codes)]).tolist()
        if probes.shape != (starts[-1] + 1, len(self.columns)) or any(one.feature < 0 for one in self.columns):
            raise NotCompilable("other columns than were traced")

        def table(column: Column, values: Floats) -> Floats | None:
            if column.is_number:
                return None
            feature = self.schema.features[column.feature]
            values = values[starts[column.feature] :][: len(codes[column.feature])]
            full = np.full(count_values(feature) + 2, np.nan)
            full[positions(np.array(codes[column.feature]), count_values(feature))] = values
            return full

        return list(map(table, self.columns, probes.T))


class Encoder:
    """Make the columns that a classifier takes of rows.

    Parameters
    ----------
    preprocessing : Preprocessing
    """

    def __init__(self, preprocessing: Preprocessing) -> None:
        columns, tables = preprocessing.columns, preprocessing.tables()
        self._numbers = _group(columns)
        self._targets = [index for index, table in enumerate(tables) if table is not None]
        found = [table for table in tables if table is not None]
        self._values = np.concatenate([*found, []])
        self._offsets = np.cumsum([0, *map(len, found)])[:-1, None]
        self._features = [columns[index].feature for index in self._targets]
        self._counts = np.array([[len(table) - 2] for table in found])
        self._is_plain = columns == [Column(index, True) for index in range(len(preprocessing.schema.features))]
        self._width = len(columns)

    def encode(self, rows: Floats) -> Floats:
        """Return the columns of rows of shape (n, features), of shape (columns, n)."""
        values = rows.T
        if self._is_plain:
            return values
        columns = np.empty((self._width, len(rows)))
        for targets, features, operations in self._numbers:
            part = values[features]
            for function, operands in operations:
                part = function(part) if operands is None else function(part, operands)
            columns[targets] = part
        if self._targets:
            columns[self._targets] = self._values[positions(values[self._features], self._counts) + self._offsets]
        return columns


def positions(values: Floats, counts: Any) -> Any:
    """Return the indices of encoded values in tables of ``counts`` known ones."""
    return np.where(np.isnan(values), counts, values).astype(np.intp) + 1


def probe_rows(schema: Schema) -> Floats:
    """Return a row of accepted values, and before it a row for each accepted value of each category and boolean."""
    base = [_accepted_value(feature) for feature in schema.features]
    codes = list(map(_codes, schema.features))
    rows = np.tile(base, (sum(map(len, codes)) + 1, 1))
    for index, start in enumerate(np.cumsum([0, *map(len, codes)])[:-1].tolist()):
        rows[start : start + len(codes[index]), index] = codes[index]
    return rows


def _accepted_value(feature: Feature) -> float:
    low, high = feature.limits
    return float(np.ceil(low)) if low > 0 else min(high, 0.0)


def _codes(feature: Feature) -> list[float]:
    """Return the accepted values of a category or a boolean, and none of a number."""
    if feature.is_numeric:
        return []
    low, high = feature.limits
    return [*map(float, range(int(low), int(high) + 1)), *[MISSING] * feature.optional]


def count_values(feature: Feature) -> int:
    """Return the number of known values of a category or a boolean."""
    return 2 if feature.kind == "boolean" else len(feature.categories)


def _group(columns: Columns) -> list[tuple[list[int], list[int], list[tuple[Callable[..., Floats], Floats | None]]]]:
    """Group the columns of numbers by what is done to them: their indices, their features and the operations."""
    groups = defaultdict(list)
    for index, column in enumerate(columns):
        if column.is_number:
            functions = tuple(function for function, _ in column.operations)
            groups[functions].append((index, column.feature, [operand for _, operand in column.operations]))
    grouped = []
    for functions, members in groups.items():
        targets, features, operands = zip(*members, strict=True)
        by_function = [None if None in row else np.array(row)[:, None] for row in zip(*operands, strict=True)]
        grouped.append((list(targets), list(features), list(zip(functions, by_function, strict=True))))
    return grouped
