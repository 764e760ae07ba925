"""The structure of a fitted classifier, as its public attributes show it."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, StackingClassifier, VotingClassifier
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import FeatureUnion, Pipeline

# A column of the table, or None for what several columns became.
Source = str | None


@dataclass
class Structure:
    """The parts of a classifier that say what its columns are.

    Attributes
    ----------
    categories : dict
        The values that an encoder knows, by column.
    native : dict of str to bool
        The columns that gradient boosting takes as categories, and whether it knows them by their type in a frame.
    used : set of str
        The columns that are not dropped at the entrance.
    fills : dict
        The constants that take the place of missing values, by column.
    """

    categories: dict[str, list[Any]] = field(default_factory=dict)
    native: dict[str, bool] = field(default_factory=dict)
    used: set[str] = field(default_factory=set)
    fills: dict[str, Any] = field(default_factory=dict)


def find_structure(classifier: Any, columns: Sequence[str]) -> Structure:
    """Follow the columns of the table through a classifier."""
    structure = Structure()
    _walk(classifier, list(columns), structure)
    return structure


def unwrap(classifier: Any) -> Iterator[Any]:
    """Yield a classifier, and what answers in it: the best of a search, the last step of a pipeline, and so on."""
    while classifier is not None:
        yield classifier
        classifier = classifier.steps[-1][1] if isinstance(classifier, Pipeline) else _wrapped(classifier)


def _wrapped(estimator: Any) -> Any:
    """Return the fitted estimator that answers for another, or None."""
    if isinstance(estimator, FixedThresholdClassifier | TunedThresholdClassifierCV):
        return estimator.estimator_
    if isinstance(estimator, FrozenEstimator):
        return estimator.estimator
    return getattr(estimator, "best_estimator_", None)


def find_names(classifier: Any) -> list[str] | None:
    """Return the names of the columns that a classifier was trained on; None if it was trained on an array."""
    for estimator in _entrances(classifier):
        names = getattr(estimator, "feature_names_in_", None)
        if names is not None:
            return [str(name) for name in names]
    return None


def _entrances(estimator: Any) -> Iterator[Any]:
    """Yield an estimator, and those in it that get the columns of the table."""
    yield estimator
    if isinstance(estimator, Pipeline):
        first = next(step for _, step in estimator.steps if not isinstance(step, str) and step is not None)
        yield from _entrances(first)
    else:
        for inner in _members(estimator):
            yield from _entrances(inner)


def _members(estimator: Any) -> list[Any]:
    """Return the estimators to which another passes its columns on."""
    if isinstance(estimator, VotingClassifier | StackingClassifier | OneVsRestClassifier):
        return list(estimator.estimators_)
    if isinstance(estimator, FeatureUnion):
        return [transformer for _, transformer in estimator.transformer_list if not isinstance(transformer, str)]
    calibrated = getattr(estimator, "calibrated_classifiers_", None)
    if calibrated:
        return [one.estimator for one in calibrated]
    inner = _wrapped(estimator)
    return [] if inner is None else [inner]


def _walk(estimator: Any, columns: list[Source], structure: Structure) -> list[Source] | None:
    """Note what an estimator says of its columns, and return the sources of its outputs; None if they are unknown."""
    if isinstance(estimator, Pipeline):
        return _walk_steps([step for _, step in estimator.steps], columns, structure)
    if isinstance(estimator, ColumnTransformer):
        return _walk_column_transformer(estimator, columns, structure)
    members = _members(estimator)
    for member in members:
        _walk(member, columns, structure)
    if members:
        return None
    structure.used |= {column for column in columns if column is not None}
    _note(estimator, columns, structure)
    return _outputs(estimator, columns)


def _walk_steps(steps: Iterable[Any], columns: list[Source], structure: Structure) -> list[Source] | None:
    found: list[Source] | None = columns
    for step in steps:
        if found is None:
            return None
        if not isinstance(step, str) and step is not None:  # "passthrough"
            found = _walk(step, found, structure)
    return found


def _walk_column_transformer(
    transformer: ColumnTransformer, columns: list[Source], structure: Structure
) -> list[Source] | None:
    if len(columns) != transformer.n_features_in_:
        columns = [None] * transformer.n_features_in_
    outputs: list[Source] = []
    for name, inner, selected in transformer.transformers_:
        if isinstance(inner, str) and inner == "drop":
            continue
        chosen = _select(selected, columns, transformer)
        found = _walk(inner, chosen, structure)
        place = transformer.output_indices_.get(name, slice(0, 0))
        width = place.stop - place.start
        outputs += found if found is not None and len(found) == width else [None] * width
    return outputs


def _select(selected: Any, columns: list[Source], transformer: ColumnTransformer) -> list[Source]:
    """Return the columns that a ``ColumnTransformer`` selects by name, index, slice or mask."""
    names = [str(name) for name in getattr(transformer, "feature_names_in_", [])]
    if isinstance(selected, str):
        selected = [selected]
    elif isinstance(selected, slice) and isinstance(selected.start or selected.stop, str):
        start, stop = names.index(selected.start or names[0]), names.index(selected.stop or names[-1])
        selected = list(range(start, stop + 1))
    elif isinstance(selected, slice) or np.ndim(selected) == 0:
        selected = np.atleast_1d(np.arange(len(columns))[selected]).tolist()
    if len(selected) and all(isinstance(one, str) for one in selected):
        selected = [names.index(one) for one in selected]
    return [columns[index] for index in np.arange(len(columns))[np.asarray(selected, dtype=_index_type(selected))]]


def _index_type(selected: Any) -> type:
    return bool if len(selected) and all(isinstance(one, bool | np.bool_) for one in selected) else int


def _note(estimator: Any, columns: list[Source], structure: Structure) -> None:
    """Note the categories, the native categories and the constants that an estimator holds."""
    known = getattr(estimator, "categories_", None)
    if isinstance(known, list) and len(known) == len(columns):
        for column, values in zip(columns, known, strict=True):
            if column is not None:
                structure.categories.setdefault(column, list(values))
    if isinstance(estimator, HistGradientBoostingClassifier) and estimator.is_categorical_ is not None:
        by_type = isinstance(estimator.categorical_features, str)  # "from_dtype"
        named = zip(columns, estimator.is_categorical_, strict=False)
        structure.native |= {column: by_type for column, native in named if native and column}
    if isinstance(estimator, SimpleImputer) and estimator.strategy == "constant":
        for column, value in zip(columns, estimator.statistics_, strict=False):
            if column is not None:
                structure.fills.setdefault(column, value)


def _outputs(estimator: Any, columns: list[Source]) -> list[Source] | None:
    """Return the column that each output of a transformer is made of alone; None if they are unknown."""
    names = [str(name) for name in getattr(estimator, "feature_names_in_", [])] or [
        f"x{i}" for i in range(len(columns))
    ]
    try:
        outputs = [str(name) for name in estimator.get_feature_names_out(names)]
    except Exception:
        return list(columns) if hasattr(estimator, "transform") else None
    sources = dict(zip(names, columns, strict=False))
    return [sources.get(name) for name in outputs]
