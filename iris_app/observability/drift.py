"""How far the flowers that are asked about have moved from those of the training."""

import math
from collections import deque
from collections.abc import Iterator, Mapping
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from iris_app.formatting import format_number
from iris_app.model.manifest import FeatureSummary, Histogram, Manifest

Floats = NDArray[np.float64]
Totals = Mapping[tuple[str, str], float]

# How many flowers of one request are counted; of more, so many that are evenly spread.
COUNTED = 250

# From so many values on, it is faster to look at all of them once for each edge than at all edges for each of them.
MANY = 1000

# With fewer flowers than this, their share of each interval says little.
ENOUGH = 100

# By custom, a population stability index above the first is some change, and one above the second a great one.
SOME, GREAT = 0.1, 0.25


def sample(measurements: Floats) -> Floats:
    """Return what is counted of the flowers of one request: an array of shape (n, 4)."""
    if len(measurements) <= COUNTED:
        return measurements
    return measurements[:: math.ceil(len(measurements) / COUNTED)].copy()


def tally(manifest: Manifest, measurements: Floats) -> Iterator[tuple[tuple[str, str], int]]:
    """Count flowers by the intervals of the training's histograms.

    Yields
    ------
    tuple of str
        The name of a feature and that of an interval.
    int
        How many of the flowers fall there; at least one does.
    """
    for feature, values in zip(manifest.features, np.ascontiguousarray(measurements.T), strict=True):
        for interval, count in zip(
            intervals(feature.histogram), count_by_interval(values, feature.histogram), strict=True
        ):
            if count:
                yield (feature.name, interval), count


def count_by_interval(values: Floats, histogram: Histogram) -> list[int]:
    """Count values by interval, each with its upper edge: many edge by edge, few value by value, which is faster."""
    edges = histogram.edges
    if len(values) < MANY:
        counts: list[int] = np.bincount(np.searchsorted(edges, values), minlength=len(histogram.counts)).tolist()
        return counts
    up_to = [0, *(int(np.count_nonzero(values <= edge)) for edge in edges), len(values)]
    return [above - below for below, above in pairwise(up_to)]


class Window:
    """Compare what was counted in the last ``seconds`` with what training saw."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._snapshots: deque[tuple[float, Totals]] = deque()

    def remember(self, now: float, totals: Totals) -> None:
        """Keep a snapshot of the totals, and forget those that the window has left behind, but for the last."""
        self._snapshots.append((now, totals))
        while len(self._snapshots) > 1 and self._snapshots[1][0] <= now - self._seconds:
            self._snapshots.popleft()

    def counts(self, feature: FeatureSummary, totals: Totals) -> list[float]:
        """Return how many values fell into each interval of a feature since the window began."""
        before = self._snapshots[0][1] if self._snapshots else {}
        keys = [(feature.name, interval) for interval in intervals(feature.histogram)]
        return [totals.get(key, 0) - before.get(key, 0) for key in keys]


def intervals(histogram: Histogram) -> list[str]:
    """Name the intervals of a histogram by their edges."""
    edges = ["", *map(format_number, histogram.edges), ""]
    return [f"{low}..{high}" for low, high in pairwise(edges)]


def stability(expected: list[int], seen: list[float]) -> float:
    """Return the population stability index of what was seen against what was expected.

    Parameters
    ----------
    expected, seen : list
        Counts by the same intervals; half a flower is added to each, so that an empty one has a logarithm.

    Returns
    -------
    float
        0 where the shares are the same; by custom, more than 0.1 is some change and more than 0.25 a great one.
    """
    was, now = _shares(expected), _shares(seen)
    return float(((now - was) * np.log(now / was)).sum())


def _shares(counts: list[int] | list[float]) -> Floats:
    smoothed = np.array(counts) + 0.5
    shares: Floats = smoothed / smoothed.sum()
    return shares
