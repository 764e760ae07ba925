"""Profiles of a row: its predictions as one feature moves and the others stay, and the values that change its class."""

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iris_app.model.manifest import FeatureSummary, Training
from iris_app.model.predictions import PredictionBatch
from iris_app.schema import Feature, Floats

# Rows that are predicted at most for all profiles of a row, and values of one profile.
MAX_ROWS = 3000
MAX_VALUES, MIN_VALUES = 61, 5

# The steps that the training's range of a feature has at least; a step is a power of ten.
MIN_STEPS = 100

# The ranges that can be parted into steps.
MIN_RANGE, MAX_RANGE = 1e-290, 1e290

# Whole numbers beyond it are not exact as floats.
MAX_EXACT = 2.0**53


@dataclass(frozen=True, slots=True)
class Steps:
    """The values of a feature that have few decimals, from ``first`` to ``last`` in steps of ``10 ** -decimals``."""

    first: int
    last: int
    decimals: int

    @classmethod
    def of(cls, feature: Feature, summary: FeatureSummary) -> "Steps | None":
        """Return the steps over the training's range of a number, or None if it has no range."""
        low, high = summary.minimum, summary.maximum
        if low is None or high is None or not MIN_RANGE < high - low < MAX_RANGE:
            return None
        decimals = -math.floor(math.log10((high - low) / MIN_STEPS))
        decimals = min(decimals, 0) if feature.kind == "integer" else decimals
        scale = 10.0**decimals
        if max(abs(low), abs(high)) * scale >= MAX_EXACT:
            return None
        return cls(math.ceil(low * scale - 1e-9), math.floor(high * scale + 1e-9), decimals)

    def values(self, indices: NDArray[np.int64]) -> Floats:
        """Return the values at whole numbers of steps, each the float nearest to its decimals."""
        scale: float = 10.0 ** abs(self.decimals)
        numbers = indices.astype(np.float64)
        return numbers * scale if self.decimals < 0 else numbers / scale

    def spread(self, count: int) -> NDArray[np.int64]:
        """Return so many indices at most, evenly spread, the first and the last among them."""
        return np.unique(np.rint(np.linspace(self.first, self.last, count)).astype(np.int64))


@dataclass(frozen=True, slots=True)
class Profile:
    """The predictions for a row as one feature moves and the others stay.

    Attributes
    ----------
    index : int
        The index of the feature.
    values : ndarray of shape (m,)
        Its values, rising: numbers over the training's range, or the first categories.
    probabilities : ndarray of shape (classes, m)
    classes : ndarray of shape (m,)
        The indices of the predicted classes.
    steps : Steps, optional
        The steps that its numbers lie on; None for other kinds.
    """

    index: int
    values: Floats
    probabilities: Floats
    classes: NDArray[np.int16]
    steps: Steps | None


@dataclass(frozen=True, slots=True)
class Change:
    """A value of one feature with which the row is of another class.

    Attributes
    ----------
    index : int
        The index of the feature.
    value : float
        For numbers, the one nearest to the row's.
    class_index : int
        The class that is predicted then.
    direction : int
        -1 for a smaller number, 1 for a larger one, 0 for other kinds.
    last : float
        For numbers, the farthest one up to which those of the profile give the same class.
    lasting : bool
        Whether that is the end of the training's range.
    """

    index: int
    value: float
    class_index: int
    direction: int
    last: float
    lasting: bool


Predict = Callable[[Floats], PredictionBatch]


def make_profiles(training: Training, row: Floats, predict: Predict) -> list[Profile]:
    """Return the profile of each feature that has a range or categories; of very many features, of the first ones.

    Parameters
    ----------
    training : Training
    row : ndarray of shape (features,)
    predict : callable
        Takes rows of shape (n, features); it is called once.
    """
    budget = min(MAX_ROWS, training.explanation_rows or MAX_ROWS)
    most = max(budget // MIN_VALUES, 1)
    count = max(min(MAX_VALUES, budget // min(len(row), most)), MIN_VALUES)
    pairs = zip(training.schema.features, training.features, strict=True)
    grids = [(index, *_grid(feature, summary, count)) for index, (feature, summary) in enumerate(pairs) if index < most]
    grids = [(index, values, steps) for index, values, steps in grids if len(values) > 1]
    if not grids:
        return []
    batch = predict(np.concatenate([_moved(row, index, values) for index, values, _ in grids]))
    ends = np.cumsum([len(values) for _, values, _ in grids]).tolist()
    return [
        Profile(index, values, batch.probabilities[:, start:end], batch.classes[start:end], steps)
        for (index, values, steps), start, end in zip(grids, [0, *ends], ends, strict=False)
    ]


def find_changes(profiles: Sequence[Profile], row: Floats, predicted: int, predict: Predict) -> list[Change]:
    """Return the nearest numbers, and all categories of the profiles, that change the class of a row.

    Numbers outside the training's range are never returned. Each value was itself predicted.

    Parameters
    ----------
    profiles : sequence of Profile
    row : ndarray of shape (features,)
    predicted : int
        The index of its class.
    predict : callable
        Takes rows of shape (n, features); it is called once at most.
    """
    brackets = [bracket for profile in profiles for bracket in _brackets(profile, float(row[profile.index]), predicted)]
    if not brackets:
        return []
    moved = [_moved(row, bracket.profile.index, bracket.values) for bracket in brackets]
    classes = np.split(predict(np.concatenate(moved)).classes, np.cumsum([len(rows) for rows in moved])[:-1])
    return [change for pair in zip(brackets, classes, strict=True) for change in pair[0].changes(pair[1], predicted)]


@dataclass(frozen=True, slots=True)
class _Bracket:
    """The values of a profile among which its class changes, from the one nearest to the row's.

    ``beyond`` are the indices of the profile's values that lie farther.
    """

    profile: Profile
    values: Floats
    direction: int
    beyond: NDArray[np.intp]

    def changes(self, classes: NDArray[np.int16], predicted: int) -> Iterator[Change]:
        """Yield the changes that the predictions for the values show: the nearest number, or each category."""
        found = np.flatnonzero(classes != predicted).tolist()
        values = np.concatenate([self.values, self.profile.values[self.beyond]]).tolist()
        known = np.concatenate([classes, self.profile.classes[self.beyond]])
        for place in found[:1] if self.direction else found:
            others = np.flatnonzero(known[place:] != known[place])
            last = values[place + others[0] - 1 if len(others) else -1]
            lasting = not len(others)
            yield Change(self.profile.index, values[place], int(known[place]), self.direction, last, lasting)


def _brackets(profile: Profile, value: float, predicted: int) -> Iterator[_Bracket]:
    if profile.steps is None:
        others = profile.values != value
        if (profile.classes[others] != predicted).any():
            yield _Bracket(profile, profile.values[others], 0, np.empty(0, np.intp))
        return
    for direction in (-1, 1):
        places = np.flatnonzero(direction * (profile.values - value) > 0)[::direction]
        changed = np.flatnonzero(profile.classes[places] != predicted)
        if len(changed):
            yield _bracket(profile, profile.steps, value, direction, places, int(changed[0]))


def _bracket(
    profile: Profile, steps: Steps, value: float, direction: int, places: NDArray[np.intp], first: int
) -> _Bracket:
    """Return all steps between the row's value, or the last one that keeps the class, and the first that changes it."""
    scale = 10.0**steps.decimals
    end = round(float(profile.values[places[first]]) * scale)
    near = float(profile.values[places[first - 1]]) if first else value
    low, high = steps.first, steps.last
    start = int(np.clip(round(near * scale), low, high))
    values = steps.values(np.arange(start, end + direction, direction, dtype=np.int64))
    values = values[direction * (values - near) > 0]
    return _Bracket(profile, values, direction, places[first + 1 :])


def _grid(feature: Feature, summary: FeatureSummary, count: int) -> tuple[Floats, Steps | None]:
    match feature.kind:
        case "boolean":
            return np.array([0.0, 1.0]), None
        case "category":
            return np.arange(float(min(len(feature.categories), count))), None
    steps = Steps.of(feature, summary)
    return (np.empty(0), None) if steps is None else (steps.values(steps.spread(count)), steps)


def _moved(row: Floats, index: int, values: Floats) -> Floats:
    """Return a row with each value of one feature in turn, of shape (values, features)."""
    rows = np.tile(row, (len(values), 1))
    rows[:, index] = values
    return rows
