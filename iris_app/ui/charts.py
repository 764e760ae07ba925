"""The geometry of a prediction's charts: scatter plots among the training's rows, and bars."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from iris_app.formatting import format_number, format_percent
from iris_app.iris import SCHEMA
from iris_app.json_types import Prediction
from iris_app.model.manifest import TrainingRow
from iris_app.schema import Feature, Floats

# The size of a panel in SVG units; y grows downwards.
WIDTH, HEIGHT = 320.0, 240.0

# The grid on which a panel's regions are predicted.
COLUMNS, ROWS = 80, 60

# The nearest rows that a panel's description counts.
NEIGHBOURS = 10


@dataclass(frozen=True, slots=True)
class Axis:
    """An axis of a panel: a feature from ``low`` to ``high``, in its unit, over ``length`` SVG units."""

    feature: Feature
    low: float
    high: float
    length: float

    def position(self, value: float) -> float:
        """Return the position of a value along the axis, in SVG units."""
        return round((value - self.low) / (self.high - self.low) * self.length, 2)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """The position and label of each tick, at round values."""
        rough = (self.high - self.low) / 6
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [(self.position(index * step), f"{index * step:.3g}") for index in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Panel:
    """A scatter plot of a row among the training's rows, by two features."""

    title: str
    across: Axis
    up: Axis
    training_rows: list[tuple[float, float, int]]
    point: tuple[float, float]
    regions: list[tuple[float, float, float, float, int]]
    description: str


def panels(
    row: Sequence[float], training_rows: Sequence[TrainingRow], predict_proba: Callable[[Floats], Floats]
) -> list[Panel]:
    """Compute the panels of a row.

    Parameters
    ----------
    row : sequence of float
        One value per feature, in its unit.
    training_rows : sequence of TrainingRow
    predict_proba : callable
        Takes rows of shape (n, features) and returns probabilities of shape (n, classes).
    """
    return [_panel(title, across, up, row, training_rows, predict_proba) for title, across, up in SCHEMA.panels]


def _panel(
    title: str,
    across: int,
    up: int,
    row: Sequence[float],
    training_rows: Sequence[TrainingRow],
    predict_proba: Callable[[Floats], Floats],
) -> Panel:
    x_axis, y_axis = (
        _axis(SCHEMA.features[index], [row[index], *(other.measurement[index] for other in training_rows)], length)
        for index, length in ((across, WIDTH), (up, HEIGHT))
    )
    points = [
        (x_axis.position(other.measurement[across]), HEIGHT - y_axis.position(other.measurement[up]), other.class_index)
        for other in training_rows
    ]
    point = (x_axis.position(row[across]), HEIGHT - y_axis.position(row[up]))
    predicted = SCHEMA.class_names[int(predict_proba(np.array([row]))[0].argmax())]
    regions = _regions(across, up, x_axis, y_axis, row, predict_proba)
    return Panel(
        title,
        x_axis,
        y_axis,
        points,
        point,
        regions,
        _describe(title, x_axis, y_axis, row, points, point, predicted),
    )


def _axis(feature: Feature, values: list[float], length: float) -> Axis:
    margin = 0.06 * (max(values) - min(values))
    return Axis(feature, min(values) - margin, max(values) + margin, length)


def _regions(
    across: int, up: int, x_axis: Axis, y_axis: Axis, row: Sequence[float], predict_proba: Callable[[Floats], Floats]
) -> list[tuple[float, float, float, float, int]]:
    """Return the regions of the classes as rectangles, with the row's other values unchanged."""
    width, height = WIDTH / COLUMNS, HEIGHT / ROWS
    grid = np.tile(np.asarray(row, np.float64), (ROWS, COLUMNS, 1))
    grid[:, :, across] = x_axis.low + (np.arange(COLUMNS) + 0.5) / COLUMNS * (x_axis.high - x_axis.low)
    grid[:, :, up] = (y_axis.high - (np.arange(ROWS) + 0.5) / ROWS * (y_axis.high - y_axis.low))[:, None]
    classes = predict_proba(grid.reshape(-1, len(SCHEMA.features))).argmax(axis=1).reshape(ROWS, COLUMNS)
    return [
        (run[0] * width, index * height, len(run) * width, height, int(name))
        for index, cells in enumerate(classes)
        for name, run in ((name, list(run)) for name, run in groupby(range(COLUMNS), key=cells.__getitem__))
    ]


def _describe(
    title: str,
    x_axis: Axis,
    y_axis: Axis,
    row: Sequence[float],
    points: Iterable[tuple[float, float, int]],
    point: tuple[float, float],
    predicted: str,
) -> str:
    """Describe a panel in a sentence."""
    nearest = sorted(points, key=lambda other: math.dist(other[:2], point))[:NEIGHBOURS]
    counts = Counter(SCHEMA.class_names[index] for _, _, index in nearest).most_common()
    values = ", ".join(
        f"{axis.feature.label.lower()} {format_number(row[SCHEMA.features.index(axis.feature)])} {axis.feature.unit}"
        for axis in (x_axis, y_axis)
    )
    among = ", ".join(f"{count} {name}" for name, count in counts)
    return (
        f"{title}: this {SCHEMA.noun} ({values}) among those of the training; the {NEIGHBOURS} nearest to it are "
        f"{among}. It lies where the model answers {predicted}."
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar for a contribution to the log-odds, from the middle to either side, in percent of the width."""

    label: str
    log_odds: float
    start: float
    width: float


def bars(prediction: Prediction) -> list[Bar]:
    """Compute the bars of a prediction's contributions, if it is explained."""
    explanation = prediction.explanation
    if not explanation:
        return []
    parts = [(feature.label, getattr(explanation.contributions, feature.name)) for feature in SCHEMA.features]
    parts.append((f"An average {SCHEMA.noun}", explanation.average))
    largest = max(abs(value) for _, value in parts) or 1.0
    return [Bar(label, value, 50 + 50 * min(value, 0) / largest, 50 * abs(value) / largest) for label, value in parts]


# Words for the certainty of a prediction, by the probability of its class.
CONFIDENCE = ((0.99, "almost certainly"), (0.9, "very likely"), (0.7, "probably"), (0.0, "perhaps"))


def verdict(prediction: Prediction) -> str:
    """Describe a prediction and its certainty in a sentence, with the margin to the runner-up."""
    odds = sorted(((getattr(prediction.probabilities, name), name) for name in SCHEMA.class_names), reverse=True)
    (first, predicted), (second, runner_up) = odds[:2]
    margin = f"{format_percent(first)}, against {format_percent(second)} for {runner_up}"
    if prediction.warnings:
        return f"The model takes it for {predicted} ({margin}), but knows no {SCHEMA.noun} like it."
    certainty = next(words for at_least, words in CONFIDENCE if first >= at_least)
    return f"This is {certainty} {predicted}: {margin}."
