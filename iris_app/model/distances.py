"""The distances of rows from the classes of the training."""

import math
import operator
from collections.abc import Iterator, Sequence
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from iris_app.model.linear import AffineMap, ordered_sum
from iris_app.schema import Floats

Index = Annotated[int, Meta(ge=0)]

# Elements of the arrays that are computed at once: they fit into a processor's cache.
BLOCK_SIZE = 65_536


class Tails(msgspec.Struct, frozen=True):
    """A feature with long tails, which are shortened: ``arcsinh((value - centre) / scale)`` takes a value's place.

    Attributes
    ----------
    index : int
        Its index in the group.
    centre, scale : float
    """

    index: Index
    centre: float
    scale: Annotated[float, Meta(gt=0)]


class NumberGroup(msgspec.Struct, frozen=True):
    """The distribution of some numeric features in each class.

    Attributes
    ----------
    features : list of int
        The indices of the d features.
    means : list of lists of float
        The mean of each class, in the order of ``features``.
    whitenings : list of lower triangular matrices, as the lists of their rows
        One for each class, or one for all: ``whitening @ (values - mean)`` has the length of the Mahalanobis distance.
    tails : list of Tails
        The features among them that are shortened before.
    """

    features: Annotated[list[Index], Meta(min_length=1)]
    means: list[list[float]]
    whitenings: list[list[list[float]]]
    tails: list[Tails] = []

    def __post_init__(self) -> None:
        """Check the shapes."""
        lengths = list(range(1, len(self.features) + 1))
        if len(self.whitenings) not in {1, len(self.means)} or any(
            list(map(len, whitening)) != lengths for whitening in self.whitenings
        ):
            raise ValueError("whitenings are lower triangular matrices: one, or one for each class")
        if any(len(mean) != len(self.features) for mean in self.means):
            raise ValueError("a mean has one value for each feature")


class CategoryGroup(msgspec.Struct, frozen=True):
    """The distribution of a feature of categories in each class.

    Attributes
    ----------
    feature : int
        Its index.
    penalties : list of lists of float
        For each class the addition to the square of the distance by each category, and last by a missing value.
    """

    feature: Index
    penalties: list[list[float]]

    def __post_init__(self) -> None:
        """Check the shape."""
        if len(set(map(len, self.penalties))) != 1:
            raise ValueError("there are as many penalties for each class")


class Distances:
    """The squared distances of rows from classes.

    A missing value adds nothing: the distance is that of the other numbers. A category that is not known adds nothing.
    The sums are ordered, so that a row has the same distance alone and among others.

    Parameters
    ----------
    numbers : sequence of NumberGroup
    categories : sequence of CategoryGroup
    """

    def __init__(self, numbers: Sequence[NumberGroup], categories: Sequence[CategoryGroup]) -> None:
        self._numbers = list(map(_Numbers, numbers))
        self._categories = list(map(_Categories, categories))
        widest = max([numbers.width for numbers in self._numbers], default=1)
        self._block_rows = max(BLOCK_SIZE // widest, 1)

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

        It is computed in Python's floats, to the last digits, and False for any row if the model has categories.
        """
        if self._categories:
            return False
        total = 0.0
        for numbers in self._numbers:
            for coordinate in numbers.whiten_one(row, class_index):
                total += coordinate * coordinate
        return total <= maximum

    def _parts(self, columns: Floats) -> Iterator[Floats]:
        """Yield the parts of the squared distances, each of shape (classes, n)."""
        for numbers in self._numbers:
            yield numbers.square_distances(columns)
        for categories in self._categories:
            yield categories.penalties(columns)


class _Numbers:
    """The squared distances by some numeric features."""

    def __init__(self, group: NumberGroup) -> None:
        self._group = group
        self._features = np.array(group.features)
        self._tails = [tails.index for tails in group.tails]
        self._centres = np.array([[tails.centre] for tails in group.tails])
        self._scales = np.array([[tails.scale] for tails in group.tails])
        self._means = np.array(group.means)
        self._whitenings = np.array([_triangle(rows) for rows in group.whitenings])
        shared, size, _ = self._whitenings.shape
        weights = self._whitenings.swapaxes(0, 1).reshape(-1, size)
        offsets = np.einsum(
            "cij,cj->ic", np.broadcast_to(self._whitenings, (len(self._means), size, size)), self._means
        )
        self._is_shared = shared == 1
        self._offsets = offsets[:, :, None]
        self._whiten = AffineMap(weights, np.zeros(size) if self._is_shared else -offsets.ravel())
        self.width = max(weights.shape[0], offsets.size)

    def square_distances(self, columns: Floats) -> Floats:
        """Return the squared distances from each class, of shape (classes, n)."""
        values = self._shorten(columns[self._features])
        whitened = self._whitened(values)
        distances: Floats = ordered_sum(whitened * whitened)
        (incomplete,) = np.isnan(distances[0]).nonzero()
        if len(incomplete):
            distances[:, incomplete] = self._incomplete(values[:, incomplete])
        return distances

    def whiten_one(self, row: Sequence[float], class_index: int) -> Iterator[float]:
        """Yield the whitened coordinates of one row's difference from the mean of a class."""
        mean = self._group.means[class_index]
        values = [row[feature] for feature in self._group.features]
        for tails in self._group.tails:
            values[tails.index] = math.asinh((values[tails.index] - tails.centre) / tails.scale)
        differences = list(map(operator.sub, values, mean))
        for weights in self._group.whitenings[0 if self._is_shared else class_index]:
            yield sum(map(operator.mul, weights, differences))  # up to the diagonal

    def _shorten(self, values: Floats) -> Floats:
        if self._group.tails:
            values[self._tails] = np.arcsinh((values[self._tails] - self._centres) / self._scales)
        return values

    def _whitened(self, values: Floats) -> Floats:
        """Return the whitened coordinates for each class, of shape (d, classes, n)."""
        whitened = self._whiten.transform(values).reshape(len(values), -1, values.shape[1])
        return whitened - self._offsets if self._is_shared else whitened

    def _incomplete(self, values: Floats) -> Floats:
        """Return the squared distances of rows some of whose numbers are missing."""
        missing = np.isnan(values)
        counts = np.count_nonzero(missing, axis=0)
        filled = np.where(missing, self._means.mean(axis=0)[:, None], values)
        distances = np.zeros((len(self._means), len(counts)))
        for count in set(counts.tolist()) - {len(values)}:
            (chosen,) = (counts == count).nonzero()
            most = max(BLOCK_SIZE // (len(self._means) * (count + 1) ** 2), 1)
            for start in range(0, len(chosen), most):
                part = chosen[start : start + most]
                distances[:, part] = self._marginal(filled[:, part], missing[:, part].T.nonzero()[1].reshape(-1, count))
        return distances

    def _marginal(self, values: Floats, missing: NDArray[np.intp]) -> Floats:
        """Return the squared distances by the other numbers than those at the indices ``missing``, of shape (n, m).

        It is the smallest distance that the missing numbers can bring about.
        """
        whitened = self._whitened(values)
        distances: Floats = ordered_sum(whitened * whitened)
        if not missing.shape[1]:
            return distances
        gradients = ordered_sum(
            weights[:, missing] * coordinates[:, :, None]
            for weights, coordinates in zip(self._whitenings.swapaxes(0, 1), whitened, strict=True)
        )
        precisions = ordered_sum(
            weights[:, missing[:, :, None]] * weights[:, missing[:, None, :]]
            for weights in self._whitenings.swapaxes(0, 1)
        )
        solved = np.linalg.solve(precisions, gradients[..., None])[..., 0]
        distances -= ordered_sum(np.moveaxis(gradients * solved, -1, 0))
        return np.maximum(distances, 0)


class _Categories:
    """The additions to the squared distances by a feature of categories."""

    def __init__(self, group: CategoryGroup) -> None:
        self._feature = group.feature
        unknown = np.zeros((len(group.penalties), 1))
        self._penalties = np.hstack([unknown, group.penalties])

    def penalties(self, columns: Floats) -> Floats:
        """Return the additions for each class, of shape (classes, n)."""
        values = columns[self._feature]
        missing = self._penalties.shape[1] - 2
        indices = np.where(np.isnan(values), missing, values).astype(np.intp) + 1
        penalties: Floats = self._penalties[:, indices]
        return penalties


def _triangle(rows: list[list[float]]) -> Floats:
    """Return a lower triangular matrix of its rows up to the diagonal."""
    matrix = np.zeros((len(rows), len(rows)))
    matrix[np.tril_indices(len(rows))] = np.concatenate(rows)
    return matrix
