import msgspec
import pytest

from iris_app.formatting import format_percent
from iris_app.iris import SCHEMA
from iris_app.json_types import JsonTypes, Prediction, PredictionWarning
from iris_app.model.manifest import CalibrationBin, Scores, Training
from iris_app.ui.result.verdict import Verdict, make_verdict
from tests.support import trained

TYPES = SCHEMA.derive(JsonTypes)
OUTSIDE = PredictionWarning("out_of_range", "Outside.", "sepal_length")


def verdict(*probabilities: float, unlike: bool = False, scores: bool = True) -> Verdict:
    prediction: Prediction = TYPES.Prediction("setosa", TYPES.Probabilities(*probabilities), (OUTSIDE,))
    return make_verdict(trained()[1] if scores else without_scores(), prediction, unlike=unlike)


def without_scores() -> Training:
    return msgspec.structs.replace(trained()[1], scores=None)


def with_calibration(*bins: CalibrationBin) -> Training:
    scores: Scores | None = trained()[1].scores
    assert scores
    return msgspec.structs.replace(trained()[1], scores=msgspec.structs.replace(scores, calibration=list(bins)))


@pytest.mark.parametrize(("first", "words"), [(0.995, "almost certainly"), (0.95, "very likely"), (0.8, "probably")])
def test_a_clear_verdict_says_how_sure_it_is(first: float, words: str) -> None:
    found = verdict(first, 1 - first, 0.0)
    assert (found.kind, found.heading, found.record) == ("clear", "Predicted class: Setosa", "")
    margin = f"{format_percent(first)}, against {format_percent(1 - first)} for Versicolor"
    assert found.sentence == f"This is {words} Setosa: {margin}."


def test_a_borderline_verdict_says_so_and_how_often_such_ones_were_right() -> None:
    training = with_calibration(
        CalibrationBin(0.5, 0.6, 4, 0.55, 0.5), CalibrationBin(0.6, 0.7, 2, 0.65, 1.0), CalibrationBin(0.9, 1, 9, 1, 1)
    )
    prediction: Prediction = TYPES.Prediction("setosa", TYPES.Probabilities(0.6, 0.4, 0.0), ())
    found = make_verdict(training, prediction)
    assert (found.kind, found.heading) == ("borderline", "Predicted class: Setosa")
    assert found.sentence == "The model is not sure: Setosa 60.0 %, against 40.0 % for Versicolor."
    assert found.record == (
        "In a test with 38 flowers, 6 got an answer below 70 %: 4 right and 2 wrong. "
        "These are too few to say how often such answers are right."
    )


def test_a_test_with_many_such_answers_says_how_often_they_were_right() -> None:
    training = with_calibration(CalibrationBin(0.5, 0.6, 20, 0.55, 0.5))
    prediction: Prediction = TYPES.Prediction("setosa", TYPES.Probabilities(0.6, 0.4, 0.0), ())
    assert make_verdict(training, prediction).record.endswith("20 got an answer below 70 %: 10 right and 10 wrong.")


def test_a_test_without_such_answers_says_nothing() -> None:
    training = with_calibration(CalibrationBin(0.9, 1, 9, 1, 1))
    prediction: Prediction = TYPES.Prediction("setosa", TYPES.Probabilities(0.6, 0.4, 0.0), ())
    assert make_verdict(training, prediction).record == ""


@pytest.mark.parametrize("first", [0.6, 0.95])
def test_without_a_test_the_percentages_are_said_to_be_unproven(first: float) -> None:
    assert verdict(first, 1 - first, 0.0, scores=False).record == (
        "This model was not tested on flowers that it had not seen, so its percentages are unproven."
    )


def test_a_row_that_is_unlike_all_others_gets_another_heading() -> None:
    found = verdict(1.0, 0.0, 0.0, unlike=True)
    assert (found.kind, found.heading) == ("unlike", "Closest match: Setosa")
    assert found.sentence == "The model has never seen a flower like this, so Setosa is only a guess."


def test_a_verdict_names_the_predicted_class_though_another_is_more_probable() -> None:
    assert verdict(0.3, 0.0, 0.7).sentence == "The model is not sure: Setosa 30.0 %, against 70.0 % for Virginica."
