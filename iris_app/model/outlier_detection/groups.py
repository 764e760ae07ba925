"""Fit the distributions of features to the rows of a training."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

import numpy as np
from numpy.typing import NDArray

from iris_app.model.outlier_detection.distances import CategoryGroup, Matrix, NumberGroup, Shifts, Tails, count_levels
from iris_app.schema import Feature, Floats, Schema

Mask = NDArray[np.bool_]

# Numeric features whose correlations are taken into account together.
MAX_GROUP = 40

# A class has a covariance of its own if it has so many rows for each feature, and at least so many.
ROWS_PER_FEATURE = 5
MIN_ROWS = 20

# Elements of all covariances together, of all penalties and of all shifts: no manifest grows beyond about 1 MB.
MAX_ELEMENTS = 20_000

# Categories, of all features together, whose shifts are fitted.
MAX_SHIFTS = 300

# The kurtosis of a feature above which its tails are shortened; that of a normal distribution is 3.
MAX_KURTOSIS = 5.0

# The largest difference between two values of a feature that can be squared without trouble.
MAX_RANGE = 1e150

# The addition to each variance, as a share of it: no direction counts for more than its thousandfold.
RIDGE = 1e-3

# Average rows that are added to the rows of a class, and to those of a category: few rows say little.
PRIOR_ROWS_OF_CLASS = 2.0
PRIOR_ROWS_OF_CATEGORY = 10.0


def fit_groups(
    schema: Schema, rows: Floats, class_indices: NDArray[np.intp]
) -> tuple[list[NumberGroup], list[CategoryGroup]]:
    """Fit the distributions of the features in each class.

    Parameters
    ----------
    schema : Schema
    rows : ndarray of shape (n, features), float64
    class_indices : ndarray of shape (n,)
    """
    members = _members(class_indices, len(schema.classes))
    numeric = [index for index, one in enumerate(schema.features) if one.is_numeric and _varies(rows[:, index])]
    columns = {index: _Levels(one, rows[:, index]) for index, one in enumerate(schema.features) if not one.is_numeric}
    groups = np.array_split(numeric, -(-len(numeric) // MAX_GROUP)) if numeric else []
    has_own = sum(len(group) ** 2 for group in groups) * len(members) <= MAX_ELEMENTS
    one_hot = {index: columns[index].one_hot() for index in _choose_shifting(columns, len(numeric))}
    return (
        [_fit_numbers(group.tolist(), rows[:, group], members, one_hot, has_own) for group in groups],
        [
            CategoryGroup(index, levels.penalties(members))
            for index, levels in columns.items()
            if levels.count * len(members) * len(columns) <= MAX_ELEMENTS
        ],
    )


class _Levels:
    """The categories of a feature, and after them its missing values, as whole numbers; -1 is not known."""

    def __init__(self, feature: Feature, values: Floats) -> None:
        self.count = count_levels(feature)
        self._codes = np.where(np.isnan(values), self.count - 1, values).astype(np.intp)

    def one_hot(self) -> Floats:
        """Return 1 for the level of each row and 0 for the others, of shape (n, count)."""
        one_hot: Floats = (self._codes[:, None] == np.arange(self.count)).astype(np.float64)
        return one_hot

    def penalties(self, members: Sequence[Mask]) -> Matrix:
        """Return twice the logarithm of how many times less often a class has a level than the class that has it most.

        So a level that is rare in all classes adds nothing, and nor does one that no row has.
        """
        known = self._codes >= 0
        counts = np.array([np.bincount(self._codes[known & member], minlength=self.count) for member in members])
        total = np.bincount(self._codes[known], minlength=self.count)
        prior = PRIOR_ROWS_OF_CLASS * total / max(total.sum(), 1)
        shares = (counts + prior) / (counts.sum(axis=1, keepdims=True) + PRIOR_ROWS_OF_CLASS)
        logarithms = np.log(np.where(total > 0, shares, 1))
        return _round(2 * (logarithms.max(axis=0) - logarithms))


def _members(class_indices: NDArray[np.intp], count: int) -> list[Mask]:
    """Return which rows belong to each class; one without rows is taken for the first that has some."""
    members = [class_indices == index for index in range(count)]
    return [member if member.any() else class_indices == class_indices.min() for member in members]


def _varies(values: Floats) -> bool:
    """Check whether there are different values, whose differences can be squared."""
    known = values[~np.isnan(values)].tolist()
    return len(known) > 0 and 0 < max(known) - min(known) < MAX_RANGE


def _choose_shifting(columns: Mapping[int, _Levels], numeric: int) -> list[int]:
    """Choose the features of categories that shift numeric ones: those of the fewest categories, within limits."""
    chosen = sorted(columns, key=lambda index: columns[index].count)
    most = min(MAX_SHIFTS, MAX_ELEMENTS // max(numeric, 1))
    totals = accumulate(columns[index].count for index in chosen)
    return [index for index, total in zip(chosen, totals, strict=True) if total <= most]


def _fit_numbers(
    features: list[int], values: Floats, members: Sequence[Mask], one_hot: Mapping[int, Floats], has_own: bool
) -> NumberGroup:
    """Fit the mean of each class, and one covariance or, where enough rows are there, one for each class."""
    known = ~np.isnan(values)
    tails = list(_find_tails(values))
    for one in tails:
        values[:, one.index] = np.arcsinh((values[:, one.index] - one.centre) / one.scale)
    shifts = _fit_shifts(values, members, one_hot)
    for one_shift in shifts:
        values -= one_hot[one_shift.feature] @ np.array(one_shift.shifts).T
    means, differences = _centre(values, members)
    scales = _scales(differences, known, np.nanstd(values, axis=0))
    shared = _whitening(differences, scales)
    enough = max(ROWS_PER_FEATURE * len(features), MIN_ROWS)
    has_enough = [has_own and np.count_nonzero(member) >= enough for member in members]
    whitenings = [
        _whitening(differences[member], _scales(differences[member], known[member], scales)) if is_enough else shared
        for member, is_enough in zip(members, has_enough, strict=True)
    ]
    return NumberGroup(features, means.tolist(), whitenings if any(has_enough) else [shared], tails, shifts)


def _find_tails(values: Floats) -> Iterator[Tails]:
    """Yield the features whose kurtosis is high: a few values far away would decide the distances of all rows."""
    deviations = np.nanstd(values, axis=0)
    kurtosis = np.nanmean(((values - np.nanmean(values, axis=0)) / deviations) ** 4, axis=0)
    for index in np.flatnonzero(kurtosis > MAX_KURTOSIS).tolist():
        low, centre, high = np.nanquantile(values[:, index], [0.25, 0.5, 0.75]).tolist()
        yield Tails(index, centre, (high - low) or float(deviations[index]))


def _fit_shifts(values: Floats, members: Sequence[Mask], one_hot: Mapping[int, Floats]) -> list[Shifts]:
    """Fit what each category adds to the numbers beside the class, by ridge regression on all categories together."""
    if not one_hot:
        return []
    _, inputs = _centre(np.hstack(list(one_hot.values())), members)
    _, outputs = _centre(values, members)
    prior = PRIOR_ROWS_OF_CATEGORY * np.eye(inputs.shape[1])
    coefficients = np.linalg.solve(inputs.T @ inputs + prior, inputs.T @ outputs).T
    ends = np.cumsum([columns.shape[1] for columns in one_hot.values()])[:-1]
    parts = np.split(coefficients, ends, axis=1)
    return [Shifts(index, _round(part)) for index, part in zip(one_hot, parts, strict=True)]


def _centre(values: Floats, members: Sequence[Mask]) -> tuple[Floats, Floats]:
    """Return the means of each class, or of all rows where it has no value, and the differences from them.

    The differences of missing values are 0.
    """
    known = ~np.isnan(values)
    filled = np.where(known, values, 0)
    means = np.repeat(np.nanmean(values, axis=0, keepdims=True), len(members), axis=0)
    differences = np.empty(values.shape)
    for mean, member in zip(means, members, strict=True):
        counts = known[member].sum(axis=0)
        np.divide(filled[member].sum(axis=0), counts, out=mean, where=counts > 0)
        differences[member] = values[member] - mean
    return means, np.where(known, differences, 0)


def _scales(differences: Floats, known: Mask, default: Floats) -> Floats:
    """Return the deviation of each feature, and the default where it does not vary."""
    scales: Floats = np.sqrt((differences**2).sum(axis=0) / np.maximum(known.sum(axis=0), 1))
    return np.where(scales > 0, scales, default)


def _whitening(differences: Floats, scales: Floats) -> Matrix:
    """Return the lower triangular matrix that makes differences from a mean uncorrelated, with a variance of 1.

    The covariance is shrunk, so that features may depend on each other. Missing values, which are 0, and features that
    do not vary count as uncorrelated, with a variance of 1.
    """
    from sklearn.covariance import LedoitWolf  # takes long, and no server needs it

    covariance = LedoitWolf(assume_centered=True).fit(differences / scales).covariance_
    covariance[np.diag_indices_from(covariance)] += np.maximum(1 - np.diag(covariance), 0) + RIDGE
    whitening = np.linalg.inv(np.linalg.cholesky(covariance)) / scales
    return [row[: index + 1] for index, row in enumerate(_round(whitening))]


def _round(matrix: Floats) -> Matrix:
    """Return the rows of a matrix, with seven significant digits."""
    return [[float(f"{value:.7g}") for value in row] for row in matrix.tolist()]
