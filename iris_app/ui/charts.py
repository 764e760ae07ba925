"""The parts of a prediction's page: its verdict, bars, and scatter plots among the training's rows."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from iris_app.formatting import truncate
from iris_app.json_types import Prediction
from iris_app.model.manifest import Training
from iris_app.schema import Feature, Floats, Schema
from iris_app.ui.result.regions import Regions, find_regions

# Return the index of the predicted class of each row of an array of shape (n, features).
Classify = Callable[[Floats], NDArray[np.int16]]

# The size of a panel in SVG units; y grows downwards.
WIDTH, HEIGHT = 320.0, 240.0

# The grid on which a panel's regions are predicted.
COLUMNS, ROWS = 80, 60

# The part of an axis' range that it is longer at each end.
MARGIN = 0.06

# The smallest range that an axis shows as it is, as a part of its largest value.
MIN_RANGE = 1e-6

# The nearest rows that a panel's description counts.
NEIGHBOURS = 10

# The rows of the training that a panel draws at most.
MAX_POINTS = 500

# The classes and the contributions up to which all of them are shown in the order of the schema; of more, the largest
# come first, and the rest is folded away.
MAX_CLASSES, MAX_BARS = 10, 12

# The width of a character of a tick's label, in SVG units, and the characters of an axis' title that fit.
CHARACTER, MAX_TITLE = 8.7, 28

MINUS = "\N{MINUS SIGN}"

# Prefixes for large numbers of ticks.
PREFIXES = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


@dataclass(frozen=True)
class Axis:
    """An axis of a panel: a feature from ``low`` to ``high``, in its unit, over ``length`` SVG units."""

    feature: Feature
    low: float
    high: float
    length: float

    @property
    def title(self) -> str:
        """The title of the feature, as far as it fits."""
        return truncate(self.feature.title, MAX_TITLE)

    def position(self, value: float) -> float:
        """Return the position of a value along the axis, in SVG units."""
        return round((value - self.low) / (self.high - self.low) * self.length, 2)

    @cached_property
    def ticks(self) -> list[tuple[float, str]]:
        """The position and label of each tick, at round values."""
        candidates = list(map(self._ticks, (6, 3, 2, 1)))
        return next(filter(self._fit, candidates), candidates[-1][:1])

    def steps(self, count: int) -> Floats:
        """Return the values in the middle of so many equal parts of the axis, of shape (count,)."""
        values = self.low + (np.arange(count) + 0.5) / count * (self.high - self.low)
        return np.rint(values) if self.feature.kind == "integer" else values

    @property
    def margin(self) -> float:
        """The width of the longest label, in SVG units."""
        return max((CHARACTER * len(label) for _, label in self.ticks), default=0.0)

    def _ticks(self, count: int) -> list[tuple[float, str]]:
        rough = (self.high - self.low) / count
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
        if self.feature.kind == "integer":
            step = max(step, 1.0)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        values = [index * step for index in range(first, last + 1)]
        largest = max(map(abs, values), default=0.0)
        return [(self.position(value), format_tick(value, step, largest)) for value in values]

    def _fit(self, ticks: Sequence[tuple[float, str]]) -> bool:
        """Check that the labels do not touch each other on a horizontal axis."""
        return CHARACTER * max((len(label) for _, label in ticks), default=0) < self.length / max(len(ticks), 1)


def format_tick(value: float, step: float, largest: float) -> str:
    """Format the value of a tick, of ticks ``step`` apart and up to ``largest``, as shortly as it is exact."""
    if largest >= 1e15 or step < 1e-6:
        return f"{value:.3g}"
    divisor, prefix = next(((one, prefix) for one, prefix in PREFIXES if largest >= max(one, 1e4)), (1.0, ""))
    decimals = max(0, -math.floor(math.log10(step / divisor) + 1e-9))
    if decimals > 2 and prefix:
        divisor, prefix, decimals = 1.0, "", max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{value / divisor:,.{decimals}f}{prefix}".replace("-", MINUS)


@dataclass(frozen=True, slots=True)
class Panel:
    """A scatter plot of a row, by two features, among the rows of the training that anyone may see."""

    title: str
    across: Axis
    up: Axis
    training_rows: list[tuple[float, float, int]]
    point: tuple[float, float]
    regions: Regions
    description: str

    @property
    def classes(self) -> set[int]:
        """The indices of the classes that the panel shows."""
        return {index for *_, index in self.training_rows} | {index for *_, index in self.regions.marks}


def panels(row: Floats, manifest: Training, classify: Classify, prediction: Prediction) -> list[Panel]:
    """Make the panels of the schema, or one of the two numbers that matter most to the prediction.

    Parameters
    ----------
    row : ndarray of shape (features,)
        Missing values are NaN; no panel shows their features.
    manifest : Manifest
        The manifest of the model.
    classify : callable
        Return the index of the predicted class of each row of an array of shape (n, features).
    prediction : Prediction
        The prediction for the row.
    """
    schema = manifest.schema
    axes = {index: axis for index in range(len(row)) if (axis := _axis(manifest, row, index))}
    chosen = schema.panels or _choose(schema, list(axes), prediction)
    return [
        _panel(title, Plane(across, up, axes[across], replace(axes[up], length=HEIGHT)), row, manifest, classify)
        for title, across, up in chosen
        if across in axes and up in axes
    ]


def _axis(manifest: Training, row: Floats, index: int) -> Axis | None:
    """Return an axis over the training's range and the row's value, or None if it cannot be drawn."""
    feature, summary, value = manifest.schema.features[index], manifest.features[index], float(row[index])
    if not feature.is_numeric or math.isnan(value) or summary.minimum is None or summary.maximum is None:
        return None
    low, high = min(summary.minimum, value), max(summary.maximum, value)
    size = max(abs(low), abs(high))
    margin = MARGIN * (high - low if high - low > MIN_RANGE * size else size or 1.0)
    axis = Axis(feature, low - margin, high + margin, WIDTH)
    return axis if math.isfinite(axis.high - axis.low) else None


def _choose(schema: Schema, indices: list[int], prediction: Prediction) -> list[tuple[str, int, int]]:
    """Choose the two features with the largest contributions, or the first two."""
    indices = sort_by_contribution(prediction, indices)
    if len(indices) < 2:
        return []
    across, up = indices[:2]
    return [(f"{schema.features[across].label} and {schema.features[up].label}", across, up)]


def sort_by_contribution(prediction: Prediction, indices: Iterable[int]) -> list[int]:
    """Sort the indices of features by their contributions, the largest first, if the prediction is explained."""
    if not prediction.explanation:
        return list(indices)
    contributions = msgspec.structs.astuple(prediction.explanation.contributions)
    return sorted(indices, key=lambda index: -abs(contributions[index]))


@dataclass(frozen=True, slots=True)
class Plane:
    """The plane of a panel: two features, by their indices, and their axes."""

    across: int
    up: int
    x_axis: Axis
    y_axis: Axis

    def place(self, values: Sequence[float | None]) -> tuple[float, float] | None:
        """Return the point of a row in SVG units, or None if a value is missing."""
        x, y = values[self.across], values[self.up]
        return None if x is None or y is None else (self.x_axis.position(x), HEIGHT - self.y_axis.position(y))

    def regions(self, row: Floats, classify: Classify) -> Regions:
        """Return the regions of the classes, with the row's other values unchanged."""
        grid = np.tile(row, (ROWS, COLUMNS, 1))
        grid[:, :, self.across] = self.x_axis.steps(COLUMNS)
        grid[:, :, self.up] = self.y_axis.steps(ROWS)[::-1, None]
        return find_regions(classify(grid.reshape(-1, len(row))).reshape(ROWS, COLUMNS), WIDTH, HEIGHT)


def _panel(title: str, plane: Plane, row: Floats, manifest: Training, classify: Classify) -> Panel:
    public = manifest.training_rows if manifest.schema.public_rows else []
    points = [(*place, other.class_index) for other in public if (place := plane.place(other.values))]
    x, y = float(row[plane.across]), float(row[plane.up])
    point = (plane.x_axis.position(x), HEIGHT - plane.y_axis.position(y))
    predicted = int(classify(row[None])[0])
    return Panel(
        title,
        plane.x_axis,
        plane.y_axis,
        points[:: 1 + len(points) // MAX_POINTS],
        point,
        plane.regions(row, classify),
        _describe(manifest.schema, title, [(plane.x_axis, x), (plane.y_axis, y)], _nearest(points, point), predicted),
    )


def _nearest(points: Iterable[tuple[float, float, int]], point: tuple[float, float]) -> Counter[int]:
    """Count the classes of the nearest points."""
    nearest = sorted(points, key=lambda other: math.dist(other[:2], point))[:NEIGHBOURS]
    return Counter(index for _, _, index in nearest)


def _describe(
    schema: Schema, title: str, values: Iterable[tuple[Axis, float]], nearest: Counter[int], predicted: int
) -> str:
    """Describe a panel in sentences."""
    labels = [class_.label for class_ in schema.classes]
    parts = (f"{axis.feature.label} {axis.feature.with_unit(axis.feature.format(value))}" for axis, value in values)
    sentences = [f"{title}: this {schema.noun}, with {' and '.join(parts)}."]
    if nearest:
        among = ", ".join(f"{count} {labels[index]}" for index, count in nearest.most_common())
        sentences.append(f"The {nearest.total()} nearest {schema.nouns} of the training are {among}.")
    return " ".join([*sentences, f"It lies where the model answers {labels[predicted]}."])


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar for a contribution to the log-odds, from the middle to either side, in percent of the width."""

    label: str
    log_odds: float
    start: float
    width: float
    error: float = 0.0


def bars(schema: Schema, prediction: Prediction) -> list[Bar]:
    """Compute the bars of a prediction, if it is explained: an average row's, and those of the features by size."""
    explanation = prediction.explanation
    if not explanation:
        return []
    contributions = list(zip(schema.features, msgspec.structs.astuple(explanation.contributions), strict=True))
    if len(contributions) > MAX_BARS:
        contributions.sort(key=lambda part: -abs(part[1]))
    parts = [
        (f"Start: an average {schema.noun}", explanation.average, 0.0),
        *((feature.label, value, explanation.error) for feature, value in contributions),
    ]
    largest = max(abs(value) for _, value, _ in parts) or 1.0
    return [
        Bar(label, value, 50 + 50 * min(value, 0) / largest, 50 * abs(value) / largest, error)
        for label, value, error in parts
    ]


@dataclass(frozen=True, slots=True)
class Odds:
    """The probability of a class."""

    index: int
    label: str
    probability: float
    predicted: bool


def odds(schema: Schema, prediction: Prediction) -> list[Odds]:
    """Return the probability of each class; if there are many, the highest first."""
    probabilities = msgspec.structs.astuple(prediction.probabilities)
    found = [
        Odds(index, class_.label, probability, class_.name == prediction.predicted_class)
        for index, (class_, probability) in enumerate(zip(schema.classes, probabilities, strict=True))
    ]
    return found if len(found) <= MAX_CLASSES else sorted(found, key=lambda one: (not one.predicted, -one.probability))


def predicted_odds(schema: Schema, prediction: Prediction) -> Odds:
    """Return the probability of the predicted class."""
    return next(one for one in odds(schema, prediction) if one.predicted)
