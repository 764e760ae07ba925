from collections import Counter
from pathlib import Path

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iris_app.model.manifest import FeatureSummary, Histogram, Manifest, manifest_path
from iris_app.observability.drift import (
    EDGEWISE_THRESHOLD,
    MAX_SAMPLED,
    DriftWindow,
    count_by_interval,
    count_intervals,
    expected_counts,
    intervals,
    population_stability_index,
    sample,
)
from iris_app.schema import Feature

HISTOGRAM = Histogram(edges=[1.0, 2.5], counts=[10, 20, 30])
WIDTH = Feature(name="width", form_name="width", label="Width")
SUMMARY = FeatureSummary("width", 0.0, 4.0, 2.0, 1.0, 5, HISTOGRAM)


@pytest.fixture(scope="module")
def manifest(trained_path: Path) -> Manifest:
    return msgspec.json.decode(manifest_path(trained_path).read_bytes(), type=Manifest)


def test_intervals_are_named_by_their_edges() -> None:
    assert intervals(WIDTH, SUMMARY) == ["..1", "1..2.5", "2.5..", "missing"]


@pytest.mark.parametrize(("edges", "counts"), [([1.0], [1]), ([2.0, 1.0], [1, 1, 1]), ([1.0, 1.0], [1, 1, 1])])
def test_a_histogram_that_is_none_is_refused(edges: list[float], counts: list[int]) -> None:
    with pytest.raises(ValueError, match="rising edges"):
        Histogram(edges=edges, counts=counts)


def test_the_flowers_of_the_training_fall_where_the_training_counted_them(manifest: Manifest) -> None:
    counts = Counter(dict(count_intervals(manifest, manifest.training_array()[0])))
    for feature, summary in zip(manifest.schema.features, manifest.features, strict=True):
        found = [counts[feature.name, interval] for interval in intervals(feature, summary)]
        assert found == expected_counts(summary)


@pytest.mark.parametrize("period", range(2, 12))
def test_a_sample_is_in_step_with_no_order_of_the_rows(period: int) -> None:
    taken = sample(np.arange(period * MAX_SAMPLED)[:, None] % period)
    shares = np.bincount(taken[:, 0].astype(int), minlength=period) / MAX_SAMPLED
    assert shares == pytest.approx(1 / period, abs=0.05)


def test_many_flowers_of_one_request_are_sampled_evenly() -> None:
    rows = np.linspace(0.1, 10, 10 * MAX_SAMPLED)[:, None] * np.ones(4)
    taken = sample(rows)
    assert len(taken) == MAX_SAMPLED
    assert (taken <= 3).mean() == pytest.approx((rows <= 3).mean(), abs=0.01)


def test_a_few_flowers_of_one_request_are_all_counted() -> None:
    assert len(sample(np.ones((MAX_SAMPLED, 4)))) == MAX_SAMPLED


def test_one_value_is_counted_as_among_many() -> None:
    edges = SUMMARY.histogram.edges
    values = np.array([*edges, *np.nextafter(edges, np.inf), -1e9, 1e9, np.nan])
    alone = [count_by_interval(values[[index]], SUMMARY) for index in range(len(values))]
    assert np.sum(alone, axis=0).tolist() == count_by_interval(values, SUMMARY)


def test_many_values_are_counted_as_few_are() -> None:
    values = np.round(np.random.default_rng(0).uniform(0, 4, EDGEWISE_THRESHOLD), 1)
    many = count_by_interval(values, SUMMARY)
    assert many == np.sum([count_by_interval(part, SUMMARY) for part in np.split(values, 10)], axis=0).tolist()


def test_no_flowers_are_no_trouble(manifest: Manifest) -> None:
    assert list(count_intervals(manifest, sample(np.empty((0, 4))))) == []


def test_the_same_shares_are_no_drift() -> None:
    assert population_stability_index([100, 200, 300], [1000, 2000, 3000]) == pytest.approx(0, abs=1e-4)


def test_the_index_is_the_one_of_the_textbooks() -> None:
    was, now = np.array([0.2, 0.3, 0.5]), np.array([0.5, 0.3, 0.2])
    expected = ((now - was) * np.log(now / was)).sum()
    assert population_stability_index([200_000, 300_000, 500_000], [500_000, 300_000, 200_000]) == pytest.approx(
        expected, rel=1e-4
    )


@given(st.lists(st.tuples(st.integers(0, 10**6), st.integers(0, 10**6)), min_size=1))
def test_the_index_is_a_number_and_never_negative(pairs: list[tuple[int, int]]) -> None:
    expected, seen = map(list, zip(*pairs, strict=True))
    assert 0 <= population_stability_index(expected, [float(count) for count in seen]) < np.inf


def test_the_window_forgets_what_is_older(manifest: Manifest) -> None:
    feature, summary = manifest.schema.features[0], manifest.features[0]
    key = (feature.name, intervals(feature, summary)[0])
    window = DriftWindow(seconds=60)
    assert sum(window.counts(feature, summary, {key: 5})) == 5
    for minute, total in enumerate([10, 20, 40, 80]):
        window.add(60 * minute, {key: total})
    assert window.counts(feature, summary, {key: 100})[0] == 100 - 40
