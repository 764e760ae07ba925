"""The model in memory, and its predictions.

This module imports scikit-learn; ``iris_app.model_service`` imports it when a model is first needed.
"""

import logging
import warnings
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from iris_app.json_types import JsonTypes
from iris_app.model import artifact
from iris_app.model.compiled import CompiledClassifier
from iris_app.model.compiled.tracing import NotCompilable
from iris_app.model.compiled.verification import find_difference
from iris_app.model.explanations.explainer import Explainer
from iris_app.model.inputs import PipelineInputs
from iris_app.model.linear import Affine
from iris_app.model.manifest import Manifest
from iris_app.model.outlier_detection.detector import OutlierDetector
from iris_app.model.predictions import PredictionBatch, SinglePrediction
from iris_app.schema import Floats

logger = logging.getLogger(__name__)


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

    Attributes
    ----------
    linear : tuple of ndarray, optional
        The weights and intercepts of a model that is an affine map of numbers to log-odds.
    """

    def __init__(self, classifier: Any, manifest: Manifest, pairplot: bytes | None = None) -> None:
        self.manifest = manifest
        self.schema = manifest.schema
        self.pairplot = pairplot
        self.version = manifest.version
        self._classifier = classifier
        self._inputs = PipelineInputs(self.schema, manifest.inputs)
        self.detector = OutlierDetector(self.schema, manifest.features, manifest.distribution)
        self._compiled = self._compile()
        self.linear: Affine | None = self._compiled.affine if self._compiled else None

    def predict(self, rows: Floats) -> PredictionBatch:
        """Predict the class of each row.

        Parameters
        ----------
        rows : ndarray of shape (n, features), float64
            The schema's features, in their order and units.
        """
        if self._compiled is not None and len(rows) == 1:
            return self._predict_one(rows, self._compiled.predict_one(self._inputs.clip(rows)))
        return PredictionBatch(self.manifest, rows, self.predict_proba(rows).T, self.detector, lambda: self.explainer)

    def predict_proba(self, rows: Floats) -> Floats:
        """Return the probability of each class.

        A compiled classifier gives a row the same bits alone and among others. Pipelines may round differently with
        the number of rows.

        Parameters
        ----------
        rows : ndarray of shape (n, features), float64

        Returns
        -------
        ndarray of shape (n, classes), float64
        """
        if not len(rows):  # scikit-learn's own classifiers refuse an empty array
            return np.empty((0, len(self.schema.classes)))
        if self._compiled is not None:
            return self._compiled.predict_proba(self._inputs.clip(rows))
        probabilities: Floats = self._classifier.predict_proba(self._inputs.to_input(rows))
        return probabilities

    def _predict_one(self, rows: Floats, probabilities: list[float]) -> PredictionBatch:
        """Return the prediction for one row, which is made faster if it is typical."""
        columns = np.array([probabilities]).T
        index = probabilities.index(max(probabilities))
        parts = self.manifest, rows, columns, self.detector, lambda: self.explainer
        if self.manifest.threshold is not None or not self.detector.is_typical(rows[0].tolist(), index):
            return PredictionBatch(*parts)
        types = self.schema.derive(JsonTypes)
        prediction = types.Prediction(self.schema.class_names[index], types.Probabilities(*probabilities), ())
        return SinglePrediction(*parts, prediction)

    @cached_property
    def explainer(self) -> Explainer:
        """The explainer of the predictions."""
        return Explainer(self.manifest, self.predict_proba, self.linear)

    @property
    def path_name(self) -> str:
        """The name of the path that predicts: ``compiled`` or ``pipeline``."""
        return "compiled" if self._compiled else "pipeline"

    def _compile(self) -> CompiledClassifier | None:
        """Return the compiled classifier, if it answers as the pipeline does."""
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of unknown categories, for one
                compiled = CompiledClassifier(self._classifier, self.schema, self.manifest.inputs)
                difference = find_difference(compiled, self._classifier, self.manifest)
        except NotCompilable as reason:
            logger.info("The pipeline of model %s predicts itself: %s is not compiled.", self.version, reason)
            return None
        except Exception as error:  # foreign code may raise any
            difference = f"it fails: {error!r}"
        if difference is None:
            return compiled
        logger.warning("The pipeline of model %s predicts itself: compiled, %s.", self.version, difference)
        return None


def load(path: Path, pinned: str | None = None) -> Model:
    """Load the model at ``path``, whose sha256 must be ``pinned`` if that is given, or raise ``ModelUnavailable``."""
    return Model(*artifact.load(path, pinned))
