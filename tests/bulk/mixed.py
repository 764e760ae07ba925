"""A model of made-up visits, with every kind of feature, and tables for it."""

from pathlib import Path

import msgspec
import numpy as np
import polars as pl
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from iris_app.model.artifact import save
from iris_app.model.inputs import Inputs, PipelineInputs
from iris_app.model.manifest import ClassSummary, FeatureSummary, GoldenRow, Histogram, Training, to_values
from iris_app.model.outlier_detection.distribution import fit_distribution
from iris_app.schema import Feature, Floats
from tests.schemas import MIXED

# The classes in scikit-learn's order.
VISITS = msgspec.structs.replace(MIXED, classes=tuple(sorted(MIXED.classes, key=lambda one: one.name)))

DTYPES = {"number": "float64", "integer": "float64", "boolean": "object", "category": "object"}


def save_visits(path: Path) -> None:
    """Fit a pipeline to random visits, and save it."""
    rows = random_rows(400)
    classes = (rows[:, 0] > 60).astype(np.intp)
    inputs = Inputs("frame", {feature.name: DTYPES[feature.kind] for feature in VISITS.features})
    to_input = PipelineInputs(VISITS, inputs).to_input
    texts = [feature.name for feature in VISITS.features if not feature.is_numeric]
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepare = make_column_transformer((encoder, texts), remainder="passthrough")
    classifier = make_pipeline(prepare, HistGradientBoostingClassifier(max_iter=20))
    classifier.fit(to_input(rows), np.array(VISITS.class_names)[1 - classes])
    golden = rows[:3]
    training = Training(
        schema=VISITS,
        inputs=inputs,
        features=list(map(_summarise, VISITS.features, rows.T)),
        classes=[ClassSummary(name, 200, [None] * 9, [None] * 9) for name in VISITS.class_names],
        distribution=fit_distribution(VISITS, rows, 1 - classes),
        golden_rows=list(map(GoldenRow, to_values(golden), classifier.predict_proba(to_input(golden)).tolist())),
    )
    save(path, classifier, training, None)


def random_rows(count: int, seed: int = 0) -> Floats:
    """Make visits, some of whose values are missing where they may be."""
    random = np.random.default_rng(seed)
    columns = [_random_column(feature, random, count) for feature in VISITS.features]
    return np.array(columns).T


def visits(rows: Floats) -> pl.DataFrame:
    """Make a table with a column of the type of each feature."""
    columns = {
        feature.name: pl.Series([feature.decode(value) for value in column], strict=False)
        for feature, column in zip(VISITS.features, rows.T.tolist(), strict=True)
    }
    return pl.DataFrame(columns)


def _random_column(feature: Feature, random: np.random.Generator, count: int) -> Floats:
    match feature.kind:
        case "category" | "boolean":
            values = random.integers(0, len(feature.categories) or 2, count).astype(float)
        case "integer":
            values = random.integers(18, 95, count).astype(float)
        case _:
            values = random.normal(5, 2, count).round(2).clip(0.5, 10)
    return np.where(random.random(count) < 0.1, np.nan, values) if feature.optional else values


def _summarise(feature: Feature, values: Floats) -> FeatureSummary:
    present = values[~np.isnan(values)]
    edges = np.unique(np.quantile(present, [0.2, 0.4, 0.6, 0.8])) if feature.is_numeric else np.array([-0.5, 0.5])
    edges = np.arange(len(feature.categories)) - 0.5 if feature.kind == "category" else edges
    counts = np.bincount(np.searchsorted(edges, present), minlength=len(edges) + 1).tolist()
    missing = len(values) - len(present)
    low, high = float(present.min()), float(present.max())
    return FeatureSummary(feature.name, low, high, None, None, missing, Histogram(edges.tolist(), counts))
