"""Charts of how the probability of each class changes with one value."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import groupby

import numpy as np

from iris_app.formatting import format_percent
from iris_app.model.explanations.profiles import Profile
from iris_app.schema import Feature, Floats, Schema
from iris_app.ui.charts import WIDTH, Axis
from iris_app.ui.result.changes import describe_value

HEIGHT = 160.0

# The classes that a chart draws: the likeliest of those that are ever so likely.
MAX_CLASSES, MIN_PROBABILITY = 8, 0.05

# The charts of a page, and the categories of one.
MAX_CHARTS, MAX_CATEGORIES = 40, 20

# The marks of each line, which tell the lines apart without their colours.
MARKS = 5


@dataclass(frozen=True, slots=True)
class Line:
    """The line of a class: its index, its points in SVG units, and those that have a mark."""

    index: int
    points: list[tuple[float, float]]
    marks: list[tuple[float, float]]


@dataclass(frozen=True, slots=True)
class Curve:
    """A chart of a number: the probability of each class over its range; ``here`` is where the row lies, if there."""

    axis: Axis
    lines: list[Line]
    here: float | None
    description: str

    @property
    def classes(self) -> set[int]:
        """The indices of the classes that the chart shows."""
        return {line.index for line in self.lines}


@dataclass(frozen=True, slots=True)
class CategoryRow:
    """A category of a chart: its label, whether it is the row's, the parts of its bar, and the predicted class.

    A part is the index of a class, its start and its width in percent.
    """

    label: str
    is_here: bool
    parts: list[tuple[int, float, float]]
    predicted: str


@dataclass(frozen=True, slots=True)
class CategoryChart:
    """A chart of a category or boolean: a bar for each value, parted by the probabilities of the classes."""

    feature: Feature
    rows: list[CategoryRow]
    omitted: int
    classes: set[int]


def draw_curves(
    schema: Schema, profiles: Iterable[Profile], row: Floats, order: Sequence[int]
) -> list[Curve | CategoryChart]:
    """Draw the profiles of a row, of which the first in ``order`` are kept where there are very many.

    Parameters
    ----------
    schema : Schema
    profiles : iterable of Profile
    row : ndarray of shape (features,)
    order : sequence of int
        The indices of the features, those that matter most first.
    """
    kept = set(order[:MAX_CHARTS])
    return [
        _draw_categories(schema, profile, float(row[profile.index]))
        if profile.steps is None
        else _draw_numbers(schema, profile, float(row[profile.index]))
        for profile in profiles
        if profile.index in kept
    ]


def _shown_classes(probabilities: Floats) -> list[int]:
    """Return the indices of the classes that are drawn, in their order."""
    highest = probabilities.max(axis=1)
    likeliest = np.argsort(-highest, kind="stable")[:MAX_CLASSES]
    return sorted(likeliest[highest[likeliest] >= MIN_PROBABILITY].tolist())


def _draw_numbers(schema: Schema, profile: Profile, value: float) -> Curve:
    feature, low, high = schema.features[profile.index], float(profile.values[0]), float(profile.values[-1])
    axis = Axis(feature, low, high, WIDTH)
    across = [axis.position(one) for one in profile.values.tolist()]
    lines = []
    for place, index in enumerate(_shown_classes(profile.probabilities)):
        heights = [round(HEIGHT * (1 - one), 1) for one in profile.probabilities[index].tolist()]
        points = list(zip(across, heights, strict=True))
        gap = max(len(points) // MARKS, 1)
        lines.append(Line(index, points, points[(1 + 2 * place) % gap :: gap]))
    here = axis.position(value) if low <= value <= high else None
    return Curve(axis, lines, here, _describe(schema, feature, profile, value, is_inside=here is not None))


def _describe(schema: Schema, feature: Feature, profile: Profile, value: float, *, is_inside: bool) -> str:
    """Describe a curve by the class that is predicted in each part of it."""
    texts = list(map(feature.format, profile.values.tolist()))
    runs = [[place for place, _ in run] for _, run in groupby(enumerate(profile.classes.tolist()), lambda one: one[1])]
    parts = [
        f"{schema.classes[int(profile.classes[run[0]])].label} from {texts[run[0]]} to {texts[run[-1]]}" for run in runs
    ]
    present = "" if value != value else f" Now it is {feature.with_unit(feature.format(value))}"
    outside = "" if is_inside or not present else ", which is outside this range"
    full_stop = "." if present else ""
    return f"The answer for each {feature.title}: {', '.join(parts)}.{present}{outside}{full_stop}"


def _draw_categories(schema: Schema, profile: Profile, value: float) -> CategoryChart:
    feature = schema.features[profile.index]
    shown = _shown_classes(profile.probabilities)
    places = list(range(len(profile.values)))
    kept = sorted(places, key=lambda place: profile.values[place] != value)[:MAX_CATEGORIES]
    rows = [
        _category_row(schema, feature, profile, place, shown, is_here=float(profile.values[place]) == value)
        for place in sorted(kept)
    ]
    return CategoryChart(feature, rows, max(len(feature.categories) - len(rows), 0), set(shown))


def _category_row(
    schema: Schema, feature: Feature, profile: Profile, place: int, shown: list[int], *, is_here: bool
) -> CategoryRow:
    probabilities = profile.probabilities[:, place]
    predicted = int(profile.classes[place])
    widths = [round(100 * float(probabilities[index]), 2) for index in shown]
    starts = [round(sum(widths[:count]), 2) for count in range(len(widths))]
    return CategoryRow(
        describe_value(feature, float(profile.values[place])),
        is_here,
        list(zip(shown, starts, widths, strict=True)),
        f"{schema.classes[predicted].label} {format_percent(float(probabilities[predicted]))}",
    )
