"""The effect on a prediction of numbers that are read a little wrong."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from iris_app.model.explanations.profiles import MAX_ROWS, Predict
from iris_app.model.manifest import Training
from iris_app.schema import Floats

# The parts of an error that are added to a number, one after the other.
PARTS = (-1.0, -0.5, 0.5, 1.0)


@dataclass(frozen=True, slots=True)
class Misreading:
    """The predictions for a row with one number that is wrong by up to ``error``.

    Attributes
    ----------
    index : int
        The index of the feature.
    error : float
        The largest error, in the unit of the feature.
    lowest, highest : float
        The probabilities between which that of the row's class is.
    changes_class : bool
        Whether another class is predicted for some error.
    """

    index: int
    error: float
    lowest: float
    highest: float
    changes_class: bool

    @property
    def span(self) -> float:
        """The difference between the probabilities."""
        return self.highest - self.lowest


def find_misreadings(
    training: Training, row: Floats, errors: Mapping[int, float], predict: Predict
) -> list[Misreading]:
    """Return the effect of each error; of very many, of the first ones. None leaves the bounds of its feature.

    Parameters
    ----------
    training : Training
    row : ndarray of shape (features,)
    errors : mapping of int to float
        The largest errors, by the indices of the features.
    predict : callable
        Takes rows of shape (n, features); it is called once at most.
    """
    budget = min(MAX_ROWS, training.explanation_rows or MAX_ROWS)
    known = [index for index in errors if np.isfinite(row[index])][: budget // len(PARTS)]
    if not known:
        return []
    rows = np.repeat(row[None], len(known) * len(PARTS) + 1, axis=0)
    for place, index in enumerate(known):
        wrong = row[index] + errors[index] * np.array(PARTS)
        rows[1 + place * len(PARTS) :][: len(PARTS), index] = np.clip(wrong, *training.schema.features[index].limits)
    batch = predict(rows)
    predicted = int(batch.classes[0])
    probabilities = batch.probabilities[predicted, 1:].reshape(-1, len(PARTS))
    others = (batch.classes[1:] != predicted).reshape(-1, len(PARTS))
    own = batch.probabilities[predicted, 0]
    return [
        Misreading(
            index, errors[index], min(own, *found.tolist()), max(own, *found.tolist()), changes_class=bool(other.any())
        )
        for index, found, other in zip(known, probabilities, others, strict=True)
    ]
