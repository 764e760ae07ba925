from itertools import combinations

import msgspec
import numpy as np
import pytest

from iris_app.model.outlier_detection.detector import OutlierDetector
from iris_app.model.outlier_detection.distances import Distances
from iris_app.model.outlier_detection.swaps import MAX_SWAPS, SwapFinder
from iris_app.schema import MISSING, Feature, Floats, Schema
from tests.model.outlier_detection.distributions import LENGTHS_WITH_WIDTHS, SEPALS_WITH_PETALS, fit_detector, schema_of


def detail(detector: OutlierDetector, row: Floats) -> str:
    ((_, warnings),) = detector.warnings(row[None], detector.find(row[None]))
    assert warnings[-1].code == "maybe_swapped"
    return warnings[-1].detail


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (SEPALS_WITH_PETALS, "Are sepal length and petal length, and sepal width and petal width swapped?"),
        (LENGTHS_WITH_WIDTHS, "Are sepal length and sepal width, and petal length and petal width swapped?"),
    ],
)
def test_every_flower_with_two_swaps_is_recognised(
    detector: OutlierDetector, irises: Floats, order: list[int], words: str
) -> None:
    swapped = irises[:, order]
    assert detector.find(swapped).warning_counts()["maybe_swapped"] == 150
    assert [detector.find_swap(row) for row in swapped.tolist()] == [order] * 150
    assert {detail(detector, row) for row in swapped} == {f"{words} Then this would be a usual flower."}


@pytest.mark.parametrize("pair", list(combinations(range(4), 2)))
def test_most_flowers_with_one_swap_are_recognised_and_none_for_another(
    detector: OutlierDetector, irises: Floats, pair: tuple[int, int]
) -> None:
    order = list(range(4))
    order[pair[0]], order[pair[1]] = pair[1], pair[0]
    found = [detector.find_swap(row) for row in irises[:, order].tolist()]
    assert found.count(order) >= 145
    assert found.count(order) + found.count(None) == 150


def test_a_usual_row_is_not_swapped(detector: OutlierDetector, irises: Floats) -> None:
    assert [detector.find_swap(row) for row in irises.tolist()] == [None] * 150


def test_nothing_is_swapped_where_that_makes_no_usual_row(detector: OutlierDetector) -> None:
    assert detector.find_swap([30, 3.5, 1.4, 0.2]) is None


def table(unit: str = "mm", **kinds: str) -> tuple[OutlierDetector, Floats]:
    """Return a detector for lengths of about 10, 20, 30 and so on, and a usual row."""
    random = np.random.default_rng(0)
    rows = random.normal(10 * np.arange(1, 7), 0.5, (300, 6)).round(1)
    for name in kinds:
        rows[:, int(name[1:])] = rows[:, int(name[1:])].round()
    schema = schema_of(rows, 2, units=unit, **kinds)  # type: ignore[arg-type]
    return fit_detector(schema, rows, np.arange(300) % 2)[0], rows[0]


def swap(row: Floats, *pairs: tuple[int, int]) -> list[float]:
    swapped = row.copy()
    for first, second in pairs:
        swapped[[first, second]] = row[[second, first]]
    values: list[float] = swapped.tolist()
    return values


def test_only_features_of_the_same_unit_are_swapped() -> None:
    detector, row = table()
    assert detector.find_swap(swap(row, (0, 1))) == [1, 0, 2, 3, 4, 5]
    detector, row = table(unit="")
    assert detector.find_swap(swap(row, (0, 1))) is None


def test_a_whole_number_is_not_swapped_with_a_fraction() -> None:
    detector, row = table(x0="integer", x1="integer")
    assert detector.find_swap(swap(row, (0, 1))) == [1, 0, 2, 3, 4, 5]
    row[0], row[2] = 10, 30
    assert detector.find_swap(swap(row, (0, 2))) == [2, 1, 0, 3, 4, 5]
    row[0] = 10.5
    assert detector.find_swap(swap(row, (0, 2))) is None


def test_a_missing_value_may_be_in_the_place_of_another() -> None:
    detector, row = table()
    row[1] = MISSING
    assert detector.find_swap(swap(row, (0, 1))) == [1, 0, 2, 3, 4, 5]


@pytest.mark.parametrize(
    ("sizes", "count"), [((2, 3), 1 + 3), ((4,), 6 + 3), ((10,), 45 + 15), ((10, 10, 10), MAX_SWAPS), ((11,), 0)]
)
def test_few_swaps_are_tried_however_many_features_there_are(sizes: tuple[int, ...], count: int) -> None:
    units = [f"unit {index}" for index, size in enumerate(sizes) for _ in range(size)]
    features = [
        Feature(name=f"x{index}", form_name=f"x{index}", label=f"X {index}", unit=unit)
        for index, unit in enumerate([*units, "", ""])
    ]
    schema = Schema(name="table", features=tuple(features), classes=schema_of(np.zeros((1, 1)), 2).classes)
    finder = SwapFinder(schema, Distances([], []), 1.0, np.zeros(len(features)), np.ones(len(features)))
    assert len(finder.swaps) == count


def test_an_abbreviation_keeps_its_capitals() -> None:
    rows = np.random.default_rng(0).normal([10, 20], 0.5, (200, 2))
    features = [
        Feature(name=name, form_name=name, label=label, unit="mmol/l")
        for name, label in [("ldl", "LDL cholesterol"), ("total", "Total cholesterol")]
    ]
    schema = msgspec.structs.replace(schema_of(rows, 2), features=tuple(features), noun="sample")
    detector, _ = fit_detector(schema, rows, np.arange(200) % 2)
    assert detail(detector, np.array([20.0, 10.0])) == (
        "Are LDL cholesterol and total cholesterol swapped? Then this would be a usual sample."
    )
