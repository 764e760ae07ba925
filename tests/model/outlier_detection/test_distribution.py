import msgspec
import numpy as np
import pytest
from sklearn.datasets import load_breast_cancer, load_iris, load_wine
from sklearn.model_selection import train_test_split

from iris_app.model.outlier_detection.distances import CategoryGroup, NumberGroup, Shifts, Tails
from iris_app.model.outlier_detection.distribution import Distribution, fit_distribution
from iris_app.schema import Schema
from tests.model.outlier_detection.distributions import Classes, Floats, fit_detector, mixed_table, schema_of


def iris() -> tuple[Floats, Classes, Schema]:
    rows, classes = load_iris(return_X_y=True)
    return rows, classes, schema_of(rows, 3)


def wine() -> tuple[Floats, Classes, Schema]:
    rows, classes = load_wine(return_X_y=True)
    return rows, classes, schema_of(rows, 3)


def cancer() -> tuple[Floats, Classes, Schema]:
    rows, classes = load_breast_cancer(return_X_y=True)
    return rows, classes, schema_of(rows, 2)


def mixed() -> tuple[Floats, Classes, Schema]:
    return mixed_table(2000)


TABLES = pytest.mark.parametrize("table", [iris(), wine(), cancer(), mixed()], ids=["iris", "wine", "cancer", "mixed"])


@TABLES
def test_few_rows_that_it_never_saw_are_unlike_the_training(table: tuple[Floats, Classes, Schema]) -> None:
    rows, classes, schema = table
    shares = []
    for seed in range(4):
        seen, others, seen_classes, _ = train_test_split(rows, classes, random_state=seed)
        detector, distribution = fit_detector(schema, seen, seen_classes)
        assert not distribution.held_out
        assert distribution.measured_rows == len(seen)
        assert distribution.unlike_share <= 0.01
        shares.append(detector.find(others).warning_counts()["unlike_training"] / len(others))
    assert np.mean(shares) <= 0.02


@TABLES
def test_at_most_two_percent_of_the_held_out_rows_are_unlike_the_training(
    table: tuple[Floats, Classes, Schema],
) -> None:
    rows, classes, schema = table
    for seed in range(3):
        seen, others, seen_classes, _ = train_test_split(rows, classes, random_state=seed)
        detector, distribution = fit_detector(schema, seen, seen_classes, others)
        assert distribution.held_out
        assert distribution.measured_rows == len(others)
        unlike = detector.find(others).warning_counts()["unlike_training"]
        assert distribution.unlike_share == pytest.approx(unlike / len(others))
        assert distribution.unlike_share <= 0.02


@TABLES
def test_it_is_the_same_whatever_the_order_of_the_columns_in_memory(table: tuple[Floats, Classes, Schema]) -> None:
    rows, classes, schema = table
    fitted = fit_distribution(schema, rows, classes)
    assert msgspec.json.decode(msgspec.json.encode(fitted), type=Distribution) == fitted
    assert fit_distribution(schema, np.asfortranarray(rows), classes).threshold == pytest.approx(fitted.threshold)
    assert fitted.fits(schema)


def test_the_rows_are_left_as_they_are() -> None:
    rows, classes, schema = mixed_table(200)
    before = rows.copy()
    fit_distribution(schema, rows, classes, rows)
    assert np.array_equal(rows, before, equal_nan=True)


def test_rows_of_another_correlation_are_unlike_the_training() -> None:
    random = np.random.default_rng(0)
    rows = random.multivariate_normal([0, 0], [[1, 0.95], [0.95, 1]], 500)
    detector, _ = fit_detector(schema_of(rows, 2), rows, np.arange(500) % 2)
    assert detector.find(np.array([[1.8, 1.8], [1.8, -1.8]])).labels() == ["unlike_training"]


def test_a_row_with_the_category_of_another_class_is_unlike_the_training() -> None:
    random = np.random.default_rng(0)
    classes = random.integers(0, 2, 400)
    rows = np.column_stack([random.normal(8 * classes, 1), random.normal(8 * classes, 1), classes])
    schema = schema_of(rows, 2, x2="category")
    detector, _ = fit_detector(schema, rows, classes)
    assert detector.find(np.array([[0, 0, 0], [8, 8, 1]], float)).labels() == []
    assert detector.find(np.array([[0, 0, 1], [8, 8, 0]], float)).labels() == ["unlike_training"] * 2


def test_a_number_that_does_not_go_with_its_category_is_unlike_the_training() -> None:
    random = np.random.default_rng(0)
    category = random.integers(0, 3, 600)
    rows = np.column_stack([random.normal(5 * category, 0.5), category])
    detector, _ = fit_detector(schema_of(rows, 2, x1="category"), rows, np.arange(600) % 2)
    assert detector.find(np.array([[5.0, 1.0], [5.0, 0.0]])).rows.tolist() == [1]


def test_a_category_that_is_rare_is_not_unlike_the_training() -> None:
    random = np.random.default_rng(0)
    rows = np.column_stack([random.normal(size=1000), np.arange(1000) == 7])
    detector, _ = fit_detector(schema_of(rows, 2, x1="category"), rows, np.arange(1000) % 2)
    assert detector.find(np.array([[0.1, 1.0]])).labels() == []


def test_columns_that_repeat_each_other_are_no_trouble() -> None:
    random = np.random.default_rng(0)
    one = random.normal(size=300)
    rows = np.column_stack([one, one, 3 * one + 1, np.full(300, 5.0), one > 0])
    detector, _ = fit_detector(schema_of(rows, 2, x4="boolean"), rows, np.arange(300) % 2)
    assert detector.find(rows).warning_counts()["unlike_training"] <= 6
    assert detector.find(np.array([[1, -1, 4, 5, 1.0]])).labels() == ["unlike_training"]


@pytest.mark.parametrize("count", [2, 3, 5, 12])
def test_few_rows_are_enough(count: int) -> None:
    rows = np.random.default_rng(0).normal(size=(count, 3))
    rows[0, 0] = np.nan
    detector, distribution = fit_detector(schema_of(rows, 2), rows, np.arange(count) % 2)
    assert distribution.threshold >= 3
    assert detector.find(rows).labels() == []


def test_rows_without_values_are_enough() -> None:
    rows = np.full((10, 2), np.nan)
    schema = schema_of(np.zeros((1, 2)), 2, x1="boolean")
    detector, _ = fit_detector(schema, rows, np.arange(10) % 2)
    assert detector.find(rows).labels() == []
    assert detector.find(np.array([[5.0, 1.0]])).labels() == []


def test_a_single_row_is_not_enough() -> None:
    with pytest.raises(ValueError, match="two rows"):
        fit_distribution(schema_of(np.zeros((1, 2)), 2), np.zeros((1, 2)), np.zeros(1, int))


def test_a_sample_of_many_rows_is_fitted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iris_app.model.outlier_detection.distribution.MAX_ROWS", 300)
    rows, classes, schema = mixed_table(2000)
    assert fit_distribution(schema, rows, classes).measured_rows == 300


@pytest.mark.parametrize(
    ("numbers", "categories"),
    [
        ([NumberGroup([7], [[0.0]] * 3, [[[1.0]]])], []),
        ([NumberGroup([0], [[0.0]] * 2, [[[1.0]]])], []),
        ([NumberGroup([0], [[0.0, 1.0]] * 3, [[[1.0]]])], []),
        ([NumberGroup([0], [[0.0]] * 3, [[[1.0]]] * 2)], []),
        ([NumberGroup([0, 1], [[0.0, 0.0]] * 3, [[[1.0], [1.0]]])], []),
        ([NumberGroup([0], [[0.0]] * 3, [[[1.0]]], [Tails(1, 0.0, 1.0)])], []),
        ([NumberGroup([0], [[0.0]] * 3, [[[1.0]]], [], [Shifts(9, [[0.0]])])], []),
        ([NumberGroup([0], [[0.0]] * 3, [[[1.0]]], [], [Shifts(5, [[0.0, 0.0]])])], []),
        ([], [CategoryGroup(7, [[0.0] * 5] * 3)]),
        ([], [CategoryGroup(5, [[0.0] * 5] * 2)]),
        ([], [CategoryGroup(5, [[0.0] * 4] * 3)]),
    ],
)
def test_a_distribution_of_other_features_or_classes_does_not_fit(
    numbers: list[NumberGroup], categories: list[CategoryGroup]
) -> None:
    *_, schema = mixed_table(100)
    fitting = Distribution(
        numbers=[NumberGroup([0], [[0.0]] * 3, [[[1.0]]], [Tails(0, 0.0, 1.0)], [Shifts(5, [[0.0] * 5])])],
        categories=[CategoryGroup(5, [[0.0] * 5] * 3)],
        threshold=1.0,
        unlike_share=0.0,
        measured_rows=1,
        held_out=False,
    )
    assert fitting.fits(schema)
    assert not msgspec.structs.replace(fitting, numbers=numbers, categories=categories).fits(schema)
