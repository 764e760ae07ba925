import json
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iris_app.model.explanations import shapley
from iris_app.model.explanations.shapley import MIN_PROBABILITY, ShapleyExplainer, ShapleyValues
from iris_app.schema import Floats
from tests.model.explanations.shapley_models import MODELS, linear, mixed_rows, network, softmax, stumps, waves

SHAP_VALUES = json.loads(Path(__file__).with_name("shap_values.json").read_text())

seeds = st.integers(min_value=0, max_value=10_000)


def explain(name: str, row: Floats, max_rows: int, background: Floats | None = None) -> ShapleyValues:
    predict_proba, default_background, _ = MODELS[name]
    chosen = default_background if background is None else background
    return ShapleyExplainer(predict_proba, chosen, max_rows=max_rows).explain(row, 0, 1)


def log_odds(name: str, rows: Floats) -> Floats:
    logarithms = np.log(MODELS[name][0](rows))
    return logarithms[:, 0] - logarithms[:, 1]


@pytest.mark.parametrize("name", ["linear", "stumps"])
def test_exact_values_are_those_of_shap(name: str) -> None:
    for index, row in enumerate(MODELS[name][2]):
        found = explain(name, row, 2**16)
        assert found.error == 0.0
        assert found.average == pytest.approx(SHAP_VALUES[name]["averages"][index], abs=1e-6)
        np.testing.assert_allclose(found.values, SHAP_VALUES[name]["values"][index], rtol=0, atol=1e-6)


@pytest.mark.parametrize("max_rows", [256, 4096, 65536])
def test_estimates_are_those_of_shap_within_their_error(max_rows: int) -> None:
    for index, row in enumerate(MODELS["network"][2]):
        found = explain("network", row, max_rows)
        assert 0 < found.error < 32 / np.sqrt(max_rows)
        np.testing.assert_allclose(found.values, SHAP_VALUES["network"]["values"][index], rtol=0, atol=4 * found.error)


@given(seed=seeds, max_rows=st.sampled_from([1, 300, 2**16]))
@pytest.mark.parametrize("name", MODELS)
def test_values_add_up_to_the_difference_to_the_background(name: str, seed: int, max_rows: int) -> None:
    rows = mixed_rows(3, seed) if name == "stumps" else waves(3, MODELS[name][1].shape[1], seed)
    found = explain(name, rows[0], max_rows)
    assert found.average == pytest.approx(log_odds(name, MODELS[name][1]).mean(), abs=1e-9)
    assert found.log_odds == pytest.approx(log_odds(name, rows[:1])[0], abs=1e-9)
    assert found.average + found.values.sum() == pytest.approx(found.log_odds, abs=1e-9)


@given(seed=seeds)
def test_a_linear_model_gets_weights_times_differences(seed: int) -> None:
    row, background = waves(1, 4, seed)[0], MODELS["linear"][1]
    weights = waves(4, 3, 0.0)
    expected = (weights[:, 0] - weights[:, 1]) * (row - background.mean(axis=0))
    np.testing.assert_allclose(explain("linear", row, 2**16).values, expected, rtol=0, atol=1e-9)


@given(seed=seeds, max_rows=st.sampled_from([1, 2**16]))
def test_a_feature_that_is_not_used_gets_nothing(seed: int, max_rows: int) -> None:
    def ignoring(rows: Floats) -> Floats:
        return stumps(np.column_stack([rows[:, :2], rows[:, 3:]]))

    rows, background = (np.insert(mixed_rows(count, seed), 2, waves(1, count, seed), axis=1) for count in (1, 20))
    assert ShapleyExplainer(ignoring, background, max_rows=max_rows).explain(rows[0], 1, 0).values[2] == 0.0


def test_a_feature_of_many_that_is_not_used_gets_nothing() -> None:
    assert explain("network", MODELS["network"][2][0], 1024).values[-1] == 0.0


@given(seed=seeds)
def test_features_that_are_used_alike_get_the_same(seed: int) -> None:
    def symmetric(rows: Floats) -> Floats:
        scores = np.tanh(rows[:, 0] * rows[:, 2]) + np.maximum(rows[:, 0], rows[:, 2]) + rows[:, 1]
        return softmax(np.column_stack([scores, -scores]))

    rows = waves(21, 3, seed)
    rows[:, 2] = rows[:, 0]
    values = ShapleyExplainer(symmetric, rows[1:], max_rows=2**16).explain(rows[0], 0, 1).values
    assert values[0] == pytest.approx(values[2], abs=1e-9)


@given(seed=seeds, max_rows=st.sampled_from([64, 128, 256]))
def test_estimates_are_within_their_error(seed: int, max_rows: int) -> None:
    row = waves(1, 10, seed)[0]
    background = waves(24, 10, 11.0)

    def predict_proba(rows: Floats) -> Floats:
        return network(np.column_stack([rows, np.zeros((len(rows), 4))]))

    exact, estimate = (
        ShapleyExplainer(predict_proba, background, max_rows=limit).explain(row, 0, 1) for limit in (2**16, max_rows)
    )
    assert exact.error == 0.0 < estimate.error
    assert abs(exact.values - estimate.values).max() <= 4 * estimate.error


def test_the_classes_are_those_that_were_asked_for() -> None:
    explainer = ShapleyExplainer(linear, MODELS["linear"][1], max_rows=2**16)
    row = MODELS["linear"][2][0]
    forth, back, other = (explainer.explain(row, *classes) for classes in ((0, 2), (2, 0), (1, 2)))
    np.testing.assert_allclose(forth.values, -back.values, rtol=0, atol=1e-12)
    assert abs(forth.values - other.values).max() > 0.1


def test_log_odds_are_finite() -> None:
    def certain(rows: Floats) -> Floats:
        return np.column_stack([rows[:, 0] > 0, rows[:, 0] <= 0]).astype(float)

    found = ShapleyExplainer(certain, np.array([[-1.0]])).explain(np.array([1.0]), 0, 1)
    assert found.log_odds == -found.average == pytest.approx(-np.log(MIN_PROBABILITY))


@pytest.mark.parametrize("max_rows", [1, 2**16])
def test_a_row_like_all_of_the_background_gets_nothing(max_rows: int) -> None:
    row = np.array([0.5, np.nan, 1.0, 2.0, 0.0])
    found = explain("stumps", row, max_rows, np.tile(row, (3, 1)))
    assert found.values.tolist() == [0.0] * 5
    assert found.log_odds == found.average


def test_estimates_add_up_where_all_of_the_background_is_worth_the_same() -> None:
    row, background = MODELS["network"][2][0], MODELS["network"][1]
    found = explain("network", row, 1024, np.tile(background[0], (20, 1)))
    assert found.error > 0
    assert found.average + found.values.sum() == pytest.approx(found.log_odds, abs=1e-9)


@pytest.mark.parametrize("count", [1, 3, 7, 9])
def test_few_rows_of_the_background_are_used_often_enough(count: int) -> None:
    row, background = MODELS["network"][2][0], waves(count, 14, 7.0)
    estimates = [explain("network", row, max_rows, background) for max_rows in (1, 2**14)]
    assert 0 < estimates[1].error < estimates[0].error
    assert abs(estimates[0].values - estimates[1].values).max() <= 4 * estimates[0].error


def test_values_in_common_make_more_features_exact() -> None:
    background = mixed_rows(20, 5.0)
    row = background[0].copy()
    row[0] += 0.3
    assert explain("stumps", row, 2, np.tile(background[0], (20, 1))).error == 0.0


def test_the_same_row_gets_the_same_values() -> None:
    row = MODELS["network"][2][0]
    first, second = (explain("network", row, 1024) for _ in range(2))
    assert first.values.tolist() == second.values.tolist()


@pytest.mark.parametrize("max_rows", [1, 256, 2048, 2**16])
def test_the_rows_of_an_explanation_are_limited(monkeypatch: pytest.MonkeyPatch, max_rows: int) -> None:
    monkeypatch.setattr(shapley, "CALL_ROWS", 500)
    counts: list[int] = []

    def counting(rows: Floats) -> Floats:
        counts.append(len(rows))
        return network(rows)

    explainer = ShapleyExplainer(counting, MODELS["network"][1], max_rows=max_rows)
    counts.clear()
    explainer.explain(MODELS["network"][2][0], 0, 1)
    assert max(counts) <= 500
    assert sum(counts) <= max(max_rows, 16 * 13) + 1


def test_wide_rows_are_predicted_in_smaller_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shapley, "CALL_VALUES", 140)
    counts: list[int] = []

    def counting(rows: Floats) -> Floats:
        counts.append(len(rows))
        return network(rows)

    explainer = ShapleyExplainer(counting, MODELS["network"][1][:8], max_rows=256)
    explainer.explain(MODELS["network"][2][0], 0, 1)
    assert max(counts) == 10


def test_a_fast_model_is_asked_for_more_rows_than_a_slow_one(monkeypatch: pytest.MonkeyPatch) -> None:
    def take(seconds_per_row: float, delays: Sequence[float] = ()) -> int:
        waiting, counts = iter(delays), [0]

        def time_(function: Callable[[], object]) -> float:
            counts.clear()
            function()
            return sum(counts) * seconds_per_row + next(waiting, 0.0)

        def counting(rows: Floats) -> Floats:
            counts.append(len(rows))
            return linear(rows)

        monkeypatch.setattr(shapley, "_time", time_)
        return ShapleyExplainer(counting, MODELS["linear"][1], budget_seconds=0.05).max_rows

    assert take(1e-7) == 65_536
    assert take(1e-5) == 2048
    assert take(1e-5, delays=[1.0, 1.0]) == 2048
    assert take(1e-5, delays=[1.0, 1.0, 1.0]) == 256
    assert take(1.0) == 256


def test_the_time_of_other_processes_is_not_counted() -> None:
    assert shapley._time(lambda: time.sleep(0.1)) < 0.09


def test_the_time_of_computing_is_counted() -> None:
    end = time.process_time() + 0.1

    def compute() -> None:
        while time.process_time() < end:
            pass

    assert shapley._time(compute) > 0.05
