"""Where a flower lies among those of the training, and what spoke for its species: the pictures in numbers."""

import math
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from iris_app.formatting import format_number, format_percent
from iris_app.iris import SCHEMA
from iris_app.json_types import Prediction
from iris_app.model.manifest import TrainingRow
from iris_app.schema import Feature

Floats = NDArray[np.float64]

# The drawing's own units: the plane of a panel, in which x grows to the right and y downwards.
WIDTH, HEIGHT = 320.0, 240.0

# In how many columns and rows a panel's regions are asked for.
COLUMNS, ROWS = 80, 60

# How many flowers around this one a panel's description counts.
NEIGHBOURS = 10


@dataclass(frozen=True, slots=True)
class Axis:
    """A feature along an edge of a panel: from ``low`` to ``high`` in its unit, over ``length`` of the drawing."""

    feature: Feature
    low: float
    high: float
    length: float

    def place(self, value: float) -> float:
        """Return how far along the axis a value stands."""
        return round((value - self.low) / (self.high - self.low) * self.length, 2)

    @property
    def ticks(self) -> list[tuple[float, str]]:
        """Return the place and label of each tick: a few, at round values."""
        rough = (self.high - self.low) / 6
        power = 10.0 ** math.floor(math.log10(rough))
        step = next(power * factor for factor in (1, 2, 5, 10) if power * factor >= rough)
        first, last = math.ceil(self.low / step), math.floor(self.high / step)
        return [(self.place(index * step), f"{index * step:.3g}") for index in range(first, last + 1)]


@dataclass(frozen=True, slots=True)
class Panel:
    """A picture of a flower among those of the training, by two features."""

    title: str
    across: Axis
    up: Axis
    flowers: list[tuple[float, float, int]]
    this: tuple[float, float]
    regions: list[tuple[float, float, float, float, int]]
    description: str


def panels(
    measurement: Sequence[float], flowers: Sequence[TrainingRow], classify: Callable[[Floats], Floats]
) -> list[Panel]:
    """Draw the panels of a flower.

    Parameters
    ----------
    measurement : sequence of float
        The flower's values, in the features' order and units.
    flowers : sequence of Flower
        Those of the training.
    classify : callable
        Takes measurements of shape (n, features) and returns probabilities of shape (n, species).
    """
    return [_panel(title, across, up, measurement, flowers, classify) for title, across, up in SCHEMA.panels]


def _panel(
    title: str,
    across: int,
    up: int,
    measurement: Sequence[float],
    flowers: Sequence[TrainingRow],
    classify: Callable[[Floats], Floats],
) -> Panel:
    x_axis, y_axis = (
        _axis(SCHEMA.features[index], [measurement[index], *(row.measurement[index] for row in flowers)], length)
        for index, length in ((across, WIDTH), (up, HEIGHT))
    )
    places = [
        (x_axis.place(row.measurement[across]), HEIGHT - y_axis.place(row.measurement[up]), row.class_index)
        for row in flowers
    ]
    this = (x_axis.place(measurement[across]), HEIGHT - y_axis.place(measurement[up]))
    answer = SCHEMA.class_names[int(classify(np.array([measurement]))[0].argmax())]
    regions = _regions(across, up, x_axis, y_axis, measurement, classify)
    return Panel(
        title,
        x_axis,
        y_axis,
        places,
        this,
        regions,
        _describe(title, x_axis, y_axis, measurement, places, this, answer),
    )


def _axis(feature: Feature, values: list[float], length: float) -> Axis:
    margin = 0.06 * (max(values) - min(values))
    return Axis(feature, min(values) - margin, max(values) + margin, length)


def _regions(
    across: int, up: int, x_axis: Axis, y_axis: Axis, measurement: Sequence[float], classify: Callable[[Floats], Floats]
) -> list[tuple[float, float, float, float, int]]:
    """Return, as rectangles, where the model sees which species while the flower's other values stay as they are."""
    width, height = WIDTH / COLUMNS, HEIGHT / ROWS
    grid = np.tile(np.asarray(measurement, np.float64), (ROWS, COLUMNS, 1))
    grid[:, :, across] = x_axis.low + (np.arange(COLUMNS) + 0.5) / COLUMNS * (x_axis.high - x_axis.low)
    grid[:, :, up] = (y_axis.high - (np.arange(ROWS) + 0.5) / ROWS * (y_axis.high - y_axis.low))[:, None]
    species = classify(grid.reshape(-1, len(SCHEMA.features))).argmax(axis=1).reshape(ROWS, COLUMNS)
    return [
        (run[0] * width, row * height, len(run) * width, height, int(name))
        for row, cells in enumerate(species)
        for name, run in ((name, list(run)) for name, run in groupby(range(COLUMNS), key=cells.__getitem__))
    ]


def _describe(
    title: str,
    x_axis: Axis,
    y_axis: Axis,
    measurement: Sequence[float],
    places: Iterable[tuple[float, float, int]],
    this: tuple[float, float],
    answer: str,
) -> str:
    """Say in a sentence what a panel shows."""
    nearest = sorted(places, key=lambda place: math.dist(place[:2], this))[:NEIGHBOURS]
    counts = Counter(SCHEMA.class_names[species] for _, _, species in nearest).most_common()
    values = ", ".join(
        f"{axis.feature.label.lower()} {format_number(measurement[SCHEMA.features.index(axis.feature)])} {axis.feature.unit}"
        for axis in (x_axis, y_axis)
    )
    among = ", ".join(f"{count} {name}" for name, count in counts)
    return (
        f"{title}: this flower ({values}) among those of the training; the {NEIGHBOURS} nearest to it are {among}. "
        f"It lies where the model answers {answer}."
    )


@dataclass(frozen=True, slots=True)
class Bar:
    """What one thing adds to the log-odds, as a bar from the middle to the left or right, in percent of the width."""

    label: str
    log_odds: float
    start: float
    width: float


def bars(prediction: Prediction) -> list[Bar]:
    """Draw what speaks for a prediction's species against the runner-up; its explanation must be there."""
    explanation = prediction.explanation
    if not explanation:
        return []
    parts = [(one.label, getattr(explanation.contributions, one.name)) for one in SCHEMA.features]
    parts.append(("An average flower", explanation.average))
    largest = max(abs(value) for _, value in parts) or 1.0
    return [Bar(label, value, 50 + 50 * min(value, 0) / largest, 50 * abs(value) / largest) for label, value in parts]


# How sure an answer is, by the probability of its species.
CONFIDENCE = ((0.99, "almost certainly"), (0.9, "very likely"), (0.7, "probably"), (0.0, "perhaps"))


def verdict(prediction: Prediction) -> str:
    """Say how sure an answer is, with the margin to the runner-up, in a sentence."""
    odds = sorted(((getattr(prediction.probabilities, name), name) for name in SCHEMA.class_names), reverse=True)
    (first, species), (second, runner_up) = odds[:2]
    odds_in_words = f"{format_percent(first)}, against {format_percent(second)} for {runner_up}"
    if prediction.warnings:
        return f"The model takes it for {species} ({odds_in_words}), but knows no flower like it."
    how = next(words for at_least, words in CONFIDENCE if first >= at_least)
    return f"This is {how} {species}: {odds_in_words}."
