"""Affine maps and softmax, for arrays and for one row, with the same bits.

Both add in one fixed order, since a matrix product would choose the order, and so the last bits, by the number of rows.
One row is computed in Python's floats: a call of NumPy would take longer.
"""

import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from iris_app.schema import Floats

# Weights of shape (outputs, features), and intercepts of shape (outputs,).
Affine: TypeAlias = tuple[Floats, Floats]
Number = TypeVar("Number", float, Floats)


class AffineMap:
    """An affine map, of columns or of one row.

    Parameters
    ----------
    weights : ndarray of shape (outputs, features)
    intercepts : ndarray of shape (outputs,)

    Attributes
    ----------
    affine : tuple
        The weights and the intercepts.
    """

    def __init__(self, weights: Floats, intercepts: Floats) -> None:
        self.affine = weights, intercepts
        self._weights = list(np.ascontiguousarray(weights.T)[:, :, None])
        self._intercepts = intercepts[:, None]
        self._as_lists: tuple[list[list[float]], list[float]] = weights.T.tolist(), intercepts.tolist()

    def transform(self, columns: Floats) -> Floats:
        """Map columns of shape (features, n) to columns of shape (outputs, n)."""
        mapped: Floats = self._weights[0] * columns[0]
        for weights, column in zip(self._weights[1:], columns[1:], strict=True):
            mapped += weights * column
        mapped += self._intercepts
        return mapped

    def transform_one(self, row: Sequence[float]) -> list[float]:
        """Map a row of one value per feature to one value per output."""
        columns, intercepts = self._as_lists
        sums = [weight * row[0] for weight in columns[0]]
        for weights, value in zip(columns[1:], row[1:]):  # noqa: B905 -- strict takes as long as the sum
            sums = [sum_ + weight * value for sum_, weight in zip(sums, weights)]  # noqa: B905
        return [sum_ + intercept for sum_, intercept in zip(sums, intercepts)]  # noqa: B905


def softmax(scores: Floats) -> Floats:
    """Return the probabilities of log-odds, both of shape (classes, n)."""
    odds: Floats = np.exp(scores - np.maximum.reduce(scores))
    odds /= ordered_sum(odds)
    return odds


def softmax_one(scores: list[float]) -> list[float]:
    """Return the probabilities of one row's log-odds."""
    maximum = max(scores)
    odds = np.exp([score - maximum for score in scores]).tolist()  # math.exp may differ in the last bit
    total = ordered_sum(odds)
    return [value / total for value in odds]


def argmax(columns: Floats) -> NDArray[np.int16]:
    """Return the index of the first maximum of each column of an array of shape (classes, n).

    For a few classes it is faster than NumPy's own.
    """
    best, *others = columns
    indices = np.zeros(len(best), np.int16)
    for index, row in enumerate(others, start=1):
        np.maximum(indices, (row > best) * np.int16(index), out=indices)
        best = np.maximum(best, row)
    return indices


def ordered_sum(terms: Iterable[Number]) -> Number:
    """Add terms in their order; an array is summed along its first axis."""
    return reduce(operator.add, terms)
