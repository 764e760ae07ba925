"""The predictions for a batch of rows, as columns and as objects."""

from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from iris_app.exceptions import TooManyRows
from iris_app.json_types import JsonTypes, Prediction, PredictionWarning
from iris_app.model.explanations.explainer import Explainer
from iris_app.model.linear import argmax
from iris_app.model.manifest import Manifest
from iris_app.model.outlier_detection.detector import BLOCK_ROWS, OutlierDetector, Outliers
from iris_app.schema import Floats, Schema


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
    get_explainer : callable
        Returns the model's explainer, which is made when it is first needed.
    """

    manifest: Manifest
    rows: Floats
    probabilities: Floats
    detector: OutlierDetector
    get_explainer: Callable[[], Explainer]

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def schema(self) -> Schema:
        """The schema of the model."""
        return self.manifest.schema

    @cached_property
    def classes(self) -> NDArray[np.int16]:
        """The index of each row's predicted class, of shape (n,)."""
        threshold = self.manifest.threshold
        if threshold is None:
            return argmax(self.probabilities)
        above: NDArray[np.int16] = (self.probabilities[1] >= threshold).astype(np.int16)
        return above

    @cached_property
    def outliers(self) -> Outliers:
        """The rows that are unlike those of the training."""
        return self.detector.find(self.rows)

    def labels(self) -> list[str]:
        """Return the name of each row's class."""
        labels: list[str] = self.schema.derive(_name_array)[self.classes].tolist()
        return labels

    def class_counts(self) -> dict[str, int]:
        """Count the rows of each class."""
        counts = np.bincount(self.classes, minlength=len(self.schema.classes)).tolist()
        return dict(zip(self.schema.class_names, counts, strict=True))

    def warning_counts(self) -> Counter[str]:
        """Count the warnings by their codes."""
        return self.outliers.warning_counts()

    def least_sure(self, count: int) -> NDArray[np.int64]:
        """Return the indices of the rows whose classes have the lowest probabilities, the lowest first."""
        sureness = self.probabilities[self.classes, np.arange(len(self))]
        return np.argsort(sureness, kind="stable")[:count]

    def take(self, indices: NDArray[np.int64]) -> "PredictionBatch":
        """Return the predictions for some of the rows."""
        rows, probabilities = self.rows[indices], self.probabilities[:, indices]
        return PredictionBatch(self.manifest, rows, probabilities, self.detector, self.get_explainer)

    def to_predictions(self, *, explain: bool = False) -> Iterator[list[Prediction]]:
        """Yield the predictions in blocks, so that not all objects exist at once."""
        explainer = self._find_explainer() if explain else None
        types, names = self.schema.derive(JsonTypes), self.schema.derive(_name_array)
        for start in range(0, len(self), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            rows, outliers = self.rows[block], self.outliers.between(start, start + BLOCK_ROWS)
            warnings: list[tuple[PredictionWarning, ...]] = [()] * len(rows)
            for row, found in self.detector.warnings(rows, outliers):
                warnings[row] = found
            classes = self.classes[block]
            columns = self.probabilities[:, block]
            probabilities = map(types.Probabilities, *columns.tolist())
            explanations = [explainer.explain(rows, classes, columns)] if explainer else []
            yield list(map(types.Prediction, names[classes].tolist(), probabilities, warnings, *explanations))

    def _find_explainer(self) -> Explainer:
        """Return the explainer, or raise ``TooManyRows`` if it takes fewer rows."""
        explainer = self.get_explainer()
        if explainer.max_rows is not None and len(self) > explainer.max_rows:
            raise TooManyRows(
                f"Explanations of this model take time: ask for those of {explainer.max_rows} rows at most, "
                f"not of {len(self):,}."
            )
        return explainer


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
            yield from super().to_predictions(explain=True)
        else:
            yield [self.prediction]


def _name_array(schema: Schema) -> NDArray[np.object_]:
    return np.array(schema.class_names, object)
