"""A table with every kind of column, and the pipeline that is trained on it."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from iris_app.packaging.packager import Packaged, package

NUMBERS = ["bill_length_mm", "body_mass_g", "visits"]
CATEGORIES = ["island", "code", "zone"]


def make_table(count: int = 240, seed: int = 0) -> pd.DataFrame:
    random = np.random.default_rng(seed)
    table = pd.DataFrame(
        {
            "bill_length_mm": random.normal(44, 5, count).round(1),
            "body_mass_g": random.integers(2700, 6000, count).astype(float) + 0.5,
            "visits": random.integers(0, 9, count),
            "island": random.choice(["Biscoe", "Dream", "Torgersen"], count),
            "code": random.choice(["001", "002", "010"], count),
            "zone": random.choice([3, 5, 7], count),
            "tagged": random.choice([True, False], count),
        }
    )
    score = (table.bill_length_mm - 44) / 5 + (table.island == "Dream") * 1.5 + table.tagged - (table.zone == 5)
    table["species"] = np.select([score < 0, score < 1.5], ["adelie", "chinstrap"], "gentoo")
    for name in ("bill_length_mm", "island"):
        table.loc[random.random(count) < 0.1, name] = np.nan
    return table


def make_columns(encoder: Any | None = None) -> ColumnTransformer:
    encode = make_pipeline(
        SimpleImputer(strategy="most_frequent"), encoder or OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    )
    return ColumnTransformer(
        [
            ("numbers", make_pipeline(SimpleImputer(), StandardScaler()), NUMBERS),
            ("categories", encode, CATEGORIES),
            ("others", "passthrough", ["tagged"]),
        ]
    )


@pytest.fixture(scope="session")
def table() -> pd.DataFrame:
    return make_table()


@pytest.fixture(scope="session")
def holdout() -> pd.DataFrame:
    return make_table(80, seed=1)


@pytest.fixture(scope="session")
def classifier(table: pd.DataFrame) -> Any:
    return make_pipeline(make_columns(), LogisticRegression()).fit(table.drop(columns="species"), table["species"])


@pytest.fixture(scope="session")
def packaged(classifier: Any, table: pd.DataFrame, holdout: pd.DataFrame) -> Packaged:
    return package(classifier, table, "species", name="birds", holdout=holdout, picture=False)
