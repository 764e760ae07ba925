import msgspec
import numpy as np
import pytest
from sklearn.datasets import make_classification

from iris_app.model.outlier_detection.groups import MAX_GROUP, fit_groups
from iris_app.schema import MISSING, UNKNOWN
from tests.model.outlier_detection.distributions import mixed_table, schema_of


def test_each_class_has_a_covariance_of_its_own_if_it_has_enough_rows() -> None:
    rows = np.random.default_rng(0).normal(size=(100, 4))
    many = np.repeat([0, 1], 50)
    (group,), _ = fit_groups(schema_of(rows, 2), rows, many)
    assert len(group.whitenings) == 2
    assert group.whitenings[0] != group.whitenings[1]
    few = np.repeat([0, 1], [81, 19])
    (group,), _ = fit_groups(schema_of(rows, 2), rows, few)
    assert len(group.whitenings) == 2
    none = np.arange(100) % 10
    (group,), _ = fit_groups(schema_of(rows, 10), rows, none)
    assert len(group.whitenings) == 1


def test_whitened_rows_have_no_correlation_and_a_variance_of_one() -> None:
    random = np.random.default_rng(0)
    rows = random.multivariate_normal([5, 100], [[4, 5], [5, 9]], 5000)
    (group,), _ = fit_groups(schema_of(rows, 2), rows, np.zeros(5000, int))
    first, second = group.whitenings[0]
    matrix = np.array([[*first, 0.0], second])
    assert np.cov((rows - group.means[0]) @ matrix.T, rowvar=False) == pytest.approx(np.eye(2), abs=0.05)


def test_a_class_without_rows_is_as_the_first_that_has_some() -> None:
    rows, classes, schema = mixed_table(300)
    numbers, categories = fit_groups(schema, rows[classes != 1], classes[classes != 1])
    assert numbers[0].means[1] == numbers[0].means[0]
    assert all(group.penalties[1] == group.penalties[0] for group in categories)


def test_features_that_do_not_vary_are_left_out() -> None:
    rows = np.random.default_rng(0).normal(size=(50, 5))
    rows[:, 0], rows[:, 1], rows[:, 2] = 7.0, MISSING, np.linspace(-1e300, 1e300, 50)
    (group,), _ = fit_groups(schema_of(rows[:, [3] * 5], 2), rows, np.arange(50) % 2)
    assert group.features == [3, 4]


def test_a_feature_that_is_constant_in_a_class_leaves_finite_numbers() -> None:
    rows = np.random.default_rng(0).normal(size=(60, 3))
    classes = np.repeat([0, 1], 30)
    rows[:, 0] = classes
    rows[:30, 1] = 2.0
    groups = fit_groups(schema_of(rows, 2), rows, classes)
    assert np.isfinite(np.concatenate(groups[0][0].whitenings[0])).all()


def test_only_long_tails_are_shortened() -> None:
    random = np.random.default_rng(0)
    rows = np.column_stack([random.normal(size=500), np.exp(2 * random.normal(size=500)), random.random(500) < 0.02])
    (group,), _ = fit_groups(schema_of(rows, 2), rows, np.arange(500) % 2)
    assert [tails.index for tails in group.tails] == [1, 2]
    assert group.tails[1].scale == pytest.approx(rows[:, 2].std())


def test_what_a_category_adds_to_a_number_is_found() -> None:
    random = np.random.default_rng(0)
    classes, category = random.integers(0, 2, 2000), random.integers(0, 3, 2000)
    rows = np.column_stack([5 * classes + np.array([0.0, 4.0, 10.0])[category] + random.normal(size=2000), category])
    (group,), _ = fit_groups(schema_of(rows, 2, x1="category"), rows, classes)
    (shifts,) = group.shifts
    assert shifts.feature == 1
    assert np.diff(shifts.shifts[0][:3]) == pytest.approx([4, 6], abs=0.3)
    assert np.diff(group.means, axis=0) == pytest.approx(5, abs=0.3)


def test_a_category_is_penalised_in_the_classes_that_seldom_have_it() -> None:
    classes = np.repeat([0, 1], 500)
    values = np.where(np.arange(1000) % 10 == 0, 2.0, classes)  # one in ten has category 2 in both classes
    values[:50] = MISSING
    rows = np.column_stack([values, np.zeros(1000)])
    rows[999, 0] = UNKNOWN
    _, (group, _) = fit_groups(schema_of(rows, 2, x0="category", x1="boolean"), rows, classes)
    (own, other, both, missing), (other_own, own_other, both_other, missing_other) = group.penalties
    assert own == own_other == missing == 0
    assert min(other, other_own, missing_other) > 5
    assert max(both, both_other) < 0.3


def test_a_category_that_no_row_has_adds_nothing() -> None:
    rows = np.array([[0.0], [2.0]] * 50)
    _, (group,) = fit_groups(schema_of(rows, 2, x0="category"), rows, np.arange(100) % 2)
    assert [penalties[1] for penalties in group.penalties] == [0, 0]
    assert [penalties[-1] for penalties in group.penalties] == [0, 0]


@pytest.mark.parametrize(("features", "classes"), [(200, 30), (100, 2)])
def test_a_wide_table_takes_little_room(features: int, classes: int) -> None:
    rows, labels = make_classification(
        600, features, n_informative=20, n_redundant=50, n_classes=classes, n_clusters_per_class=1, random_state=0
    )
    numbers, _ = fit_groups(schema_of(rows, classes), rows, labels)
    assert max(len(group.features) for group in numbers) <= MAX_GROUP
    assert sorted(index for group in numbers for index in group.features) == list(range(features))
    assert len(msgspec.json.encode(numbers)) < 500_000


def test_many_categories_take_little_room() -> None:
    random = np.random.default_rng(0)
    rows = np.column_stack(
        [random.integers(0, 1000, (2000, 10)), random.integers(0, 5, 2000), random.normal(size=2000)]
    )
    kinds = {f"x{index}": "category" for index in range(11)}
    groups = fit_groups(schema_of(rows, 2, **kinds), rows, random.integers(0, 2, 2000))  # type: ignore[arg-type]
    assert len(msgspec.json.encode(groups)) < 1_000_000
    assert [shifts.feature for shifts in groups[0][0].shifts] == [10]
    assert [group.feature for group in groups[1]] == [10]
