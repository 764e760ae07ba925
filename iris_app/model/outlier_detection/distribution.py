"""The distribution of the training's rows, and the distance up to which a row is like them."""

import math
from collections.abc import Iterator
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from iris_app.model.outlier_detection.distances import CategoryGroup, Distances, NumberGroup
from iris_app.model.outlier_detection.groups import fit_groups
from iris_app.schema import UNKNOWN, Floats, Schema

Classes = NDArray[np.intp]

# The share of rows like the training's that may be farther than the threshold, and of held-out rows at most.
SHARE = 0.01
MAX_HELD_OUT_SHARE = 0.02

# Rows of the training that are fitted at most, and parts of them that are left out in turn to set the threshold.
MAX_ROWS = 20_000
FOLDS = 10

# Rows within the range of the others from which the threshold is set by them alone, since others get other warnings.
MIN_INSIDE = 50

# The last digits of a distance may differ between machines.
TOLERANCE = 1e-9


class Distribution(msgspec.Struct, frozen=True, kw_only=True):
    """The distribution of the training's rows.

    Attributes
    ----------
    numbers : list of NumberGroup
    categories : list of CategoryGroup
    threshold : float
        The squared distance from the nearest class up to which a row is like those of the training.
    unlike_share : float
        The share of the measured rows that are farther, though each value lies within the range of the others.
    measured_rows : int
    held_out : bool
        Whether the measured rows are held-out ones, or the training's, each left out of the distribution in turn.
    """

    numbers: list[NumberGroup]
    categories: list[CategoryGroup]
    threshold: Annotated[float, Meta(ge=0)]
    unlike_share: Annotated[float, Meta(ge=0, le=1)]
    measured_rows: int
    held_out: bool

    def fits(self, schema: Schema) -> bool:
        """Check whether it is a distribution of a schema's features in its classes."""
        groups: list[NumberGroup | CategoryGroup] = [*self.numbers, *self.categories]
        return all(group.fits(schema) for group in groups)


def fit_distribution(
    schema: Schema, rows: Floats, class_indices: Classes, held_out_rows: Floats | None = None
) -> Distribution:
    """Fit the distribution of the rows of each class.

    Parameters
    ----------
    schema : Schema
    rows : ndarray of shape (n, features), float64
        The rows of the training.
    class_indices : ndarray of shape (n,)
        Their classes.
    held_out_rows : ndarray of shape (m, features), float64, optional
        Other rows, to measure how many are far.

    Raises
    ------
    ValueError
        If there are fewer than two rows.
    """
    if len(rows) < 2:
        raise ValueError("a distribution needs two rows at least")
    order = np.random.default_rng(0).permutation(len(rows))[:MAX_ROWS]
    order = order[np.argsort(class_indices[order], kind="stable")]
    rows, class_indices = rows[order], class_indices[order]
    numbers, categories = fit_groups(schema, rows, class_indices)
    squares, outside = map(np.concatenate, zip(*_cross_fit(schema, rows, class_indices), strict=True))
    if np.count_nonzero(~outside) >= MIN_INSIDE:
        squares[outside] = 0
    threshold = max(_quantile(squares), len(schema.features))
    held_out = held_out_rows is not None and len(held_out_rows) > 0
    if held_out_rows is not None and held_out:
        squares = Distances(numbers, categories).nearest(held_out_rows.T)
        squares[_is_outside(schema, rows, held_out_rows)] = 0
        threshold = max(threshold, np.sort(squares)[-1 - int(MAX_HELD_OUT_SHARE * len(squares))])
    threshold = float(threshold) * (1 + TOLERANCE)
    return Distribution(
        numbers=numbers,
        categories=categories,
        threshold=threshold,
        unlike_share=float(np.mean(squares > threshold)),
        measured_rows=len(squares),
        held_out=held_out,
    )


def _quantile(squares: Floats) -> float:
    """Return the square that one more row exceeds with a probability of ``SHARE`` at most, if there are enough."""
    rank = min(math.ceil((1 - SHARE) * (len(squares) + 1)), len(squares))
    return float(np.sort(squares)[rank - 1])


def _cross_fit(schema: Schema, rows: Floats, class_indices: Classes) -> Iterator[tuple[Floats, NDArray[np.bool_]]]:
    """Yield for each part of the rows, ordered by class, what a distribution that is fitted to the others gives.

    These are the squared distances, and whether a row has a value outside the range of the others.
    """
    folds = np.arange(len(rows)) % FOLDS
    for fold in range(FOLDS):
        others = folds != fold
        distances = Distances(*fit_groups(schema, rows[others], class_indices[others]))
        yield distances.nearest(rows[~others].T), _is_outside(schema, rows[others], rows[~others])


def _is_outside(schema: Schema, fitted: Floats, rows: Floats) -> NDArray[np.bool_]:
    """Return whether each row has a number outside the range of the fitted rows, or a category that is not known."""
    is_numeric = np.array([feature.is_numeric for feature in schema.features])
    low, high = np.fmin.reduce(fitted), np.fmax.reduce(fitted)
    outside: NDArray[np.bool_] = np.where(is_numeric, (rows < low) | (rows > high), rows == UNKNOWN).any(axis=1)
    return outside
