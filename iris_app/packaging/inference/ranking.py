"""The numbers that tell the classes apart best."""

from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_selection import mutual_info_classif

from iris_app.schema import Feature, Floats

Classes: TypeAlias = NDArray[np.intp]
Panels: TypeAlias = tuple[tuple[str, int, int], ...]

MAX_ROWS = 1000


def rank_numbers(features: Sequence[Feature], rows: Floats, classes: Classes) -> list[int]:
    """Return the indices of the features that are numbers, the most telling one first."""
    indices = [index for index, feature in enumerate(features) if feature.is_numeric]
    if len(indices) < 2:
        return indices
    chosen = np.random.default_rng(0).permutation(len(rows))[:MAX_ROWS]
    values = rows[chosen][:, indices]
    filled = np.where(np.isnan(values), np.nanmean(rows[:, indices], axis=0), values)
    neighbors = min(3, int(np.bincount(classes[chosen])[np.unique(classes[chosen])].min()))
    told = mutual_info_classif(filled, classes[chosen], n_neighbors=max(neighbors, 1), random_state=0)
    return [indices[place] for place in np.argsort(-told, kind="stable")]


def choose_panels(features: Sequence[Feature], ranked: Sequence[int]) -> Panels:
    """Return the scatter plots of the two most telling pairs of numbers, each number once if there are four."""
    pairs = {0: [], 1: [], 2: [(0, 1)], 3: [(0, 1), (0, 2)]}.get(len(ranked), [(0, 1), (2, 3)])
    return tuple(_panel(features, *sorted((ranked[first], ranked[second]))) for first, second in pairs)


def _panel(features: Sequence[Feature], x: int, y: int) -> tuple[str, int, int]:
    second = features[y].label
    lowered = second if second[1:2].isupper() else second[:1].lower() + second[1:]
    return f"{features[x].label} and {lowered}", x, y
