"""The summary of the training's rows: of features, of classes, and the rows that the manifest holds."""

from collections.abc import Callable
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from iris_app.model.manifest import ClassSummary, FeatureSummary, GoldenRow, Histogram, TrainingRow, to_values
from iris_app.packaging.answers import Answers
from iris_app.schema import MISSING, UNKNOWN, Feature, Floats, Schema

Classes: TypeAlias = NDArray[np.intp]
PredictProba: TypeAlias = Callable[[Floats], Floats]

# Rows of the training that a manifest holds at most, and values in them.
MAX_ROWS = 2000
MAX_VALUES = 400_000

# Golden rows beside the typical ones: of the training or like them, and with a single value missing or unknown.
ORDINARY_ROWS = 12
EDGE_ROWS = 12

# Rows of a class that the classifier is surest of.
SUREST_ROWS = 9
FEWEST_ROWS = 3


def summarise_feature(feature: Feature, values: Floats) -> FeatureSummary:
    """Summarise the values of a feature over the training's rows."""
    present = values[~np.isnan(values)]
    known = present[present != UNKNOWN] if feature.kind == "category" else present
    has_mean = feature.kind != "category" and len(present)
    return FeatureSummary(
        name=feature.name,
        minimum=float(known.min()) if len(known) else None,
        maximum=float(known.max()) if len(known) else None,
        mean=float(present.mean()) if has_mean else None,
        standard_deviation=float(present.std(ddof=1)) if has_mean and len(present) > 1 else None,
        missing=len(values) - len(present),
        histogram=_histogram(feature, present),
    )


def _histogram(feature: Feature, values: Floats) -> Histogram:
    """Count each category, or the values between deciles."""
    match feature.kind:
        case "category":
            edges = np.arange(len(feature.categories)) - 0.5
        case "boolean":
            edges = np.array([0.5])
        case _:
            edges = np.unique(np.quantile(values, np.linspace(0.1, 0.9, 9))) if len(values) else np.empty(0)
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    return Histogram(edges=edges.tolist(), counts=counts.tolist())


def summarise_classes(schema: Schema, rows: Floats, classes: Classes) -> list[ClassSummary]:
    """Summarise the rows of each class."""
    return [_summarise_class(schema, index, rows[classes == index]) for index in range(len(schema.classes))]


def _summarise_class(schema: Schema, index: int, rows: Floats) -> ClassSummary:
    columns = [
        values[~np.isnan(values)] if feature.kind != "category" else np.empty(0)
        for feature, values in zip(schema.features, rows.T, strict=True)
    ]
    return ClassSummary(
        name=schema.classes[index].name,
        rows=len(rows),
        means=[float(values.mean()) if len(values) else None for values in columns],
        deviations=[float(values.std(ddof=1)) if len(values) > 1 else None for values in columns],
    )


def find_typical_rows(schema: Schema, answers: Answers, rows: Floats, classes: Classes) -> list[Floats | None]:
    """Return a typical row of each class, which is predicted as its class; None if there is none.

    It has the medians of numbers and the modes of others: over the class's rows, or over those that the classifier is
    surest of.
    """
    return [_find_typical_row(schema, answers, rows[classes == index], index) for index in range(len(schema.classes))]


def _find_typical_row(schema: Schema, answers: Answers, rows: Floats, index: int) -> Floats | None:
    if not len(rows):
        return None
    surest = rows[np.argsort(-answers.predict_proba(rows)[:, index], kind="stable")]
    for group in (rows, surest[:SUREST_ROWS], surest[:FEWEST_ROWS]):
        row = np.array([_middle(feature, values) for feature, values in zip(schema.features, group.T, strict=True)])
        if schema.accepted(row[None]).all() and answers.predict(row[None])[0] == index:
            return row
    return None


def _middle(feature: Feature, values: Floats) -> float:
    """Return the median of numbers, as one of them, and the most frequent of other values."""
    present = values[~np.isnan(values)]
    if feature.kind == "category":
        present = present[present != UNKNOWN]
    if not len(present):
        return MISSING
    if feature.is_numeric:
        return float(np.quantile(present, 0.5, method="closest_observation"))
    found, counts = np.unique(present, return_counts=True)
    return float(found[counts.argmax()])


def sample_rows(rows: Floats, classes: Classes) -> list[TrainingRow]:
    """Return at most ``MAX_ROWS`` of the training's rows, with the same share of each class, two of each at least."""
    most = max(min(MAX_ROWS, MAX_VALUES // rows.shape[1]), 1)
    kept = np.sort(stratify(classes, most))
    return [TrainingRow(*row) for row in zip(to_values(rows[kept]), classes[kept].tolist(), strict=True)]


def stratify(classes: Classes, count: int) -> NDArray[np.intp]:
    """Return the indices of about so many rows, with the same share of each class and two of each at least."""
    if len(classes) <= count:
        return np.arange(len(classes))
    random = np.random.default_rng(0)
    chosen = [
        random.permutation(members)[: max(2, len(members) * count // len(classes))]
        for members in (np.flatnonzero(classes == index) for index in np.unique(classes))
    ]
    return np.concatenate(chosen)


def make_golden_rows(
    schema: Schema, predict_proba: PredictProba, typical: list[Floats], ordinary: Floats
) -> list[GoldenRow]:
    """Return rows with the probabilities that the classifier gives them: typical, ordinary and edge cases."""
    first = typical[0] if typical else ordinary[0]
    rows = np.vstack([*typical, ordinary, *_edge_rows(schema, first)])
    rows = rows[schema.accepted(rows).all(axis=1)]
    return [GoldenRow(*row) for row in zip(to_values(rows), predict_proba(rows).tolist(), strict=True)]


def _edge_rows(schema: Schema, row: Floats) -> list[Floats]:
    """Return a row with all optional values missing, and with single ones missing or unknown."""
    optional = [index for index, feature in enumerate(schema.features) if feature.optional]
    unknown = [index for index, feature in enumerate(schema.features) if feature.allow_unknown]
    changes = [(optional, MISSING)] if optional else []
    changes += [([index], MISSING) for index in optional[:EDGE_ROWS]]
    changes += [([index], UNKNOWN) for index in unknown[:EDGE_ROWS]]
    return [_changed(row, indices, value) for indices, value in changes]


def _changed(row: Floats, indices: list[int], value: float) -> Floats:
    changed = row.copy()
    changed[indices] = value
    return changed


def ordinary_rows(schema: Schema, rows: Floats, classes: Classes, *, real: bool) -> Floats:
    """Return some of the rows, or such as might be where nobody may see ``real`` ones."""
    if real:
        return rows[stratify(classes, ORDINARY_ROWS)[: max(ORDINARY_ROWS, len(schema.classes))]]
    random = np.random.default_rng(0)
    columns = [_likely_values(feature, values) for feature, values in zip(schema.features, rows.T, strict=True)]
    return np.array([random.choice(values, ORDINARY_ROWS) for values in columns]).T


def _likely_values(feature: Feature, values: Floats) -> Floats:
    """Return the deciles of numbers, and all other values that there are."""
    present = values[~np.isnan(values)]
    if not len(present):
        return np.array([MISSING])
    if feature.is_numeric:
        return np.quantile(present, np.linspace(0.1, 0.9, 9), method="closest_observation")
    return np.unique(present)
