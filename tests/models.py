"""Models that tests package: of made-up rows for any schema, and those that every generic test runs for."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris, load_wine
from sklearn.ensemble import RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from iris_app import packaging
from iris_app.iris import SCHEMA
from iris_app.model.artifact import read_manifest, save
from iris_app.model.manifest import Manifest
from iris_app.schema import UNKNOWN, Class, Feature, Floats, Schema, Value
from tests.schemas import MIXED
from tests.support import trained

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


def package(
    path: Path, schema: Schema, classifier: Any = None, size: int = 400, untypical: Collection[int] = (), **more: Any
) -> Manifest:
    """Fit a classifier to random rows of a schema, package it, and save it with ``more`` in its manifest.

    The classes with the indices ``untypical`` have no typical row.
    """
    schema = ordered(schema)
    rows, classes = random_rows(schema, size)
    features = to_table(schema, rows)
    labels = [schema.classes[index].value for index in classes]
    classifier = RandomForestClassifier(10, random_state=0) if classifier is None else classifier
    pipeline = make_pipeline(_prepare(schema), classifier)
    pipeline.fit(rows if schema.is_numeric else features, labels)
    packaged = packaging.package(pipeline, features.assign(truth=labels), "truth", schema=schema, picture=False)
    more = {"schema": _without_typical(packaged.training.schema, untypical)} | more
    return save(path, packaged.classifier, msgspec.structs.replace(packaged.training, **more), None)


def _without_typical(schema: Schema, indices: Collection[int]) -> Schema:
    classes = [
        msgspec.structs.replace(class_, typical=()) if index in indices else class_
        for index, class_ in enumerate(schema.classes)
    ]
    return msgspec.structs.replace(schema, classes=tuple(classes))


def to_table(schema: Schema, rows: Floats) -> pd.DataFrame:
    """Return rows as a table, with the types that pandas gives its columns."""
    columns = {
        feature.name: pd.Series(list(map(feature.decode, values)), dtype=None if feature.is_numeric else object)
        for feature, values in zip(schema.features, rows.T.tolist(), strict=True)
    }
    return pd.DataFrame(columns).replace({None: np.nan})


def random_rows(schema: Schema, size: int, seed: int = 0) -> tuple[Floats, np.ndarray[Any, np.dtype[np.intp]]]:
    """Return rows that a schema accepts, and the indices of their classes."""
    random = np.random.default_rng(seed)
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


def _prepare(schema: Schema) -> Any:
    """Return what takes arrays of numbers as they are, and encodes the categories of tables."""
    if schema.is_numeric:
        return "passthrough"
    texts = [feature.name for feature in schema.features if feature.kind in {"category", "boolean"}]
    encoder = make_pipeline(SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore"))
    return ColumnTransformer([("texts", encoder, texts)], remainder=SimpleImputer())


@dataclass(frozen=True)
class ServedModel:
    """A packaged model that generic tests serve.

    Attributes
    ----------
    path : Path
        Where its artifact lies; read it, and leave it as it is.
    schema : Schema
    rows : ndarray of shape (n, features)
        Rows that it answers.
    """

    path: Path
    schema: Schema
    rows: Floats

    @property
    def infer_path(self) -> str:
        """The path of the Open Inference Protocol."""
        return f"/v2/models/{self.schema.name}/infer"

    @property
    def row(self) -> dict[str, Value]:
        """The example of each feature, as JSON has it."""
        return {feature.name: feature.example for feature in self.schema.features}

    @property
    def form(self) -> dict[str, str]:
        """The same as a form sends it."""
        return self.to_form(np.array(self.schema.encode(list(self.row.values()))))

    @property
    def outside(self) -> dict[str, Value]:
        """A value that is out of bounds, of the first feature that has bounds."""
        feature = next(feature for feature in self.schema.features if feature.at_most is not None)
        return {feature.name: round(feature.limits[1]) + 1}

    @property
    def objects(self) -> list[dict[str, Value]]:
        """The rows as JSON has them."""
        names = self.schema.features_by_name
        return [dict(zip(names, self.to_values(row), strict=True)) for row in self.rows]

    def to_values(self, row: Floats) -> list[Value]:
        """Return the values of a row as JSON has them; a category that is not known is a text."""
        return [
            UNKNOWN_CATEGORY if value == UNKNOWN and feature.allow_unknown else feature.decode(value)
            for feature, value in zip(self.schema.features, row.tolist(), strict=True)
        ]

    def to_form(self, row: Floats) -> dict[str, str]:
        """Return the texts of a row as a form sends them."""
        values = zip(self.schema.features, self.to_values(row), row.tolist(), strict=True)
        return {
            feature.form_name: UNKNOWN_CATEGORY if sent == UNKNOWN_CATEGORY else feature.format(value)
            for feature, sent, value in values
        }


UNKNOWN_CATEGORY = "unheard of"


def _serve_iris(path: Path) -> ServedModel:
    if not path.exists():
        save(path, *trained())
    return ServedModel(path, SCHEMA, load_iris().data)


def _serve_mixed(path: Path) -> ServedModel:
    """Serve a model with categories, missing values, booleans and texts as classes."""
    if not path.exists():
        package(path, MIXED)
    schema = read_manifest(path).schema
    rows, _ = random_rows(schema, 200, seed=1)
    for index, feature in enumerate(schema.features):
        if feature.allow_unknown:
            rows[index::40, index] = UNKNOWN
    return ServedModel(path, schema, rows)


def _serve_wine(path: Path) -> ServedModel:
    """Serve scikit-learn's wines, in the words that packaging finds for them."""
    wines = load_wine(as_frame=True)
    if not path.exists():
        pipeline = make_pipeline(StandardScaler(), LogisticRegression()).fit(wines.data, wines.target)
        packaged = packaging.package(pipeline, wines.frame, "target", name="wine", picture=False)
        save(path, packaged.classifier, packaged.training, packaged.pairplot)
    return ServedModel(path, read_manifest(path).schema, wines.data.to_numpy())


SERVED: dict[str, Callable[[Path], ServedModel]] = {"iris": _serve_iris, "mixed": _serve_mixed, "wine": _serve_wine}

# Let a test run for the example, and for a model that has nothing in common with it.
for_every_model = pytest.mark.parametrize("served", ["iris", "mixed"], indirect=True)
