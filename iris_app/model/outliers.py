"""Warnings about rows that are unlike those of the training."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from iris_app.formatting import format_number
from iris_app.json_types import PredictionWarning
from iris_app.model.distribution import Distribution
from iris_app.model.manifest import FeatureSummary
from iris_app.schema import Floats, Schema

# Rows per block: their arrays fit into a processor's cache.
BLOCK_ROWS = 4096


@dataclass(frozen=True, slots=True)
class Outliers:
    """The outliers among n rows: their indices, and the labels of their warnings."""

    rows: NDArray[np.int64]
    outside: NDArray[np.bool_]
    names: list[str]

    def warning_counts(self) -> Counter[str]:
        """Count the warnings by their codes."""
        return +Counter({"out_of_range": int(self.outside.sum())})

    def labels(self) -> list[str]:
        """Return the labels of each outlier's warnings, joined by spaces."""
        return [
            " ".join(f"out_of_range:{name}" for name, out in zip(self.names, row, strict=True) if out)
            for row in self.outside
        ]


class OutlierDetector:
    """Find rows that are unlike the training's."""

    def __init__(self, schema: Schema, features: Sequence[FeatureSummary], distribution: Distribution) -> None:
        self._schema = schema
        self._minimum = np.array([np.nan if one.minimum is None else one.minimum for one in features])
        self._maximum = np.array([np.nan if one.maximum is None else one.maximum for one in features])

    def find(self, rows: Floats) -> Outliers:
        """Find the outliers in an array of shape (n, features)."""
        outside = (rows < self._minimum) | (rows > self._maximum)
        (found,) = outside.any(axis=1).nonzero()
        return Outliers(found, outside[found], list(self._schema.features_by_name))

    def is_typical(self, row: list[float], class_index: int) -> bool:
        """Check whether one row is like the training's."""
        return not len(self.find(np.array([row])).rows)

    def warnings(self, rows: Floats, found: Outliers) -> Iterator[tuple[int, tuple[PredictionWarning, ...]]]:
        """Yield the index of each outlier of an array of shape (n, features) and its warnings."""
        for row, outside in zip(found.rows.tolist(), found.outside, strict=True):
            yield (
                row,
                tuple(
                    PredictionWarning("out_of_range", format_number(rows[row, index]), found.names[index])
                    for index in np.flatnonzero(outside)
                ),
            )
