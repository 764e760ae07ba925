from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iris_app.iris import SCHEMA
from iris_app.json_types import Explanation
from iris_app.model.artifact import load as load_artifact
from iris_app.model.classifier import Model, load
from tests.support import by_name, classify

accepted_values = st.floats(min_value=0, max_value=30, exclude_min=True)


@pytest.fixture(scope="module")
def model(trained_path: Path) -> Model:
    return load(trained_path)


def explain(model: Model, values: list[float]) -> tuple[str, Explanation]:
    (prediction,) = classify(model, np.array([values]), explain=True)
    assert prediction.explanation
    return prediction.predicted_class, prediction.explanation


@given(values=st.lists(accepted_values, min_size=4, max_size=4))
def test_the_parts_add_up_to_the_difference_of_log_odds(model: Model, trained_path: Path, values: list[float]) -> None:
    species, explanation = explain(model, values)
    parts = msgspec.structs.astuple(explanation.contributions)
    assert sum(parts) + explanation.average == pytest.approx(explanation.log_odds, abs=1e-9)
    odds = load_artifact(trained_path)[0].decision_function([values])[0]
    difference = odds[SCHEMA.class_names.index(species)] - odds[SCHEMA.class_names.index(explanation.runner_up)]
    assert explanation.log_odds == pytest.approx(difference, abs=1e-9)
    assert explanation.log_odds >= 0


@given(values=st.lists(accepted_values, min_size=4, max_size=4))
def test_the_runner_up_is_the_next_likely(model: Model, values: list[float]) -> None:
    (prediction,) = classify(model, np.array([values]), explain=True)
    assert prediction.explanation
    odds = by_name(prediction.probabilities)
    assert odds[prediction.explanation.runner_up] == sorted(odds.values())[-2]


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (
            [5.1, 3.5, 1.4, 0.2],
            (
                "petal length, 1.4 cm: typical for Setosa, far too short for Versicolor. "
                "The sepal width, 3.5 cm, adds nearly as much."
            ),
        ),
        (
            [6.5, 3.0, 5.6, 2.0],
            (
                "petal width, 2 cm: typical for Virginica, too wide for Versicolor. "
                "The petal length, 5.6 cm, adds nearly as much."
            ),
        ),
        (
            [6.0, 2.7, 5.0, 1.6],
            (
                "petal length, 5 cm: nearer to the average of Virginica, 5.6 cm, than to that of Versicolor, 4.2 cm. "
                "The petal width, 1.6 cm, adds nearly as much."
            ),
        ),
    ],
)
def test_the_reason_is_told_in_a_sentence(model: Model, values: list[float], sentence: str) -> None:
    assert explain(model, values)[1].sentence == f"Above all because of the {sentence}"


def test_a_value_far_outside_the_training_is_not_compared_with_what_is_usual(model: Model) -> None:
    sentence = "The petal width, 30 cm, is far outside what the model learnt from, so Virginica is a guess."
    assert explain(model, [30.0, 30.0, 30.0, 30.0])[1].sentence == sentence


def test_a_flower_for_which_nothing_alone_speaks_is_told_so(model: Model) -> None:
    average = [summary.mean for summary in model.manifest.features]
    species, explanation = explain(model, average)
    assert explanation.sentence == f"No single value points to {species.title()}, but all of them together do."


def test_no_reason_speaks_against_its_answer(model: Model) -> None:
    for row in model.manifest.training_rows:
        _, explanation = explain(model, row.values)
        assert "typical for " not in explanation.sentence.split(", ")[-1]
        for feature in SCHEMA.features:
            if f"because of the {feature.label.lower()}," in explanation.sentence:
                assert by_name(explanation.contributions)[feature.name] > 0
