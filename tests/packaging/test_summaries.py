from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from iris_app.model.manifest import to_array
from iris_app.packaging import summaries
from iris_app.packaging.summaries import (
    find_typical_rows,
    make_golden_rows,
    ordinary_rows,
    sample_rows,
    stratify,
    summarise_classes,
    summarise_feature,
)
from iris_app.schema import MISSING, UNKNOWN, Class, Feature, Floats, Schema

NUMBER = Feature(name="size", form_name="size", label="Size", optional=True)
TAGGED = Feature(name="tagged", form_name="tagged", label="Tagged", kind="boolean")
COLOUR = Feature(
    name="colour", form_name="colour", label="Colour", kind="category", categories=("blue", "red"), allow_unknown=True
)
SCHEMA = Schema(
    name="test",
    features=(NUMBER, TAGGED, COLOUR),
    classes=(Class(name="small", label="Small", value=0), Class(name="large", label="Large", value=1)),
)
RANDOM = np.random.default_rng(0)
ROWS = np.column_stack(
    [RANDOM.normal(size=100).round(3), RANDOM.integers(0, 2, 100), RANDOM.integers(-1, 2, 100)]
).astype(float)
CLASSES = (ROWS[:, 0] > 0).astype(np.intp)


class Answers:
    """A classifier that takes what is larger than a threshold for large."""

    def __init__(self, threshold: float = 0.0) -> None:
        self._threshold = threshold

    def predict_proba(self, rows: Floats) -> Floats:
        large = 1 / (1 + np.exp(np.nan_to_num(self._threshold - rows[:, 0])))
        return np.column_stack([1 - large, large])

    def predict(self, rows: Floats) -> NDArray[np.intp]:
        return self.predict_proba(rows).argmax(axis=1)


def test_numbers_are_summarised_by_their_deciles() -> None:
    values = np.append(np.arange(1.0, 101.0), [MISSING] * 3)
    summary = summarise_feature(NUMBER, values)
    assert (summary.minimum, summary.maximum, summary.mean, summary.missing) == (1, 100, 50.5, 3)
    assert summary.standard_deviation == pytest.approx(29.01, abs=0.01)
    assert len(summary.histogram.edges) == 9
    assert summary.histogram.counts == [10] * 10


def test_booleans_are_counted() -> None:
    summary = summarise_feature(TAGGED, np.array([0.0, 1, 1, MISSING]))
    assert (summary.minimum, summary.maximum, summary.mean) == (0, 1, pytest.approx(2 / 3))
    assert (summary.histogram.edges, summary.histogram.counts) == ([0.5], [1, 2])


def test_categories_are_counted_with_unknown_ones_first() -> None:
    summary = summarise_feature(COLOUR, np.array([UNKNOWN, 0, 1, 1, MISSING]))
    assert (summary.minimum, summary.maximum, summary.mean, summary.standard_deviation) == (0, 1, None, None)
    assert (summary.histogram.edges, summary.histogram.counts) == ([-0.5, 0.5], [1, 1, 2])


def test_a_feature_without_values_is_summarised() -> None:
    for feature in SCHEMA.features:
        summary = summarise_feature(feature, np.array([MISSING, MISSING]))
        assert (summary.minimum, summary.maximum, summary.mean, summary.missing) == (None, None, None, 2)
        assert sum(summary.histogram.counts) == 0


def test_classes_are_summarised_by_means_but_of_categories() -> None:
    rows = np.array([[1, 0, 1], [3, 1, 0], [MISSING, 1, 1]], float)
    small, large = summarise_classes(SCHEMA, rows, np.array([0, 0, 1]))
    assert (small.name, small.rows, small.means) == ("small", 2, [2, 0.5, None])
    assert small.deviations == [pytest.approx(2**0.5), pytest.approx(0.5**0.5), None]
    assert (large.rows, large.means, large.deviations) == (1, [None, 1, None], [None, None, None])


def test_a_class_without_rows_is_summarised() -> None:
    _, large = summarise_classes(SCHEMA, ROWS[:3], np.zeros(3, np.intp))
    assert (large.rows, large.means, large.deviations) == (0, [None] * 3, [None] * 3)


def test_a_typical_row_has_medians_and_modes() -> None:
    small, large = find_typical_rows(SCHEMA, Answers(), ROWS, CLASSES)  # type: ignore[arg-type]
    assert small is not None
    assert large is not None
    assert small[0] in ROWS[CLASSES == 0, 0]
    assert np.mean(ROWS[CLASSES == 0, 0] < small[0]) == pytest.approx(0.5, abs=0.05)
    assert small[0] < 0 < large[0]


def test_a_typical_row_is_predicted_as_its_class() -> None:
    answers: Any = Answers(threshold=1.0)
    small, large = find_typical_rows(SCHEMA, answers, ROWS, CLASSES)
    assert large is not None
    assert large[0] > 1 > np.median(ROWS[CLASSES == 1, 0])
    assert small is not None


def test_there_is_no_typical_row_of_a_class_that_is_never_predicted() -> None:
    answers: Any = Answers(threshold=99.0)
    assert find_typical_rows(SCHEMA, answers, ROWS, CLASSES)[1] is None
    assert find_typical_rows(SCHEMA, answers, ROWS, np.zeros(100, np.intp))[1] is None


def test_a_typical_row_may_lack_values_that_the_class_lacks() -> None:
    rows = np.array([[MISSING, 1, UNKNOWN], [MISSING, 1, 0], [5, 0, 1]])
    answers: Any = Answers(threshold=1.0)
    small, _ = find_typical_rows(SCHEMA, answers, rows, np.array([0, 0, 1]))
    np.testing.assert_array_equal(small, [MISSING, 1, 0])


def test_rows_are_sampled_with_the_same_share_of_each_class() -> None:
    classes = np.array([0] * 900 + [1] * 98 + [2] * 2)
    chosen = classes[stratify(classes, 100)]
    assert np.bincount(chosen).tolist() == [90, 9, 2]
    assert stratify(classes, 1000).tolist() == list(range(1000))


def test_few_thousand_rows_are_kept_at_most(monkeypatch: pytest.MonkeyPatch) -> None:
    assert len(sample_rows(ROWS, CLASSES)) == 100
    monkeypatch.setattr(summaries, "MAX_ROWS", 10)
    kept = sample_rows(ROWS, CLASSES)
    assert 9 <= len(kept) <= 10
    assert all((to_array([row.values], 3) == ROWS).all(axis=1).any() for row in kept)
    monkeypatch.setattr(summaries, "MAX_VALUES", 12)
    assert len(sample_rows(ROWS, CLASSES)) == 4


def test_ordinary_rows_are_rows_where_anyone_may_see_them() -> None:
    rows = ordinary_rows(SCHEMA, ROWS, CLASSES, real=True)
    assert 10 <= len(rows) <= 12
    assert all((row == ROWS).all(axis=1).any() for row in rows)


def test_ordinary_rows_are_made_up_where_nobody_may_see_rows() -> None:
    rows = ordinary_rows(SCHEMA, ROWS, CLASSES, real=False)
    deciles = np.quantile(ROWS[:, 0], np.linspace(0.1, 0.9, 9), method="closest_observation")
    assert rows.shape == (12, 3)
    assert set(rows[:, 0]) <= set(deciles)
    assert SCHEMA.accepted(rows).all()


def test_ordinary_rows_lack_what_all_rows_lack() -> None:
    rows = ordinary_rows(SCHEMA, np.array([[MISSING, 1, 0]] * 5), np.zeros(5, np.intp), real=False)
    assert np.isnan(rows[:, 0]).all()


def test_golden_rows_are_typical_ordinary_and_edge_cases() -> None:
    answers = Answers()
    typical = np.array([1.5, 1, 0])
    golden = make_golden_rows(SCHEMA, answers.predict_proba, [typical], ROWS[:2])
    assert [row.values for row in golden[:3]] == [[1.5, 1, 0], *ROWS[:2].tolist()]
    assert [row.values for row in golden[3:]] == [[None, 1, 0], [None, 1, 0], [1.5, 1, -1]]
    rows = to_array([row.values for row in golden], 3)
    assert [row.probabilities for row in golden] == answers.predict_proba(rows).tolist()


def test_golden_rows_are_accepted_by_the_schema() -> None:
    golden = make_golden_rows(SCHEMA, Answers().predict_proba, [], np.array([[1, 1, 1], [1, MISSING, 1]]))
    assert [row.values for row in golden] == [[1, 1, 1], [None, 1, 1], [None, 1, 1], [1, 1, -1]]
