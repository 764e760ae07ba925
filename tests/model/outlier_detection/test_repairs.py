import numpy as np
import pytest

from iris_app.model.outlier_detection.detector import OutlierDetector
from iris_app.schema import MISSING, Feature, Floats, Schema
from tests.model.outlier_detection.distributions import LENGTHS_WITH_WIDTHS, SEPALS_WITH_PETALS, fit_detector, schema_of


@pytest.mark.parametrize("order", [SEPALS_WITH_PETALS, LENGTHS_WITH_WIDTHS])
def test_every_flower_with_two_swaps_is_restored(detector: OutlierDetector, irises: Floats, order: list[int]) -> None:
    repairs = [detector.find_repairs(row) for row in irises[:, order].tolist()]
    assert [[repair.action for repair in found] for found in repairs] == [["Swap them"]] * 150
    assert [found[0].row for found in repairs] == irises.tolist()


@pytest.mark.parametrize(
    ("per_centimetre", "unit"), [(10, "millimetres"), (0.01, "metres"), (1 / 2.54, "inches"), (1e4, "micrometres")]
)
def test_every_flower_in_another_unit_is_restored(
    detector: OutlierDetector, irises: Floats, per_centimetre: float, unit: str
) -> None:
    for row in irises.tolist():
        (repair,) = detector.find_repairs([float(f"{value * per_centimetre:.10g}") for value in row])
        assert repair.row == pytest.approx(row) if unit == "inches" else repair.row == row
        assert repair.action.startswith(f"All four look like {unit}: use ")
        assert repair.reason == ""


def test_every_flower_with_one_value_in_millimetres_is_restored(detector: OutlierDetector, irises: Floats) -> None:
    for row in irises.tolist():
        for index, value in enumerate(row):
            found = detector.find_repairs([*row[:index], round(10 * value, 10), *row[index + 1 :]])
            assert row in [repair.row for repair in found]


def test_a_usual_row_needs_no_repair(detector: OutlierDetector, irises: Floats) -> None:
    assert [detector.find_repairs(row) for row in irises.tolist()] == [[]] * 150


@pytest.mark.parametrize("row", [[30.0] * 4, [1e308] * 4, [-51.0, 35.0, 14.0, 2.0], [51.0, 35.0, 14.0, 9000.0]])
def test_what_no_unit_makes_usual_is_not_repaired(detector: OutlierDetector, row: list[float]) -> None:
    assert detector.find_repairs(row) == []


def table(*units: str) -> tuple[OutlierDetector, list[float]]:
    """Return a detector for numbers of about 10, 20, 30 and so on in these units, and a usual row."""
    rows = np.random.default_rng(0).normal(10 * np.arange(1, len(units) + 1), 0.5, (300, len(units))).round(1)
    features = tuple(
        Feature(name=f"x{index}", form_name=f"x{index}", label=f"X {index}", unit=unit, optional=True)
        for index, unit in enumerate(units)
    )
    schema = Schema(name="table", features=features, classes=schema_of(rows, 2).classes)
    return fit_detector(schema, rows, np.arange(300) % 2)[0], rows[0].tolist()


@pytest.mark.parametrize(
    ("units", "per_unit", "action"),
    [
        (["m", "kg"], [100, 1], "X 0 looks like centimetres: use {}"),
        (["m", "m", "kg"], [100, 100, 1], "Both in m look like centimetres: use {}, {}"),
        (["kg"] * 7, [1000] * 7, "All seven look like grams: use {}, {}, {}, {}, {}, {}, …"),
        (["l"] * 12, [1000] * 12, "All 12 look like millilitres: use {}, {}, {}, {}, {}, {}, …"),
    ],
)
def test_the_features_of_a_unit_are_converted_together(units: list[str], per_unit: list[int], action: str) -> None:
    detector, row = table(*units)
    sent = [round(value * factor, 3) for value, factor in zip(row, per_unit, strict=True)]
    (repair,) = detector.find_repairs(sent)
    assert repair.action == action.format(*row)
    assert repair.row == row


def test_a_temperature_on_another_scale_is_converted() -> None:
    detector, _ = table("°C", "kg")
    (repair,) = detector.find_repairs([50.9, 20.0])
    assert repair == ("X 0 looks like degrees Fahrenheit: use 10.5", "", [10.5, 20.0])


def test_a_missing_value_stays_missing() -> None:
    detector, row = table("m", "m", "m")
    (repair,) = detector.find_repairs([100 * row[0], MISSING, 100 * row[2]])
    assert repair.row == pytest.approx([row[0], MISSING, row[2]], nan_ok=True)


def test_features_without_a_known_unit_are_not_converted() -> None:
    detector, row = table("", "furlongs")
    assert detector.find_repairs([100 * value for value in row]) == []
