"""Warnings about rows that are unlike those of the training."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iris_app.formatting import format_number
from iris_app.json_types import PredictionWarning
from iris_app.model.manifest import FeatureSummary
from iris_app.model.outlier_detection.distances import Distances
from iris_app.model.outlier_detection.distribution import TOLERANCE, Distribution
from iris_app.model.outlier_detection.repairs import Repair, UnitFinder
from iris_app.model.outlier_detection.swaps import MAYBE_SWAPPED, Swap, SwapFinder
from iris_app.schema import Feature, Floats, Schema
from iris_app.schema.feature import MAX_FLOAT32

# Rows per block: their arrays fit into a processor's cache.
BLOCK_ROWS = 4096

OUT_OF_RANGE = "out_of_range"
UNKNOWN_CATEGORY = "unknown_category"
UNLIKE_TRAINING = "unlike_training"


@dataclass(frozen=True, slots=True)
class Outliers:
    """The outliers among n rows, by columns.

    Attributes
    ----------
    schema : Schema
    rows : ndarray of shape (u,), int64
        The indices of the outliers among the n rows.
    outside : ndarray of shape (features, u), bool
        Whether each value is a number outside the training's range, a category that is not known, or missing though
        it never was in the training. If none is, the combination of the values is unlike the training.
    swaps : ndarray of shape (u,), int16
        The index of the swap that would make the row usual, or -1.
    squares : ndarray of shape (u,), float64
        The squared distance of each row from the nearest class.
    """

    schema: Schema
    rows: NDArray[np.int64]
    outside: NDArray[np.bool_]
    swaps: NDArray[np.int16]
    squares: Floats

    def between(self, start: int, stop: int) -> "Outliers":
        """Return the outliers among the rows from ``start`` to ``stop``, with their indices among these."""
        first, last = np.searchsorted(self.rows, [start, stop])
        part = slice(first, last)
        rows = self.rows[part] - start
        return Outliers(self.schema, rows, self.outside[:, part], self.swaps[part], self.squares[part])

    def most_unusual(self, count: int) -> NDArray[np.int64]:
        """Return the indices of the rows that are farthest from every class, the farthest first."""
        order = np.argsort(-np.nan_to_num(self.squares, nan=np.inf), kind="stable")
        return self.rows[order[:count]]

    def warning_counts(self) -> Counter[str]:
        """Count the warnings by their codes."""
        unlike, swapped = np.count_nonzero(~np.logical_or.reduce(self.outside)), np.count_nonzero(self.swaps >= 0)
        counts = Counter({UNLIKE_TRAINING: int(unlike), MAYBE_SWAPPED: int(swapped)})
        for feature, count in zip(self.schema.features, np.count_nonzero(self.outside, axis=1).tolist(), strict=True):
            counts[_code(feature)] += count
        return +counts

    def labels(self) -> list[str]:
        """Return the labels of each outlier's warnings, joined by spaces."""
        packed = np.packbits(np.vstack([self.outside, self.swaps >= 0]), axis=0)
        keys = np.ascontiguousarray(packed.T).view(f"V{len(packed)}").ravel().tolist()
        width = len(self.outside) + 1
        patterns = {key: np.unpackbits(np.frombuffer(key, np.uint8), count=width).tolist() for key in set(keys)}
        labels = {key: self._label(pattern[:-1], pattern[-1]) for key, pattern in patterns.items()}
        return [labels[key] for key in keys]

    def _label(self, outside: list[int], is_swapped: int) -> str:
        """Return the labels of the warnings for values that are outside or not, and for a swap if there is one."""
        features = zip(self.schema.features, outside, strict=True)
        names = [f"{_code(feature)}:{feature.name}" for feature, is_outside in features if is_outside]
        return " ".join([*(names or [UNLIKE_TRAINING]), *[MAYBE_SWAPPED] * is_swapped])


class OutlierDetector:
    """Find rows that are unlike the training's: out of its range, not known to it, or far from every class.

    Parameters
    ----------
    schema : Schema
    features : sequence of FeatureSummary
        The summaries of the training, which say its range.
    distribution : Distribution
    """

    def __init__(self, schema: Schema, features: Sequence[FeatureSummary], distribution: Distribution) -> None:
        self._schema, self._summaries, self._threshold = schema, features, distribution.threshold
        self._distances = Distances(distribution.numbers, distribution.categories)
        ranges = list(map(_range, schema.features, features))
        never_missing = [summary.missing == 0 for summary in features]
        self._limits = [(*limits, never) for limits, never in zip(ranges, never_missing, strict=True)]
        low, high = np.array(ranges).T
        self._minimum, self._maximum = low[:, None], high[:, None]
        self._never_missing = np.array(never_missing)[:, None]
        self._swap_finder = SwapFinder(schema, self._distances, distribution.threshold, low, high)
        self._unit_finder = UnitFinder(schema, self._swap_finder)
        self._unknown = {
            index: PredictionWarning(
                UNKNOWN_CATEGORY,
                f"{feature.label} has a value that the model has never seen. It should be {feature.expected}.",
                feature.name,
            )
            for index, feature in enumerate(schema.features)
            if feature.kind == "category"
        }
        self._unlike = PredictionWarning(
            UNLIKE_TRAINING,
            f"Each value is normal, but not together: no {schema.noun} that the model learnt from is like this.",
        )

    def find(self, rows: Floats) -> Outliers:
        """Find the outliers in an array of shape (n, features)."""
        starts = range(0, max(len(rows), 1), BLOCK_ROWS)
        blocks = (self._find(rows[start : start + BLOCK_ROWS]) for start in starts)
        found, outside, swaps, squares = zip(*blocks, strict=True)
        return Outliers(
            self._schema,
            np.concatenate([part + start for part, start in zip(found, starts, strict=True)]),
            np.concatenate(outside, axis=1),
            np.concatenate(swaps),
            np.concatenate(squares),
        )

    def find_swap(self, row: Sequence[float]) -> list[int] | None:
        """Return the feature whose value each feature of an unusual row should take, if that makes it usual."""
        swap = self._find_swap(row)
        return swap.order if swap else None

    def find_repairs(self, row: Sequence[float]) -> list[Repair]:
        """Return the corrections that make an unusual row, which may be out of bounds, a usual one."""
        if any(abs(value) > MAX_FLOAT32 for value in row):
            return []
        swap = self._find_swap(row)
        swapped = Repair("Swap them", swap.warning.detail, [row[column] for column in swap.order]) if swap else None
        return list(filter(None, [swapped, self._convert(row)]))

    def is_unlike(self, row: Sequence[float]) -> bool:
        """Check whether one row is unlike the training's as a whole, and not only for numbers just out of its range."""
        found = self.find(np.array([row]))
        if not len(found.rows):
            return False
        (outside,) = found.outside.T.tolist()
        is_new = any(
            is_out and (not feature.is_numeric or value != value)
            for feature, value, is_out in zip(self._schema.features, row, outside, strict=True)
        )
        return is_new or not found.squares[0] <= self._threshold

    def is_typical(self, row: Sequence[float], class_index: int) -> bool:
        """Check whether one row is within the training's range and near enough to the rows of a class.

        It is fast, and False for some typical rows: those near another class, or some with missing numbers.
        """
        for (minimum, maximum, never_missing), value in zip(self._limits, row, strict=True):
            if not minimum <= value <= maximum and (value == value or never_missing):
                return False
        return self._distances.is_within(row, class_index, self._threshold * (1 - TOLERANCE))

    def warnings(self, rows: Floats, found: Outliers) -> Iterator[tuple[int, tuple[PredictionWarning, ...]]]:
        """Yield the index of each outlier of an array of shape (n, features), and its warnings."""
        parts = (found.rows, rows[found.rows], found.outside.T, found.swaps)
        for index, row, outside, swap in zip(*(part.tolist() for part in parts), strict=True):
            values = [self._warn_of_value(column, row[column]) for column, is_out in enumerate(outside) if is_out]
            swaps = [self._swap_finder.swaps[swap].warning] if swap >= 0 else []
            yield index, (*(values or [self._unlike]), *swaps)

    def _find(self, rows: Floats) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int16], Floats]:
        """Return what ``Outliers`` has of a block."""
        columns = np.ascontiguousarray(rows.T)
        outside = (columns < self._minimum) | (columns > self._maximum)
        outside |= np.isnan(columns) & self._never_missing
        squares = self._distances.nearest(columns)
        (found,) = (np.logical_or.reduce(outside) | ~(squares <= self._threshold)).nonzero()
        swaps = self._swap_finder.find(columns[:, found], squares[found])
        return found, outside[:, found], swaps, squares[found]

    def _find_swap(self, row: Sequence[float]) -> Swap | None:
        swaps = self.find(np.array([row])).swaps.tolist()
        return self._swap_finder.swaps[swaps[0]] if swaps and swaps[0] >= 0 else None

    def _convert(self, row: Sequence[float]) -> Repair | None:
        """Return the correction of a row in another unit, if it is unusual as it is."""
        columns = np.array([row]).T
        if not len(self._find(columns.T)[0]):
            return None
        return self._unit_finder.find(row, float(self._distances.nearest(columns)[0]))

    def _warn_of_value(self, index: int, value: float) -> PredictionWarning:
        feature = self._schema.features[index]
        if value != value:
            detail = f"{feature.label} is missing. The model learnt from no {self._schema.noun} without it."
            return PredictionWarning(_code(feature), detail, feature.name)
        return self._unknown.get(index) or _out_of_range(feature, self._summaries[index], value)


def _code(feature: Feature) -> str:
    """Return the code of the warning about a value of a feature."""
    return UNKNOWN_CATEGORY if feature.kind == "category" else OUT_OF_RANGE


def _range(feature: Feature, summary: FeatureSummary) -> tuple[float, float]:
    """Return the range of values that are like the training's; a category that is not known lies below 0."""
    if feature.kind == "category":
        return 0.0, np.inf
    if not feature.is_numeric or summary.minimum is None or summary.maximum is None:
        return -np.inf, np.inf
    return summary.minimum, summary.maximum


def _out_of_range(feature: Feature, summary: FeatureSummary, value: float) -> PredictionWarning:
    minimum, maximum = (format_number(bound) for bound in _range(feature, summary))
    return PredictionWarning(
        OUT_OF_RANGE,
        f"{feature.label} is {feature.with_unit(format_number(value))}, outside what the model was trained on: "
        f"{feature.with_unit(f'{minimum} to {maximum}')}.",
        feature.name,
    )
