"""The drift of the rows that are classified from those of the training."""

import math
from bisect import bisect_left
from collections import deque
from collections.abc import Iterator, Mapping
from functools import lru_cache
from itertools import pairwise

import numpy as np

from iris_app.formatting import format_number
from iris_app.model.manifest import FeatureSummary, Manifest
from iris_app.schema import Feature, Floats

Totals = Mapping[tuple[str, str], float]

# The maximum number of rows per request that are counted.
MAX_SAMPLED = 250

# Where in a request they lie: multiples of the golden ratio are evenly spread, and in step with no order of its rows.
PLACES = np.sort(np.arange(MAX_SAMPLED) * (math.sqrt(5) - 1) / 2 % 1)

# The number of values from which comparing all with each edge is faster than a binary search for each.
EDGEWISE_THRESHOLD = 1000

# The rows that an index needs to be meaningful.
MIN_SAMPLE = 100

# By custom, an index above the first is a moderate change, and above the second a major one.
PSI_MODERATE, PSI_MAJOR = 0.1, 0.25


def sample(rows: Floats) -> Floats:
    """Return the rows of one request that are counted, of an array of shape (n, features)."""
    if len(rows) <= MAX_SAMPLED:
        return rows
    return rows[(PLACES * len(rows)).astype(np.intp)]


def count_intervals(manifest: Manifest, rows: Floats) -> Iterator[tuple[tuple[str, str], int]]:
    """Count rows by the intervals of the training's histograms.

    Yields
    ------
    tuple of str
        The name of a feature and that of an interval.
    int
        The number of rows with a value in it, above 0.
    """
    features = zip(manifest.schema.features, manifest.features, np.ascontiguousarray(rows.T), strict=True)
    for feature, summary, values in features:
        for interval, count in zip(intervals(feature, summary), count_by_interval(values, summary), strict=True):
            if count:
                yield (feature.name, interval), count


def count_by_interval(values: Floats, summary: FeatureSummary) -> list[int]:
    """Count values by interval, each with its upper edge; the last count is that of missing values."""
    edges = summary.histogram.edges
    if len(values) == 1:
        counts = [0] * (len(edges) + 2)
        counts[-1 if np.isnan(values[0]) else bisect_left(edges, values[0])] = 1
        return counts
    present = values[~np.isnan(values)]
    if len(present) < EDGEWISE_THRESHOLD:
        counts = np.bincount(np.searchsorted(edges, present), minlength=len(edges) + 1).tolist()
    else:
        up_to = [0, *(int(np.count_nonzero(present <= edge)) for edge in edges), len(present)]
        counts = [above - below for below, above in pairwise(up_to)]
    return [*counts, len(values) - len(present)]


def expected_counts(summary: FeatureSummary) -> list[int]:
    """Return the training's counts by interval, and of missing values."""
    return [*summary.histogram.counts, summary.missing]


class DriftWindow:
    """Count the values of the last ``seconds``, from snapshots of totals."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._snapshots: deque[tuple[float, Totals]] = deque()

    def add(self, now: float, totals: Totals) -> None:
        """Add a snapshot, and drop those before the window except the last."""
        self._snapshots.append((now, totals))
        while len(self._snapshots) > 1 and self._snapshots[1][0] <= now - self._seconds:
            self._snapshots.popleft()

    def counts(self, feature: Feature, summary: FeatureSummary, totals: Totals) -> list[float]:
        """Return the number of values in each interval of a feature since the window began."""
        before = self._snapshots[0][1] if self._snapshots else {}
        keys = [(feature.name, interval) for interval in intervals(feature, summary)]
        return [totals.get(key, 0) - before.get(key, 0) for key in keys]


def intervals(feature: Feature, summary: FeatureSummary) -> list[str]:
    """Return the names of a feature's intervals: its categories, or a histogram's edges; the last is ``missing``."""
    if feature.kind == "category":
        return ["unknown", *map(str, feature.categories), "missing"]
    return _name_intervals(tuple(summary.histogram.edges))


@lru_cache(maxsize=4096)
def _name_intervals(edges: tuple[float, ...]) -> list[str]:
    names = ["", *map(format_number, edges), ""]
    return [*(f"{low}..{high}" for low, high in pairwise(names)), "missing"]


def population_stability_index(expected: list[int], seen: list[float]) -> float:
    """Return the population stability index of counts against expected ones.

    Parameters
    ----------
    expected, seen : list
        Counts by interval. Half a row is added to each, so that the logarithm is finite.

    Returns
    -------
    float
        0 for equal shares; see ``PSI_MODERATE`` and ``PSI_MAJOR``.
    """
    expected_shares, seen_shares = _shares(expected), _shares(seen)
    return float(((seen_shares - expected_shares) * np.log(seen_shares / expected_shares)).sum())


def _shares(counts: list[int] | list[float]) -> Floats:
    smoothed = np.array(counts) + 0.5
    shares: Floats = smoothed / smoothed.sum()
    return shares
