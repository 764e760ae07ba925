"""The values that would change an answer, in words and with links."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter

from iris_app.formatting import format_number, truncate
from iris_app.model.explanations.misreadings import Misreading
from iris_app.model.explanations.profiles import Change
from iris_app.schema import Feature, Schema

# The features with changes that are shown, and the categories of each; the others are counted.
MAX_FEATURES, MAX_CATEGORIES = 12, 8

# The difference of probabilities from which a misreading matters.
MIN_SPAN = 0.01

BOOLEANS = {1.0: "Yes", 0.0: "No"}


@dataclass(frozen=True, slots=True)
class Option:
    """A value that changes the answer, in words, the label of the class that it gives, and its address if any.

    ``is_unlike`` says whether the row is then unlike all of the training.
    """

    value: str
    label: str
    url: str | None
    is_unlike: bool


@dataclass(frozen=True, slots=True)
class FeatureChanges:
    """The values of one feature that change the answer; ``omitted`` more are not listed."""

    index: int
    label: str
    options: list[Option]
    omitted: int


def describe_changes(
    schema: Schema,
    changes: Sequence[Change],
    address: Callable[[int, str], str | None],
    is_unlike: Callable[[int, float], bool],
) -> list[FeatureChanges]:
    """Describe changes by feature, in the order of the schema.

    Parameters
    ----------
    schema : Schema
    changes : sequence of Change
    address : callable
        Takes the index of a feature and the text of its value, and returns the address of the answer with that value.
    is_unlike : callable
        Takes the index of a feature and its value, and returns whether the row with it is unlike all of the training.
    """
    described = []
    for index, group in groupby(changes, attrgetter("index")):
        feature, found = schema.features[index], list(group)
        options = [
            Option(
                _describe(feature, change),
                schema.classes[change.class_index].label,
                address(index, feature.format(change.value)),
                is_unlike(index, change.value),
            )
            for change in found[:MAX_CATEGORIES]
        ]
        described.append(FeatureChanges(index, feature.label, options, len(found) - len(options)))
    return described


@dataclass(frozen=True, slots=True)
class MisreadingEffect:
    """The range of the probability of an answer if a number is read wrong, in words; ``index`` is its feature's."""

    index: int
    label: str
    error: str
    lowest: float
    highest: float
    changes_class: bool


def describe_misreadings(schema: Schema, misreadings: Sequence[Misreading]) -> list[MisreadingEffect]:
    """Describe the misreadings that matter most, the worst first."""
    worst = sorted(misreadings, key=lambda one: (not one.changes_class, -one.span))
    matter = [one for one in worst if one.changes_class or one.span >= MIN_SPAN]
    return [
        MisreadingEffect(
            one.index,
            schema.features[one.index].label,
            f"± {schema.features[one.index].with_unit(format_number(one.error))}",
            one.lowest,
            one.highest,
            one.changes_class,
        )
        for one in matter[:MAX_FEATURES]
    ]


def _describe(feature: Feature, change: Change) -> str:
    if not feature.is_numeric:
        return describe_value(feature, change.value)
    text = feature.with_unit(format_number(change.value))
    if change.value in feature.limits:
        return text
    if change.lasting:
        return f"{text} or {'less' if change.direction < 0 else 'more'}"
    low, high = sorted([change.value, change.last])
    return text if low == high else f"{format_number(low)} to {feature.with_unit(format_number(high))}"


def describe_value(feature: Feature, value: float) -> str:
    """Return a boolean or a category as people read it."""
    return BOOLEANS[value] if feature.kind == "boolean" else truncate(feature.format(value)) or "(empty)"
