"""Questions to a fitted classifier: what it does with missing, unknown and extreme values."""

import warnings
from collections.abc import Sequence
from typing import Any

import numpy as np

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

    def take_missing(self, known: Sequence[bool]) -> list[bool]:
        """Check for each feature whether its value may be missing.

        Parameters
        ----------
        known : sequence of bool, one for each feature
            Whether the classifier knows its missing values; a category whose are not must not be taken for one that is
            unknown.
        """
        missing = self._try_each(range(len(known)), MISSING)
        doubtful = [
            index
            for index, feature in enumerate(self._features)
            if missing[index] is not None and feature.kind == "category" and not known[index]
        ]
        unknown = dict(zip(doubtful, self._try_each(doubtful, UNKNOWN), strict=True))
        return [
            answers is not None and not (index in unknown and _equal(answers, unknown[index]))
            for index, answers in enumerate(missing)
        ]

    def takes_all_missing(self, indices: Sequence[int]) -> bool:
        """Check whether the values of several features may be missing at once."""
        return self.predict_proba(self._with(list(indices), MISSING)) is not None

    def take_unknown(self, indices: Sequence[int]) -> set[int]:
        """Return those of some features of which a category that is not known is answered."""
        answers = self._try_each(indices, UNKNOWN)
        return {index for index, answer in zip(indices, answers, strict=True) if answer is not None}

    def has_effect(self, index: int) -> bool:
        """Check whether the probabilities change when the values of a feature trade places."""
        rolled, shuffled = self._rows.copy(), self._rows.copy()
        rolled[:, index] = np.roll(rolled[:, index], 1)
        shuffled[:, index] = np.random.default_rng(1).permutation(rolled[:, index])
        before, *after = self._answer_each([self._rows, rolled, shuffled])
        return before is None or any(not _equal(before, answers) for answers in after)

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
        answers = self._answer_each(np.split(self._extremes(sides, MAGNITUDES[-1]), len(sides))) if sides else []
        return [side for side, answer in zip(sides, answers, strict=True) if answer is None]

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

    def _try_each(self, indices: Sequence[int], value: float) -> list[Floats | None]:
        """Return the answers to rows in which one value is changed, for each of some features."""
        return self._answer_each([self._with(index, value) for index in indices])

    def _answer_each(self, blocks: Sequence[Floats]) -> list[Floats | None]:
        """Return the answers to each block of rows, asking for halves where some are refused."""
        if not blocks:
            return []
        answers = self.predict_proba(np.concatenate(blocks))
        if answers is not None:
            return list(np.split(answers, np.cumsum([len(block) for block in blocks])[:-1]))
        if len(blocks) == 1:
            return [None]
        half = len(blocks) // 2
        return self._answer_each(blocks[:half]) + self._answer_each(blocks[half:])


def _equal(answers: Floats, others: Floats | None) -> bool:
    """Check whether answers are the same, but for the last digits, in which an answer depends on the rows beside it."""
    return others is not None and np.allclose(answers, others, rtol=0, atol=1e-12)
