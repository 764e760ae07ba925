"""The models that are served side by side: the example, and three of 30 columns with categories and missing values."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from benchmarks.requests import flowers
from benchmarks.servers import Failed, ServedModel
from iris_app import create_app, packaging
from iris_app.model import artifact
from iris_app.model.compiled import CompiledClassifier
from iris_app.model_service import model_path

NUMBERS = [f"number_{index}" for index in range(20)]
TEXTS = [f"category_{index}" for index in range(7)]
BOOLEANS = [f"boolean_{index}" for index in range(3)]
CLASSES = ["high", "low", "middle"]
TARGET = "level"

CLASSIFIERS: Mapping[str, Callable[[], Any]] = {
    "linear": lambda: LogisticRegression(max_iter=1000),
    "forest": lambda: RandomForestClassifier(100, random_state=0),
    "boosting": lambda: HistGradientBoostingClassifier(max_iter=100, early_stopping=False, random_state=0),
    "forest_500": lambda: RandomForestClassifier(500, random_state=0),
}

MODELS = {
    "example": "example: 4 numbers, logistic regression",
    "linear": "30 mixed columns, logistic regression",
    "forest": "30 mixed columns, forest of 100 trees",
    "boosting": "30 mixed columns, `HistGradientBoosting` of 100 iterations",
}


def lay_out(name: str, folder: Path) -> ServedModel:
    """Put a model into a folder of its own name, unless it is there."""
    folder = folder / name
    folder.mkdir(exist_ok=True)
    path = folder / "model.joblib"
    if not path.exists():
        (_copy_example if name == "example" else _package)(name, path)
    classifier, manifest, _ = artifact.load(path)
    data = {
        "is_frame": manifest.inputs.kind == "frame",
        "kinds": {feature.name: feature.kind for feature in manifest.schema.features},
        "classes": manifest.schema.class_names,
    }
    if name == "example":
        affine = CompiledClassifier(classifier, manifest.schema, manifest.inputs).affine
        if affine is None:
            raise Failed("The model does not fold to an affine map, which is all that the floor knows.")
        data |= {"weights": affine[0].tolist(), "intercepts": affine[1].tolist()}
    (folder / "model.json").write_bytes(msgspec.json.encode(data))
    rows = flowers if name == "example" else complete_rows
    first = rows(1) if data["is_frame"] else rows(1).to_numpy()
    return ServedModel(folder, rows, float(classifier.predict_proba(first).max()))


def _copy_example(_name: str, path: Path) -> None:
    app = create_app()
    artifact.copy(model_path(app), path, app.config["MODEL_SHA256"])


def _package(name: str, path: Path) -> None:
    training = table(2000)
    numbers = make_pipeline(SimpleImputer(strategy="median", add_indicator=True), StandardScaler())
    encoder = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    prepare = make_column_transformer((numbers, NUMBERS), (encoder, TEXTS + BOOLEANS))
    pipeline = make_pipeline(prepare, CLASSIFIERS[name]()).fit(training.drop(columns=TARGET), training[TARGET])
    packaged = packaging.package(pipeline, training, TARGET, name=name, picture=False)
    artifact.save(path, packaged.classifier, packaged.training, None)


def table(rows: int, seed: int = 0) -> pd.DataFrame:
    """Make rows of 20 numbers, some of them missing, 7 categories and 3 booleans, with their classes."""
    random = np.random.default_rng(seed)
    scores = random.normal(size=rows)
    columns: dict[str, Any] = {}
    for index, name in enumerate(NUMBERS):
        values = (scores * (index % 3) + random.normal(scale=2, size=rows)).round(2)
        columns[name] = np.where(random.random(rows) < 0.05, np.nan, values) if index % 4 == 0 else values
    for index, name in enumerate(TEXTS):
        codes = (random.random(rows) + (scores > 0)) / 2 * (3 + 2 * index)
        columns[name] = np.array([f"kind {int(code)}" for code in codes], object)
    for name in BOOLEANS:
        columns[name] = random.random(rows) < 0.3 + 0.4 * (scores > 0)
    columns[TARGET] = np.array(CLASSES, object)[np.digitize(scores + random.normal(scale=0.3, size=rows), [-0.5, 0.5])]
    return pd.DataFrame(columns)


def complete_rows(rows: int) -> pd.DataFrame:
    """Return rows without missing values, which not every server can be sent."""
    made = table(2 * rows + 100, seed=1).drop(columns=TARGET).dropna().astype(dict.fromkeys(TEXTS, object))
    return made.head(rows)
