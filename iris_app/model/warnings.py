"""Warnings about rows that are unlike those of the training."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import combinations

import numpy as np
from numpy.typing import NDArray

from iris_app.formatting import format_number
from iris_app.iris import SCHEMA
from iris_app.json_types import PredictionWarning
from iris_app.model.linear import Affine, AffineMap, ordered_sum
from iris_app.model.manifest import FeatureSummary, Manifest
from iris_app.schema import Feature, Floats

# The last digits of a distance depend on the order of additions.
TOLERANCE = 1e-12

# Rows per block: their arrays fit into a processor's cache.
BLOCK_ROWS = 4096

OUT_OF_RANGE = "out_of_range"

UNLIKE_TRAINING = PredictionWarning(
    "unlike_training",
    f"Each value is within what the model was trained on, but no {SCHEMA.noun} there combined them like this.",
)

# Pairs of features whose values may have been swapped.
PAIRS = list(combinations(range(len(SCHEMA.features)), 2))

# The feature whose value each feature takes where a pair is swapped, of shape (features, pairs).
SWAPPED = np.array(
    [
        [{first: second, second: first}.get(index, index) for first, second in PAIRS]
        for index in range(len(SCHEMA.features))
    ]
)

MAYBE_SWAPPED = [
    PredictionWarning(
        "maybe_swapped",
        f"With {SCHEMA.features[first].label.lower()} and {SCHEMA.features[second].label.lower()} swapped "
        f"it would be a usual {SCHEMA.noun}.",
    )
    for first, second in PAIRS
]


@dataclass(frozen=True, slots=True)
class Outliers:
    """The outliers among n rows, by columns.

    Attributes
    ----------
    rows : ndarray of shape (u,), int64
        The indices of the outliers among the n rows.
    outside : ndarray of shape (features, u), bool
        Whether each value lies outside the training's range. If none does, their combination is unlike the training.
    swaps : ndarray of shape (u,), int64
        The index in ``PAIRS`` of the first swap that makes the row typical, or -1.
    """

    rows: NDArray[np.int64]
    outside: NDArray[np.bool_]
    swaps: NDArray[np.int64]

    def warning_counts(self) -> Counter[str]:
        """Count the warnings by their codes."""
        outside, combined = np.count_nonzero(self.outside), np.count_nonzero(~np.logical_or.reduce(self.outside))
        swapped = np.count_nonzero(self.swaps >= 0)
        return +Counter({OUT_OF_RANGE: outside, UNLIKE_TRAINING.code: combined, MAYBE_SWAPPED[0].code: swapped})

    def labels(self) -> list[str]:
        """Return the labels of each outlier's warnings, joined by spaces."""
        patterns, indices = np.unique(np.vstack([self.outside, self.swaps]), axis=1, return_inverse=True)
        labels = np.array([_label(pattern[:-1], pattern[-1]) for pattern in patterns.T.tolist()] or [""], object)
        joined: list[str] = labels[indices.ravel()].tolist()
        return joined


class OutlierDetector:
    """Find rows that are unlike the training's: out of its range, or far from every class.

    Parameters
    ----------
    manifest : Manifest
        The summary of the training.
    """

    def __init__(self, manifest: Manifest) -> None:
        self._features = manifest.features
        self._ranges = [(summary.minimum, summary.maximum) for summary in manifest.features]
        self._minimum, self._maximum = np.array(self._ranges).T[:, :, None]
        weights, intercepts = _whitening(manifest)
        self._whiten = AffineMap(weights, intercepts)
        count = len(SCHEMA.classes)
        self._whiten_by_class = [AffineMap(weights[index::count], intercepts[index::count]) for index in range(count)]
        self._max_square_distance = (manifest.farthest_distance * (1 + TOLERANCE)) ** 2

    def find(self, rows: Floats) -> Outliers:
        """Find the outliers in an array of shape (n, features)."""
        columns = np.ascontiguousarray(rows.T)
        outside, far = self._out_of_distribution(columns)
        (found,) = (far | np.logical_or.reduce(outside)).nonzero()
        return Outliers(found, outside[:, found], self._find_swaps(columns[:, found]))

    def is_typical(self, row: list[float], class_index: int) -> bool:
        """Check whether one row is within the training's range and near enough to the rows of a class."""
        for (minimum, maximum), value in zip(self._ranges, row, strict=True):
            if not minimum <= value <= maximum:
                return False
        coordinates = self._whiten_by_class[class_index].transform_one(row)
        return ordered_sum([coordinate * coordinate for coordinate in coordinates]) <= self._max_square_distance

    def warnings(self, rows: Floats, found: Outliers) -> Iterator[tuple[int, tuple[PredictionWarning, ...]]]:
        """Yield the index of each outlier of an array of shape (n, features) and its warnings."""
        parts = (found.rows, found.outside.T, rows[found.rows], found.swaps)
        for row, outside, values, swap in zip(*(part.tolist() for part in parts), strict=True):
            out_of_range = [
                _out_of_range(SCHEMA.features[index], self._features[index], values[index])
                for index, is_outside in enumerate(outside)
                if is_outside
            ]
            yield row, (*(out_of_range or [UNLIKE_TRAINING]), *([MAYBE_SWAPPED[swap]] if swap >= 0 else []))

    def _out_of_distribution(self, columns: Floats) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
        """Return the values outside the training's range, and the rows that are far from all of its rows.

        A row is far if its Mahalanobis distance from every class is larger than that of any row of the training.
        """
        outside = (columns < self._minimum) | (columns > self._maximum)
        far = np.empty(columns.shape[1], bool)
        for start in range(0, len(far), BLOCK_ROWS):
            block = slice(start, start + BLOCK_ROWS)
            whitened = self._whiten.transform(columns[:, block])
            squares = ordered_sum((whitened * whitened).reshape(len(SCHEMA.features), len(SCHEMA.classes), -1))
            far[block] = np.minimum.reduce(squares) > self._max_square_distance
        return outside, far

    def _find_swaps(self, columns: Floats) -> NDArray[np.int64]:
        """Return the index of the first pair whose swap makes each outlier typical, or -1."""
        outside, far = self._out_of_distribution(columns[SWAPPED].reshape(len(SCHEMA.features), -1))
        typical = ~(far | np.logical_or.reduce(outside)).reshape(len(PAIRS), -1)
        return np.where(np.logical_or.reduce(typical), typical.argmax(axis=0), -1)


def _label(outside: list[int], swap: int) -> str:
    """Return the labels of the warnings for values that are outside the range or not, and for a swap or -1."""
    names = [
        f"{OUT_OF_RANGE}:{feature.name}" for feature, is_out in zip(SCHEMA.features, outside, strict=True) if is_out
    ]
    return " ".join([*(names or [UNLIKE_TRAINING.label]), *([MAYBE_SWAPPED[swap].label] if swap >= 0 else [])])


def _out_of_range(feature: Feature, summary: FeatureSummary, value: float) -> PredictionWarning:
    return PredictionWarning(
        OUT_OF_RANGE,
        f"{feature.label} {format_number(value)} {feature.unit} is outside what the model was trained on: "
        f"{format_number(summary.minimum)} to {format_number(summary.maximum)} {feature.unit}.",
        feature.name,
    )


def _whitening(manifest: Manifest) -> Affine:
    """Return the map to coordinates in which the distance from a class's centre is the Mahalanobis distance.

    Its outputs are the first coordinate for each class, then the second, and so on.
    """
    whitening = np.array([summary.whitening for summary in manifest.classes])
    centres = np.array([summary.mean for summary in manifest.classes])
    return np.concatenate(whitening.swapaxes(0, 1)), -np.einsum("sij,sj->is", whitening, centres).ravel()
