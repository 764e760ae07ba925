"""The predictions for a batch of rows, as columns and as objects."""

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from itertools import repeat
from typing import Protocol

import msgspec
import numpy as np
from numpy.typing import NDArray

from iris_app.iris import SCHEMA
from iris_app.json_types import Explanation, Prediction, PredictionWarning, Probabilities
from iris_app.model.linear import argmax
from iris_app.model.manifest import Manifest
from iris_app.model.warnings import BLOCK_ROWS, OutlierDetector, Outliers
from iris_app.schema import Floats

_names = np.array(SCHEMA.class_names, object)


class Explain(Protocol):
    """A function that explains the predictions for an array of shape (n, features)."""

    def __call__(self, rows: Floats) -> Iterable[Explanation | None]:
        """Return an explanation for each row."""


@dataclass(frozen=True)
class PredictionBatch:
    """The predictions for n rows.

    Attributes
    ----------
    manifest : Manifest
        The manifest of the model that predicted them.
    rows : ndarray of shape (n, features), float64
    probabilities : ndarray of shape (classes, n), float64
    detector : OutlierDetector
    explain : callable
    """

    manifest: Manifest
    rows: Floats
    probabilities: Floats
    detector: OutlierDetector
    explain: Explain

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def classes(self) -> NDArray[np.int16]:
        """The index of each row's most probable class, of shape (n,)."""
        return argmax(self.probabilities)

    @cached_property
    def outliers(self) -> Outliers:
        """The rows that are unlike those of the training."""
        return self.detector.find(self.rows)

    def labels(self) -> list[str]:
        """Return the name of each row's class."""
        names: list[str] = _names[self.classes].tolist()
        return names

    def class_counts(self) -> dict[str, int]:
        """Count the rows of each class."""
        counts = np.bincount(self.classes, minlength=len(SCHEMA.classes)).tolist()
        return dict(zip(SCHEMA.class_names, counts, strict=True))

    def warning_counts(self) -> Counter[str]:
        """Count the warnings by their codes."""
        return self.outliers.warning_counts()

    def to_predictions(self, *, explain: bool = False) -> Iterator[list[Prediction]]:
        """Yield the predictions in blocks, so that not all objects exist at once."""
        warnings: list[tuple[PredictionWarning, ...]] = [()] * len(self)
        for row, found in self.detector.warnings(self.rows, self.outliers):
            warnings[row] = found
        for start in range(0, len(self), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            names = _names[self.classes[block]].tolist()
            probabilities = map(Probabilities, *self.probabilities[:, block].tolist())
            explanations = [self.explain(self.rows[block])] if explain else []
            yield list(map(Prediction, names, probabilities, warnings[block], *explanations))


@dataclass(frozen=True)
class SinglePrediction(PredictionBatch):
    """The prediction for one typical row, which is computed much faster.

    Its probabilities have the same bits as those of a batch.
    """

    prediction: Prediction

    def class_counts(self) -> dict[str, int]:
        """Return a count of one for the row's class."""
        return {self.prediction.predicted_class: 1}

    def warning_counts(self) -> Counter[str]:
        """Return no counts: a typical row has no warnings."""
        return Counter()

    def labels(self) -> list[str]:
        """Return the name of the row's class."""
        return [self.prediction.predicted_class]

    def to_predictions(self, *, explain: bool = False) -> Iterator[list[Prediction]]:
        """Yield the prediction."""
        if explain:
            (explanation,) = self.explain(self.rows)
            yield [msgspec.structs.replace(self.prediction, explanation=explanation)]
        else:
            yield [self.prediction]


def no_explanations(_rows: Floats) -> Iterable[Explanation | None]:
    """Return None for each row: the model cannot be explained."""
    return repeat(None)
