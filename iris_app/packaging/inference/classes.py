"""The classes of a classifier, and the true classes in a table."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iris_app.exceptions import PackagingRefused
from iris_app.formatting import truncate
from iris_app.packaging.inference.words import make_class_label
from iris_app.schema import Class, Schema

# Stands for a class that is missing, or that is none of the classifier's.
NO_CLASS = -1

NAMED = 5


def make_classes(values: Iterable[Any], overrides: Mapping[str, Mapping[str, Any]]) -> tuple[Class, ...]:
    """Return the classes that a classifier predicts, with the words that override what its values say."""
    return tuple(_make_class(value, overrides.get(str(value), {})) for value in map(to_plain, values))


def _make_class(value: str | int | bool, words: Mapping[str, Any]) -> Class:
    name = words.get("name", str(value))
    label = make_class_label(words.get("name", value))
    return Class(name=name, label=words.get("label", label), value=value, spellings=words.get("spellings", ()))


def to_plain(value: Any) -> str | int | bool:
    """Return what a classifier predicts as text, a whole number or a boolean.

    Raises
    ------
    PackagingRefused
        If it is anything else.
    """
    if isinstance(value, bool | np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return int(value)
    if isinstance(value, str):
        return str(value)
    raise PackagingRefused(
        f"The classifier predicts {value!r}, and classes must be text, whole numbers or booleans. Train on these."
    )


def encode_classes(schema: Schema, values: "pd.Series[Any]") -> NDArray[np.intp]:
    """Return the index of each true class; ``NO_CLASS`` where it is missing or none of the schema's."""
    indices = {class_.value: index for index, class_ in enumerate(schema.classes)}

    def find(value: Any) -> int:
        if pd.isna(value):
            return NO_CLASS
        text = str(int(value)) if isinstance(value, float | np.floating) and float(value).is_integer() else str(value)
        if not isinstance(value, str) and value in indices:
            return indices[value]
        class_ = schema.match_class(text)
        return NO_CLASS if class_ is None else indices[class_.value]

    found = {value: find(value) for value in values.unique()}
    return np.array([found.get(value, NO_CLASS) for value in values], np.intp)


def find_class_problem(schema: Schema, values: "pd.Series[Any]", indices: NDArray[np.intp]) -> str | None:
    """Return the error where a table has classes that the classifier does not predict, or None."""
    others = values[(indices == NO_CLASS) & values.notna().to_numpy(bool)].unique()
    if not len(others):
        return None
    known = [class_.value for class_ in schema.classes]
    first = sorted(map(str, others))[0]
    return (
        f'Column "{truncate(str(values.name))}" has {_list(others)}, and the classifier predicts {_list(known)}. If '
        f'these are numbers of the former, name them in the file of --schema: [classes.{known[0]}] name = "{first}", '
        "and so on."
    )


def _list(values: Sequence[Any]) -> str:
    named = ", ".join(truncate(str(value)) for value in values[:NAMED])
    return f"{named} and {len(values) - NAMED:,} more" if len(values) > NAMED else named
