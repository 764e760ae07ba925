import numpy as np
import pytest
from sklearn.metrics import accuracy_score, balanced_accuracy_score, brier_score_loss, log_loss

from iris_app.packaging import scores
from iris_app.packaging.scores import Classes, measure_importances, score
from iris_app.schema import Class, Feature, Floats, Schema


def schema(count: int) -> Schema:
    classes = tuple(Class(name=str(index), label=str(index), value=index) for index in range(count))
    return Schema(name="test", features=(Feature(name="x", form_name="x", label="X"),), classes=classes)


@pytest.mark.parametrize("count", [2, 3, 30])
def test_the_scores_are_scikit_learn_s(count: int) -> None:
    random = np.random.default_rng(0)
    actual = random.integers(0, count, 300)
    probabilities = random.dirichlet(np.ones(count), 300)
    predicted = probabilities.argmax(axis=1)
    found = score(schema(count), actual, predicted, probabilities, [0.5, 0.7])
    assert found.held_out_accuracy == accuracy_score(actual, predicted)
    assert found.balanced_accuracy == pytest.approx(balanced_accuracy_score(actual, predicted))
    assert found.log_loss == pytest.approx(log_loss(actual, probabilities))
    expected = brier_score_loss(actual, probabilities[:, 1] if count == 2 else probabilities)
    assert found.brier == pytest.approx(expected)
    assert found.cross_validation == [0.5, 0.7]
    confusion = np.array(found.confusion_matrix)
    assert confusion.sum() == found.held_out_rows == 300
    assert [one.recall for one in found.classes] == pytest.approx(np.diag(confusion) / confusion.sum(axis=1))


def test_a_class_without_held_out_rows_has_no_share_in_the_balance() -> None:
    probabilities = np.array([[0.8, 0.1, 0.1], [0.1, 0.8, 0.1], [0.1, 0.1, 0.8]])
    found = score(schema(3), np.array([0, 1, 1]), np.array([0, 1, 2]), probabilities)
    assert found.balanced_accuracy == 0.75
    assert (found.classes[2].precision, found.classes[2].recall) == (0, 0)
    assert found.confusion_matrix == [[1, 0, 0], [0, 1, 1], [0, 0, 0]]


def test_certainty_is_compared_with_how_often_it_is_right() -> None:
    certainty = np.array([0.55, 0.58, 0.95, 0.96, 1.0])
    probabilities = np.column_stack([certainty, 1 - certainty])
    actual = np.array([0, 1, 0, 0, 0])
    low, high = score(schema(2), actual, np.zeros(5, int), probabilities).calibration
    assert (low.low, low.high, low.rows, low.mean_probability, low.accuracy) == (0.5, 0.6, 2, pytest.approx(0.565), 0.5)
    assert (high.low, high.high, high.rows, high.accuracy) == (0.9, 1.0, 3, 1.0)


def test_certainty_is_that_of_the_class_that_is_predicted() -> None:
    probabilities = np.array([[0.7, 0.3]])
    (found,) = score(schema(2), np.array([1]), np.array([1]), probabilities).calibration
    assert (found.low, found.mean_probability) == (pytest.approx(0.3), 0.3)


def predict_by_first(rows: Floats) -> Classes:
    return (rows[:, 0] > 0).astype(np.int64)


def test_a_feature_that_decides_is_important_and_one_that_is_not_used_is_not() -> None:
    rows = np.random.default_rng(0).normal(size=(2000, 3))
    found = measure_importances(predict_by_first, rows, predict_by_first(rows), held_out=True)
    assert found is not None
    assert (found.rows, found.held_out) == (500, True)
    assert found.drops[0] == pytest.approx(0.5, abs=0.05)
    assert 0 < found.deviations[0] < 0.05
    assert found.drops[1:] == found.deviations[1:] == [0, 0]


def test_features_are_shuffled_alone_where_there_are_many(monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.random.default_rng(0).normal(size=(100, 4))
    at_once = measure_importances(predict_by_first, rows, predict_by_first(rows), held_out=False)
    monkeypatch.setattr(scores, "MAX_VALUES", 400)
    assert measure_importances(predict_by_first, rows, predict_by_first(rows), held_out=False) == at_once


def test_fewer_rows_are_shuffled_where_features_are_many() -> None:
    rows = np.random.default_rng(0).normal(size=(200, 200))
    found = measure_importances(predict_by_first, rows, predict_by_first(rows), held_out=True)
    assert found is not None
    assert found.rows == 100


def test_importances_that_would_take_minutes_are_not_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([0.0, 3.0])
    monkeypatch.setattr(scores, "perf_counter", lambda: next(times))
    rows = np.random.default_rng(0).normal(size=(1000, 5))
    assert measure_importances(predict_by_first, rows, predict_by_first(rows), held_out=True) is None
