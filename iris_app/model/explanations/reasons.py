"""The reason for a prediction, as a sentence in the words of the schema."""

import math
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Self

from iris_app.formatting import truncate
from iris_app.model.manifest import ClassSummary
from iris_app.schema import UNKNOWN, Feature, Floats, Schema

# Standard deviations of a class within which a value is typical of it, and beyond which it is far off.
USUAL, FAR = 2.0, 4.0

# Means of two classes that are closer than this part of a standard deviation tell nothing.
ALIKE = 0.1

# The share of the largest contribution, for or against, that makes another one a reason.
TELLING = 0.25

# The share of the largest contribution from which another one is named beside it.
NEARLY_AS_MUCH = 0.7

BOOLEANS = {"true": "yes", "false": "no"}


def sentence(
    schema: Schema,
    classes: Sequence[ClassSummary],
    row: Floats,
    contributions: Floats,
    predicted: int,
    runner_up: int,
    outside: Collection[int] = (),
) -> str:
    """Describe the largest contribution to a prediction, and the worst value that the model did not learn from.

    Parameters
    ----------
    schema : Schema
    classes : sequence of ClassSummary
        The summaries of the training's rows.
    row : ndarray of shape (features,)
        The values that were classified.
    contributions : ndarray of shape (features,)
        What each value adds to the log-odds of the class against the runner-up.
    predicted, runner_up : int
        The indices of the classes.
    outside : collection of int
        The indices of values outside the training's range. Categories that are not known need not be among them.
    """
    name, next_name = (schema.classes[index].label for index in (predicted, runner_up))
    values = row.tolist()

    def compared(index: int) -> _Value:
        own, other = (_Statistics.of(classes[class_index], index) for class_index in (predicted, runner_up))
        return _Value(schema.features[index], values[index], own, other)

    unknown = [index for index, value in enumerate(values) if _is_unknown(schema.features[index], value)]
    doubtful = sorted({*outside, *unknown}, key=lambda index: (compared(index).is_far, abs(contributions[index])))
    best = _find_best(contributions)
    if best in doubtful and compared(best).is_far:
        return f"The {compared(best).doubt(name)}"
    reason = f"No single value points to {name}, but all of them together do."
    if contributions.sum() < 0:
        average = f"An average {schema.noun} looks more like {name} than {next_name}"
        reason = f"{average}, and these values change that too little."
    if best is not None:
        reason = f"Above all because of the {compared(best).reason(name, next_name)}"
        second = _find_second(contributions, best)
        if second is not None and second not in doubtful:
            reason += f" The {compared(second).subject} adds nearly as much."
    if not doubtful:
        return reason
    doubt = f"the {compared(doubtful[-1]).doubt(name)}"
    return f"{reason} But {'that is outside what the model learnt from.' if doubtful[-1] == best else doubt}"


def _find_best(contributions: Floats) -> int | None:
    """Return the index of the largest contribution, or None if it is little beside those against the class."""
    best = int(contributions.argmax())
    return best if contributions[best] > max(TELLING * abs(contributions).max(), -contributions.sum()) else None


def _find_second(contributions: Floats, best: int) -> int | None:
    """Return the index of the contribution that is nearly as large as the largest one, if one is."""
    others = contributions.copy()
    others[best] = -math.inf
    second = int(others.argmax())
    return second if others[second] >= NEARLY_AS_MUCH * contributions[best] else None


class _Statistics(NamedTuple):
    """The mean and the standard deviation of a feature over the rows of a class."""

    mean: float
    deviation: float

    @classmethod
    def of(cls, summary: ClassSummary, index: int) -> Self | None:
        """Return the statistics of a feature, or None if it has no mean, or no deviation to measure by."""
        mean, deviation = summary.means[index], summary.deviations[index]
        return cls(mean, deviation) if mean is not None and deviation else None

    def distance(self, value: float) -> float:
        """Return by how many standard deviations a value is above the mean."""
        return (value - self.mean) / self.deviation


@dataclass(frozen=True, slots=True)
class _Value:
    """A value of a row, and the statistics of its feature in the predicted class and in the runner-up."""

    feature: Feature
    value: float
    own: _Statistics | None
    other: _Statistics | None

    @property
    def is_far(self) -> bool:
        """True if a value outside the training's range is far from the predicted class, or cannot be measured."""
        return self.own is None or abs(self.own.distance(self.value)) > FAR

    def reason(self, name: str, next_name: str) -> str:
        """Describe how the value speaks for a class against the runner-up."""
        if self.feature.is_numeric and self.own and self.other:
            how = _compare(self.feature, self.value, (name, self.own), (next_name, self.other))
            if how:
                return f"{self}: {how}."
        points = ": that points" if math.isnan(self.value) else ", which points"
        return f"{self}{points} to {name} rather than {next_name}."

    def doubt(self, name: str) -> str:
        """Describe that the model did not learn from such a value."""
        guess = f", so {name} is a guess." if self.is_far else "."
        if _is_unknown(self.feature, self.value):
            return f"{_label(self.feature)} is one that the model does not know{guess}"
        far = "far " if self.is_far and self.own else ""
        return f"{self.subject} is {far}outside what the model learnt from{guess}"

    @property
    def subject(self) -> str:
        """The value as the subject of a sentence."""
        return f"{self}," if self.feature.is_numeric or math.isnan(self.value) else str(self)

    def __str__(self) -> str:
        label = _label(self.feature)
        if math.isnan(self.value):
            return f"{label}, which is missing"
        text = self.feature.format(self.value)
        if self.feature.is_numeric:
            return f"{label}, {self.feature.with_unit(text)}"
        if self.feature.kind == "boolean":
            return f"answer {BOOLEANS[text]} to {label}"
        return f"{label} ({truncate(text)})"


def _compare(feature: Feature, value: float, own: tuple[str, _Statistics], other: tuple[str, _Statistics]) -> str:
    """Compare a number with the predicted class and the runner-up; return nothing if it is not nearer to the former."""
    (name, usual), (next_name, next_usual) = own, other
    distance, next_distance = usual.distance(value), next_usual.distance(value)
    if not abs(distance) < abs(next_distance):
        return ""
    fit, next_fit = _fit(distance, feature), _fit(next_distance, feature)
    if fit != next_fit:
        own_fit = fit if abs(distance) <= USUAL else f"unusually {feature.less if distance < 0 else feature.more}"
        return f"{own_fit} for {name}, {next_fit} for {next_name}"
    if abs(usual.mean - next_usual.mean) < ALIKE * max(usual.deviation, next_usual.deviation):
        return ""
    mean, next_mean = _format_means(feature, usual, next_usual)
    return f"nearer to the average of {name}, {mean}, than to that of {next_name}, {next_mean}"


def _fit(distance: float, feature: Feature) -> str:
    """Describe the distance of a value from a class's mean, in standard deviations."""
    if abs(distance) <= USUAL:
        return "typical"
    off = feature.less if distance < 0 else feature.more
    return f"{'far ' if abs(distance) > FAR else ''}too {off}"


def _format_means(feature: Feature, *statistics: _Statistics) -> list[str]:
    """Format means with the decimals that tell them apart."""
    means = [usual.mean for usual in statistics]
    smallest = min(max(means) - min(means), *(usual.deviation for usual in statistics))
    decimals = min(max(0, -math.floor(math.log10(smallest))), 12)
    return [feature.with_unit(f"{mean:.{decimals}f}") for mean in means]


def _is_unknown(feature: Feature, value: float) -> bool:
    return value == UNKNOWN and feature.kind == "category"


def _label(feature: Feature) -> str:
    """Return a feature's label within a sentence, without the capitals of a title; abbreviations keep theirs."""
    words = feature.label.split(" ")
    return " ".join(word.lower() if len(word) > 1 and word.istitle() else word for word in words)
