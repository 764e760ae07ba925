"""The columns that a classifier takes, and the rows that a table holds."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd

from iris_app.exceptions import PackagingRefused
from iris_app.formatting import find_nearest, truncate
from iris_app.model.inputs import Inputs
from iris_app.packaging.inference.columns import Column, Unservable, check_name, infer_column
from iris_app.packaging.inference.pipelines import Structure, find_names, find_structure
from iris_app.schema import Floats

NAMED = 20


@dataclass(frozen=True)
class Layout:
    """The columns of a classifier.

    Attributes
    ----------
    kind : str
        Whether it takes arrays or data frames.
    names : list of str
        The columns that it was trained on, in their order.
    columns : list of Column
        Those that are features: the others are dropped at its entrance.
    native : dict of str to bool
        Those that gradient boosting takes as categories, and whether they must be pandas' categories for that.
    """

    kind: Literal["array", "frame"]
    names: list[str]
    columns: list[Column]
    native: dict[str, bool]

    @property
    def inputs(self) -> Inputs:
        """The input that the classifier takes."""
        dtypes = dict.fromkeys(self.names, "float64") if self.kind == "frame" else {}
        return Inputs(self.kind, dtypes | {column.name: self._dtype(column) for column in self.columns})

    @property
    def dropped(self) -> list[str]:
        """The columns that the classifier drops at its entrance."""
        features = {column.name for column in self.columns}
        return [name for name in self.names if name not in features]

    def encode(self, frame: pd.DataFrame) -> Floats:
        """Return the features of a table as rows, of shape (n, features)."""
        return np.column_stack([column.encode(frame[column.name]) for column in self.columns])

    def original(self, frame: pd.DataFrame) -> Any:
        """Return a table as the classifier was trained on it."""
        if self.kind == "frame":
            return frame[self.names].astype({name: "category" for name, by_type in self.native.items() if by_type})
        if all(column.kind != "category" for column in self.columns):
            return frame[self.names].to_numpy(np.float64, na_value=np.nan)
        return frame[self.names].to_numpy(object)

    def _dtype(self, column: Column) -> str:
        return "category" if self.native.get(column.name) else column.dtype


def structure_of(classifier: Any, frame: pd.DataFrame, target: str) -> Structure:
    """Return the structure of a classifier that was trained on a table."""
    return find_structure(classifier, _find_columns(classifier, frame, target))


def _find_columns(classifier: Any, frame: pd.DataFrame, target: str) -> list[str]:
    return find_names(classifier) or [name for name in frame.columns if name != target]


def find_layout(classifier: Any, frame: pd.DataFrame, target: str) -> Layout:
    """Find the columns of a classifier in the table that it was trained on.

    Raises
    ------
    PackagingRefused
        If there are others, or such as cannot be served; all of them are named.
    """
    names = _find_columns(classifier, frame, target)
    problems = list(_find_missing(classifier, names, frame, target))
    if problems:
        raise PackagingRefused(*problems)
    structure = find_structure(classifier, names)
    is_frame = find_names(classifier) is not None or not _takes_arrays(classifier, frame[names])
    used = [name for name in names if not is_frame or name in structure.used] or names
    columns = list(_infer_columns(used, frame, target, structure, problems))
    if problems:
        raise PackagingRefused(*problems)
    return Layout("frame" if is_frame else "array", names, columns, structure.native)


def _find_missing(classifier: Any, names: Sequence[str], frame: pd.DataFrame, target: str) -> Iterator[str]:
    """Yield what the table lacks."""
    columns = list(frame.columns)
    listed = f" It has {_list(columns)}."
    for name in [target, *(name for name in names if name != target)]:
        if name not in columns:
            nearest = find_nearest(name, columns)
            hint = f' Did you mean "{truncate(nearest)}"?' if nearest else listed
            role = "of the target" if name == target else "that the classifier was trained on"
            yield f'The table has no column "{truncate(name)}" {role}.{hint}'
            listed = "" if hint == listed else listed
    expected = getattr(classifier, "n_features_in_", len(names))
    if expected != len(names):
        yield (
            f"The classifier was trained on {expected} columns, and the table has {len(names)} beside the target: "
            f"{_list(names)}. Give the table that it was trained on, with its columns in the same order."
        )


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(truncate(name) for name in names[:NAMED])
    return f"{shown}, … ({len(names)} in all)" if len(names) > NAMED else shown


def _takes_arrays(classifier: Any, frame: pd.DataFrame) -> bool:
    """Check whether a classifier that knows no names of columns answers an array."""
    try:
        classifier.predict_proba(frame.iloc[:5].to_numpy())
    except Exception:
        try:
            classifier.predict_proba(frame.iloc[:5])
        except Exception:
            return True
        return False
    return True


def _infer_columns(
    names: Sequence[str], frame: pd.DataFrame, target: str, structure: Structure, problems: list[str]
) -> Iterator[Column]:
    """Yield the columns that can be served, and note the problems of the others."""
    for name in names:
        if name == target:
            problems.append(f'The classifier takes the target "{truncate(name)}" itself. Train it without.')
        if error := check_name(name):
            problems.append(error)
        try:
            yield infer_column(name, frame[name], structure)
        except Unservable as error:
            problems.append(str(error))
