"""Questions to a fitted classifier: what it does with missing, unknown and extreme values."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from iris_app.formatting import MAX_FLOAT
from iris_app.model.inputs import PipelineInputs
from iris_app.schema import MISSING, UNKNOWN, Feature, Floats

# Magnitudes of numbers, the largest first; trees take single precision, others overflow when they square or add.
MAGNITUDES = (MAX_FLOAT, 1e100, 1e38, 1e18, 1e9)

# Rows in which a value is changed to see what comes of it.
ROWS = 20
EFFECT_ROWS = 200
CORNERS = 8


class Probe:
    """Ask a classifier by changing values of rows that it is known to answer.

    Parameters
    ----------
    classifier : scikit-learn classifier
    inputs : PipelineInputs
    features : sequence of Feature
    rows : ndarray of shape (n, features)
        Rows of the training.
    """

    def __init__(self, classifier: Any, inputs: PipelineInputs, features: Sequence[Feature], rows: Floats) -> None:
        self._classifier = classifier
        self._inputs = inputs
        self._features = features
        self._rows = rows[np.random.default_rng(0).permutation(len(rows))[:EFFECT_ROWS]]
        self._few = self._rows[:ROWS]

    def predict_proba(self, rows: Floats) -> Floats | None:
        """Return the probabilities of rows, or None if the classifier refuses them."""
        try:
            with warnings.catch_warnings(), np.errstate(all="ignore"):
                warnings.simplefilter("ignore")
                probabilities: Floats = np.asarray(self._classifier.predict_proba(self._inputs.to_input(rows)), float)
        except Exception:
            return None
        return probabilities if np.isfinite(probabilities).all() else None

    def takes_missing(self, index: int, *, seen: bool) -> bool:
        """Check whether a value may be missing; one that was never ``seen`` so must not be taken for an unknown one."""
        answers = self.predict_proba(self._with(index, MISSING))
        if answers is None or seen or self._features[index].kind != "category":
            return answers is not None
        unknown = self.predict_proba(self._with(index, UNKNOWN))
        return unknown is None or not np.array_equal(answers, unknown)

    def takes_all_missing(self, indices: Sequence[int]) -> bool:
        """Check whether the values of several features may be missing at once."""
        return self.predict_proba(self._with(list(indices), MISSING)) is not None

    def takes_unknown(self, index: int) -> bool:
        """Check whether a category that is not known is answered."""
        return self.predict_proba(self._with(index, UNKNOWN)) is not None

    def has_effect(self, index: int) -> bool:
        """Check whether the probabilities change when the values of a feature trade places."""
        rows = self._rows.copy()
        rows[:, index] = np.roll(rows[:, index], 1)
        shuffled = self._rows.copy()
        shuffled[:, index] = np.random.default_rng(1).permutation(rows[:, index])
        before = self.predict_proba(self._rows)
        return before is None or any(not _equal(before, self.predict_proba(changed)) for changed in (rows, shuffled))

    def find_limit(self, bounded: Sequence[tuple[int, int]]) -> float | None:
        """Return the largest magnitude at which all numbers are answered, or None if all are.

        Parameters
        ----------
        bounded : sequence of (int, int)
            Features and signs that are left out, since they have bounds of their own.
        """
        sides = [side for side in self._sides() if side not in bounded]
        for magnitude in MAGNITUDES:
            rows = np.vstack([self._extremes(sides, magnitude), self._corners(sides, magnitude)])
            if self.predict_proba(rows) is not None:
                return None if magnitude == MAX_FLOAT else magnitude
        return MAGNITUDES[-1]

    def refused_sides(self) -> list[tuple[int, int]]:
        """Return the features, and the signs, of which large numbers are refused."""
        sides = self._sides()
        answered = self._answered(self._extremes(sides, MAGNITUDES[-1]))
        return [side for side, is_answered in zip(sides, answered, strict=True) if not is_answered]

    def answers(self, index: int, value: float) -> bool:
        """Check whether rows with a value of a feature are answered."""
        return self.predict_proba(self._with(index, value)) is not None

    def _with(self, index: int | list[int], value: float) -> Floats:
        rows = self._few.copy()
        rows[:, index] = value
        return rows

    def _sides(self) -> list[tuple[int, int]]:
        return [(index, sign) for index, feature in enumerate(self._features) if feature.is_numeric for sign in (-1, 1)]

    def _extremes(self, sides: Sequence[tuple[int, int]], magnitude: float) -> Floats:
        """Return a row for each side, in which one value is extreme."""
        rows = np.repeat(self._few[:1], len(sides), axis=0)
        for row, (index, sign) in zip(rows, sides, strict=True):
            row[index] = sign * magnitude
        return rows

    def _corners(self, sides: Sequence[tuple[int, int]], magnitude: float) -> Floats:
        """Return rows in which all values are extreme, with signs by chance."""
        rows = np.repeat(self._few[:1], CORNERS, axis=0)
        random = np.random.default_rng(2)
        for row in rows:
            for index, sign in random.permutation(sides):
                row[int(index)] = sign * magnitude
        return rows

    def _answered(self, rows: Floats) -> NDArray[np.bool_]:
        """Return whether each row is answered, asking for halves where a batch is refused."""
        if not len(rows) or self.predict_proba(rows) is not None:
            return np.ones(len(rows), bool)
        if len(rows) == 1:
            return np.zeros(1, bool)
        half = len(rows) // 2
        return np.concatenate([self._answered(rows[:half]), self._answered(rows[half:])])


def _equal(before: Floats, after: Floats | None) -> bool:
    return after is not None and np.array_equal(before, after)
