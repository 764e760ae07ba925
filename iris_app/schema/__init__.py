"""The schema of a model: its features, its classes, and the words that go with them."""

import hashlib
from collections.abc import Callable, Iterable
from functools import cached_property
from typing import Annotated, Any, TypeVar

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from iris_app.schema.feature import (
    MISSING,
    UNKNOWN,
    UNREADABLE,
    Category,
    Feature,
    Floats,
    Kind,
    Value,
    describe,
    read_decimal,
)
from iris_app.schema.spelling import Spellings
from iris_app.schema.validation import find_errors

__all__ = [
    "MISSING",
    "UNKNOWN",
    "UNREADABLE",
    "About",
    "Category",
    "Class",
    "Feature",
    "Floats",
    "Kind",
    "Schema",
    "Value",
    "describe",
    "read_decimal",
]

Derived = TypeVar("Derived")

# The members of an answer beside the predicted class.
RESERVED_KEYS = frozenset({"probabilities", "warnings", "explanation", "model"})


class Class(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A class that the model predicts.

    Attributes
    ----------
    name, label : str
        Its name for programs and for people.
    value : str, int or bool
        What the classifier predicts for it.
    typical : tuple
        A typical row, of one value per feature.
    spellings : tuple of str
        Other names of it in columns of true classes.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    label: str
    value: str | int | bool
    typical: tuple[Value, ...] = ()
    spellings: tuple[str, ...] = ()

    @property
    def output(self) -> str | int | bool:
        """The class in answers whose clients expect what the classifier predicts."""
        return self.value if str(self.value) == self.name else self.name


class About(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True, forbid_unknown_fields=True):
    """A description of the model, its data, its purpose and its limits, for people; empty where nothing is known."""

    model: str = ""
    data: str = ""
    purpose: str = ""
    limits: str = ""


class Schema(msgspec.Struct, frozen=True, kw_only=True, dict=True, omit_defaults=True, forbid_unknown_fields=True):
    """The features that a model takes, the classes that it predicts, and the words of its pages.

    Attributes
    ----------
    name : str
        The name of the model.
    features : tuple of Feature
    classes : tuple of Class
        In the order of the classifier's ``classes_``.
    target : str
        The name of the predicted value, and its key in an answer.
    targets, noun, nouns : str
        The plural of the target; the name of a row, and its plural.
    target_columns : tuple of str
        Names of columns that may hold the true class.
    title, heading, lead, description : str
        The title of all pages, the heading and first sentence of the form, and the description for search engines.
    sample_name : str
        The stem of the sample file's name.
    panels : tuple
        The scatter plots of a prediction: a title, and the indices of the features on the x and y axes.
    drawing : str
        The name of a drawing that shows what to measure, of those that the pages have.
    public_rows : bool
        Whether anyone may download the rows of the training.
    about : About
    """

    name: Annotated[str, Meta(pattern=r"^[\w.-]{1,100}$")]
    features: Annotated[tuple[Feature, ...], Meta(min_length=1)]
    classes: Annotated[tuple[Class, ...], Meta(min_length=2)]
    target: Annotated[str, Meta(min_length=1, max_length=200)] = "class"
    targets: str = "classes"
    noun: str = "row"
    nouns: str = "rows"
    target_columns: tuple[str, ...] = ("class", "target", "label")
    title: str = "Classifier"
    heading: str = "Which class is it?"
    lead: str = ""
    description: str = ""
    sample_name: str = "sample"
    panels: tuple[tuple[str, int, int], ...] = ()
    drawing: Annotated[str, Meta(pattern="^[a-z]*$")] = ""
    public_rows: bool = False
    about: About = About()

    def __post_init__(self) -> None:
        """Raise ``ValueError`` with all errors in the schema."""
        if errors := list(find_errors(self)):
            raise ValueError(" ".join(errors))

    @property
    def answer_key(self) -> str:
        """The key of the predicted class in an answer: the target, unless an answer has another member of its name."""
        return f"predicted_{self.target}" if self.target in RESERVED_KEYS else self.target

    @cached_property
    def features_by_name(self) -> dict[str, Feature]:
        """The features by their names for programs."""
        return {feature.name: feature for feature in self.features}

    @cached_property
    def class_names(self) -> list[str]:
        """The names of the classes, in their order."""
        return [class_.name for class_ in self.classes]

    @cached_property
    def digest(self) -> str:
        """The sha256 of the schema's JSON, in hexadecimal."""
        return hashlib.sha256(msgspec.json.encode(self, order="deterministic")).hexdigest()

    @cached_property
    def is_numeric(self) -> bool:
        """True if all features are numbers that may not be missing."""
        return all(feature.kind == "number" and not feature.optional for feature in self.features)

    def derive(self, make: Callable[["Schema"], Derived]) -> Derived:
        """Return what a function makes of the schema; it is called once."""
        derived: Derived | None = self._derived.get(make)
        if derived is None:
            derived = self._derived.setdefault(make, make(self))
        return derived

    def encode(self, row: Iterable[Value]) -> list[float]:
        """Return the values of a row, in the features' order, as floats."""
        return [feature.encode(value) for feature, value in zip(self.features, row, strict=True)]

    def decode(self, row: Iterable[float]) -> list[Value]:
        """Return the values that a row of floats encodes."""
        return [feature.decode(value) for feature, value in zip(self.features, row, strict=True)]

    def match_feature(self, name: str) -> Feature | None:
        """Find the feature that a column's name means: exactly, or by its spelling; see ``Spellings``."""
        return self.features_by_name.get(name) or self._spellings.find(name)

    def is_target_column(self, name: str) -> bool:
        """Check whether a column may hold the true class, by its name."""
        folded = name.strip().casefold()
        return folded == self.target.casefold() or folded in self._target_columns

    def match_class(self, text: str) -> Class | None:
        """Find the class that a cell names: exactly, or in another case."""
        return self._classes_by_text.get(text) or self._classes_by_text.get(text.strip().casefold())

    def find_out_of_bounds(self, rows: Floats) -> list[tuple[int, int]]:
        """Return the row and column of each value that is not accepted in an array of shape (n, features)."""
        low, high = self._limits
        if self.is_numeric and (not len(rows) or (rows.min() >= low.max() and rows.max() <= high.min())):
            return []  # fast path
        return [(row, column) for row, column in np.argwhere(~self.accepted(rows)).tolist()]

    def accepted(self, rows: Floats) -> NDArray[np.bool_]:
        """Return whether each value of an array of shape (n, features) is accepted."""
        low, high = self._limits
        accepted: NDArray[np.bool_] = (rows >= low) & (rows <= high)
        if len(self._whole):
            accepted[:, self._whole] &= np.floor(rows[:, self._whole]) == rows[:, self._whole]
        if len(self._optional):
            accepted[:, self._optional] |= np.isnan(rows[:, self._optional])
        return accepted

    @cached_property
    def _derived(self) -> dict[Callable[["Schema"], Any], Any]:
        return {}

    @cached_property
    def _limits(self) -> tuple[Floats, Floats]:
        low, high = np.array([feature.limits for feature in self.features]).T
        return low, high

    @cached_property
    def _whole(self) -> NDArray[np.intp]:
        return np.flatnonzero([feature.kind != "number" for feature in self.features])

    @cached_property
    def _optional(self) -> NDArray[np.intp]:
        return np.flatnonzero([feature.optional for feature in self.features])

    @cached_property
    def _target_columns(self) -> frozenset[str]:
        return frozenset(name.casefold() for name in self.target_columns)

    @cached_property
    def _spellings(self) -> Spellings:
        return Spellings(self.features)

    @cached_property
    def _classes_by_text(self) -> dict[str, Class]:
        """The classes by the texts that name them; a class's own name comes before its other spellings."""
        found: dict[str, Class] = {}
        for texts in (
            lambda one: [one.name],
            lambda one: [str(one.value)],
            lambda one: [one.label, *one.spellings],
        ):
            for class_ in self.classes:
                for text in texts(class_):
                    found.setdefault(text, class_)
        for text, class_ in list(found.items()):
            found.setdefault(text.casefold(), class_)
        return found
