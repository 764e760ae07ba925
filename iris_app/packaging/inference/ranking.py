"""The numbers that tell the classes apart best."""

import warnings
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.feature_selection import f_classif

from iris_app.schema import Feature, Floats

Classes: TypeAlias = NDArray[np.intp]
Panels: TypeAlias = tuple[tuple[str, int, int], ...]


def rank_numbers(features: Sequence[Feature], rows: Floats, classes: Classes) -> list[int]:
    """Return the indices of the features that are numbers, those first whose means differ most between the classes."""
    indices = [index for index, feature in enumerate(features) if feature.is_numeric]
    if len(indices) < 2:
        return indices
    values = rows[:, indices]
    filled = np.where(np.isnan(values), np.nanmean(values, axis=0), values)
    with np.errstate(all="ignore"), warnings.catch_warnings():  # a constant has no ratio
        warnings.simplefilter("ignore")
        ratios, _ = f_classif(filled, classes)
    return [indices[place] for place in np.argsort(-np.nan_to_num(ratios), kind="stable")]


def choose_panels(features: Sequence[Feature], ranked: Sequence[int]) -> Panels:
    """Return the scatter plots of the two most telling pairs of numbers, each number once if there are four."""
    pairs = {0: [], 1: [], 2: [(0, 1)], 3: [(0, 1), (0, 2)]}.get(len(ranked), [(0, 1), (2, 3)])
    return tuple(_panel(features, *sorted((ranked[first], ranked[second]))) for first, second in pairs)


def _panel(features: Sequence[Feature], x: int, y: int) -> tuple[str, int, int]:
    second = features[y].label
    lowered = second if second[1:2].isupper() else second[:1].lower() + second[1:]
    return f"{features[x].label} and {lowered}", x, y
