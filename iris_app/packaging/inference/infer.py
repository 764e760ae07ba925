"""The inference of a schema, step by step."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeAlias

import msgspec
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from iris_app.exceptions import PackagingRefused
from iris_app.formatting import truncate
from iris_app.model.inputs import Inputs, PipelineInputs
from iris_app.packaging.inference import checks
from iris_app.packaging.inference.classes import encode_classes, find_class_problem, make_classes
from iris_app.packaging.inference.columns import check_name
from iris_app.packaging.inference.layout import Layout, find_layout
from iris_app.packaging.inference.probes import Probe
from iris_app.packaging.inference.schemas import ask_about_values, make_features, make_schema
from iris_app.schema import Feature, Floats, Schema

Classes: TypeAlias = NDArray[np.intp]

# Rows of the table that are predicted as they stand, to see that rows of the schema get the same answers.
COMPARED_ROWS = 1000
TOLERANCE = 1e-9

RENAME_CLASS = "Give it another in the file of --schema, as the name of the class"


@dataclass(frozen=True)
class Inferred:
    """A schema that was inferred from a classifier and the table that it was trained on.

    Attributes
    ----------
    schema : Schema
    inputs : Inputs
    layout : Layout
    probe : Probe
    rows : ndarray of shape (n, features)
        The rows of the table that have a class.
    classes : ndarray of shape (n,)
        The indices of their classes.
    left_out : int
        The number of the other rows.
    """

    schema: Schema
    inputs: Inputs
    layout: Layout
    probe: Probe
    rows: Floats
    classes: Classes
    left_out: int


def infer(
    classifier: Any, frame: pd.DataFrame, target: str, name: str, words: Mapping[str, Mapping[str, Any]]
) -> Inferred:
    """Infer the schema of a classifier.

    Parameters
    ----------
    classifier : scikit-learn classifier
    frame : DataFrame
        The table that it was trained on.
    target : str
        The column of the true classes.
    name : str
        The name of the model.
    words : mapping
        The names and labels of classes that are known already, by what the classifier predicts.

    Raises
    ------
    PackagingRefused
        If the classifier cannot be served, or if this is not its table.
    """
    refuse(checks.find_problems(classifier))
    layout = find_layout(classifier, frame, target)
    features = make_features(layout.columns)
    classes = make_classes(classifier.classes_, words)
    class_problems = [check_name(class_.name, "Class", RENAME_CLASS) for class_ in classes]
    counts = Counter(one.name for one in classes)
    twice = [f'{count} classes are called "{name}".' for name, count in counts.items() if count > 1]
    refuse(filter(None, [check_name(target, "The target"), *class_problems, *twice]))
    provisional = make_schema(name, target, features, classes)
    labelled = frame[frame[target].notna()]
    rows, indices = read_rows(layout, provisional, labelled, target)
    probe = Probe(classifier, PipelineInputs(provisional, layout.inputs), features, rows)
    refuse(_compare(classifier, layout, probe, labelled, rows))
    asked, limit = ask_about_values(probe, features, rows, layout.native)
    return Inferred(
        schema=make_schema(name, target, asked, classes),
        inputs=msgspec.structs.replace(layout.inputs, limit=limit),
        layout=layout,
        probe=probe,
        rows=rows,
        classes=indices,
        left_out=len(frame) - len(labelled),
    )


def refuse(problems: Iterable[str]) -> None:
    """Raise ``PackagingRefused`` if there are problems."""
    if found := list(problems):
        raise PackagingRefused(*found)


def read_rows(layout: Layout, schema: Schema, frame: pd.DataFrame, target: str) -> tuple[Floats, Classes]:
    """Return the rows of a table, and the indices of their classes.

    Raises
    ------
    PackagingRefused
        If it lacks a column, or has classes that the classifier does not predict.
    """
    names = [column.name for column in layout.columns]
    refuse(f'The table has no column "{truncate(name)}".' for name in (*names, target) if name not in frame)
    classes = encode_classes(schema, frame[target])
    refuse(filter(None, [find_class_problem(schema, frame[target], classes)]))
    refuse([f'The table has no row with a class in "{truncate(target)}".'] if not len(frame) else [])
    return layout.encode(frame), classes


def _compare(classifier: Any, layout: Layout, probe: Probe, frame: pd.DataFrame, rows: Floats) -> Iterator[str]:
    """Yield the error if a classifier answers the table in another way than the rows that are made of it."""
    chosen = np.sort(np.random.default_rng(0).permutation(len(rows))[:COMPARED_ROWS])
    try:
        expected = classifier.predict_proba(layout.original(frame.iloc[chosen]))
    except Exception as error:
        yield f"The classifier does not answer the rows of its table: {truncate(str(error), 300)}."
        return
    found = probe.predict_proba(rows[chosen])
    if found is None or not np.allclose(found, expected, rtol=0, atol=TOLERANCE):
        yield (
            "The classifier answers the table in another way once its values are read as numbers, booleans and "
            f"categories. Were its columns of other types when it was trained? Found: {_kinds(layout)}. A Parquet file "
            "of the table keeps their types."
        )


def _kinds(layout: Layout) -> str:
    return ", ".join(f"{truncate(column.name)} ({column.kind}, {column.dtype})" for column in layout.columns[:20])


def find_unaccepted(schema: Schema, rows: Floats) -> Iterator[str]:
    """Yield the error for each feature with values in the training's table that the schema does not accept."""
    accepted = schema.accepted(rows)
    for feature, values, good in zip(schema.features, rows.T, accepted.T, strict=True):
        if not good.all():
            yield (
                f"{feature.name}: {int((~good).sum()):,} values of the training's table are not accepted, such as "
                f"{_show(feature, values[~good][0])}; {_requirement(feature)}."
            )


def _show(feature: Feature, value: float) -> str:
    if np.isnan(value):
        return "a missing one"
    return feature.format(value) or "a category that the classifier does not know"


def _requirement(feature: Feature) -> str:
    is_bounded = (feature.above, feature.at_least, feature.at_most) != (None, None, None)
    if not feature.is_numeric or (feature.kind == "integer" and not is_bounded):
        return f"it must be {feature.expected}"
    return f"it must be {feature.bounds}"


def check_given(inferred: Schema, schema: Schema) -> Schema:
    """Return a schema that was given, or raise ``PackagingRefused`` if it does not fit the classifier."""
    own = [(feature.name, feature.kind) for feature in inferred.features]
    given = [(feature.name, feature.kind) for feature in schema.features]
    if own != given:
        raise PackagingRefused(f"The schema has the features {given}, and the classifier takes {own}.")
    if [one.value for one in inferred.classes] != [one.value for one in schema.classes]:
        raise PackagingRefused("The schema has other classes than the classifier, or in another order.")
    return schema
