from collections import Counter

import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_wine

from iris_app.model.outlier_detection.detector import BLOCK_ROWS, OutlierDetector
from iris_app.schema import MISSING, UNKNOWN, Floats
from tests.model.outlier_detection.distributions import fit_detector, mixed_table, schema_of
from tests.support import traced_memory


@pytest.fixture(scope="module")
def mixed() -> tuple[OutlierDetector, Floats]:
    rows, classes, schema = mixed_table(1500)
    return fit_detector(schema, rows, classes)[0], rows


def details(detector: OutlierDetector, *row: float) -> list[str]:
    rows = np.array([row])
    return [warning.detail for _, warnings in detector.warnings(rows, detector.find(rows)) for warning in warnings]


def unusual(rows: Floats) -> Floats:
    """Return rows whose values are those of other rows, and some that are out of range or not known."""
    random = np.random.default_rng(0)
    others = np.column_stack([random.permutation(column) for column in rows.T])
    others[::7, 0] = 99
    others[::5, 1] = -99
    others[::11, 5] = UNKNOWN
    return others


def test_a_number_out_of_range_is_named_with_the_range() -> None:
    rows = np.array([[1.0, 2.5], [4.0, 9.0]] * 20)
    detector, _ = fit_detector(schema_of(rows, 2, units="kg"), rows, np.arange(40) % 2)
    assert details(detector, 50, 2.4) == [
        "X 0 is 50 kg, outside what the model was trained on: 1 to 4 kg.",
        "X 1 is 2.4 kg, outside what the model was trained on: 2.5 to 9 kg.",
    ]


def test_a_number_without_unit_out_of_range_is_named_without() -> None:
    rows = np.array([[1.0, 2.5], [4.0, 9.0]] * 20)
    detector, _ = fit_detector(schema_of(rows, 2), rows, np.arange(40) % 2)
    assert details(detector, 5, 3) == ["X 0 is 5, outside what the model was trained on: 1 to 4."]


def test_a_category_that_is_not_known_is_named(mixed: tuple[OutlierDetector, Floats]) -> None:
    row = [0.0, 1.0, 1.0, 2, 0, UNKNOWN, 0]
    assert details(mixed[0], *row) == [
        "X 5 has a value that the model has never seen. It should be one of c0, c1, c2 or c3."
    ]
    assert mixed[0].find(np.array([row])).labels() == ["unknown_category:x5"]


def test_a_combination_that_is_far_from_all_is_put_into_plain_words() -> None:
    random = np.random.default_rng(0)
    rows = random.multivariate_normal([0, 0], [[1, 0.95], [0.95, 1]], 500)
    detector, _ = fit_detector(schema_of(rows, 2), rows, np.arange(500) % 2)
    assert details(detector, 1.8, -1.8) == [
        "Each value is normal, but not together: no row that the model learnt from is like this."
    ]


def test_missing_values_are_no_reason_for_doubt(mixed: tuple[OutlierDetector, Floats]) -> None:
    assert details(mixed[0], *[MISSING] * 7) == []


@pytest.mark.parametrize(
    ("row", "unlike"),
    [([2.5, 5], False), ([4.2, 5], False), ([-20, 5], True), ([MISSING, 5], True), ([4.2, MISSING], True)],
)
def test_a_row_is_unlike_the_training_if_it_is_far_from_it_or_has_what_was_never_there(
    row: list[float], unlike: bool
) -> None:
    rows = np.random.default_rng(0).uniform([1, 2.5], [4, 9], (100, 2))
    detector, _ = fit_detector(schema_of(rows, 2), rows, np.arange(100) % 2)
    assert detector.is_unlike(row) == unlike


def test_any_values_are_judged_without_complaint(mixed: tuple[OutlierDetector, Floats]) -> None:
    extreme = np.array([MISSING, UNKNOWN, 0, 1, 1e308, -1e308, 5e-324])
    rows = np.random.default_rng(0).choice(extreme, (2000, 7))
    rows[:, 4] = np.clip(rows[:, 4], 0, 1)
    rows[:, 5:] = np.clip(rows[:, 5:], -1, 3)
    assert len(mixed[0].find(rows).rows) > 1000


def test_no_rows_have_no_outliers(mixed: tuple[OutlierDetector, Floats]) -> None:
    found = mixed[0].find(np.empty((0, 7)))
    assert (found.labels(), found.warning_counts(), len(found.rows)) == ([], Counter(), 0)
    assert list(mixed[0].warnings(np.empty((0, 7)), found)) == []


def test_labels_and_counts_agree_with_the_warnings(mixed: tuple[OutlierDetector, Floats]) -> None:
    detector, rows = mixed
    others = unusual(rows)
    found = detector.find(others)
    warnings = dict(detector.warnings(others, found))
    assert list(warnings) == found.rows.tolist()
    assert [" ".join(warning.label for warning in row) for row in warnings.values()] == found.labels()
    counts = Counter(warning.code for row in warnings.values() for warning in row)
    assert found.warning_counts() == counts
    assert set(counts) == {"out_of_range", "unknown_category", "unlike_training"}
    assert all(type(count) is int for count in found.warning_counts().values())


def test_a_row_is_judged_the_same_alone_and_among_others(mixed: tuple[OutlierDetector, Floats]) -> None:
    detector, rows = mixed
    others = unusual(np.vstack([rows] * 4))
    assert len(others) > BLOCK_ROWS
    found = detector.find(others)
    among = dict(zip(found.rows.tolist(), found.labels(), strict=True))
    for index in range(0, len(others), 17):
        assert detector.find(others[index : index + 1]).labels() == ([among[index]] if index in among else [])


def test_the_outliers_of_a_part_are_those_among_its_rows(mixed: tuple[OutlierDetector, Floats]) -> None:
    detector, rows = mixed
    others = unusual(rows)
    part, whole = detector.find(others[100:200]), detector.find(others).between(100, 200)
    assert whole.rows.tolist() == part.rows.tolist()
    assert whole.labels() == part.labels()


def test_what_is_typical_alone_is_no_outlier() -> None:
    rows, classes = load_breast_cancer(return_X_y=True)
    detector, _ = fit_detector(schema_of(rows, 2), rows, classes)
    outliers = set(detector.find(rows).rows.tolist())
    typical = [any(detector.is_typical(row, index) for index in range(2)) for row in rows.tolist()]
    assert [index in outliers for index in range(len(rows))] == [not one for one in typical]
    assert not detector.is_typical((rows[0] * 10).tolist(), 0)


@pytest.mark.parametrize("missing", [1, 3, 20])
def test_most_rows_with_missing_numbers_are_known_to_be_typical_and_no_outlier_is(missing: int) -> None:
    rows, classes = load_breast_cancer(return_X_y=True)
    random = np.random.default_rng(0)
    for row in rows:
        row[random.choice(rows.shape[1], missing, replace=False)] = MISSING
    detector, _ = fit_detector(schema_of(rows, 2), rows, classes)
    typical = [any(detector.is_typical(row, index) for index in range(2)) for row in rows.tolist()]
    assert np.mean(typical) > 0.8
    assert not set(np.flatnonzero(typical)) & set(detector.find(rows).rows)


def test_a_typical_row_with_categories_is_no_outlier(mixed: tuple[OutlierDetector, Floats]) -> None:
    detector, rows = mixed
    others = np.vstack([rows, unusual(rows)])
    outliers = set(detector.find(others).rows.tolist())
    typical = {
        index for index, row in enumerate(others.tolist()) if any(detector.is_typical(row, one) for one in (0, 1))
    }
    assert len(typical) > 100
    assert not typical & outliers


@pytest.mark.parametrize("load", [load_wine, load_breast_cancer])
def test_many_unusual_rows_take_little_memory(load: object) -> None:
    rows, classes = load(return_X_y=True)  # type: ignore[operator]
    detector, _ = fit_detector(schema_of(rows, 3, units="cm"), rows, classes)
    random = np.random.default_rng(0)
    low, high = rows.min(axis=0), rows.max(axis=0)
    many = random.uniform(2 * low - high, 2 * high - low, (20_000, rows.shape[1]))
    with traced_memory() as memory:
        found = detector.find(many)
        assert len(found.rows) == len(many)
        found.warning_counts()
        assert len(found.labels()) == len(many)
    assert memory.peak < 20e6


def test_a_value_that_is_missing_though_it_never_was_is_an_outlier() -> None:
    rows, classes = load_breast_cancer(return_X_y=True)
    rows[::50, 0] = MISSING
    schema = schema_of(rows, 2)
    detector, _ = fit_detector(schema, rows, classes)
    first, second = rows[[1, 1]]
    first[0] = second[1] = MISSING
    both = np.array([first, second])
    assert not detector.is_typical(second.tolist(), int(classes[1]))
    found = detector.find(both)
    warnings = {index: [(one.field, one.detail) for one in given] for index, given in detector.warnings(both, found)}
    label, name = schema.features[1].label, schema.features[1].name
    assert warnings[1] == [(name, f"{label} is missing. The model learnt from no {schema.noun} without it.")]
    assert (name, warnings[1][0][1]) not in warnings.get(0, [])
