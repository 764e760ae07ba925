"""The kind of each column, from all its values and from what the classifier knows of it."""

import datetime as dt
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from numbers import Number
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types

from iris_app.formatting import truncate
from iris_app.packaging.inference.pipelines import Structure
from iris_app.schema import MISSING, UNKNOWN, UNREADABLE, Category, Floats, Kind

DATE = re.compile(r"\d{4}-\d{1,2}-\d{1,2}([T ].*)?|\d{1,2}([./])\d{1,2}\2\d{2,4}( .*)?")

# Characters that a name in JSON types may not have.
NOT_IN_NAMES = re.compile(r"[\x00-\x1f\x7f\"\\]")

# Texts that are longer than this on average, or more different ones than this where most occur once, are free text.
MAX_CATEGORY_LENGTH = 60
MAX_UNIQUE_TEXTS = 50

# Values that an error names.
NAMED = 3

NUMBER_HINT = "Train on a number in its place"


@dataclass(frozen=True)
class Column:
    """A column of the training's table.

    Attributes
    ----------
    name : str
    kind : str
    dtype : str
        The type that its column has in a data frame for the classifier, as pandas names it.
    categories : tuple
    lookup : dict
        The index of each category by its value in the table.
    """

    name: str
    kind: Kind
    dtype: str
    categories: tuple[Category, ...] = ()
    lookup: Mapping[Any, int] | None = None

    def encode(self, values: "pd.Series[Any]") -> Floats:
        """Return the values of the column in a table as floats, as rows encode them."""
        missing = values.isna().to_numpy(bool)
        if self.lookup is None:
            found, otherwise = pd.to_numeric(values, errors="coerce"), UNREADABLE
        else:
            found, otherwise = values.astype(object).map(self.lookup), UNKNOWN
        floats = found.to_numpy(np.float64, na_value=np.nan)
        return np.where(missing, MISSING, np.where(np.isnan(floats), otherwise, floats))


class Unservable(Exception):
    """A column cannot be served; the message says why, and what to do."""


def infer_column(name: str, values: "pd.Series[Any]", structure: Structure) -> Column:
    """Infer the kind of a column that a classifier uses.

    Raises
    ------
    Unservable
        If it holds dates, lists or free text, or if it has no value.
    """
    present = values.dropna()
    if not len(present):
        raise Unservable(f"{_quote(name)} has no value in any row. Drop it, and train again.")
    if types.is_datetime64_any_dtype(values) or isinstance(values.dtype, pd.PeriodDtype):
        raise Unservable(_date_problem(name))
    if types.is_timedelta64_dtype(values):
        raise Unservable(f"{_quote(name)} holds lengths of time. {NUMBER_HINT}, such as seconds or days.")
    if isinstance(values.dtype, pd.CategoricalDtype):
        known = structure.categories.get(name, list(values.cat.categories))
        return _category(name, _without_fill(known, present, structure.fills.get(name)), "category")
    if known := _known(name, present, structure):
        return _known_categories(name, values, known)
    if types.is_bool_dtype(values) or _all_booleans(present):
        return Column(name, "boolean", str(values.dtype))
    if types.is_numeric_dtype(values):
        return _number(name, values)
    return _text(name, values, present)


def check_name(name: str, kind: str = "Column", remedy: str = "Rename it, and train again") -> str | None:
    """Return the error in the name of a column or class, or None."""
    named = f'{kind} "{truncate(name)}"'
    if NOT_IN_NAMES.search(name):
        return (
            f"{named} has a character in its name that names in JSON cannot carry (a quote, a backslash or a control "
            f"character). {remedy}."
        )
    if not name.strip() or len(name) > 200:
        return f"{named} has a name that is empty or longer than 200 characters. {remedy}."
    return None


def _quote(name: str) -> str:
    return f'Column "{truncate(name)}"'


def _date_problem(name: str) -> str:
    return f"{_quote(name)} holds dates. {NUMBER_HINT}, such as the year, the month, or the days since a given day."


def _known(name: str, present: "pd.Series[Any]", structure: Structure) -> list[Any]:
    """Return the categories of a column that the classifier takes as such; empty if it takes it otherwise."""
    seen = set(present.unique()) if types.is_hashable(present.iloc[0]) else set()
    if (known := structure.categories.get(name)) is not None and seen & set(known):
        return _without_fill(known, present, structure.fills.get(name))
    return sorted(seen) if name in structure.native else []


def _all_booleans(present: "pd.Series[Any]") -> bool:
    return types.is_object_dtype(present) and all(isinstance(value, bool | np.bool_) for value in present)


def _number(name: str, values: "pd.Series[Any]") -> Column:
    if types.is_complex_dtype(values):
        raise Unservable(f"{_quote(name)} holds complex numbers. Train on their real and imaginary parts.")
    if np.isinf(values.to_numpy(np.float64, na_value=np.nan)).any():
        raise Unservable(f"{_quote(name)} holds infinite values. Replace them in the table, and train again.")
    return Column(name, "integer" if _is_whole(values) else "number", str(values.dtype))


def _is_whole(values: "pd.Series[Any]") -> bool:
    """Check whether a column is of whole numbers: by its type, or as missing values left them."""
    if types.is_integer_dtype(values):
        return True
    present = values.dropna().to_numpy(np.float64)
    return len(present) < len(values) and bool((np.floor(present) == present).all())


def _text(name: str, values: "pd.Series[Any]", present: "pd.Series[Any]") -> Column:
    kinds = {type(value) for value in present}
    if all(issubclass(kind, Number) for kind in kinds):
        return _number(name, values.astype(float))
    if kinds & {list, dict, tuple, set, np.ndarray}:
        raise Unservable(f"{_quote(name)} holds lists or objects. Train on a column for each of their values.")
    if any(issubclass(kind, dt.date) for kind in kinds) or _all_dates(present):
        raise Unservable(_date_problem(name))
    if kinds != {str}:
        names = ", ".join(sorted(kind.__name__ for kind in kinds))
        raise Unservable(f"{_quote(name)} mixes values of several types ({names}). Train on one type alone.")
    return _known_categories(name, values, sorted(present.unique()))


def _all_dates(present: "pd.Series[Any]") -> bool:
    return all(isinstance(value, str) and DATE.fullmatch(value.strip()) for value in present.iloc[:1000])


def _refuse_free_text(name: str, present: "pd.Series[Any]") -> None:
    unique = present.unique()
    mostly_once = len(unique) > MAX_UNIQUE_TEXTS and len(unique) > len(present) / 2
    if mostly_once or present.iloc[:1000].str.len().mean() > MAX_CATEGORY_LENGTH:
        examples = ", ".join(f'"{truncate(value, 20)}"' for value in unique[:NAMED])
        raise Unservable(
            f"{_quote(name)} is free text ({len(unique):,} different values, such as {examples}), which no form can "
            "offer as a choice. Leave it out, or train on columns that are made of it."
        )


def _without_fill(known: list[Any], present: "pd.Series[Any]", fill: Any) -> list[Any]:
    """Return the values that an encoder knows, but for missing ones and for what stands in their place."""
    seen = set(present.unique())
    return [value for value in known if not pd.isna(value) and (value in seen or value != fill)]


def _known_categories(name: str, values: "pd.Series[Any]", known: list[Any]) -> Column:
    """Return a column of the given categories, unless these are false and true."""
    if all(isinstance(value, bool | np.bool_) for value in known):
        return Column(name, "boolean", str(values.dtype))
    if types.is_string_dtype(values):
        _refuse_free_text(name, values.dropna())
    return _category(name, known, str(values.dtype))


def _category(name: str, known: list[Any], dtype: str) -> Column:
    categories = tuple(to_category(value) for value in known)
    if len({str(category) for category in categories}) < len(categories):
        raise Unservable(f"{_quote(name)} has categories that are spelt alike, as a number and as text. Train on one.")
    return Column(name, "category", dtype, categories, {value: index for index, value in enumerate(known)})


def to_category(value: Any) -> Category:
    """Return a value as a category: a whole number or text."""
    if isinstance(value, bool | np.bool_):
        return str(value)
    if isinstance(value, int | np.integer) or (isinstance(value, float | np.floating) and float(value).is_integer()):
        return int(value)
    return str(value)


def parse_table(
    frame: pd.DataFrame,
    known: Mapping[str, list[Any]],
    like: pd.DataFrame | None = None,
    missing: Collection[str] = (),
) -> pd.DataFrame:
    """Give the texts of a table the types that pandas gives them, and leave those that a classifier knows as such.

    Parameters
    ----------
    frame : DataFrame
    known : mapping of str to list
        The categories of columns, and the classes, that the classifier knows.
    like : DataFrame, optional
        A table whose columns of text are text here, too.
    missing : collection of str
        The texts that stand for a missing value in columns where they are not known.
    """
    texts = set() if like is None else {name for name in like if types.is_string_dtype(like[name])}
    columns = {name: _mark_missing(frame[name], set(missing) - set(known.get(name, ()))) for name in frame.columns}
    return pd.DataFrame(
        {name: column if name in texts else _parse(column, known.get(name)) for name, column in columns.items()}
    )


def _mark_missing(texts: "pd.Series[Any]", missing: set[str]) -> "pd.Series[Any]":
    """Put NaN in place of the texts that stand for a missing value."""
    return texts.mask(texts.isin(missing)) if missing and types.is_string_dtype(texts) else texts


def _parse(texts: "pd.Series[Any]", known: list[Any] | None) -> "pd.Series[Any]":
    """Parse a column of texts: numbers, true and false, or text as it stands."""
    if not types.is_string_dtype(texts) or (known and any(isinstance(value, str) for value in known)):
        return texts
    missing = texts.isna()
    present = texts[~missing]
    folded = set(present.unique())
    if folded and folded <= {"True", "False", "TRUE", "FALSE", "true", "false"}:
        booleans = texts.str.lower().map({"true": True, "false": False})
        return booleans.astype(object).where(~missing, np.nan) if missing.any() else booleans.astype(bool)
    numbers = pd.to_numeric(present, errors="coerce")
    if not len(present) or numbers.isna().any() or (known is None and _has_leading_zeros(folded)):
        return texts
    return pd.to_numeric(texts)


def _has_leading_zeros(texts: set[str]) -> bool:
    return all(re.fullmatch(r"\d+", text) for text in texts) and any(re.match(r"0\d", text) for text in texts)
