"""The answers of a classifier to rows, as they will be served."""

import warnings
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV

from iris_app.model.inputs import Inputs, PipelineInputs
from iris_app.packaging.inference.pipelines import unwrap
from iris_app.schema import Floats, Schema

Classes: TypeAlias = NDArray[np.intp]


class Answers:
    """Predict rows by a classifier.

    Parameters
    ----------
    classifier : scikit-learn classifier
    schema : Schema
    inputs : Inputs
    """

    def __init__(self, classifier: Any, schema: Schema, inputs: Inputs) -> None:
        self.threshold = find_threshold(classifier)
        self._classifier = classifier
        self._inputs = PipelineInputs(schema, inputs)

    def predict_proba(self, rows: Floats) -> Floats:
        """Return the probability of each class, of shape (n, classes)."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of unknown categories
            probabilities: Floats = np.asarray(self._classifier.predict_proba(self._inputs.to_input(rows)), np.float64)
        return probabilities

    def predict(self, rows: Floats) -> Classes:
        """Return the index of each row's class, of shape (n,)."""
        return self.choose(self.predict_proba(rows))

    def choose(self, probabilities: Floats) -> Classes:
        """Return the index of the class that probabilities stand for."""
        if self.threshold is None:
            classes: Classes = probabilities.argmax(axis=1)
            return classes
        return (probabilities[:, 1] >= self.threshold).astype(np.intp)

    def count_differences(self, rows: Floats) -> int:
        """Count the rows for which the classifier itself predicts another class."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            predicted = self._classifier.predict(self._inputs.to_input(rows))
        return int((self._classifier.classes_[self.predict(rows)] != predicted).sum())


def find_threshold(classifier: Any) -> float | None:
    """Return the probability of the second class from which it is predicted; None if the likelier one always is."""
    for estimator in unwrap(classifier):
        if isinstance(estimator, FixedThresholdClassifier | TunedThresholdClassifierCV):
            return _threshold_of(estimator)
    return None


def _threshold_of(estimator: Any) -> float | None:
    threshold = getattr(estimator, "best_threshold_", None)
    if threshold is None:
        threshold = 0.5 if estimator.threshold == "auto" else estimator.threshold
    if estimator.response_method == "decision_function":
        return None
    if getattr(estimator, "pos_label", None) == estimator.classes_[0]:
        return float(np.nextafter(1 - threshold, 2))
    return float(threshold)
