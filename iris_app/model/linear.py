"""Affine maps and their softmax, for many flowers at once and for one alone, with the same bits.

Both add in one fixed order, where a matrix product would choose one by the number of rows and change the last bits.
NumPy takes longer to begin than to compute one flower, so one alone is computed in Python's floats.
"""

import operator
from collections.abc import Iterable, Sequence
from functools import reduce
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Affine = tuple[Floats, Floats]
Number = TypeVar("Number", float, Floats)


class Map:
    """An affine map, made ready to be applied.

    Parameters
    ----------
    weights : ndarray of shape (outputs, features)
    intercepts : ndarray of shape (outputs,)
    """

    def __init__(self, weights: Floats, intercepts: Floats) -> None:
        self._weights = list(np.ascontiguousarray(weights.T)[:, :, None])
        self._intercepts = intercepts[:, None]
        self._one: tuple[list[list[float]], list[float]] = weights.T.tolist(), intercepts.tolist()

    def many(self, columns: Floats) -> Floats:
        """Map columns of shape (features, n) to columns of shape (outputs, n)."""
        mapped: Floats = self._weights[0] * columns[0]
        for weights, column in zip(self._weights[1:], columns[1:], strict=True):
            mapped += weights * column
        mapped += self._intercepts
        return mapped

    def one(self, values: Sequence[float]) -> list[float]:
        """Map one value a feature to one an output."""
        columns, intercepts = self._one
        sums = [weight * values[0] for weight in columns[0]]
        for weights, value in zip(columns[1:], values[1:]):  # noqa: B905 -- asking for equal lengths takes as long as one
            sums = [sum_ + weight * value for sum_, weight in zip(sums, weights)]  # noqa: B905
        return [sum_ + intercept for sum_, intercept in zip(sums, intercepts)]  # noqa: B905


def softmax(scores: Floats) -> Floats:
    """Turn log-odds of shape (classes, n) into probabilities."""
    odds: Floats = np.exp(scores - np.maximum.reduce(scores))
    odds /= total(odds)
    return odds


def softmax_one(scores: list[float]) -> list[float]:
    """Turn one log-odds a class into probabilities."""
    highest = max(scores)
    odds = np.exp([score - highest for score in scores]).tolist()  # math.exp may differ in the last bit
    whole = total(odds)
    return [part / whole for part in odds]


def highest(columns: Floats) -> NDArray[np.int16]:
    """Return the place of the highest value of each column of shape (classes, n): NumPy's argmax, but faster for a few.

    Among equals it is the first.
    """
    best, *others = columns
    places = np.zeros(len(best), np.int16)
    for place, row in enumerate(others, start=1):
        np.maximum(places, (row > best) * np.int16(place), out=places)
        best = np.maximum(best, row)
    return places


def total(terms: Iterable[Number]) -> Number:
    """Add terms, or along the first axis, in their order."""
    return reduce(operator.add, terms)
