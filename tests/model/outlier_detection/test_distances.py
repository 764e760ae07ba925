import numpy as np
import pytest

from iris_app.model.outlier_detection.distances import BLOCK_SIZE, CategoryGroup, Distances, NumberGroup, Shifts, Tails
from iris_app.schema import MISSING, UNKNOWN, Floats

MEANS = [[1.0, 2.0, 3.0], [5.0, 5.0, 5.0]]
WHITENING = [[2.0], [-1.0, 3.0], [0.5, -2.0, 1.5]]
OTHER = [[1.0], [0.5, 1.0], [0.0, 0.25, 2.0]]
NUMBERS = NumberGroup([0, 1, 2], MEANS, [WHITENING, OTHER])


def matrix(rows: list[list[float]]) -> Floats:
    return np.array([row + [0.0] * (len(rows) - len(row)) for row in rows])


def nearest(rows: object, *groups: NumberGroup | CategoryGroup) -> list[float]:
    numbers = [group for group in groups if isinstance(group, NumberGroup)]
    categories = [group for group in groups if isinstance(group, CategoryGroup)]
    squares: list[float] = Distances(numbers, categories).nearest(np.array(rows, float).T).tolist()
    return squares


def test_a_distance_is_that_of_mahalanobis_from_the_nearest_class() -> None:
    row = np.array([2.0, 3.0, 3.0])
    expected = [
        float(np.sum((matrix(rows) @ (row - mean)) ** 2)) for rows, mean in zip([WHITENING, OTHER], MEANS, strict=True)
    ]
    assert nearest([row], NUMBERS) == pytest.approx([min(expected)])


def test_all_classes_may_share_one_covariance() -> None:
    row = np.array([4.0, 5.0, 4.0])
    expected = [float(np.sum((matrix(OTHER) @ (row - mean)) ** 2)) for mean in MEANS]
    assert nearest([row], NumberGroup([0, 1, 2], MEANS, [OTHER])) == pytest.approx([min(expected)])


@pytest.mark.parametrize("whitenings", [[WHITENING, OTHER], [OTHER]], ids=["own", "shared"])
def test_a_missing_number_leaves_the_distance_of_the_others(whitenings: list[list[list[float]]]) -> None:
    rows = np.random.default_rng(0).normal(3, 2, (200, 3))
    rows[np.random.default_rng(1).random(rows.shape) < 0.4] = MISSING
    expected = []
    for row in rows:
        known = ~np.isnan(row)
        squares = []
        for index, mean in enumerate(MEANS):
            covariance = np.linalg.inv(
                matrix(whitenings[index % len(whitenings)]).T @ matrix(whitenings[index % len(whitenings)])
            )
            difference = (row - mean)[known]
            squares.append(float(difference @ np.linalg.solve(covariance[np.ix_(known, known)], difference)))
        expected.append(min(squares))
    assert nearest(rows, NumberGroup([0, 1, 2], MEANS, whitenings)) == pytest.approx(expected)


def test_a_row_of_missing_values_is_at_no_distance() -> None:
    assert nearest([[MISSING] * 3], NUMBERS) == [0]


def test_nothing_to_measure_is_at_no_distance() -> None:
    assert nearest([[1.0], [2.0]]) == [0, 0]


def test_long_tails_are_shortened() -> None:
    group = NumberGroup([0], [[0.0], [9.0]], [[[1.0]]], [Tails(0, 10.0, 2.0)])
    assert nearest([[10.0], [14.0], [-1e6]], group) == pytest.approx([0, np.arcsinh(2) ** 2, np.arcsinh(-500_005) ** 2])


def test_a_category_shifts_the_numbers() -> None:
    group = NumberGroup([0], [[0.0], [100.0]], [[[1.0]]], shifts=[Shifts(1, [[0.0, 5.0, -1.0]])])
    rows = [[5.0, 0.0], [5.0, 1.0], [5.0, UNKNOWN], [5.0, MISSING]]
    assert nearest(rows, group) == [25, 0, 25, 36]


def test_a_category_adds_its_penalty_and_an_unknown_one_none() -> None:
    group = CategoryGroup(0, [[1.0, 4.0, 7.0], [2.0, 3.0, 8.0]])
    assert nearest([[0.0], [1.0], [MISSING], [UNKNOWN]], group) == [1, 3, 7, 0]


def test_the_class_is_the_same_for_all_parts() -> None:
    group = NumberGroup([0], [[0.0], [2.0]], [[[1.0]]])
    penalties = CategoryGroup(1, [[0.0, 9.0, 0.0], [9.0, 0.0, 0.0]])
    assert nearest([[0.0, 0.0], [0.0, 1.0], [2.0, 1.0]], group, penalties) == [0, 4, 0]


@pytest.mark.parametrize("missing", [0.0, 0.3])
def test_a_row_is_at_the_same_distance_alone_and_among_others_to_the_last_bit(missing: float) -> None:
    random = np.random.default_rng(0)
    size = 12
    whitenings = [[random.normal(size=index + 1).tolist() for index in range(size)] for _ in range(2)]
    group = NumberGroup(list(range(size)), random.normal(size=(2, size)).tolist(), whitenings)
    rows = random.normal(size=(BLOCK_SIZE // 8, size))
    rows[random.random(rows.shape) < missing] = MISSING
    distances = Distances([group], [])
    chosen = random.integers(0, len(rows), 300)
    alone = [distances.nearest(rows[index : index + 1].T)[0] for index in chosen]
    assert distances.nearest(rows.T)[chosen].tolist() == alone


def test_numbers_beyond_all_bounds_are_not_near() -> None:
    squares = Distances([NUMBERS], []).nearest(np.array([[1e308, -1e308, 1e308], [1e308, MISSING, 2.0]]).T)
    assert not (squares <= 1e300).any()


def test_one_row_is_measured_as_many_are() -> None:
    group = NumberGroup([0, 1, 2], MEANS, [WHITENING, OTHER], [Tails(1, 2.0, 0.5)])
    distances, row = Distances([group, NUMBERS], []), [2.0, 7.0, 3.0]
    (square,) = distances.nearest(np.array([row]).T)
    assert any(distances.is_within(row, index, square * (1 + 1e-12)) for index in range(2))
    assert not any(distances.is_within(row, index, square * (1 - 1e-12)) for index in range(2))


@pytest.mark.parametrize("code", [0.0, 1.0, UNKNOWN, MISSING])
@pytest.mark.parametrize("penalties", [[], [CategoryGroup(1, [[1.0, 4.0, 7.0], [2.0, 3.0, 8.0]])]])
def test_one_row_with_categories_is_measured_as_many_are(code: float, penalties: list[CategoryGroup]) -> None:
    group = NumberGroup([0], [[0.0], [100.0]], [[[1.0]]], shifts=[Shifts(1, [[3.0, 5.0, -1.0]])])
    distances, row = Distances([group], penalties), [7.5, code]
    (square,) = distances.nearest(np.array([row]).T)
    assert distances.is_within(row, 0, square * (1 + 1e-12))
    assert not distances.is_within(row, 0, square * (1 - 1e-12))


def test_one_row_with_a_missing_number_is_measured_as_if_it_were_the_mean_of_the_class() -> None:
    distances, (first, *_) = Distances([NUMBERS], []), MEANS
    for index in range(3):
        row, filled = [2.0, 7.0, 4.0], [2.0, 7.0, 4.0]
        row[index], filled[index] = MISSING, first[index]
        (square,) = Distances([NumberGroup([0, 1, 2], [first], [WHITENING])], []).nearest(np.array([filled]).T)
        assert distances.is_within(row, 0, square * (1 + 1e-12))
        assert not distances.is_within(row, 0, square * (1 - 1e-12))
        assert distances.nearest(np.array([row]).T)[0] <= square
