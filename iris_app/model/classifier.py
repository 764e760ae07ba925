"""The model in memory, and its predictions.

This module imports scikit-learn; ``iris_app.model_service`` imports it when a model is first needed.
"""

import logging
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from iris_app.json_types import JsonTypes
from iris_app.model import artifact
from iris_app.model.explanations.explainer import Explainer
from iris_app.model.inputs import PipelineInputs
from iris_app.model.linear import Affine, AffineMap, softmax, softmax_one
from iris_app.model.manifest import Manifest
from iris_app.model.outlier_detection.detector import OutlierDetector
from iris_app.model.predictions import PredictionBatch, SinglePrediction
from iris_app.schema import Floats

logger = logging.getLogger(__name__)

# The linear map and the pipeline round differently, by much less than this.
TOLERANCE = 1e-12


class Model:
    """A classifier, ready to predict.

    Parameters
    ----------
    classifier : scikit-learn classifier
        It takes what the manifest's ``inputs`` say, and predicts the classes of its schema.
    manifest : Manifest
        The description of the classifier and of its training.
    pairplot : bytes, optional
        The picture of the training's rows, as SVG.
    """

    def __init__(self, classifier: Any, manifest: Manifest, pairplot: bytes | None = None) -> None:
        self.manifest = manifest
        self.schema = manifest.schema
        self.pairplot = pairplot
        self.version = manifest.version
        self._classifier = classifier
        self._inputs = PipelineInputs(self.schema, manifest.inputs)
        self._detector = OutlierDetector(self.schema, manifest.features, manifest.distribution)
        linear = self._verify(extract_linear_map(classifier))
        self._linear = linear
        self._linear_map = AffineMap(*linear) if linear else None

    def predict(self, rows: Floats) -> PredictionBatch:
        """Predict the class of each row.

        Parameters
        ----------
        rows : ndarray of shape (n, features), float64
            The schema's features, in their order and units.
        """
        return self._predict_one(rows) or PredictionBatch(
            self.manifest, rows, self.predict_proba(rows).T, self._detector, lambda: self.explainer
        )

    def predict_proba(self, rows: Floats) -> Floats:
        """Return the probability of each class.

        A linear map gives a row the same bits alone and among others. Other classifiers may round differently with the
        number of rows.

        Parameters
        ----------
        rows : ndarray of shape (n, features), float64

        Returns
        -------
        ndarray of shape (n, classes), float64
        """
        if self._linear_map is not None:
            return softmax(self._linear_map.transform(np.ascontiguousarray(self._inputs.clip(rows).T))).T
        if not len(rows):  # scikit-learn's own classifiers refuse an empty array
            return np.empty((0, len(self.schema.classes)))
        probabilities: Floats = self._classifier.predict_proba(self._inputs.to_input(rows))
        return probabilities

    def _predict_one(self, rows: Floats) -> SinglePrediction | None:
        """Predict the class of a single typical row by the linear map, or return None."""
        if self._linear_map is None or len(rows) != 1 or self.manifest.threshold is not None:
            return None
        row = rows[0].tolist()
        probabilities = softmax_one(self._linear_map.transform_one(row))
        index = probabilities.index(max(probabilities))
        if not self._detector.is_typical(row, index):
            return None
        types = self.schema.derive(JsonTypes)
        prediction = types.Prediction(self.schema.class_names[index], types.Probabilities(*probabilities), ())
        columns = np.array([probabilities]).T
        return SinglePrediction(self.manifest, rows, columns, self._detector, lambda: self.explainer, prediction)

    @cached_property
    def explainer(self) -> Explainer:
        """The explainer of the predictions."""
        return Explainer(self.manifest, self.predict_proba, self._linear)

    def _verify(self, linear: Affine | None) -> Affine | None:
        """Return the linear map if it predicts as the classifier does, on golden rows and on random ones."""
        if linear is None or any(one.kind == "category" or one.optional for one in self.schema.features):
            return None
        rows = np.vstack([self._random_rows(100), self.manifest.golden_array()])
        probabilities = softmax(AffineMap(*linear).transform(rows.T)).T
        expected = self._classifier.predict_proba(self._inputs.to_input(rows))
        if probabilities.shape == expected.shape and np.allclose(probabilities, expected, rtol=0, atol=TOLERANCE):
            return linear
        logger.warning(
            "Model %s is not the linear map that it looks like; its pipeline predicts.", self.manifest.version
        )
        return None

    def _random_rows(self, count: int) -> Floats:
        """Return rows of accepted values, around the training's range."""
        ranges = [(summary.minimum or 0.0, summary.maximum or 0.0) for summary in self.manifest.features]
        low, high = np.array(ranges).T
        margin = 2 * (high - low) + 1
        rows = np.random.default_rng(0).uniform(low - margin, high + margin, (count, len(ranges)))
        limits = np.array([feature.limits for feature in self.schema.features]).T
        clipped: Floats = rows.clip(*limits)
        return clipped


def load(path: Path, pinned: str | None = None) -> Model:
    """Load the model at ``path``, whose sha256 must be ``pinned`` if that is given, or raise ``ModelUnavailable``."""
    return Model(*artifact.load(path, pinned))


def extract_linear_map(classifier: Any) -> Affine | None:
    """Fold a ``StandardScaler``, if there is one, and a ``LogisticRegression`` into one affine map.

    Return None if the classifier is anything else: a subclass may compute otherwise.

    Returns
    -------
    weights : ndarray of shape (classes, features)
        The log-odds of each class for a unit of each feature.
    intercepts : ndarray of shape (classes,)
        In log-odds. The softmax of ``weights @ x + intercepts`` is the classifier's ``predict_proba``.
    """
    steps = [step for _, step in classifier.steps] if type(classifier) is Pipeline else [classifier]
    if [type(step) for step in steps[-1:]] != [LogisticRegression]:
        return None
    scale: Any = 1.0
    mean: Any = 0.0
    if len(steps) > 1:
        if [type(step) for step in steps[:-1]] != [StandardScaler]:
            return None
        scale = steps[0].scale_ if steps[0].with_std else 1.0
        mean = steps[0].mean_ if steps[0].with_mean else 0.0
    weights = steps[-1].coef_ / scale
    intercepts = steps[-1].intercept_ - (weights * mean).sum(axis=1)
    if len(weights) == 1:  # of two classes, only the second has coefficients
        return np.vstack([np.zeros_like(weights), weights]), np.concatenate([[0.0], intercepts])
    return weights, intercepts
