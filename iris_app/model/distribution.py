"""The distribution of the training's rows, and the distance up to which a row is like them."""

import math
from collections.abc import Iterator
from typing import Annotated

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from iris_app.model.distances import CategoryGroup, Distances, NumberGroup, Tails
from iris_app.schema import UNKNOWN, Feature, Floats, Schema

Classes = NDArray[np.intp]

# The share of rows like the training's that may be farther than the threshold, and of held-out rows at most.
SHARE = 0.01
MAX_HELD_OUT_SHARE = 0.02

# Rows of the training that are fitted at most, and parts of them that are left out in turn to set the threshold.
MAX_ROWS = 50_000
FOLDS = 10

# Numeric features whose correlations are taken into account together.
MAX_GROUP = 40

# A class has a covariance of its own if it has so many rows for each feature, and at least so many.
ROWS_PER_FEATURE = 5
MIN_ROWS = 20

# Elements of all covariances, and of all penalties of one feature: else they are the same for all classes.
MAX_ELEMENTS = 20_000

# The kurtosis of a feature above which its tails are shortened; that of a normal distribution is 3.
MAX_KURTOSIS = 5.0

# The addition to each variance, as a share of it: no direction counts for more than its thousandfold.
RIDGE = 1e-3

# Rows of all classes together that are added to each class, so that no category is impossible.
SMOOTHING = 2.0

# The largest difference between two values of a feature that can be squared without trouble.
MAX_RANGE = 1e150

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
    """
    if not len(rows):
        raise ValueError("there are no rows to fit a distribution to")
    order = np.random.default_rng(0).permutation(len(rows))[:MAX_ROWS]
    order = order[np.argsort(class_indices[order], kind="stable")]
    rows, class_indices = rows[order], class_indices[order]
    numbers, categories = _fit(schema, rows, class_indices)
    squares = np.concatenate(list(_cross_fit(schema, rows, class_indices)))
    threshold = max(_quantile(squares), len(schema.features))
    held_out = held_out_rows is not None and len(held_out_rows) > 0
    if held_out_rows is not None and held_out:
        squares = _squares(schema, Distances(numbers, categories), rows, held_out_rows)
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


def _cross_fit(schema: Schema, rows: Floats, class_indices: Classes) -> Iterator[Floats]:
    """Yield the squared distances of each part of the rows, ordered by class, from what is fitted to the others."""
    folds = np.arange(len(rows)) % FOLDS
    for fold in range(FOLDS if len(rows) > 1 else 0):
        others = folds != fold
        distances = Distances(*_fit(schema, rows[others], class_indices[others]))
        yield _squares(schema, distances, rows[others], rows[~others])


def _squares(schema: Schema, distances: Distances, fitted: Floats, rows: Floats) -> Floats:
    """Return the squared distances of rows, and 0 for those that have a value outside the range of the fitted ones."""
    squares = distances.nearest(rows.T)
    low, high = np.fmin.reduce(fitted), np.fmax.reduce(fitted)
    is_numeric = np.array([feature.is_numeric for feature in schema.features])
    outside = np.where(is_numeric, (rows < low) | (rows > high), rows == UNKNOWN)
    return np.where(outside.any(axis=1), 0, squares)


def _fit(schema: Schema, rows: Floats, class_indices: Classes) -> tuple[list[NumberGroup], list[CategoryGroup]]:
    """Fit the distribution of each feature to rows, with those of the numbers that lie in one group together."""
    count = len(schema.classes)
    varying = [index for index, one in enumerate(schema.features) if one.is_numeric and _varies(rows[:, index])]
    groups = np.array_split(varying, -(-len(varying) // MAX_GROUP)) if varying else []
    own = sum(len(group) ** 2 for group in groups) * count <= MAX_ELEMENTS
    others = [(index, _count_levels(one)) for index, one in enumerate(schema.features) if not one.is_numeric]
    return (
        [_fit_numbers(group.tolist(), rows[:, group], class_indices, count, own) for group in groups],
        [
            _fit_categories(index, levels, rows[:, index], class_indices, count)
            for index, levels in others
            if levels * count * len(others) <= MAX_ELEMENTS
        ],
    )


def _varies(values: Floats) -> bool:
    """Check whether there are different values, whose differences can be squared."""
    known = values[~np.isnan(values)].tolist()
    return len(known) > 0 and 0 < max(known) - min(known) < MAX_RANGE


def _count_levels(feature: Feature) -> int:
    return 2 if feature.kind == "boolean" else len(feature.categories)


def _fit_numbers(features: list[int], values: Floats, class_indices: Classes, count: int, own: bool) -> NumberGroup:
    """Fit the mean of each class, and one covariance, or one for each class that has enough rows."""
    tails = list(_find_tails(values))
    for one in tails:
        values[:, one.index] = np.arcsinh((values[:, one.index] - one.centre) / one.scale)
    known = ~np.isnan(values)
    members = _members(class_indices, count)
    means = np.nanmean(values, axis=0) + np.zeros((count, 1))
    for mean, member in zip(means, members, strict=True):
        sums, counts = np.where(known, values, 0)[member].sum(axis=0), known[member].sum(axis=0)
        np.divide(sums, counts, out=mean, where=counts > 0)
    differences = np.where(known, values - means[class_indices], 0)
    scales = _scales(differences, known, np.nanstd(values, axis=0))
    whitenings = [_whitening(differences, scales)]
    enough = max(ROWS_PER_FEATURE * len(features), MIN_ROWS)
    if own and any(np.count_nonzero(member) >= enough for member in members):
        whitenings = [
            _whitening(differences[member], _scales(differences[member], known[member], scales))
            if np.count_nonzero(member) >= enough
            else whitenings[0]
            for member in members
        ]
    return NumberGroup(features, means.tolist(), [_triangle(whitening) for whitening in whitenings], tails)


def _find_tails(values: Floats) -> Iterator[Tails]:
    """Yield the features whose kurtosis is high: a few values far away would decide the distances of all rows."""
    deviations = np.nanstd(values, axis=0)
    kurtosis = np.nanmean(((values - np.nanmean(values, axis=0)) / deviations) ** 4, axis=0)
    for index in np.flatnonzero(kurtosis > MAX_KURTOSIS).tolist():
        low, centre, high = np.nanquantile(values[:, index], [0.25, 0.5, 0.75]).tolist()
        yield Tails(index, centre, (high - low) or float(deviations[index]))


def _members(class_indices: Classes, count: int) -> list[NDArray[np.bool_]]:
    """Return which rows belong to each class; one without rows is taken for the first that has some."""
    members = [class_indices == index for index in range(count)]
    return [member if member.any() else class_indices == class_indices[0] for member in members]


def _scales(differences: Floats, known: NDArray[np.bool_], default: Floats) -> Floats:
    """Return the deviation of each feature, and the default where it does not vary."""
    scales: Floats = np.sqrt((differences**2).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    return np.where(scales > 0, scales, default)


def _whitening(differences: Floats, scales: Floats) -> Floats:
    """Return a lower triangular matrix that makes differences from the mean uncorrelated and of variance 1.

    The covariance is shrunk, so that features may depend on others or hardly vary. Missing values, which are 0, and
    features that do not vary count as uncorrelated ones of variance 1.
    """
    from sklearn.covariance import LedoitWolf  # not needed to serve

    covariance = LedoitWolf(assume_centered=True).fit(differences / scales).covariance_
    covariance[np.diag_indices_from(covariance)] += np.maximum(1 - np.diag(covariance), 0) + RIDGE
    whitening: Floats = np.tril(np.linalg.inv(np.linalg.cholesky(covariance))) / scales
    return whitening


def _triangle(whitening: Floats) -> list[list[float]]:
    """Return the rows of a lower triangular matrix up to the diagonal, with seven significant digits."""
    return [[float(f"{value:.7g}") for value in row[: index + 1]] for index, row in enumerate(whitening.tolist())]


def _fit_categories(index: int, levels: int, values: Floats, class_indices: Classes, count: int) -> CategoryGroup:
    """Fit the penalty of each category, and of a missing value, for each class.

    It is twice the logarithm of how many times less often the class has it than the class that has it most often. So
    a category that is rare everywhere adds nothing, and nor does one without rows.
    """
    codes = np.where(np.isnan(values), levels, values).astype(np.intp)
    used = codes >= 0
    counts = [np.bincount(codes[used & member], minlength=levels + 1) for member in _members(class_indices, count)]
    total = np.bincount(codes[used], minlength=levels + 1)
    smoothed = np.array([(own + SMOOTHING * total / max(total.sum(), 1)) / (own.sum() + SMOOTHING) for own in counts])
    logarithms = np.log(np.where(total > 0, smoothed, 1))
    penalties = 2 * (logarithms.max(axis=0) - logarithms)
    return CategoryGroup(index, penalties.round(3).tolist())
