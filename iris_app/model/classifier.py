"""The model in memory, and its predictions.

This module imports scikit-learn; ``iris_app.model_service`` imports it when a model is first needed.
"""

import logging
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from iris_app.iris import SCHEMA
from iris_app.json_types import Explanation, Prediction, Probabilities
from iris_app.model import artifact
from iris_app.model.explanation import Explainer
from iris_app.model.linear import Affine, AffineMap, softmax, softmax_one
from iris_app.model.manifest import Manifest
from iris_app.model.predictions import PredictionBatch, SinglePrediction, no_explanations
from iris_app.model.warnings import OutlierDetector
from iris_app.schema import Floats

logger = logging.getLogger(__name__)

# The linear map and the pipeline round differently, by much less than this.
TOLERANCE = 1e-12


class Model:
    """A classifier, ready to predict.

    Parameters
    ----------
    classifier : scikit-learn classifier
        Takes the schema's features and predicts the indices of its classes.
    manifest : Manifest
        The description of the classifier and of its training.
    pairplot : bytes, optional
        The picture of the training's rows, as SVG.
    """

    def __init__(self, classifier: Any, manifest: Manifest, pairplot: bytes | None = None) -> None:
        self.manifest = manifest
        self.pairplot = pairplot
        self.version = manifest.version
        self._classifier = classifier
        self._detector = OutlierDetector(manifest)
        linear = _verify_linear_map(extract_linear_map(classifier), classifier, manifest)
        self._linear_map = AffineMap(*linear) if linear else None
        self._explainer = Explainer(*linear, manifest) if linear else None

    def predict(self, rows: Floats) -> PredictionBatch:
        """Predict the class of each row.

        Parameters
        ----------
        rows : ndarray of shape (n, features), float64
            The schema's features, in their order and units.
        """
        return self._predict_one(rows) or PredictionBatch(
            self.manifest, rows, self.predict_proba(rows).T, self._detector, self._explain
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
            return softmax(self._linear_map.transform(np.ascontiguousarray(rows.T))).T
        if not len(rows):  # scikit-learn's own classifiers refuse an empty array
            return np.empty((0, len(SCHEMA.classes)))
        probabilities: Floats = self._classifier.predict_proba(rows)
        return probabilities

    def _predict_one(self, rows: Floats) -> SinglePrediction | None:
        """Predict the class of a single typical row by the linear map, or return None."""
        if self._linear_map is None or len(rows) != 1:
            return None
        row = rows[0].tolist()
        probabilities = softmax_one(self._linear_map.transform_one(row))
        index = probabilities.index(max(probabilities))
        if not self._detector.is_typical(row, index):
            return None
        prediction = Prediction(SCHEMA.class_names[index], Probabilities(*probabilities), ())
        columns = np.array([probabilities]).T
        return SinglePrediction(self.manifest, rows, columns, self._detector, self._explain, prediction)

    def _explain(self, rows: Floats) -> Iterable[Explanation | None]:
        """Explain the prediction for each row, or yield None for each if the model cannot be explained."""
        if self._linear_map is None or self._explainer is None:
            return no_explanations(rows)
        return self._explainer.explain(rows, self._linear_map.transform(np.ascontiguousarray(rows.T)).T)


def load(path: Path, pinned: str | None = None) -> Model:
    """Load the model at ``path``, whose sha256 must be ``pinned`` if that is given, or raise ``ModelUnavailable``."""
    return Model(*artifact.load(path, pinned))


def extract_linear_map(classifier: Any) -> Affine | None:
    """Fold a ``StandardScaler`` and a multinomial ``LogisticRegression`` into one affine map.

    Return None if the classifier is anything else: a subclass may compute otherwise.

    Returns
    -------
    weights : ndarray of shape (classes, features)
        The log-odds of each class for a unit of each feature.
    intercepts : ndarray of shape (classes,)
        In log-odds. The softmax of ``weights @ x + intercepts`` is the classifier's ``predict_proba``.
    """
    steps = [step for _, step in classifier.steps] if type(classifier) is Pipeline else []
    if [type(step) for step in steps] != [StandardScaler, LogisticRegression]:
        return None
    scaler, regression = steps
    scale = scaler.scale_ if scaler.with_std else 1.0
    mean = scaler.mean_ if scaler.with_mean else 0.0
    weights = regression.coef_ / scale
    return weights, regression.intercept_ - (weights * mean).sum(axis=1)


def _verify_linear_map(linear: Affine | None, classifier: Any, manifest: Manifest) -> Affine | None:
    """Return the linear map if it predicts as the classifier does, on golden rows and on random ones."""
    if linear is None:
        return None
    above, at_most = np.array([(feature.above, feature.at_most) for feature in SCHEMA.features]).T
    random_rows = np.random.default_rng(0).uniform(above, at_most, (100, len(SCHEMA.features)))
    rows = np.vstack([random_rows, [row.measurement for row in manifest.golden_rows]])
    probabilities = softmax(AffineMap(*linear).transform(rows.T)).T
    if np.allclose(probabilities, classifier.predict_proba(rows), rtol=0, atol=TOLERANCE):
        return linear
    logger.warning("Model %s is not the linear map that it looks like; its pipeline predicts.", manifest.version)
    return None
