"""Explanations of predictions, in log-odds and in a sentence."""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from iris_app.json_types import Explanation, JsonTypes
from iris_app.model.explanations.additive import AdditiveExplainer
from iris_app.model.explanations.reasons import sentence
from iris_app.model.explanations.shapley import ShapleyExplainer, ShapleyValues
from iris_app.model.linear import Affine
from iris_app.model.manifest import Training
from iris_app.schema import Floats

# The rows of the training that others are compared with.
BACKGROUND_ROWS = 64

# The rows of one request that are explained where each takes about 50 ms.
MAX_ROWS = 100


class LinearExplainer:
    """Explain the predictions of a linear model against an average row.

    Parameters
    ----------
    weights : ndarray of shape (classes, features)
        The log-odds of each class for a unit of each feature.
    intercepts : ndarray of shape (classes,)
        In log-odds.
    average : ndarray of shape (features,)
        The mean of each feature in the training.
    """

    def __init__(self, weights: Floats, intercepts: Floats, average: Floats) -> None:
        self._weights = weights
        self._intercepts = intercepts
        self._average = average

    def explain(self, row: Floats, predicted: int, runner_up: int) -> ShapleyValues:
        """Explain the log-odds of a row's class against the runner-up; see ``ShapleyExplainer.explain``."""
        weights = self._weights[predicted] - self._weights[runner_up]
        average = float(weights @ self._average + self._intercepts[predicted] - self._intercepts[runner_up])
        values = weights * (row - self._average)
        return ShapleyValues(values, average, float(values.sum()) + average, 0.0)


class Explainer:
    """Explain the predictions of a model.

    Linear models are explained by their weights, others in which each feature has an effect of its own by these, and
    all others by Shapley values.

    Parameters
    ----------
    manifest : Training
    predict_proba : callable
        Takes rows of shape (n, features) and returns probabilities of shape (n, classes).
    linear : tuple of ndarray, optional
        The weights and intercepts of a linear model.

    Attributes
    ----------
    max_rows : int, optional
        The rows that are explained at once, if there is a limit.
    predicted_rows : int, optional
        The rows that are predicted for each explanation, if explaining is predicting.
    """

    def __init__(
        self, manifest: Training, predict_proba: Callable[[Floats], Floats], linear: Affine | None = None
    ) -> None:
        self._manifest = manifest
        self._types = manifest.schema.derive(JsonTypes)
        self._low, self._high = np.array(
            [(summary.minimum, summary.maximum) for summary in manifest.features], np.float64
        ).T
        self._numeric = np.array([feature.is_numeric for feature in manifest.schema.features])
        self._explainer = _make_explainer(manifest, predict_proba, linear)
        self.predicted_rows = self._explainer.max_rows if isinstance(self._explainer, ShapleyExplainer) else None
        self.max_rows = None if self.predicted_rows is None else MAX_ROWS

    def explain(self, rows: Floats, classes: NDArray[np.int16], probabilities: Floats) -> list[Explanation]:
        """Explain the class of each row against the runner-up.

        Parameters
        ----------
        rows : ndarray of shape (n, features)
        classes : ndarray of shape (n,)
            The indices of the predicted classes.
        probabilities : ndarray of shape (classes, n)
        """
        others = probabilities.copy()
        others[classes, np.arange(len(rows))] = -1
        return list(map(self._explain, rows, classes.tolist(), others.argmax(axis=0).tolist()))

    def _explain(self, row: Floats, predicted: int, runner_up: int) -> Explanation:
        schema = self._manifest.schema
        found = self._explainer.explain(row, predicted, runner_up)
        outside = np.flatnonzero(((row < self._low) | (row > self._high)) & self._numeric).tolist()
        explanation: Explanation = self._types.Explanation(
            schema.class_names[runner_up],
            found.log_odds,
            found.average,
            self._types.Contributions(*found.values.tolist()),
            sentence(schema, self._manifest.classes, row, found.values, predicted, runner_up, outside),
            found.error,
        )
        return explanation


def _make_explainer(
    manifest: Training, predict_proba: Callable[[Floats], Floats], linear: Affine | None
) -> LinearExplainer | AdditiveExplainer | ShapleyExplainer:
    if linear:
        return LinearExplainer(*linear, np.array([summary.mean for summary in manifest.features], np.float64))
    background = _background(manifest)
    additive = AdditiveExplainer(predict_proba, background)
    if additive.adds_up:
        return additive
    return ShapleyExplainer(predict_proba, background, max_rows=manifest.explanation_rows)


def _background(manifest: Training) -> Floats:
    """Return rows of the training, evenly spread, or the typical rows of the classes if none are kept."""
    rows, _ = manifest.training_array()
    if len(rows):
        return rows[np.linspace(0, len(rows) - 1, min(len(rows), BACKGROUND_ROWS)).astype(np.intp)]
    schema = manifest.schema
    return np.array([schema.encode(class_.typical) for class_ in schema.classes if class_.typical])
