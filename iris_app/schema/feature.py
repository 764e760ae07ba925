"""A feature: its kind, the values that it accepts, and their encoding as floats."""

import math
from collections.abc import Mapping
from functools import cached_property
from typing import Annotated, Literal, TypeAlias

import msgspec
import numpy as np
from msgspec import Meta
from numpy.typing import NDArray

from iris_app.formatting import find_nearest, format_number, parse_int, parse_number, truncate
from iris_app.schema.units import Conversion, find_conversions, find_smaller, read_with_unit

# Arrays of float64; rows have shape (n, features).
Floats: TypeAlias = NDArray[np.float64]

Kind: TypeAlias = Literal["number", "integer", "boolean", "category"]
Category: TypeAlias = str | int

# A value as clients send it; None is a missing one.
Value: TypeAlias = float | int | bool | str | None

# The encoding of values in rows: a missing value, a category that is not known, and a text that cannot be read.
MISSING = math.nan
UNKNOWN = -1.0
UNREADABLE = math.inf

# Texts that stand for a missing value, unless they are a category.
MISSING_TEXTS = frozenset({"", "na", "n/a", "nan", "null", "none", "#n/a", "<na>"})

BOOLEANS = {
    **dict.fromkeys(["true", "t", "yes", "y", "1", "1.0"], 1.0),
    **dict.fromkeys(["false", "f", "no", "n", "0", "0.0"], 0.0),
}

# The bound of numbers that have none of their own: classifiers of trees convert them to float32.
MAX_FLOAT32 = float(np.finfo(np.float32).max)
FLOAT32_BOUNDS = "a number between -3.4e38 and 3.4e38"

# The categories that an error lists.
CATEGORIES_NAMED = 20


class Feature(msgspec.Struct, frozen=True, kw_only=True, dict=True, omit_defaults=True, forbid_unknown_fields=True):
    """A feature of a model.

    In rows its values are floats: numbers as they are, booleans 0 and 1, a category as its index in ``categories``,
    ``MISSING`` and ``UNKNOWN``. ``UNREADABLE`` is never accepted.

    Attributes
    ----------
    name, form_name, label : str
        Its name for programs, in the form, and for people.
    kind : str
    unit : str
        The unit of its numbers, or empty.
    help : str
        Instructions for measuring or choosing it.
    categories : tuple of str or int
        Its values, if it is a category.
    above, at_least, at_most : float, optional
        The bounds of accepted numbers.
    optional : bool
        Whether a value may be missing.
    allow_unknown : bool
        Whether the model answers categories that are not known, with a warning.
    example : float, int, bool, str or None
        A typical value.
    spellings : tuple of str
        Other names of its column.
    less, more : str
        Adjectives for a number that is too small or too large.
    locked : bool
        Whether nobody can change the value, so that no page suggests another.
    """

    name: Annotated[str, Meta(min_length=1, max_length=200)]
    form_name: Annotated[str, Meta(min_length=1, max_length=200)]
    label: Annotated[str, Meta(min_length=1, max_length=200)]
    kind: Kind = "number"
    unit: str = ""
    help: str = ""
    categories: tuple[Category, ...] = ()
    above: float | None = None
    at_least: float | None = None
    at_most: float | None = None
    optional: bool = False
    allow_unknown: bool = False
    example: Value = None
    spellings: tuple[str, ...] = ()
    less: str = "low"
    more: str = "high"
    locked: bool = False

    @property
    def title(self) -> str:
        """The label with the unit, as a column's heading."""
        return f"{self.label} ({self.unit})" if self.unit else self.label

    @property
    def is_numeric(self) -> bool:
        """True if the values are numbers."""
        return self.kind in {"number", "integer"}

    @cached_property
    def expected(self) -> str:
        """A description of the accepted values, as in "must be a number in cm"."""
        match self.kind:
            case "boolean":
                return "true or false"
            case "category":
                return f"one of {_list(list(map(str, self.categories)))}"
        noun = "a whole number" if self.kind == "integer" else "a number"
        return f"{noun} in {self.unit}" if self.unit else noun

    @cached_property
    def bounds(self) -> str:
        """A description of the accepted range of numbers."""
        parts = [
            f"{words} {format_number(bound)}"
            for words, bound in (
                ("greater than", self.above),
                ("at least", self.at_least),
                ("at most", self.at_most),
            )
            if bound is not None
        ]
        return self.with_unit(" and ".join(parts)) if parts else FLOAT32_BOUNDS

    @property
    def missing(self) -> str:
        """The error for a missing value."""
        return f"{self.label} is missing."

    @cached_property
    def limits(self) -> tuple[float, float]:
        """The smallest and the largest accepted float; a missing value is neither."""
        match self.kind:
            case "boolean":
                return 0.0, 1.0
            case "category":
                return UNKNOWN if self.allow_unknown else 0.0, len(self.categories) - 1.0
        low = max(
            -MAX_FLOAT32 if self.at_least is None else self.at_least,
            -MAX_FLOAT32 if self.above is None else math.nextafter(self.above, math.inf),
        )
        return low, MAX_FLOAT32 if self.at_most is None else self.at_most

    def with_unit(self, text: str) -> str:
        """Return a number's text with the unit behind it."""
        return f"{text} {self.unit}" if self.unit else text

    def accepts(self, value: object) -> bool:
        """Check whether a value of a JSON document is accepted; None also stands for one that is absent."""
        if self._is_missing(value):
            return self.optional
        if isinstance(value, bool) or self.kind == "boolean":
            return isinstance(value, bool) and self.kind == "boolean"
        if self.kind == "category":
            return isinstance(value, str | int | float) and (self.allow_unknown or self.encode(value) >= 0)
        if not isinstance(value, int | float):
            return False
        low, high = self.limits
        return low <= value <= high and (self.kind == "number" or value == math.floor(value))

    def validate(self, value: object) -> str | None:
        """Return the error in a value of a JSON document, or None."""
        if self.accepts(value):
            return None
        if value is None:
            return f"{self.label} must be {self.expected}, not null."
        match self.kind:
            case "boolean":
                return self._wrong_type(value)
            case "category":
                return self._validate_category(value)
        return self._validate_number(value)

    def encode(self, value: Value) -> float:
        """Return a validated value as a float; a category may have another case, as in CSV."""
        if value is None or value != value:
            return MISSING
        if self.kind != "category":
            return float(value)
        return self.read_text(value if isinstance(value, str) else str(_to_int(value)))

    def decode(self, value: float) -> Value:
        """Return the value that a float of a row encodes; a category that is not known is None."""
        if math.isnan(value):
            return None
        match self.kind:
            case "boolean":
                return bool(value)
            case "category":
                return self.categories[int(value)] if value >= 0 else None
            case "integer":
                return int(value)
        return value

    def format(self, value: float) -> str:
        """Format a float of a row as text, as CSV has it; empty if it is missing."""
        decoded = self.decode(value)
        match decoded:
            case None:
                return ""
            case bool():
                return "true" if decoded else "false"
            case str():
                return decoded
        return format_number(float(decoded))

    def read_text(self, text: str, decimal: str | None = None) -> float:
        """Read a value from text, as CSV and forms have it; a number in another unit is converted exactly.

        Parameters
        ----------
        text : str
        decimal : str, optional
            The character before the decimals of numbers; by default a point or a comma.

        Returns
        -------
        float
            The encoded value, which may be out of bounds, ``MISSING`` or ``UNREADABLE``.
        """
        if self.kind == "category" and (index := self.indices.get(text)) is not None:
            return index
        stripped = text.strip()
        folded = stripped.casefold()
        if self.kind == "category":
            index = self.indices.get(stripped, self._folded_indices.get(folded))
            return (MISSING if folded in MISSING_TEXTS else UNKNOWN) if index is None else index
        if folded in MISSING_TEXTS:
            return MISSING
        if self.kind == "boolean":
            return BOOLEANS.get(folded, UNREADABLE)
        number = read_decimal(stripped, decimal)
        return self._read_with_unit(stripped, decimal) if math.isnan(number) else number

    def validate_text(self, text: str, decimal: str | None = None) -> str | None:
        """Return the error in a text, or None; see ``read_text``."""
        value = self.read_text(text, decimal)
        if math.isnan(value):
            return None if self.optional else self.missing
        if self.kind == "category":
            return None if value >= 0 or self.allow_unknown else self._unknown(text.strip())
        if value == UNREADABLE:
            return f'{self.label} must be {self.expected}, not "{truncate(text.strip())}".'
        return self._validate_number(value) if self.is_numeric else None

    @cached_property
    def whole_numbers(self) -> Mapping[int, float]:
        """The index of each category that is a whole number, or text that is spelt exactly as one."""
        numbers = ((parse_int(text), text, index) for text, index in self.indices.items())
        return {number: index for number, text, index in numbers if number is not None and str(number) == text}

    @cached_property
    def indices(self) -> Mapping[str, float]:
        """The index of each category by its text."""
        return {str(category): float(index) for index, category in enumerate(self.categories)}

    @cached_property
    def conversions(self) -> Mapping[str, Conversion]:
        """The conversions to the unit of the feature, by the spellings of the units."""
        return find_conversions(self.unit) if self.unit else {}

    @cached_property
    def _folded_indices(self) -> Mapping[str, float]:
        """The index of each category by its text in lower case, and by a whole number's decimals."""
        folded = [(str(category).casefold(), index) for index, category in enumerate(self.categories)]
        numbers = [(f"{category}.0", index) for index, category in enumerate(self.categories) if type(category) is int]
        found: dict[str, float] = {}
        for text, index in [*folded, *numbers]:
            found[text] = UNKNOWN if text in found else float(index)  # ambiguous
        return {text: index for text, index in found.items() if index >= 0}

    def _is_missing(self, value: object) -> bool:
        """Check whether a value of a JSON document is null, NaN, or a text that stands for a missing category."""
        if isinstance(value, str):
            return self.kind == "category" and math.isnan(self.read_text(value))
        return value is None or (isinstance(value, float) and math.isnan(value))

    def _validate_number(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, int | float):
            return self._wrong_type(value)
        low, high = self.limits
        if not low <= value <= high:
            bounds = FLOAT32_BOUNDS if abs(value) > MAX_FLOAT32 and not self._has_bound(value) else self.bounds
            return f"{self.label} must be {bounds}, not {format_number(value)}.{self._suggest_unit(value)}"
        if self.kind == "integer" and value != math.floor(value):
            return f"{self.label} must be {self.expected}, not {format_number(value)}."
        return None

    def _has_bound(self, value: float) -> bool:
        """Check whether the feature has a bound of its own in the direction of a number."""
        return self.at_most is not None if value > 0 else (self.above, self.at_least) != (None, None)

    def _wrong_type(self, value: object) -> str:
        return f"{self.label} must be {self.expected}, not {describe(value)}."

    def _suggest_unit(self, value: float) -> str:
        """Suggest that a value that is too large is in a smaller unit, if it would be accepted then."""
        conversion = find_smaller(self.unit)
        low, high = self.limits
        if conversion is None or not high < value <= MAX_FLOAT32:
            return ""
        converted = conversion.convert(value)
        if not low <= converted <= high:
            return ""
        return f" In {conversion.unit.plural}? Then it is {self.with_unit(format_number(converted))}."

    def _read_with_unit(self, text: str, decimal: str | None) -> float:
        """Read a number with a unit behind it, and convert it to the unit of the feature."""
        for number, conversion in read_with_unit(text, self.conversions):
            if not math.isnan(read := read_decimal(number, decimal)):
                return conversion.convert(read)
        return UNREADABLE

    def _validate_category(self, value: object) -> str | None:
        if isinstance(value, bool) or not isinstance(value, str | int | float):
            return self._wrong_type(value)
        if isinstance(value, str) and self._is_missing(value):
            return self.missing
        return self._unknown(value if isinstance(value, str) else format_number(value))

    def _unknown(self, text: str) -> str:
        """Return the error for a category that is not known, with the nearest one."""
        nearest = find_nearest(text, self.indices)
        suggestion = f' Did you mean "{nearest}"?' if nearest is not None else ""
        return f'{self.label} must be {self.expected}, not "{truncate(text)}".{suggestion}'


def read_decimal(text: str, decimal: str | None = None) -> float:
    """Read a number whose decimals stand behind ``decimal``, or behind a point or a comma; NaN if it is none."""
    if decimal == ",":
        text = text.replace(".", "_")
    return parse_number(text if decimal == "." else text.replace(",", "."))


def describe(value: object) -> str:
    """Describe the type of a value of a JSON document."""
    match value:
        case bool():
            return "true or false"
        case str():
            return "text"
        case dict():
            return "an object"
        case list():
            return "a list"
    return "a number"


def _to_int(value: float) -> float:
    """Return a whole number as an integer, whose text is that of a category."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


def _list(names: list[str]) -> str:
    shown = [truncate(name) for name in names[:CATEGORIES_NAMED]]
    if len(names) > CATEGORIES_NAMED:
        return f"{', '.join(shown)} and {len(names) - CATEGORIES_NAMED:,} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} or {shown[-1]}"
