"""Models of fixed formulas, which neither a random generator nor a version of scikit-learn can change."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]


def waves(rows: int, columns: int, phase: float) -> Floats:
    """Return numbers between -1 and 1 that look irregular."""
    return np.sin(7.3 * np.arange(rows * columns) ** 1.1 + phase).reshape(rows, columns)


def softmax(scores: Floats) -> Floats:
    exponentials = np.exp(scores - scores.max(axis=1, keepdims=True))
    return exponentials / exponentials.sum(axis=1, keepdims=True)


def linear(rows: Floats) -> Floats:
    """Three classes, each a weighted sum of four features."""
    return softmax(rows @ waves(4, 3, 0.0) + np.array([0.1, 0.2, -0.3]))


def stumps(rows: Floats) -> Floats:
    """Two classes, by votes over two numbers that may be missing, a boolean and two categories."""
    a, b, flag, first, second = rows.T
    votes = 0.8 * (a > 0.1) - 0.5 * ((a <= 0.1) & (flag == 1)) + 0.7 * np.isnan(b) + 0.4 * ((b > -0.2) & (first == 2))
    scores = votes - 0.6 * (second == first) + 0.3 * (flag == 0) * (a > -0.4)
    return softmax(np.column_stack([np.zeros(len(rows)), scores]))


def network(rows: Floats) -> Floats:
    """Three classes, by a layer of eight units over fourteen features, of which the last is not used."""
    weights = waves(14, 8, 1.0)
    weights[-1] = 0
    return softmax(np.tanh(rows @ weights) @ waves(8, 3, 2.0) * 2)


def mixed_rows(count: int, phase: float) -> Floats:
    """Return rows for ``stumps``."""
    rows = waves(count, 5, phase)
    rows[rows[:, 1] > 0.7, 1] = np.nan
    rows[:, 2] = rows[:, 2] > 0
    rows[:, 3:] = np.floor((rows[:, 3:] + 1) * 1.5)
    return rows


# Each with its background, and rows to explain.
MODELS: dict[str, tuple[Callable[[Floats], Floats], Floats, Floats]] = {
    "linear": (linear, waves(20, 4, 3.0), waves(4, 4, 4.0)),
    "stumps": (stumps, mixed_rows(20, 5.0), mixed_rows(4, 6.0)),
    "network": (network, waves(20, 14, 7.0), waves(4, 14, 8.0)),
}
