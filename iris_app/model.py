"""A model that was loaded and verified, and how it answers.

This module imports scikit-learn; ``iris_app.model_service`` imports it when a model is first asked for.
"""

import logging
from collections.abc import Iterable, Iterator
from itertools import combinations, repeat
from pathlib import Path
from typing import Any

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from iris_app import artifact
from iris_app.explanation import Explainer
from iris_app.iris import FEATURES, SPECIES, SPECIES_NAMES, Caution, Explanation, Prediction, Probabilities, number
from iris_app.manifest import Manifest

logger = logging.getLogger(__name__)

Floats = NDArray[np.float64]
Affine = tuple[Floats, Floats]

# The folded map and the pipeline round differently; this is far above what that can make, far below what matters.
TOLERANCE = 1e-12

UNLIKE_TRAINING = Caution(
    "unlike_training",
    "Each value is within what the model was trained on, but no flower there combined them like this.",
)


MAYBE_SWAPPED = {
    (one, other): Caution(
        "maybe_swapped",
        f"With {FEATURES[one].label.lower()} and {FEATURES[other].label.lower()} swapped it would be a usual flower.",
    )
    for one, other in combinations(range(len(FEATURES)), 2)
}


class Model:
    """A classifier, ready to answer.

    Parameters
    ----------
    classifier : scikit-learn classifier
        Takes ``FEATURES`` and predicts indices into ``SPECIES``.
    manifest : Manifest
        What the classifier is, and what it was trained on.
    pairplot : bytes, optional
        The picture of that data, as SVG.
    """

    def __init__(self, classifier: Any, manifest: Manifest, pairplot: bytes | None = None) -> None:
        self.manifest = manifest
        self.pairplot = pairplot
        self.version = manifest.version
        self._classifier = classifier
        self._folded = _verified(fold(classifier), classifier, manifest)
        self._explain = Explainer(*self._folded, manifest).explain if self._folded else None
        self._minimum = np.array([[summary.minimum] for summary in manifest.features])
        self._maximum = np.array([[summary.maximum] for summary in manifest.features])
        whitening = np.array([summary.whitening for summary in manifest.species])
        centres = np.array([summary.mean for summary in manifest.species])
        self._whitening: Affine = (
            whitening.reshape(-1, len(FEATURES)),
            -np.einsum("sij,sj->si", whitening, centres).ravel(),
        )
        self._farthest_square = (manifest.farthest_distance * (1 + TOLERANCE)) ** 2

    def classify(self, measurements: Floats, *, explain: bool = False) -> list[Prediction]:
        """Classify flowers, each by itself.

        Parameters
        ----------
        measurements : ndarray of shape (n, 4), float64
            A row a flower: ``FEATURES`` in their order and units.
        explain : bool
            Whether to say why each flower is of its species.

        Returns
        -------
        list of Prediction, of length n
            The species, the probability of each species, and what makes the flower unlike those of the training.
        """
        probabilities = self.predict_proba(measurements).T
        species = map(SPECIES_NAMES.__getitem__, probabilities.argmax(axis=0).tolist())
        warnings: list[tuple[Caution, ...]] = [()] * len(measurements)
        for row, cautions in self._doubts(np.ascontiguousarray(measurements.T)):
            warnings[row] = cautions
        explanations = self._explanations(measurements) if explain else repeat(UNSET)
        return list(map(Prediction, species, map(Probabilities, *probabilities.tolist()), warnings, explanations))

    def predict_proba(self, measurements: Floats) -> Floats:
        """Return the probability of each species.

        A flower gets the same bits alone and among others where the classifier folds; where it does not, its own
        ``predict_proba`` decides, and many round differently with the number of rows.

        Parameters
        ----------
        measurements : ndarray of shape (n, 4), float64
            A row a flower: ``FEATURES`` in their order and units.

        Returns
        -------
        ndarray of shape (n, species), float64
        """
        if self._folded is not None:
            return _softmax(_affine(self._folded, np.ascontiguousarray(measurements.T))).T
        if not len(measurements):  # scikit-learn's own classifiers refuse an empty array
            return np.empty((0, len(SPECIES)))
        probabilities: Floats = self._classifier.predict_proba(measurements)
        return probabilities

    def _explanations(self, measurements: Floats) -> Iterable[Explanation | None]:
        """Return why each flower is of its species, or None where the classifier has no such reading."""
        if self._folded is None or self._explain is None:
            return repeat(None)
        scores = _affine(self._folded, np.ascontiguousarray(measurements.T)).T
        return list(self._explain(measurements, scores))

    def _doubts(self, columns: Floats) -> Iterator[tuple[int, tuple[Caution, ...]]]:
        """Yield the number of each row that is unlike the training, and why it is."""
        outside, far = self._unlike(columns)
        rows = np.flatnonzero(far | outside.any(axis=0))
        if not len(rows):
            return
        for row, swap in zip(rows.tolist(), self._swaps(columns[:, rows]), strict=True):
            beyond = np.flatnonzero(outside[:, row]).tolist()
            cautions = [self._out_of_range(index, float(columns[index, row])) for index in beyond] or [UNLIKE_TRAINING]
            yield row, (*cautions, *swap)

    def _unlike(self, columns: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Say which values lie outside the training's range, and which flowers are unlike all of the training's.

        These are farther, by Mahalanobis distance, from every species than any flower of the training was.
        """
        outside = (columns < self._minimum) | (columns > self._maximum)
        whitened = _affine(self._whitening, columns)
        squares = _sum((whitened * whitened).reshape(len(SPECIES), len(FEATURES), -1).swapaxes(0, 1))
        return outside, squares.min(axis=0) > self._farthest_square

    def _swaps(self, columns: Floats) -> list[tuple[Caution, ...]]:
        """Suggest, for each unusual flower, the first two values by whose swapping it would be usual."""
        swaps: list[tuple[Caution, ...]] = [()] * columns.shape[1]
        for pair in reversed(list(combinations(range(len(FEATURES)), 2))):
            swapped = columns.copy()
            swapped[list(pair)] = columns[list(reversed(pair))]
            outside, far = self._unlike(swapped)
            for row in np.flatnonzero(~(far | outside.any(axis=0))).tolist():
                swaps[row] = (MAYBE_SWAPPED[pair],)
        return swaps

    def _out_of_range(self, index: int, value: float) -> Caution:
        feature, seen = FEATURES[index], self.manifest.features[index]
        return Caution(
            "out_of_range",
            f"{feature.label} {number(value)} {feature.unit} is outside what the model was trained on: "
            f"{number(seen.minimum)} to {number(seen.maximum)} {feature.unit}.",
            feature.name,
        )


def load(path: Path, pinned: str | None = None) -> Model:
    """Load the model whose artifact lies at ``path``, with the ``pinned`` sha256, or raise ``ModelUnavailable``."""
    return Model(*artifact.load(path, pinned))


def fold(classifier: Any) -> Affine | None:
    """Read a ``StandardScaler`` and a multinomial ``LogisticRegression`` as the one affine map that they are together.

    Returns
    -------
    weights : ndarray of shape (classes, features)
        What a unit of each feature adds to each class's log-odds.
    intercepts : ndarray of shape (classes,)
        In log-odds. The softmax of ``weights @ x + intercepts`` is the classifier's ``predict_proba``.

    None in place of both where the classifier is anything else: a subclass may compute as it likes.
    """
    steps = [step for _, step in classifier.steps] if type(classifier) is Pipeline else []
    if [type(step) for step in steps] != [StandardScaler, LogisticRegression]:
        return None
    scaler, regression = steps
    scale = scaler.scale_ if scaler.with_std else 1.0
    mean = scaler.mean_ if scaler.with_mean else 0.0
    weights = regression.coef_ / scale
    return weights, regression.intercept_ - (weights * mean).sum(axis=1)


def _verified(folded: Affine | None, classifier: Any, manifest: Manifest) -> Affine | None:
    """Keep the folded map only where it answers as the classifier does, near the training and far from it."""
    if folded is None:
        return None
    above, at_most = np.array([(feature.above, feature.at_most) for feature in FEATURES]).T
    anywhere = np.random.default_rng(0).uniform(above, at_most, (100, len(FEATURES)))
    rows = np.vstack([anywhere, [row.measurement for row in manifest.golden_rows]])
    if np.allclose(_softmax(_affine(folded, rows.T)).T, classifier.predict_proba(rows), rtol=0, atol=TOLERANCE):
        return folded
    logger.warning("Model %s does not fold; it answers by its own predict_proba, slower.", manifest.version)
    return None


def _affine(folded: Affine, columns: Floats) -> Floats:
    """Apply an affine map to columns of shape (features, n).

    Sums in one fixed order, where a matrix product would choose one by the number of rows and change the last bits.
    """
    weights, intercepts = folded
    return _sum(weights.T[:, :, None] * columns[:, None, :]) + intercepts[:, None]


def _softmax(scores: Floats) -> Floats:
    """Turn log-odds of shape (species, n) into probabilities."""
    odds = np.exp(scores - scores.max(axis=0))
    probabilities: Floats = odds / _sum(odds)
    return probabilities


def _sum(terms: Floats) -> Floats:
    """Add along the first axis in its order, whatever the shape."""
    total: Floats = sum(terms[1:], start=terms[0])
    return total
