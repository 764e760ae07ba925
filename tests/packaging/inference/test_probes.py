from typing import Any

import numpy as np
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import CategoricalNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, PowerTransformer, StandardScaler

from iris_app.formatting import MAX_FLOAT
from iris_app.model.inputs import Inputs, PipelineInputs
from iris_app.packaging.inference.probes import MAGNITUDES, Probe
from iris_app.schema import MISSING, Class, Feature, Schema

NUMBER = Feature(name="size", form_name="size", label="Size", optional=True)
WHOLE = Feature(name="count", form_name="count", label="Count", kind="integer", optional=True)
COLOUR = Feature(
    name="colour",
    form_name="colour",
    label="Colour",
    kind="category",
    categories=("blue", "red"),
    optional=True,
    allow_unknown=True,
)
CLASSES = [0, 1] * 20


def probe(classifier: Any, *features: Feature, missing: bool = False) -> Probe:
    schema = Schema(
        name="test",
        features=features,
        classes=(Class(name="a", label="A", value=0), Class(name="b", label="B", value=1)),
    )
    random = np.random.default_rng(0)
    rows = np.column_stack(
        [random.integers(0, 2, 40) if one.kind == "category" else random.integers(1, 9, 40) for one in features]
    ).astype(float)
    if missing:
        rows[::7] = MISSING
    inputs = PipelineInputs(schema, Inputs())
    return Probe(classifier.fit(inputs.to_input(rows), CLASSES), inputs, features, rows)


def encoding(**options: Any) -> Any:
    encoder = ColumnTransformer([("colour", OneHotEncoder(**options), [1])], remainder="passthrough")
    return make_pipeline(encoder, SimpleImputer(), LogisticRegression())


@pytest.mark.parametrize(
    ("classifier", "takes"),
    [
        (LogisticRegression(), False),
        (KNeighborsClassifier(3), False),
        (make_pipeline(SimpleImputer(), LogisticRegression()), True),
        (HistGradientBoostingClassifier(), True),
        (RandomForestClassifier(3), True),
    ],
)
def test_a_classifier_says_whether_a_number_may_be_missing(classifier: Any, takes: bool) -> None:
    asked = probe(classifier, NUMBER, WHOLE)
    assert asked.take_missing([False, False]) == [takes, takes]
    assert asked.takes_all_missing([0, 1]) is takes


@pytest.mark.parametrize(
    ("options", "takes"), [({}, False), ({"handle_unknown": "ignore"}, True), ({"handle_unknown": "warn"}, True)]
)
def test_a_classifier_says_whether_a_category_may_be_unknown(options: Any, takes: bool) -> None:
    assert probe(encoding(**options), NUMBER, COLOUR).take_unknown([1]) == ({1} if takes else set())


def test_a_missing_category_that_is_answered_as_an_unknown_one_is_not_taken() -> None:
    asked = probe(encoding(handle_unknown="ignore"), NUMBER, COLOUR)
    assert not asked.take_missing([False, False])[1]


def test_a_missing_category_that_the_training_had_is_taken() -> None:
    asked = probe(encoding(handle_unknown="ignore"), NUMBER, COLOUR, missing=True)
    assert asked.take_missing([False, True])[1]


def test_a_missing_category_that_has_an_answer_of_its_own_is_taken() -> None:
    impute = SimpleImputer(strategy="most_frequent")
    classifier = make_pipeline(impute, OneHotEncoder(handle_unknown="ignore"), LogisticRegression())
    assert probe(classifier, COLOUR).take_missing([False]) == [True]


@pytest.mark.parametrize(
    ("classifier", "limit"),
    [
        (KNeighborsClassifier(3), (1e18, 1e100, None)),
        (RandomForestClassifier(3), (1e38,)),
        (HistGradientBoostingClassifier(), (None,)),
        (make_pipeline(StandardScaler(), LogisticRegression()), (1e100, None)),
    ],
)
def test_the_largest_numbers_that_are_answered_are_found(classifier: Any, limit: tuple[float | None, ...]) -> None:
    asked = probe(classifier, NUMBER, WHOLE)
    assert asked.find_limit([]) in limit
    found = asked.find_limit([]) or MAX_FLOAT
    assert asked.predict_proba(np.array([[found, -found], [-found, found]])) is not None


def test_a_classifier_that_refuses_every_large_number_has_the_smallest_limit() -> None:
    def refuse(rows: Any) -> Any:
        if np.abs(rows).max() > 10:
            raise ValueError
        return rows

    asked = probe(make_pipeline(FunctionTransformer(refuse), LogisticRegression()), NUMBER)
    assert asked.find_limit([]) == MAGNITUDES[-1]


def test_there_is_no_limit_where_nothing_is_a_number() -> None:
    assert probe(make_pipeline(OneHotEncoder(), LogisticRegression()), COLOUR).find_limit([]) is None


@pytest.mark.parametrize(
    ("classifier", "refused"),
    [
        (LogisticRegression(), []),
        (make_pipeline(PowerTransformer("box-cox"), LogisticRegression()), [(0, -1)]),
        (make_pipeline(FunctionTransformer(np.log), LogisticRegression()), [(0, -1)]),
        (CategoricalNB(), [(0, -1), (0, 1)]),
    ],
)
def test_the_side_on_which_numbers_are_refused_is_found(classifier: Any, refused: list[tuple[int, int]]) -> None:
    asked = probe(classifier, NUMBER)
    assert asked.refused_sides() == refused
    assert asked.answers(0, 3.0)
    assert asked.answers(0, -3.0) is not ((0, -1) in refused)


def test_a_column_without_effect_is_found() -> None:
    class_of_size = make_pipeline(ColumnTransformer([("size", "passthrough", [0])]), LogisticRegression())
    asked = probe(class_of_size, NUMBER, WHOLE)
    assert [asked.has_effect(0), asked.has_effect(1)] == [True, False]
