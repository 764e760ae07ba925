"""A model that was loaded and verified, and how it answers.

This module imports scikit-learn; ``iris_app.model_service`` imports it when a model is first asked for.
"""

import logging
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain, combinations, repeat
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from iris_app.formatting import format_number
from iris_app.iris import SCHEMA
from iris_app.json_types import Explanation, Prediction, PredictionWarning, Probabilities
from iris_app.model import artifact
from iris_app.model.explanation import Explainer
from iris_app.model.linear import Affine, Floats, Map, highest, softmax, softmax_one, total
from iris_app.model.manifest import Manifest

logger = logging.getLogger(__name__)

# The folded map and the pipeline round differently; this is far above what that can make, far below what matters.
TOLERANCE = 1e-12

NAMES = np.array(SCHEMA.class_names, object)

# How many flowers are weighed or put into words at once: what is made of so many fits into a processor's cache.
BLOCK = 4096

OUT_OF_RANGE = "out_of_range"

UNLIKE_TRAINING = PredictionWarning(
    "unlike_training",
    "Each value is within what the model was trained on, but no flower there combined them like this.",
)


# Two features each, whose values may have been swapped.
PAIRS = list(combinations(range(len(SCHEMA.features)), 2))

# Whose value each feature takes where a pair is swapped, of shape (features, pairs).
SWAPPED = np.array(
    [[{one: other, other: one}.get(at, at) for one, other in PAIRS] for at in range(len(SCHEMA.features))]
)

MAYBE_SWAPPED = [
    PredictionWarning(
        "maybe_swapped",
        f"With {SCHEMA.features[one].label.lower()} and {SCHEMA.features[other].label.lower()} swapped it would be a usual flower.",
    )
    for one, other in PAIRS
]


@dataclass(frozen=True, slots=True)
class PredictionBatch:
    """What a model finds of n flowers, by columns.

    Attributes
    ----------
    probabilities : ndarray of shape (species, n), float64
        A row a species.
    species : ndarray of shape (n,), int16
        The place in ``SCHEMA.classes`` of the most probable one.
    unusual : ndarray of shape (u,), int64
        The flowers that are unlike those of the training, by their places among the n.
    outside : ndarray of shape (features, u), bool
        Which of their values lie outside the training's range; where none does, it is the combination that is unlike.
    swaps : ndarray of shape (u,), int64
        The first of ``PAIRS`` by whose swapping each would be a usual flower, or -1.
    """

    probabilities: Floats
    species: NDArray[np.int16]
    unusual: NDArray[np.int64]
    outside: NDArray[np.bool_]
    swaps: NDArray[np.int64]

    def codes(self) -> Counter[str]:
        """Count the cautions that this is put into, by their codes."""
        beyond, alike = np.count_nonzero(self.outside), np.count_nonzero(~np.logical_or.reduce(self.outside))
        swapped = np.count_nonzero(self.swaps >= 0)
        return +Counter({OUT_OF_RANGE: beyond, UNLIKE_TRAINING.code: alike, MAYBE_SWAPPED[0].code: swapped})


class Model:
    """A classifier, ready to answer.

    Parameters
    ----------
    classifier : scikit-learn classifier
        Takes ``SCHEMA.features`` and predicts indices into ``SCHEMA.classes``.
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
        folded = _verified(fold(classifier), classifier, manifest)
        self._fold = Map(*folded) if folded else None
        self._explain = Explainer(*folded, manifest).explain if folded else None
        self._ranges = [(summary.minimum, summary.maximum) for summary in manifest.features]
        self._minimum, self._maximum = np.array(self._ranges).T[:, :, None]
        weights, intercepts = _whitening(manifest)
        self._whiten = Map(weights, intercepts)
        count = len(SCHEMA.classes)
        self._whiten_by_species = [Map(weights[place::count], intercepts[place::count]) for place in range(count)]
        self._farthest_square = (manifest.farthest_distance * (1 + TOLERANCE)) ** 2

    def classify(self, measurements: Floats, *, explain: bool = False) -> list[Prediction]:
        """Classify flowers, each by itself.

        Parameters
        ----------
        measurements : ndarray of shape (n, 4), float64
            A row a flower: ``SCHEMA.features`` in their order and units.
        explain : bool
            Whether to say why each flower is of its species.

        Returns
        -------
        list of Prediction, of length n
            The species, the probability of each species, and what makes the flower unlike those of the training.
        """
        if len(measurements) == 1 and not explain and (usual := self._usual(measurements[0].tolist())):
            return [usual]
        return list(chain.from_iterable(self.to_predictions(measurements, self.assess(measurements), explain=explain)))

    def _usual(self, measurement: list[float]) -> Prediction | None:
        """Classify one flower, as most are sent, if there is no doubt about it: what ``to_predictions`` says, but faster."""
        if self._fold is None:
            return None
        probabilities = softmax_one(self._fold.one(measurement))
        place = probabilities.index(max(probabilities))
        if not self._is_usual(measurement, place):
            return None
        return Prediction(SCHEMA.class_names[place], Probabilities(*probabilities), ())

    def _is_usual(self, measurement: list[float], place: int) -> bool:
        """Say whether a flower is like those of the training, and near enough to those of its species."""
        for (minimum, maximum), value in zip(self._ranges, measurement, strict=True):
            if not minimum <= value <= maximum:
                return False
        coordinates = self._whiten_by_species[place].one(measurement)
        return total([coordinate * coordinate for coordinate in coordinates]) <= self._farthest_square

    def assess(self, measurements: Floats) -> PredictionBatch:
        """Find the probability of each species, the species, and reasons for doubt: what ``to_predictions`` puts into words.

        Parameters
        ----------
        measurements : ndarray of shape (n, 4), float64
            A row a flower: ``SCHEMA.features`` in their order and units.
        """
        probabilities = self.predict_proba(measurements).T
        columns = np.ascontiguousarray(measurements.T)
        outside, far = self._unlike(columns)
        (unusual,) = (far | np.logical_or.reduce(outside)).nonzero()
        swaps = self._swaps(columns[:, unusual])
        return PredictionBatch(probabilities, highest(probabilities), unusual, outside[:, unusual], swaps)

    def to_predictions(
        self, measurements: Floats, found: PredictionBatch, *, explain: bool = False
    ) -> Iterator[list[Prediction]]:
        """Put into words what was found of flowers, block by block, so that not all words need be there at once.

        Parameters
        ----------
        measurements : ndarray of shape (n, 4), float64
            What was assessed.
        found : PredictionBatch
            What ``assess`` found of them.
        explain : bool
            Whether to say why each flower is of its species.
        """
        warnings: list[tuple[PredictionWarning, ...]] = [()] * len(measurements)
        for row, cautions in self._cautions(measurements, found):
            warnings[row] = cautions
        for start in range(0, len(measurements), BLOCK):
            some = slice(start, start + BLOCK)
            names, probabilities = NAMES[found.species[some]].tolist(), found.probabilities[:, some].tolist()
            parts = [names, map(Probabilities, *probabilities), warnings[some]]
            yield list(map(Prediction, *parts, *([self._explanations(measurements[some])] if explain else [])))

    def predict_proba(self, measurements: Floats) -> Floats:
        """Return the probability of each species.

        A flower gets the same bits alone and among others where the classifier folds; where it does not, its own
        ``predict_proba`` decides, and many round differently with the number of rows.

        Parameters
        ----------
        measurements : ndarray of shape (n, 4), float64
            A row a flower: ``SCHEMA.features`` in their order and units.

        Returns
        -------
        ndarray of shape (n, species), float64
        """
        if self._fold is not None:
            return softmax(self._fold.many(np.ascontiguousarray(measurements.T))).T
        if not len(measurements):  # scikit-learn's own classifiers refuse an empty array
            return np.empty((0, len(SCHEMA.classes)))
        probabilities: Floats = self._classifier.predict_proba(measurements)
        return probabilities

    def _explanations(self, measurements: Floats) -> Iterable[Explanation | None]:
        """Return why each flower is of its species, or None where the classifier has no such reading."""
        if self._fold is None or self._explain is None:
            return repeat(None)
        scores = self._fold.many(np.ascontiguousarray(measurements.T)).T
        return list(self._explain(measurements, scores))

    def _cautions(
        self, measurements: Floats, found: PredictionBatch
    ) -> Iterator[tuple[int, tuple[PredictionWarning, ...]]]:
        """Yield the number of each row that is unlike the training, and why it is."""
        parts = (found.unusual, found.outside.T, measurements[found.unusual], found.swaps)
        for row, outside, values, swap in zip(*(part.tolist() for part in parts), strict=True):
            beyond = [self._out_of_range(place, values[place]) for place, is_out in enumerate(outside) if is_out]
            yield row, (*(beyond or [UNLIKE_TRAINING]), *([MAYBE_SWAPPED[swap]] if swap >= 0 else []))

    def _unlike(self, columns: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Say which values lie outside the training's range, and which flowers are unlike all of the training's.

        These are farther, by Mahalanobis distance, from every species than any flower of the training was.
        """
        outside = (columns < self._minimum) | (columns > self._maximum)
        far = np.empty(columns.shape[1], bool)
        for start in range(0, len(far), BLOCK):
            some = slice(start, start + BLOCK)
            whitened = self._whiten.many(columns[:, some])
            squares = total((whitened * whitened).reshape(len(SCHEMA.features), len(SCHEMA.classes), -1))
            far[some] = np.minimum.reduce(squares) > self._farthest_square
        return outside, far

    def _swaps(self, columns: Floats) -> NDArray[np.int64]:
        """Find, for each unusual flower, the first two values by whose swapping it would be usual, or -1."""
        outside, far = self._unlike(columns[SWAPPED].reshape(len(SCHEMA.features), -1))
        usual = ~(far | np.logical_or.reduce(outside)).reshape(len(PAIRS), -1)
        return np.where(np.logical_or.reduce(usual), usual.argmax(axis=0), -1)

    def _out_of_range(self, index: int, value: float) -> PredictionWarning:
        feature, seen = SCHEMA.features[index], self.manifest.features[index]
        return PredictionWarning(
            OUT_OF_RANGE,
            f"{feature.label} {format_number(value)} {feature.unit} is outside what the model was trained on: "
            f"{format_number(seen.minimum)} to {format_number(seen.maximum)} {feature.unit}.",
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
    above, at_most = np.array([(feature.above, feature.at_most) for feature in SCHEMA.features]).T
    anywhere = np.random.default_rng(0).uniform(above, at_most, (100, len(SCHEMA.features)))
    rows = np.vstack([anywhere, [row.measurement for row in manifest.golden_rows]])
    if np.allclose(softmax(Map(*folded).many(rows.T)).T, classifier.predict_proba(rows), rtol=0, atol=TOLERANCE):
        return folded
    logger.warning("Model %s does not fold; it answers by its own predict_proba, slower.", manifest.version)
    return None


def _whitening(manifest: Manifest) -> Affine:
    """Return the map to coordinates in which a flower's distance from each species' centre is its Mahalanobis distance.

    Its outputs are the first coordinate for each species, then the second, and so on.
    """
    whitening = np.array([summary.whitening for summary in manifest.species])
    centres = np.array([summary.mean for summary in manifest.species])
    return np.concatenate(whitening.swapaxes(0, 1)), -np.einsum("sij,sj->is", whitening, centres).ravel()
