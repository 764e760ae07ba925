"""Features whose values may have been swapped."""

from collections import defaultdict
from collections.abc import Iterator
from itertools import combinations, islice
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from iris_app.json_types import PredictionWarning
from iris_app.model.outlier_detection.distances import BLOCK_SIZE, Distances
from iris_app.schema import Floats, Schema

MAYBE_SWAPPED = "maybe_swapped"

# Swaps that are tried at most, and features of one unit among which they are looked for at most.
MAX_SWAPS = 60
MAX_GROUP = 10

# A swap is suggested if it makes a row usual, and leaves less than this share of the squared distance.
MAX_SHARE = 1 / 3

# The share of the training's range by which a swapped value may lie outside it.
RANGE_TOLERANCE = 0.1

Pairs = tuple[tuple[int, int], ...]


class Swap(NamedTuple):
    """A swap of one pair of features or of two: the feature whose value each feature takes, and its warning."""

    order: list[int]
    warning: PredictionWarning


class SwapFinder:
    """Find swaps of features of one unit that make unusual rows usual ones.

    Parameters
    ----------
    schema : Schema
    distances : Distances
    threshold : float
        The squared distance up to which a row is usual.
    minimum, maximum : ndarray of shape (features,)
        The range of the training.
    """

    def __init__(
        self, schema: Schema, distances: Distances, threshold: float, minimum: Floats, maximum: Floats
    ) -> None:
        self.swaps = [_make_swap(schema, pairs) for pairs in islice(_find_pairs(schema), MAX_SWAPS)]
        self._orders = np.array([swap.order for swap in self.swaps], np.intp).T
        self._block_rows = max(BLOCK_SIZE // max(self._orders.size, 1), 1)
        self.threshold, self._schema, self._distances = threshold, schema, distances
        tolerance = RANGE_TOLERANCE * (maximum - minimum)
        self._low, self._high = (minimum - tolerance)[:, None], (maximum + tolerance)[:, None]

    def find(self, columns: Floats, squares: Floats) -> NDArray[np.int16]:
        """Find the swap that makes each row the most usual one.

        Parameters
        ----------
        columns : ndarray of shape (features, n)
        squares : ndarray of shape (n,)
            The rows' squared distances.

        Returns
        -------
        ndarray of shape (n,), int16
            Indices in ``swaps``, or -1 where none makes a row usual, or where it is.
        """
        found = np.full(len(squares), -1, np.int16)
        (unusual,) = (~(squares <= self.threshold)).nonzero()
        for start in range(0, len(unusual) if self.swaps else 0, self._block_rows):
            block = unusual[start : start + self._block_rows]
            swapped_squares = self._swapped_squares(columns[:, block])
            is_better = np.minimum.reduce(swapped_squares) < np.fmin(squares[block] * MAX_SHARE, self.threshold)
            found[block] = np.where(is_better, swapped_squares.argmin(axis=0), -1)
        return found

    def _swapped_squares(self, columns: Floats) -> Floats:
        """Return the squared distances after each swap, of shape (swaps, n)."""
        swapped = columns[self._orders].reshape(len(columns), -1)
        return self.possible_squares(swapped).reshape(len(self.swaps), -1)

    def possible_squares(self, columns: Floats) -> Floats:
        """Return the squared distances of rows, given as columns of shape (features, n); infinite if one is impossible.

        A possible row is accepted, and hardly outside the range of the training.
        """
        (inside,) = (~np.logical_or.reduce((columns < self._low) | (columns > self._high))).nonzero()
        inside = inside[self._schema.accepted(columns[:, inside].T).all(axis=1)]
        squares = np.full(columns.shape[1], np.inf)
        squares[inside] = self._distances.nearest(columns[:, inside])
        return squares


def _find_pairs(schema: Schema) -> Iterator[Pairs]:
    """Yield the pairs of numeric features of one unit, then the pairs of pairs."""
    groups = defaultdict(list)
    for index, feature in enumerate(schema.features):
        if feature.is_numeric and feature.unit:
            groups[feature.unit].append(index)
    pairs = [list(combinations(group, 2)) for group in groups.values() if len(group) <= MAX_GROUP]
    for group in pairs:
        yield from ((pair,) for pair in group)
    for group in pairs:
        yield from ((first, second) for first, second in combinations(group, 2) if not set(first) & set(second))


def _make_swap(schema: Schema, pairs: Pairs) -> Swap:
    order = list(range(len(schema.features)))
    for first, second in pairs:
        order[first], order[second] = second, first
    names = [" and ".join(_lower_initial(schema.features[index].label) for index in pair) for pair in pairs]
    detail = f"Are {', and '.join(names)} swapped? Then this would be a usual {schema.noun}."
    return Swap(order, PredictionWarning(MAYBE_SWAPPED, detail))


def _lower_initial(label: str) -> str:
    """Return a label as it stands within a sentence; an abbreviation stays as it is."""
    return label if label[1:2].isupper() else label[0].lower() + label[1:]
