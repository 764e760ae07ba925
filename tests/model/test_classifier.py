from collections import Counter
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from iris_app.iris import SCHEMA
from iris_app.model.artifact import load as load_artifact
from iris_app.model.classifier import Model, load
from iris_app.model.outlier_detection.detector import BLOCK_ROWS
from iris_app.training import load_data
from tests.support import classify, trained

Floats = NDArray[np.float64]

accepted_values = st.floats(min_value=0, max_value=30, exclude_min=True)
flowers = st.integers(1, 40).flatmap(
    lambda rows: arrays(np.float64, (rows, len(SCHEMA.features)), elements=accepted_values)
)


@pytest.fixture(scope="module")
def model(trained_path: Path) -> Model:
    return load(trained_path)


@pytest.fixture(scope="module")
def pipeline(trained_path: Path) -> Pipeline:
    return load_artifact(trained_path)[0]


@pytest.fixture(scope="module")
def model_of(trained_path: Path) -> Callable[[object], Model]:
    manifest = load_artifact(trained_path)[1]
    return lambda classifier: Model(classifier, manifest)


def probabilities(model: Model, measurements: Floats) -> Floats:
    return np.array([msgspec.structs.astuple(row.probabilities) for row in classify(model, measurements)])


def warnings_of(model: Model, *values: float) -> list[tuple[str, str | None]]:
    return [(warning.code, warning.field) for warning in classify(model, np.array([values]))[0].warnings]


def test_the_article_s_flower_is_setosa(model: Model) -> None:
    (prediction,) = classify(model, np.array([[5.1, 3.5, 1.4, 0.2]]))
    assert prediction.predicted_class == "setosa"
    assert prediction.probabilities.c0 == pytest.approx(0.98, abs=0.005)
    assert prediction.warnings == ()


def test_every_typical_flower_is_of_its_species(model: Model) -> None:
    predictions = classify(model, np.array([one.typical for one in SCHEMA.classes]))
    assert [one.predicted_class for one in predictions] == [one.name for one in SCHEMA.classes]


def test_the_species_is_the_one_that_scikit_learn_predicts(model: Model, pipeline: Pipeline) -> None:
    measurements, _ = load_data()
    names = [SCHEMA.classes[index].name for index in pipeline.predict(measurements)]
    assert [one.predicted_class for one in classify(model, measurements)] == names


@given(measurements=flowers)
def test_the_compiled_classifier_agrees_with_the_pipeline(
    model: Model, pipeline: Pipeline, measurements: Floats
) -> None:
    assert np.abs(probabilities(model, measurements) - pipeline.predict_proba(measurements)).max() < 1e-12


@given(measurements=flowers)
def test_a_flower_gets_the_same_answer_alone_and_among_others(model: Model, measurements: Floats) -> None:
    alone = [classify(model, row[None])[0] for row in measurements]
    assert classify(model, measurements) == alone


def test_a_flower_gets_the_same_answer_among_many(model: Model) -> None:
    measurements = np.random.default_rng(0).uniform(0.1, 10, (BLOCK_ROWS + 100, len(SCHEMA.features)))
    assert classify(model, measurements) == [classify(model, row[None])[0] for row in measurements]


def test_what_is_found_of_many_is_put_into_words_block_by_block(model: Model) -> None:
    measurements = np.full((2 * BLOCK_ROWS + 1, len(SCHEMA.features)), 5.0)
    assert list(map(len, model.predict(measurements).to_predictions())) == [BLOCK_ROWS, BLOCK_ROWS, 1]


@given(measurements=flowers)
def test_doubts_are_as_many_in_columns_as_in_words(model: Model, measurements: Floats) -> None:
    told = [warning.code for one in classify(model, measurements) for warning in one.warnings]
    assert model.predict(measurements).warning_counts() == Counter(told)


def test_the_order_of_an_array_in_memory_changes_nothing(model: Model) -> None:
    measurements, _ = load_data()
    assert classify(model, np.asfortranarray(measurements)) == classify(model, measurements)


@given(measurements=flowers)
def test_probabilities_add_up_to_one(model: Model, measurements: Floats) -> None:
    assert probabilities(model, measurements).sum(axis=1) == pytest.approx(1)


def test_no_flowers_get_no_answers(model: Model) -> None:
    assert classify(model, np.empty((0, 4))) == []


class OwnRegression(LogisticRegression):  # type: ignore[misc]
    """A subclass may compute as it likes."""


@pytest.mark.parametrize(
    "classifier",
    [
        KNeighborsClassifier(),
        make_pipeline(StandardScaler(), OwnRegression()),
        make_pipeline(StandardScaler(), KNeighborsClassifier()),
    ],
    ids=["neighbours", "own regression", "neighbours behind a scaler"],
)
def test_a_classifier_that_is_not_compiled_answers_by_its_own_probabilities(
    model_of: Callable[[object], Model], classifier: Pipeline
) -> None:
    measurements, species = load_data()
    classifier.fit(measurements, species)
    model = model_of(classifier)
    assert model.path_name == "pipeline"
    assert np.array_equal(probabilities(model, measurements), classifier.predict_proba(measurements))
    assert np.array_equal(probabilities(model, measurements[:1]), classifier.predict_proba(measurements[:1]))
    assert classify(model, np.empty((0, 4))) == []
    assert model.predict_proba(np.empty((0, 4))).shape == (0, 3)


def test_a_classifier_that_compiles_to_another_answers_by_its_own_probabilities(
    model_of: Callable[[object], Model], caplog: pytest.LogCaptureFixture
) -> None:
    classifier = deepcopy(trained()[0])
    regression = classifier[-1]
    regression.decision_function = lambda rows: LogisticRegression.decision_function(regression, rows) / 2
    measurements, _ = load_data()
    model = model_of(classifier)
    assert model.path_name == "pipeline"
    assert "compiled, its probabilities differ by" in caplog.text
    assert np.array_equal(probabilities(model, measurements), classifier.predict_proba(measurements))


def test_a_classifier_that_fails_when_it_is_compiled_answers_by_its_own_probabilities(
    model_of: Callable[[object], Model], caplog: pytest.LogCaptureFixture
) -> None:
    classifier = deepcopy(trained()[0])
    classifier[-1].coef_ = classifier[-1].coef_.tolist()
    model = model_of(classifier)
    assert model.path_name == "pipeline"
    assert "compiled, it fails" in caplog.text


def test_a_value_outside_the_training_is_named_with_its_range(model: Model) -> None:
    (prediction,) = classify(model, np.array([[5.1, 3.5, 1.4, 2.6]]))
    (warning,) = prediction.warnings
    assert (warning.code, warning.field) == ("out_of_range", "petal_width")
    assert warning.detail == "Petal width is 2.6 cm, outside what the model was trained on: 0.1 to 2.5 cm."


def test_every_value_outside_the_training_is_named(model: Model) -> None:
    assert warnings_of(model, 30, 3.5, 0.5, 0.2) == [("out_of_range", "sepal_length"), ("out_of_range", "petal_length")]


def test_the_ends_of_a_range_are_within_it(model: Model) -> None:
    for index, summary in enumerate(model.manifest.features):
        for value in (summary.minimum, summary.maximum):
            row = [5.8, 3.0, 4.0, 1.2]
            row[index] = value
            assert ("out_of_range", summary.name) not in warnings_of(model, *row)


def test_a_combination_unlike_any_flower_is_told(model: Model) -> None:
    assert warnings_of(model, 5.8, 2.0, 6.9, 0.1) == [("unlike_training", None)]


def test_no_flower_of_the_training_is_doubted(model: Model) -> None:
    from sklearn.model_selection import train_test_split

    seen, _ = train_test_split(load_data()[0], random_state=0)
    assert [one.warnings for one in classify(model, seen)] == [()] * len(seen)


@pytest.mark.parametrize(
    ("row", "swapped"),
    [
        ([3.5, 5.1, 1.4, 0.2], "sepal length and sepal width"),
        ([5.1, 3.5, 0.2, 1.4], "petal length and petal width"),
        ([1.4, 3.5, 5.1, 0.2], "sepal length and petal length"),
    ],
)
def test_two_values_that_may_be_swapped_are_named(model: Model, row: list[float], swapped: str) -> None:
    (prediction,) = classify(model, np.array([row]))
    assert prediction.warnings[-1].code == "maybe_swapped"
    assert prediction.warnings[-1].detail == f"Are {swapped} swapped? Then this would be a usual flower."


def test_nothing_is_swapped_where_that_makes_no_usual_flower(model: Model) -> None:
    assert warnings_of(model, 30, 3.5, 1.4, 0.2) == [("out_of_range", "sepal_length")]


def test_only_the_unusual_among_many_are_doubted(model: Model) -> None:
    predictions = classify(model, np.array([[5.1, 3.5, 1.4, 0.2], [5.1, 3.5, 1.4, 9.0], [5.0, 3.4, 1.5, 0.2]]))
    assert [len(one.warnings) for one in predictions] == [0, 1, 0]
