"""The distances of rows from the classes of the training."""

import math
import operator
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from iris_app.model.linear import ordered_sum
from iris_app.schema import Feature, Floats, Schema

Index = Annotated[int, Meta(ge=0)]
Matrix = list[list[float]]

# Elements of the arrays that are computed at once: they fit into a processor's cache.
BLOCK_SIZE = 65_536


class Tails(msgspec.Struct, frozen=True):
    """A numeric feature with long tails, which are shortened: ``arcsinh((value - centre) / scale)`` replaces a value.

    Attributes
    ----------
    index : int
        Its index in the group.
    centre, scale : float
    """

    index: Index
    centre: float
    scale: Annotated[float, Meta(gt=0)]


class Shifts(msgspec.Struct, frozen=True):
    """The additions of a category to the means of numeric features, in every class.

    Attributes
    ----------
    feature : int
        The index of the feature of categories.
    shifts : list of lists of float, of shape (d, categories + 1)
        For each numeric feature of the group the shift by each category, and last by a missing one.
    """

    feature: Index
    shifts: Matrix

    def fits(self, schema: Schema, count: int) -> bool:
        """Check whether the shifts of ``count`` numeric features are those of one of a schema's features."""
        return self.feature < len(schema.features) and _has_shape(
            self.shifts, count, count_levels(schema.features[self.feature])
        )


class NumberGroup(msgspec.Struct, frozen=True):
    """The distribution of d numeric features in each class.

    Attributes
    ----------
    features : list of int
        Their indices.
    means : list of lists of float, of shape (classes, d)
    whitenings : list of lower triangular matrices, as the lists of their rows
        One for each class, or one for all: ``whitening @ (values - mean)`` has the length of the Mahalanobis distance.
    tails : list of Tails
        The features among them that are shortened first.
    shifts : list of Shifts
        What is subtracted then.
    """

    features: Annotated[list[Index], Meta(min_length=1)]
    means: Matrix
    whitenings: list[Matrix]
    tails: list[Tails] = []
    shifts: list[Shifts] = []

    def fits(self, schema: Schema) -> bool:
        """Check whether these are features of a schema, and all shapes fit it."""
        count, classes = len(self.features), len(schema.classes)
        return (
            max(self.features) < len(schema.features)
            and _has_shape(self.means, classes, count)
            and len(self.whitenings) in {1, classes}
            and all(list(map(len, matrix)) == list(range(1, count + 1)) for matrix in self.whitenings)
            and all(tails.index < count for tails in self.tails)
            and all(shifts.fits(schema, count) for shifts in self.shifts)
        )


class CategoryGroup(msgspec.Struct, frozen=True):
    """The distribution of a feature of categories in each class.

    Attributes
    ----------
    feature : int
        Its index.
    penalties : list of lists of float, of shape (classes, categories + 1)
        The addition to the square of the distance by each category, and last by a missing one.
    """

    feature: Index
    penalties: Matrix

    def fits(self, schema: Schema) -> bool:
        """Check whether the penalties are those of one of a schema's features."""
        return self.feature < len(schema.features) and _has_shape(
            self.penalties, len(schema.classes), count_levels(schema.features[self.feature])
        )


class Distances:
    """The squared distances of rows from classes.

    A missing number adds nothing: the distance is that of the other numbers. A category that is not known adds nothing.
    The sums are ordered, so that a row has the same distance alone and among others.

    Parameters
    ----------
    numbers : sequence of NumberGroup
    categories : sequence of CategoryGroup
    """

    def __init__(self, numbers: Sequence[NumberGroup], categories: Sequence[CategoryGroup]) -> None:
        self._numbers = list(map(_Numbers, numbers))
        self._categories = [_Levels(group.feature, group.penalties) for group in categories]
        self._block_rows = BLOCK_SIZE // max([numbers.width for numbers in self._numbers], default=1) + 1

    def nearest(self, columns: Floats) -> Floats:
        """Return the squared distance of each row from the nearest class, of columns of shape (features, n).

        It is infinite or NaN for numbers that are too large to be computed with.
        """
        nearest = np.zeros(columns.shape[1])
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, len(nearest), self._block_rows):
                block = slice(start, start + self._block_rows)
                parts = list(self._parts(columns[:, block]))
                if parts:
                    nearest[block] = np.minimum.reduce(ordered_sum(parts))
        return nearest

    def is_within(self, row: Sequence[float], class_index: int, maximum: float) -> bool:
        """Check whether the squared distance of a row from a class is at most ``maximum``.

        It is computed in Python's floats, whose last digits may differ, with missing numbers as the mean of the class:
        that is no less than the distance of the other numbers.
        """
        total = sum(categories.take_one(row)[class_index] for categories in self._categories)
        for numbers in self._numbers:
            for coordinate in numbers.whiten_one(row, class_index):
                total += coordinate * coordinate
        return total <= maximum

    def _parts(self, columns: Floats) -> Iterator[Floats]:
        """Yield the parts of the squared distances, each of shape (classes, n)."""
        for numbers in self._numbers:
            yield numbers.square_distances(columns)
        for categories in self._categories:
            yield categories.take(columns)


class _Levels:
    """Numbers that go with the categories of a feature: 0 for one that is not known."""

    def __init__(self, feature: int, table: Matrix) -> None:
        self._feature = feature
        self._table = np.hstack([np.zeros((len(table), 1)), table])
        self._missing = self._table.shape[1] - 2
        unknown, *known = self._table.T.tolist()
        self._by_value: list[list[float]] = [*known, unknown]

    def take(self, columns: Floats) -> Floats:
        """Return the numbers for each row, of shape (..., n)."""
        values = columns[self._feature]
        taken: Floats = self._table[:, np.where(np.isnan(values), self._missing, values).astype(np.intp) + 1]
        return taken

    def take_one(self, row: Sequence[float]) -> list[float]:
        """Return the numbers for one row."""
        value = row[self._feature]
        return self._by_value[self._missing if value != value else int(value)]


class _Numbers:
    """The squared distances by the numeric features of a group."""

    def __init__(self, group: NumberGroup) -> None:
        self._group = group
        self._features = np.array(group.features)
        self._tails = [tails.index for tails in group.tails]
        self._centres = np.array([[tails.centre] for tails in group.tails])
        self._scales = np.array([[tails.scale] for tails in group.tails])
        self._shifts = [_Levels(shifts.feature, shifts.shifts) for shifts in group.shifts]
        self._means = np.array(group.means)
        self._whitenings = np.array(list(map(_triangle, group.whitenings)))
        self._precisions = self._whitenings.swapaxes(1, 2) @ self._whitenings
        shared, size, _ = self._whitenings.shape
        weights = self._whitenings.swapaxes(0, 1).reshape(-1, size)
        offsets = (self._whitenings @ self._means[:, :, None])[:, :, 0].T
        self._is_shared = shared == 1
        self._offsets = offsets[:, :, None]
        # The matrices are triangular: a feature weighs in the coordinates from its own on.
        self._weights = [weights[index * shared :, index, None] for index in range(size)]
        self.width = offsets.size

    def square_distances(self, columns: Floats) -> Floats:
        """Return the squared distances from each class, of shape (classes, n)."""
        values = columns[self._features]
        if self._tails:
            values[self._tails] = np.arcsinh((values[self._tails] - self._centres) / self._scales)
        for shifts in self._shifts:
            values -= shifts.take(columns)
        squares = _sum_squares(self._whitened(values))
        (incomplete,) = np.isnan(squares[0]).nonzero()
        if len(incomplete):
            squares[:, incomplete] = self._square_incomplete(values[:, incomplete])
        return squares

    def whiten_one(self, row: Sequence[float], class_index: int) -> Iterator[float]:
        """Yield the whitened coordinates of one row's difference from the mean of a class, 0 for missing numbers."""
        values = [row[feature] for feature in self._group.features]
        for tails in self._group.tails:
            values[tails.index] = math.asinh((values[tails.index] - tails.centre) / tails.scale)
        for shifts in self._shifts:
            values = list(map(operator.sub, values, shifts.take_one(row)))
        means = self._group.means[class_index]
        differences = [0.0 if value != value else value - mean for value, mean in zip(values, means, strict=True)]
        for weights in self._group.whitenings[0 if self._is_shared else class_index]:
            yield sum(map(operator.mul, weights, differences))  # up to the diagonal

    def _whitened(self, values: Floats) -> Floats:
        """Return the whitened coordinates for each class, of shape (d, classes, n)."""
        whitened = self._weights[0] * values[0]
        for weights, column in zip(self._weights[1:], values[1:], strict=True):
            whitened[-len(weights) :] += weights * column
        coordinates: Floats = whitened.reshape(len(values), -1, values.shape[1]) - self._offsets
        return coordinates

    def _square_incomplete(self, values: Floats) -> Floats:
        """Return the squared distances of rows some of whose numbers are missing, by how many are."""
        missing = np.isnan(values)
        filled = np.where(missing, self._means.mean(axis=0)[:, None], values)
        counts = np.count_nonzero(missing, axis=0)
        squares = np.where(counts == len(values), np.zeros((len(self._means), 1)), np.nan)
        for count in set(counts.tolist()) - {0, len(values)}:
            (rows,) = (counts == count).nonzero()
            block_rows = BLOCK_SIZE // (len(self._means) * (count + 1) ** 2) + 1
            for start in range(0, len(rows), block_rows):
                block = rows[start : start + block_rows]
                indices = missing[:, block].T.nonzero()[1].reshape(-1, count)
                squares[:, block] = self._square_without(filled[:, block], indices)
        return squares

    def _square_without(self, values: Floats, missing: NDArray[np.intp]) -> Floats:
        """Return the squared distances by all numbers but those whose indices are given, of shape (n, missing).

        It is the smallest distance that these numbers could bring about: the minimum of a quadratic form.
        """
        whitened = self._whitened(values)
        slopes = ordered_sum(
            weights[:, :, None] * part[:, None, :]
            for weights, part in zip(self._whitenings.swapaxes(0, 1), whitened, strict=True)
        )
        gradients = slopes[:, missing, np.arange(len(missing))[:, None]]
        curvatures = self._precisions[:, missing[:, :, None], missing[:, None, :]]
        steps = np.linalg.solve(curvatures, gradients[..., None])[..., 0]
        excess: Floats = ordered_sum(np.moveaxis(gradients * steps, -1, 0))
        return np.maximum(_sum_squares(whitened) - excess, 0)


def count_levels(feature: Feature) -> int:
    """Return how many categories a feature has, or 2 for a boolean one, and one for missing values."""
    return (2 if feature.kind == "boolean" else len(feature.categories)) + 1


def _has_shape(matrix: Matrix, rows: int, columns: int) -> bool:
    return list(map(len, matrix)) == [columns] * rows


def _sum_squares(whitened: Floats) -> Floats:
    """Return the sums of the squares of coordinates of shape (d, classes, n)."""
    squares: Floats = ordered_sum(whitened * whitened)
    return squares


def _triangle(rows: Matrix) -> Floats:
    """Return a lower triangular matrix, of its rows up to the diagonal."""
    matrix = np.zeros((len(rows), len(rows)))
    matrix[np.tril_indices(len(rows))] = np.concatenate(rows)
    return matrix
