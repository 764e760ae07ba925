"""The domain: what is measured of an iris, and which species there are.

The two tables here are the only place where a feature or a species is spelt. Forms, JSON types, the model's manifest,
labels and error texts are made from them, so to serve another classifier is to write these tables and a training.
"""

import math
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import UNSET, UnsetType
from numpy.typing import NDArray

LARGEST = sys.float_info.max


@dataclass(frozen=True, slots=True)
class Feature:
    """A length that is measured, in ``unit``, and accepted when greater than ``above`` and at most ``at_most``.

    ``name`` is its name for programs, ``form_name`` in the form, ``label`` for people; ``how`` says how to measure it,
    and ``less`` and ``more`` what it is when it is too little or too much.
    """

    name: str
    form_name: str
    label: str
    how: str
    less: str
    more: str
    example: float
    unit: str = "cm"
    above: float = 0.0
    at_most: float = 30.0

    @property
    def title(self) -> str:
        """Name the feature with its unit, as over a column."""
        return f"{self.label} ({self.unit})"

    @property
    def bounds(self) -> str:
        """Say what is accepted."""
        return f"greater than {format_number(self.above)} and at most {format_number(self.at_most)} {self.unit}"

    @property
    def missing(self) -> str:
        """Say that there is no value."""
        return f"{self.label} is missing."

    def accepts_tenth(self, value: float) -> bool:
        """Say whether a value that is too large would do in millimetres."""
        return self.unit == "cm" and self.at_most < value <= 10 * self.at_most

    def validate(self, value: object) -> str | None:
        """Say what is wrong with a value, or None where nothing is.

        An ``int`` or ``float`` within the bounds is right; a ``bool`` is no number.
        """
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{self.label} must be a number in {self.unit}, not {_kind(value)}."
        if not self.above < value <= self.at_most:
            hint = f" In millimetres? Then it is {value / 10:.4g} {self.unit}." if self.accepts_tenth(value) else ""
            return f"{self.label} must be {self.bounds}, not {format_number(value)}.{hint}"
        return None


@dataclass(frozen=True, slots=True)
class Species:
    """A class that is predicted, with a typical flower of it: one value a feature, in the features' units."""

    name: str
    typical: tuple[float, ...]

    @property
    def label(self) -> str:
        """Name the species as a person reads it."""
        return self.name.capitalize()


FEATURES = (
    Feature(
        "sepal_length",
        "slen",
        "Sepal length",
        "Take one of the three sepals, the leaves of the flower that hang down. From its base to its tip.",
        "short",
        "long",
        example=5.1,
    ),
    Feature(
        "sepal_width",
        "swid",
        "Sepal width",
        "The same sepal, across where it is widest.",
        "narrow",
        "wide",
        example=3.5,
    ),
    Feature(
        "petal_length",
        "plen",
        "Petal length",
        "Take one of the three petals, the leaves that stand upright. From its base to its tip.",
        "short",
        "long",
        example=1.4,
    ),
    Feature(
        "petal_width",
        "pwid",
        "Petal width",
        "The same petal, across where it is widest.",
        "narrow",
        "wide",
        example=0.2,
    ),
)

CLASSES = (
    Species("setosa", (5.0, 3.4, 1.5, 0.2)),
    Species("versicolor", (5.9, 2.8, 4.3, 1.3)),
    Species("virginica", (6.5, 3.0, 5.6, 2.0)),
)

# The pictures of a flower among the others: a title, and the features across and up, by their places.
PANELS = (("Sepals", 0, 1), ("Petals", 2, 3))

# What a column may be called that names each flower's species.
TARGET_COLUMNS = {"species", "class", "variety", "target", "label"}

FEATURES_BY_NAME = {feature.name: feature for feature in FEATURES}
CLASS_NAMES = [species.name for species in CLASSES]


def match_feature(spelling: str) -> Feature | None:
    """Find the feature that a column's name means, however it is spelt: by its letters, less a unit at its end."""
    if any(map(str.isdigit, spelling)):  # it is a value, or one of several
        return None
    letters = _letters(spelling)
    return next((one for one in FEATURES if letters.removesuffix(one.unit) in _SPELLINGS[one.name]), None)


def is_target_column(name: str) -> bool:
    """Say whether a column's name says that it names each flower's species."""
    return name.strip().lower() in TARGET_COLUMNS


def match_class(text: str) -> Species | None:
    """Find the species that a cell names, with the genus before it or not, or by its place in the table."""
    if text in _PLACES:
        return CLASSES[int(text)]
    letters = _letters(text)
    return next((one for one in CLASSES if letters.endswith(one.name)), None)


def find_out_of_bounds(measurements: NDArray[np.float64]) -> list[tuple[int, int]]:
    """Return row and column of each value that is not accepted, in an array of shape (n, 4) in the features' units."""
    if not len(measurements) or (measurements.min() > _ABOVE_ALL and measurements.max() <= _AT_MOST_ANY):
        return []  # which is most often so, and far sooner seen
    accepted = (measurements > _ABOVE) & (measurements <= _AT_MOST)
    return [(row, column) for row, column in np.argwhere(~accepted).tolist()]


_ABOVE = np.array([feature.above for feature in FEATURES])
_AT_MOST = np.array([feature.at_most for feature in FEATURES])
_ABOVE_ALL, _AT_MOST_ANY = float(_ABOVE.max()), float(_AT_MOST.min())


def _letters(spelling: str) -> str:
    return "".join(character for character in spelling.casefold() if character.isalpha())


_PLACES = [str(place) for place in range(len(CLASSES))]
_SPELLINGS = {feature.name: {_letters(feature.name), _letters(feature.form_name)} for feature in FEATURES}


def parse_number(text: str) -> float:
    """Read a number in the usual ways of writing one; NaN where there is none."""
    try:
        return math.nan if "_" in text else float(text)  # Python would read 1_0 as 10
    except ValueError:
        return math.nan


def format_number(value: float) -> str:
    """Write a number as a person would: as short as it can be without becoming another one."""
    if not -LARGEST <= value <= LARGEST:
        return "NaN" if value != value else "a number beyond all bounds"
    return repr(value).removesuffix(".0")


def format_percent(probability: float) -> str:
    """Write a probability as a person reads it, never rounded to a certainty."""
    if probability < 0.001:
        return "< 0.1 %"
    if probability > 0.999:
        return "> 99.9 %"
    return f"{100 * probability:.1f} %"


def truncate(text: str, length: int = 40) -> str:
    """Cut a text that somebody sent to what an error may repeat of it."""
    return text if len(text) <= length else f"{text[:length]}…"


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "true or false"
        case str():
            return "text"
        case dict():
            return "an object"
    return "a list"


def _field(feature: Feature) -> tuple[str, Any]:
    """Make the field of a measurement's type that takes a feature, bounds and unit included."""
    meta = msgspec.Meta(
        gt=feature.above,
        le=feature.at_most,
        title=feature.title,
        description=feature.how,
        examples=[feature.example],
        extra_json_schema={"x-unit": feature.unit},
    )
    return feature.name, Annotated[float, meta]


def _type(name: str, fields: Iterable[tuple[str, Any]], docstring: str) -> Any:
    """Make a type for JSON whose fields the tables above determine."""
    namespace = {"__doc__": docstring}
    return msgspec.defstruct(
        name, fields, namespace=namespace, module=__name__, forbid_unknown_fields=True, frozen=True, gc=False
    )


if TYPE_CHECKING:
    Measurement: TypeAlias = Any
    Probabilities: TypeAlias = Any
    Contributions: TypeAlias = Any
    ClassName: TypeAlias = str
else:
    Measurement = _type("Measurement", map(_field, FEATURES), "One flower: the four lengths, in their units.")
    Probabilities = _type(
        "Probabilities",
        [(name, Annotated[float, msgspec.Meta(ge=0, le=1)]) for name in CLASS_NAMES],
        "The probability of each species; they add up to 1.",
    )
    Contributions = _type(
        "Contributions", [(feature.name, float) for feature in FEATURES], "What each measurement adds to the log-odds."
    )
    ClassName = Literal[tuple(CLASS_NAMES)]


class PredictionWarning(msgspec.Struct, frozen=True, omit_defaults=True):
    """A reason to doubt a prediction: a code for programs, a sentence for people, the field where one is meant."""

    code: str
    detail: str
    field: str | None = None

    @property
    def word(self) -> str:
        """Say it in a word, for a cell: the code, and the field behind a colon."""
        return self.code if self.field is None else f"{self.code}:{self.field}"


class Explanation(msgspec.Struct, frozen=True):
    """Why a flower is of its species rather than of the next likely one: a sentence, and its parts in log-odds.

    ``log_odds`` is what speaks for the species against the runner-up: what speaks for it in an average flower
    (``average``), and what each measurement adds by not being average (``contributions``).
    """

    runner_up: ClassName
    log_odds: float
    average: float
    contributions: Contributions
    sentence: str


class Prediction(msgspec.Struct, frozen=True, gc=False):
    """The answer for one flower: its species, the probability of each species, and reasons for doubt.

    ``explanation`` is there where it was asked for, and None where the model has no such reading.
    """

    species: ClassName
    probabilities: Probabilities
    warnings: tuple[PredictionWarning, ...]
    explanation: Explanation | UnsetType | None = UNSET
