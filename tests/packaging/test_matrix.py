"""Every kind of classifier on every kind of table, packaged and served: the doors answer as the classifier does."""

import io
import json
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from flask.testing import FlaskClient
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis, QuadraticDiscriminantAnalysis
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import (
    AdaBoostClassifier,
    BaggingClassifier,
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    StackingClassifier,
    VotingClassifier,
)
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import GridSearchCV, TunedThresholdClassifierCV
from sklearn.naive_bayes import BernoulliNB, GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier

from iris_app import create_app
from iris_app.bulk import classify_files
from iris_app.model.artifact import save
from iris_app.packaging import package
from iris_app.schema import Schema
from tests.support import SECRET_KEY

ROWS = 200
TARGET = "outcome"

CLASSIFIERS: dict[str, Any] = {
    "AdaBoost": AdaBoostClassifier(n_estimators=5, random_state=0),
    "Bagging": BaggingClassifier(n_estimators=3, random_state=0),
    "BernoulliNB": BernoulliNB(),
    "CalibratedClassifierCV": CalibratedClassifierCV(LinearSVC(), cv=2),
    "DecisionTree": DecisionTreeClassifier(max_depth=4, random_state=0),
    "Dummy": DummyClassifier(),
    "ExtraTrees": ExtraTreesClassifier(5, random_state=0),
    "GaussianNB": GaussianNB(),
    "GaussianProcess": GaussianProcessClassifier(optimizer=None),
    "GradientBoosting": GradientBoostingClassifier(n_estimators=3, random_state=0),
    "GridSearchCV": GridSearchCV(LogisticRegression(max_iter=1000), {"C": [0.1, 1]}, cv=2),
    "HistGradientBoosting": HistGradientBoostingClassifier(max_iter=3, random_state=0),
    "KNeighbors": KNeighborsClassifier(),
    "LinearDiscriminantAnalysis": LinearDiscriminantAnalysis(),
    "LogisticRegression": LogisticRegression(max_iter=1000),
    "QuadraticDiscriminantAnalysis": QuadraticDiscriminantAnalysis(reg_param=0.5),
    "RandomForest": RandomForestClassifier(5, random_state=0),
    "SGD": SGDClassifier(loss="log_loss", random_state=0),
    "Stacking": StackingClassifier([("tree", DecisionTreeClassifier(max_depth=2)), ("bayes", GaussianNB())], cv=2),
    "TunedThreshold": TunedThresholdClassifierCV(LogisticRegression(max_iter=1000), cv=2, random_state=0),
    "Voting": VotingClassifier([("tree", DecisionTreeClassifier(max_depth=2)), ("bayes", GaussianNB())], voting="soft"),
}


def numbers(random: np.random.Generator, columns: int) -> pd.DataFrame:
    return pd.DataFrame(
        random.normal(0, 3, (ROWS, columns)).round(3), columns=[f"x{index + 1}" for index in range(columns)]
    )


def outcomes(frame: pd.DataFrame, random: np.random.Generator, values: list[Any]) -> pd.DataFrame:
    """Add a target that depends on the first column, with each value often enough."""
    first = frame.iloc[:, 0].fillna(0).to_numpy() + random.normal(0, 0.5, len(frame))
    ranks = np.argsort(np.argsort(first)) * len(values) // len(frame)
    return frame.assign(**{TARGET: np.array(values, object)[ranks]}).infer_objects()


def make_numeric(random: np.random.Generator) -> pd.DataFrame:
    return outcomes(numbers(random, 4), random, ["red", "green", "blue"])


def make_wide(random: np.random.Generator) -> pd.DataFrame:
    return outcomes(numbers(random, 60), random, ["no", "yes"])


def make_binary(random: np.random.Generator) -> pd.DataFrame:
    return outcomes(numbers(random, 3), random, [0, 1])


def make_many_classes(random: np.random.Generator) -> pd.DataFrame:
    return outcomes(numbers(random, 3), random, [f"class {index}" for index in range(12)])


def make_categories(random: np.random.Generator) -> pd.DataFrame:
    frame = numbers(random, 2).assign(
        **{"blood group": random.choice(["A", "B", "AB", "0"], ROWS), "ward": random.choice(["001", "01", "1"], ROWS)}
    )
    return outcomes(frame, random, ["ill", "well"])


def make_missing(random: np.random.Generator) -> pd.DataFrame:
    frame = numbers(random, 3).assign(sex=random.choice(np.array(["male", "female", None], object), ROWS))
    return outcomes(frame.mask(random.random(frame.shape) < 0.1), random, ["stays", "goes"])


def make_kinds(random: np.random.Generator) -> pd.DataFrame:
    frame = pd.DataFrame({"age": random.integers(0, 90, ROWS), "smoker": random.random(ROWS) < 0.3})
    return outcomes(frame.assign(change=random.normal(0, 1, ROWS).round(2)), random, [True, False])


def make_integers(random: np.random.Generator) -> pd.DataFrame:
    return outcomes(pd.DataFrame(random.integers(-5, 50, (ROWS, 3)), columns=["a b", "größe", "class"]), random, [7, 3])


TABLES: dict[str, Callable[[np.random.Generator], pd.DataFrame]] = {
    "numeric": make_numeric,
    "wide": make_wide,
    "binary": make_binary,
    "many classes": make_many_classes,
    "categories": make_categories,
    "missing values": make_missing,
    "booleans and integers": make_kinds,
    "integers": make_integers,
}


@cache
def table(name: str) -> pd.DataFrame:
    return TABLES[name](np.random.default_rng(0))


def pipeline(name: str, frame: pd.DataFrame) -> Pipeline:
    """Return a pipeline for a table as its tutorials have it; numbers alone need no encoder."""
    classifier = clone(CLASSIFIERS[name])
    features = frame.drop(columns=TARGET)
    if not features.isna().to_numpy().any() and all(dtype.kind in "if" for dtype in features.dtypes):
        return make_pipeline(StandardScaler(), classifier).fit(features, frame[TARGET])
    texts = make_column_selector(dtype_exclude=["number", "bool"])
    encode = make_column_transformer(
        (
            make_pipeline(
                SimpleImputer(strategy="most_frequent"), OneHotEncoder(handle_unknown="ignore", sparse_output=False)
            ),
            texts,
        ),
        remainder=SimpleImputer(),
    )
    return make_pipeline(encode, classifier).fit(features, frame[TARGET])


def combinations() -> list[tuple[str, str]]:
    """Return every classifier with two tables, or with all that it can be fitted to if IRIS_MATRIX is ``all``."""
    return [
        (classifier, name)
        for row, classifier in enumerate(CLASSIFIERS)
        for column, name in enumerate(TABLES)
        if "all" in os.environ.get("IRIS_MATRIX", "") or (row + column) % 4 == 0
        if not (classifier == "TunedThreshold" and table(name)[TARGET].nunique() > 2)
    ]


@pytest.mark.no_cover
@pytest.mark.parametrize(("classifier", "name"), combinations())
def test_every_door_answers_as_the_classifier(classifier: str, name: str, tmp_path: Path) -> None:
    frame = table(name)
    fitted = pipeline(classifier, frame)
    packaged = package(fitted, frame, TARGET, picture=False)
    path = tmp_path / "model.joblib"
    save(path, packaged.classifier, packaged.training, packaged.pairplot)
    schema = packaged.training.schema
    features = frame.drop(columns=TARGET)
    expected = fitted.predict_proba(features)
    labels = [str(label) for label in fitted.predict(features)]
    client = create_app({"SECRET_KEY": SECRET_KEY, "MODEL_PATH": str(path), "TESTING": True}).test_client()
    for door in (through_json, through_csv, through_v2):
        found, found_labels = door(client, schema, features)
        assert np.abs(found - expected).max() < 1e-12, door.__name__
        assert found_labels == labels, door.__name__
    found, found_labels = through_a_file(path, schema, features, tmp_path)
    assert np.abs(found - expected).max() < 1e-12
    assert found_labels == labels


Answers = tuple[np.ndarray, list[str]]


def through_json(client: FlaskClient, schema: Schema, features: pd.DataFrame) -> Answers:
    rows = json.loads(features.to_json(orient="records", double_precision=15))
    response = client.post("/api/classify", json=rows)
    assert response.status_code == 200, response.text
    predictions = response.get_json()["predictions"]
    odds = [[one["probabilities"][class_] for class_ in schema.class_names] for one in predictions]
    return np.array(odds), [one[schema.answer_key] for one in predictions]


def through_csv(client: FlaskClient, schema: Schema, features: pd.DataFrame) -> Answers:
    response = client.post("/api/classify", data=features.to_csv(index=False), content_type="text/csv")
    assert response.status_code == 200, response.text
    return read_answers(pd.read_csv(io.StringIO(response.text), dtype=str), schema)


def through_v2(client: FlaskClient, schema: Schema, features: pd.DataFrame) -> Answers:
    url = f"/v2/models/{schema.name}"
    datatypes = {tensor["name"]: tensor["datatype"] for tensor in client.get(url).get_json()["inputs"]}
    rows = json.loads(features.to_json(orient="split", double_precision=15))["data"]
    inputs = [
        {"name": name, "datatype": datatypes[name], "shape": [len(rows)], "data": list(values)}
        for name, values in zip(features.columns, zip(*rows, strict=True), strict=True)
    ]
    outputs = [{"name": "predict_proba"}, {"name": "label"}]
    response = client.post(f"{url}/infer", json={"inputs": inputs, "outputs": outputs})
    assert response.status_code == 200, response.text
    odds, labels = (output["data"] for output in response.get_json()["outputs"])
    return np.array(odds).reshape(len(rows), -1), labels


def through_a_file(path: Path, schema: Schema, features: pd.DataFrame, folder: Path) -> Answers:
    source, answers = folder / "rows.csv", folder / "answers.csv"
    features.to_csv(source, index=False)
    classify_files(str(source), str(answers), model=path)
    return read_answers(pd.read_csv(answers, dtype=str), schema)


def read_answers(answers: pd.DataFrame, schema: Schema) -> Answers:
    odds = answers[[f"probability_{name}" for name in schema.class_names]].astype(float).to_numpy()
    return odds, answers.iloc[:, -len(schema.classes) - 2].tolist()


def test_the_schema_of_each_table_is_the_same_for_every_classifier() -> None:
    frame = table("categories")
    schemas = [
        package(pipeline(name, frame), frame, TARGET, picture=False).training.schema for name in ("SGD", "GaussianNB")
    ]
    assert msgspec.json.encode(schemas[0]) == msgspec.json.encode(schemas[1])
