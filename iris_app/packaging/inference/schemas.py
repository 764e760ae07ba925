"""The schema of a classifier, made of its columns, its classes, and its answers to questions."""

from collections.abc import Container, Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from iris_app.packaging.inference.columns import Column
from iris_app.packaging.inference.probes import Probe
from iris_app.packaging.inference.words import (
    make_form_names,
    make_heading,
    make_label,
    make_name,
    make_plural,
    split_unit,
)
from iris_app.schema import Class, Feature, Floats, Schema


def make_features(columns: Sequence[Column]) -> list[Feature]:
    """Return a feature for each column, which may be missing and unknown."""
    form_names = make_form_names(column.name for column in columns)
    return [_make_feature(column, form_name) for column, form_name in zip(columns, form_names, strict=True)]


def _make_feature(column: Column, form_name: str) -> Feature:
    is_number = column.kind in {"number", "integer"}
    stem, unit = split_unit(column.name) if is_number else (column.name, "")
    return Feature(
        name=column.name,
        form_name=form_name,
        label=make_label(stem),
        unit=unit,
        kind=column.kind,
        categories=column.categories,
        optional=True,
        allow_unknown=column.kind == "category",
    )


def ask_about_values(
    probe: Probe, features: Sequence[Feature], rows: Floats, native: Container[str] = ()
) -> tuple[list[Feature], float | None]:
    """Return the features with what the classifier says to missing, unknown and extreme values, and its limit.

    Parameters
    ----------
    probe : Probe
    features : sequence of Feature
    rows : ndarray of shape (n, features)
        The rows of the training.
    native : container of str
        The categories that it takes as such, whose missing values it knows.
    """
    seen = [bool(np.isnan(values).any()) for values in rows.T]
    optional = probe.take_missing([was or feature.name in native for was, feature in zip(seen, features, strict=True)])
    if not probe.takes_all_missing(np.flatnonzero(optional).tolist()):
        optional = [may and was for may, was in zip(optional, seen, strict=True)]
    refused = probe.refused_sides()
    unknown = probe.take_unknown([index for index, feature in enumerate(features) if feature.allow_unknown])
    asked = [
        Feature(
            **{name: getattr(feature, name) for name in feature.__struct_fields__}
            | {"optional": optional[index], "allow_unknown": index in unknown}
            | _ask_bounds(probe, index, rows, refused)
        )
        for index, feature in enumerate(features)
    ]
    return asked, probe.find_limit(refused)


def _ask_bounds(probe: Probe, index: int, rows: Floats, refused: Sequence[tuple[int, int]]) -> dict[str, float]:
    """Return the bounds of a feature whose large numbers are refused on one side."""
    bounds: dict[str, float] = {}
    low, high = float(np.nanmin(rows[:, index])), float(np.nanmax(rows[:, index]))
    if (index, 1) in refused:
        bounds["at_most"] = high
    if (index, -1) in refused:
        takes_zero = probe.answers(index, 0.0)
        name = "at_least" if takes_zero or low <= 0 else "above"
        bounds[name] = 0.0 if low > 0 or (takes_zero and low >= 0) else low
    return bounds


def make_schema(
    name: str, target: str, features: Sequence[Feature], classes: Sequence[Class], *, public_rows: bool = False
) -> Schema:
    """Return the schema with the words that its names suggest."""
    label = make_label(target)
    title, heading = make_heading(target, classes)
    words = label[:1].lower() + label[1:]
    count = "one value" if len(features) == 1 else f"{len(features)} values"
    return Schema(
        name=make_name(name),
        features=tuple(features),
        classes=tuple(classes),
        target=target,
        targets=make_plural(target),
        target_columns=tuple(dict.fromkeys([target, "class", "target", "label"])),
        title=title,
        heading=heading,
        lead=f"Enter {count}, and learn the {words} that is most likely.",
        description=f"Enter {count} and learn the {words}, how sure the answer is, and what speaks against it.",
        sample_name=make_name(name),
        public_rows=public_rows,
    )


def with_examples(schema: Schema, typical: Sequence[Floats | None], classes: NDArray[np.intp]) -> Schema:
    """Return a schema with typical rows, and with the values of the most frequent class's for examples.

    Parameters
    ----------
    schema : Schema
        Classes and features that have examples keep them.
    typical : sequence of ndarray of shape (features,) or None
        A row for each class, if there is one.
    classes : ndarray of shape (n,)
        The indices of the classes of the training's rows.
    """
    rows = [() if row is None else tuple(schema.decode(row.tolist())) for row in typical]
    frequent = np.argsort(-np.bincount(classes, minlength=len(rows)), kind="stable")
    example = next((rows[index] for index in frequent if rows[index]), (None,) * len(schema.features))
    return msgspec.structs.replace(
        schema,
        features=tuple(
            feature if feature.example is not None else msgspec.structs.replace(feature, example=value)
            for feature, value in zip(schema.features, example, strict=True)
        ),
        classes=tuple(
            class_ if class_.typical else msgspec.structs.replace(class_, typical=row)
            for class_, row in zip(schema.classes, rows, strict=True)
        ),
    )
