"""Explanations of a linear model's predictions, in log-odds and in a sentence."""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from iris_app.formatting import format_number
from iris_app.json_types import Explanation, JsonTypes
from iris_app.model.manifest import Manifest
from iris_app.schema import Feature, Floats

Indices = NDArray[np.intp]

# Standard deviations of a class within which a value is typical of it, and beyond which it is far off.
USUAL, FAR = 2.0, 4.0


class Explainer:
    """Explain the predictions of one linear model.

    Parameters
    ----------
    weights : ndarray of shape (classes, features)
        The log-odds of each class for a unit of each feature.
    intercepts : ndarray of shape (classes,)
        In log-odds.
    manifest : Manifest
        The description of the training.
    """

    def __init__(self, weights: Floats, intercepts: Floats, manifest: Manifest) -> None:
        self._weights = weights
        self._intercepts = intercepts
        self._schema = manifest.schema
        self._types = manifest.schema.derive(JsonTypes)
        self._average = np.array([summary.mean for summary in manifest.features], np.float64)
        self._means = np.array([summary.means for summary in manifest.classes], np.float64)
        self._spreads = np.array([summary.deviations for summary in manifest.classes], np.float64)

    def explain(self, rows: Floats, scores: Floats) -> Iterator[Explanation]:
        """Explain the class of each row against the runner-up.

        Parameters
        ----------
        rows : ndarray of shape (n, features)
            In the features' units.
        scores : ndarray of shape (n, classes)
            The log-odds of the model.
        """
        runners_up, classes = np.argsort(scores, axis=1)[:, -2:].T
        weights = self._weights[classes] - self._weights[runners_up]
        average = weights @ self._average + self._intercepts[classes] - self._intercepts[runners_up]
        contributions = weights * (rows - self._average)
        log_odds = contributions.sum(axis=1) + average
        for row, index in enumerate(classes.tolist()):
            runner_up = int(runners_up[row])
            yield self._types.Explanation(
                self._schema.class_names[runner_up],
                float(log_odds[row]),
                float(average[row]),
                self._types.Contributions(*contributions[row].tolist()),
                self._sentence(rows[row], contributions[row], index, runner_up),
            )

    def _sentence(self, row: Floats, contributions: Floats, predicted: int, runner_up: int) -> str:
        """Describe the largest contribution among the values that are nearer to the class than to the runner-up."""
        own, other = ((row - self._means[index]) / self._spreads[index] for index in (predicted, runner_up))
        candidates = np.flatnonzero((contributions > 0) & (abs(own) < abs(other)))
        if not len(candidates):
            return f"No value alone speaks for {self._schema.class_names[predicted]}; all of them together do."
        best = int(candidates[contributions[candidates].argmax()])
        feature = self._schema.features[best]
        name, next_name = self._schema.class_names[predicted], self._schema.class_names[runner_up]
        fit, next_fit = _fit(own[best], feature), _fit(other[best], feature)
        how = f"{fit} for {name}, {next_fit} for {next_name}"
        if fit == next_fit:
            mean, next_mean = (f"{self._means[index, best]:.1f} {feature.unit}" for index in (predicted, runner_up))
            how = f"nearer to the {mean} that are usual for {name} than to {next_name}'s {next_mean}"
        return (
            f"Mostly because of the {feature.label.lower()}, {format_number(float(row[best]))} {feature.unit}: {how}."
        )


def _fit(deviation: float, feature: Feature) -> str:
    """Describe the distance of a value from a class's mean, in standard deviations."""
    if abs(deviation) <= USUAL:
        return "typical"
    off = feature.less if deviation < 0 else feature.more
    return f"{'far ' if abs(deviation) > FAR else ''}too {off}"
