"""The schema of a model: its features, its classes, and the names that go with them."""

from dataclasses import dataclass
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from iris_app.formatting import format_number

# Arrays of float64; rows have shape (n, features).
Floats: TypeAlias = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Feature:
    """A number in ``unit``, accepted when greater than ``above`` and at most ``at_most``.

    Attributes
    ----------
    name, form_name, label : str
        Its name for programs, in the form, and for people.
    help : str
        Instructions for measuring it.
    less, more : str
        Adjectives for a value that is too small or too large.
    example : float
        A typical value.
    """

    name: str
    form_name: str
    label: str
    help: str
    less: str
    more: str
    example: float
    unit: str = "cm"
    above: float = 0.0
    at_most: float = 30.0

    @property
    def title(self) -> str:
        """The label with the unit, as a column's heading."""
        return f"{self.label} ({self.unit})"

    @property
    def bounds(self) -> str:
        """A description of the accepted values."""
        return f"greater than {format_number(self.above)} and at most {format_number(self.at_most)} {self.unit}"

    @property
    def missing(self) -> str:
        """The error for a missing value."""
        return f"{self.label} is missing."

    def accepts_tenth(self, value: float) -> bool:
        """Check whether a value that is too large would be accepted if it were in millimetres."""
        return self.unit == "cm" and self.at_most < value <= 10 * self.at_most

    def accepts(self, value: object) -> bool:
        """Check whether a value of a JSON document is accepted."""
        return type(value) in (int, float) and self.above < value <= self.at_most  # type: ignore[operator]

    def validate(self, value: object) -> str | None:
        """Return the error in a value, or None.

        An ``int`` or ``float`` within the bounds is accepted; a ``bool`` is not a number.
        """
        if isinstance(value, bool) or not isinstance(value, int | float):
            return f"{self.label} must be a number in {self.unit}, not {_json_kind(value)}."
        if not self.above < value <= self.at_most:
            hint = f" In millimetres? Then it is {value / 10:.4g} {self.unit}." if self.accepts_tenth(value) else ""
            return f"{self.label} must be {self.bounds}, not {format_number(value)}.{hint}"
        return None


@dataclass(frozen=True, slots=True)
class Class:
    """A class that the model predicts, with a typical row: one value per feature, in the features' units."""

    name: str
    typical: tuple[float, ...]

    @property
    def label(self) -> str:
        """The name for people."""
        return self.name.capitalize()


@dataclass(frozen=True)
class Schema:
    """The features that a model takes and the classes that it predicts.

    Attributes
    ----------
    target : str
        The key of the predicted class in an answer.
    target_columns : frozenset of str
        Names of columns that may hold the true class, in lower case.
    sample_name : str
        The stem of the sample file's name.
    targets, noun, nouns : str
        The plural of the target; the name of a row, and its plural.
    title, heading, lead, description : str
        The title of all pages, the heading and first sentence of the form, and the description for search engines.
    panels : tuple
        The scatter plots of a prediction: a title, and the indices of the features on the x and y axes.
    """

    features: tuple[Feature, ...]
    classes: tuple[Class, ...]
    target: str
    targets: str
    target_columns: frozenset[str]
    noun: str
    nouns: str
    sample_name: str
    title: str
    heading: str
    lead: str
    description: str
    panels: tuple[tuple[str, int, int], ...]

    @cached_property
    def features_by_name(self) -> dict[str, Feature]:
        """The features by their names for programs."""
        return {feature.name: feature for feature in self.features}

    @cached_property
    def class_names(self) -> list[str]:
        """The names of the classes, in their order."""
        return [class_.name for class_ in self.classes]

    def match_feature(self, name: str) -> Feature | None:
        """Find the feature whose name has the letters of a column's name, apart from a unit at its end."""
        if any(map(str.isdigit, name)):  # a value, or one of several columns
            return None
        letters = _letters(name)
        return next(
            (
                feature
                for feature in self.features
                if letters.removesuffix(feature.unit) in self._spellings[feature.name]
            ),
            None,
        )

    def is_target_column(self, name: str) -> bool:
        """Check whether a column may hold the true class, by its name."""
        return name.strip().lower() in self.target_columns

    def match_class(self, text: str) -> Class | None:
        """Find the class that a cell names: its letters end with the class's name, or it is the class's index."""
        if text in self._indices:
            return self.classes[int(text)]
        letters = _letters(text)
        return next((class_ for class_ in self.classes if letters.endswith(class_.name)), None)

    def find_out_of_bounds(self, rows: Floats) -> list[tuple[int, int]]:
        """Return the row and column of each value out of bounds in an array of shape (n, features)."""
        above, at_most = self._bounds
        if not len(rows) or (rows.min() > above.max() and rows.max() <= at_most.min()):
            return []  # fast path
        return [(row, column) for row, column in np.argwhere(~self.accepted(rows)).tolist()]

    def accepted(self, rows: Floats) -> NDArray[np.bool_]:
        """Return whether each value of an array of shape (n, features) is accepted."""
        above, at_most = self._bounds
        return (rows > above) & (rows <= at_most)

    @cached_property
    def _bounds(self) -> tuple[Floats, Floats]:
        above = np.array([feature.above for feature in self.features])
        return above, np.array([feature.at_most for feature in self.features])

    @cached_property
    def _spellings(self) -> dict[str, set[str]]:
        return {feature.name: {_letters(feature.name), _letters(feature.form_name)} for feature in self.features}

    @cached_property
    def _indices(self) -> frozenset[str]:
        return frozenset(map(str, range(len(self.classes))))


def _letters(name: str) -> str:
    return "".join(character for character in name.casefold() if character.isalpha())


def _json_kind(value: object) -> str:
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
