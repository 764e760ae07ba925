"""Models of made-up data that tests package, for any schema."""

from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from iris_app.model.artifact import save
from iris_app.model.inputs import Inputs, PipelineInputs
from iris_app.model.manifest import GoldenRow, Manifest, Training, TrainingRow, to_values
from iris_app.model.outlier_detection.distribution import fit_distribution
from iris_app.packaging.summaries import summarise_classes, summarise_feature
from iris_app.schema import Class, Feature, Floats, Schema
from tests.schemas import MIXED

DTYPES = {"number": "float64", "integer": "float64", "boolean": "object", "category": "object"}

ONE = Schema(
    name="heat",
    features=(Feature(name="hue", form_name="hue", label="Hue", at_least=-5.0, example=1.5),),
    classes=(
        Class(name="0", label="Cold", value=0, typical=(0.5,)),
        Class(name="1", label="Hot", value=1, typical=(9.5,)),
    ),
)

WIDE = Schema(
    name="signals",
    features=tuple(
        Feature(name=f"signal_{index}", form_name=f"signal_{index}", label=f"Signal {index}", unit="mV", example=1.0)
        for index in range(200)
    ),
    classes=tuple(
        Class(name=f"kind {index}", label=f"Kind {index}", value=f"kind {index}", typical=(float(index),) * 200)
        for index in range(30)
    ),
    target="kind",
    targets="kinds",
    noun="trace",
    nouns="traces",
)


def ordered(schema: Schema) -> Schema:
    """Put the classes of a schema in the order of scikit-learn."""
    return msgspec.structs.replace(schema, classes=tuple(sorted(schema.classes, key=lambda one: one.value)))


SCHEMAS = {"mixed": ordered(MIXED), "one": ONE, "wide": ordered(WIDE)}


def package(path: Path, schema: Schema, classifier: Any = None, size: int = 400, **more: Any) -> Manifest:
    """Fit a classifier to random rows of a schema, and save it."""
    schema = ordered(schema)
    rows, classes = random_rows(schema, size)
    inputs = Inputs("frame", {feature.name: DTYPES[feature.kind] for feature in schema.features})
    to_input = PipelineInputs(schema, inputs).to_input
    values = np.array([class_.value for class_ in schema.classes], object)[classes]
    classifier = classifier or RandomForestClassifier(20, random_state=0)
    pipeline = make_pipeline(_prepare(schema), classifier).fit(to_input(rows), values.tolist())
    golden = rows[:5]
    training = Training(
        schema=schema,
        inputs=inputs,
        features=[summarise_feature(feature, rows[:, index]) for index, feature in enumerate(schema.features)],
        classes=summarise_classes(schema, rows, classes),
        distribution=fit_distribution(schema, rows, classes),
        training_rows=list(map(TrainingRow, to_values(rows), classes.tolist())),
        golden_rows=list(map(GoldenRow, to_values(golden), pipeline.predict_proba(to_input(golden)).tolist())),
    )
    return save(path, pipeline, msgspec.structs.replace(training, **more), None)


def random_rows(schema: Schema, size: int) -> tuple[Floats, np.ndarray[Any, np.dtype[np.intp]]]:
    """Return rows that a schema accepts, and the indices of their classes."""
    random = np.random.default_rng(0)
    count = len(schema.classes)
    classes = np.arange(size) % count
    columns = [_column(feature, classes / count, random) for feature in schema.features]
    return np.array(columns).T, classes


def _column(feature: Feature, shift: Floats, random: np.random.Generator) -> Floats:
    """Return values of a feature that differ by class."""
    match feature.kind:
        case "category":
            values = (random.random(len(shift)) + shift) / 2 * len(feature.categories) // 1
        case "boolean":
            values = (random.random(len(shift)) < 0.2 + 0.6 * shift).astype(float)
        case _:
            low, high = (max(feature.limits[0], -10.0), min(feature.limits[1], 90.0))
            values = low + (high - low) * (0.2 + 0.3 * shift + 0.3 * random.random(len(shift)))
            values = np.rint(values) if feature.kind == "integer" else values.round(2)
    return np.where(random.random(len(shift)) < 0.1, np.nan, values) if feature.optional else values


def _prepare(schema: Schema) -> ColumnTransformer:
    texts = [feature.name for feature in schema.features if feature.kind in {"category", "boolean"}]
    encoder = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return ColumnTransformer([("texts", encoder, texts)], remainder=SimpleImputer())
