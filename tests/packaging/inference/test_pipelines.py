from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier, VotingClassifier
from sklearn.feature_selection import SelectKBest
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, OrdinalEncoder, StandardScaler, TargetEncoder

from iris_app.packaging.inference.pipelines import Structure, find_names, find_structure, unwrap

TABLE = pd.DataFrame({"a": [1.0, 2, 3, 4] * 5, "b": ["x", "y", "x", "z"] * 5, "c": [7, 8, 7, 8] * 5})
CLASSES = [0, 1, 1, 0] * 5
CATEGORIES = ["x", "y", "z"]


def structure_of(classifier: Any, table: pd.DataFrame = TABLE) -> Structure:
    return find_structure(classifier.fit(table, CLASSES), list(table.columns))


def columns(*others: Any, encoder: Any = None, **options: Any) -> ColumnTransformer:
    return ColumnTransformer([("b", encoder or OneHotEncoder(), ["b"]), *others], **options)


@pytest.mark.parametrize(
    "wrap",
    [
        lambda inner: inner,
        lambda inner: make_pipeline("passthrough", inner),
        lambda inner: GridSearchCV(inner, {}, cv=2),
        lambda inner: CalibratedClassifierCV(inner, cv=2),
        lambda inner: VotingClassifier([("one", inner)], voting="soft"),
        FixedThresholdClassifier,
        lambda inner: FrozenEstimator(inner.fit(TABLE, CLASSES)),
    ],
)
def test_an_encoder_is_found_in_whatever_holds_it(wrap: Any) -> None:
    classifier = wrap(make_pipeline(columns(("a", "passthrough", ["a"])), RandomForestClassifier(2)))
    found = structure_of(classifier)
    assert found.categories == {"b": CATEGORIES}
    assert found.used == {"a", "b"}
    assert find_names(classifier) == ["a", "b", "c"]


@pytest.mark.parametrize(
    "selected",
    [["b"], "b", [1], slice(1, 2), slice("b", "b"), [False, True, False], make_column_selector(dtype_include="str")],
)
def test_columns_are_found_however_they_were_selected(selected: Any) -> None:
    as_table = FunctionTransformer(pd.DataFrame)  # of the series that a single name selects
    encoder = make_pipeline(as_table, OneHotEncoder())
    found = structure_of(make_pipeline(ColumnTransformer([("b", encoder, selected)]), RandomForestClassifier(2)))
    assert found.categories == {"b": CATEGORIES}
    assert found.used == {"b"}


def test_an_encoder_is_found_behind_an_imputer() -> None:
    encode = make_pipeline(SimpleImputer(strategy="constant", fill_value="none", add_indicator=True), OneHotEncoder())
    found = structure_of(make_pipeline(columns(encoder=encode), RandomForestClassifier(2)))
    assert found.categories == {"b": CATEGORIES}
    assert found.fills == {"b": "none"}


def test_an_encoder_is_found_behind_another_column_transformer() -> None:
    first = ColumnTransformer(
        [("a", SimpleImputer(), ["a"]), ("b", SimpleImputer(strategy="most_frequent"), ["b"])],
        verbose_feature_names_out=False,
    )
    second = ColumnTransformer([("b", OrdinalEncoder(), [1])], remainder="passthrough")
    found = structure_of(make_pipeline(first, second, RandomForestClassifier(2)))
    assert found.categories == {"b": CATEGORIES}


def test_a_target_encoder_knows_categories_too() -> None:
    classifier = make_pipeline(columns(encoder=TargetEncoder(cv=2)), LogisticRegression())
    assert structure_of(classifier).categories == {"b": CATEGORIES}


def test_a_feature_union_passes_its_columns_on() -> None:
    union = FeatureUnion([("encode", OneHotEncoder()), ("again", OrdinalEncoder()), ("no", "drop")])
    found = structure_of(make_pipeline(union, RandomForestClassifier(2)))
    assert found.categories["b"] == CATEGORIES


def test_a_function_keeps_the_columns() -> None:
    classifier = make_pipeline(FunctionTransformer(lambda table: table), OneHotEncoder(), LogisticRegression())
    assert structure_of(classifier).categories["b"] == CATEGORIES


def test_columns_are_unknown_behind_a_function_that_drops_some() -> None:
    drop = FunctionTransformer(lambda table: table[["b"]])
    encode = ColumnTransformer([("fill", SimpleImputer(strategy="constant"), ["b"])])
    found = structure_of(make_pipeline(drop, encode, OneHotEncoder(), LogisticRegression()))
    assert (found.categories, found.fills) == ({}, {})


def test_a_step_that_mixes_columns_ends_the_search() -> None:
    class Sums(TransformerMixin, BaseEstimator):
        def fit(self, *_args: Any) -> "Sums":
            return self

        def transform(self, table: Any) -> Any:
            return np.asarray(table)[:, [0, 2]].sum(axis=1, keepdims=True).astype(float)

        def get_feature_names_out(self, _names: Any = None) -> list[str]:
            return ["sum"]

    found = structure_of(make_pipeline(Sums(), OneHotEncoder(), LogisticRegression()))
    assert found.categories == {}
    assert found.used == {"a", "b", "c"}


def test_columns_behind_a_selection_are_followed() -> None:
    numbers = TABLE[["a", "c"]]
    classifier = make_pipeline(SelectKBest(k=1), OneHotEncoder(), LogisticRegression())
    assert len(structure_of(classifier, numbers).categories) == 1


def test_the_columns_that_gradient_boosting_takes_as_categories_are_found() -> None:
    by_type = TABLE.astype({"b": "category"})
    assert structure_of(HistGradientBoostingClassifier(), by_type).native == {"b": True}
    by_name = HistGradientBoostingClassifier(categorical_features=["c"])
    assert structure_of(by_name, TABLE[["a", "c"]]).native == {"c": False}
    assert structure_of(HistGradientBoostingClassifier(), TABLE[["a"]]).native == {}


def test_an_array_has_no_names() -> None:
    classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(TABLE[["a", "c"]].to_numpy(), CLASSES)
    assert find_names(classifier) is None
    voting = VotingClassifier([("one", classifier)], voting="soft").fit(TABLE[["a", "c"]].to_numpy(), CLASSES)
    assert find_names(voting) is None


def test_what_answers_is_the_last_of_what_is_wrapped() -> None:
    inner = Pipeline([("scale", StandardScaler()), ("classify", LogisticRegression())])
    search = GridSearchCV(inner, {}, cv=2).fit(TABLE[["a"]], CLASSES)
    assert [type(one).__name__ for one in unwrap(search)] == ["GridSearchCV", "Pipeline", "LogisticRegression"]
