"""Values in other units than the feature's."""

import math
from fractions import Fraction

import pytest

from iris_app.schema import UNREADABLE, Feature
from iris_app.schema.units import DIMENSIONS, find_conversions


def read(text: str, unit: str) -> float:
    return Feature(name="x", form_name="x", label="X", unit=unit).read_text(text)


@pytest.mark.parametrize(
    ("text", "unit", "value"),
    [
        ("51 mm", "cm", 5.1),
        ("51mm", "cm", 5.1),
        ("0,051 m", "cm", 5.1),
        ("2 in", "cm", 5.08),
        ('2"', "cm", 5.08),
        ("2 inches", "cm", 5.08),
        ("3.5 CM", "cm", 3.5),
        ("3.5 Millimeters", "cm", 0.35),
        ("1e1 mm", "cm", 1.0),
        ("5 cm", "centimetres", 5.0),
        ("10 lb", "kg", 4.5359237),
        ("1200 g", "kg", 1.2),
        ("250 ml", "l", 0.25),
        ("98.6 °F", "°C", 37.0),
        ("98.6 F", "°C", 37.0),
        ("0 °C", "K", 273.15),
        ("-40 °C", "°F", -40.0),
        ("5 ‰", "%", 0.5),
        ("90 s", "min", 1.5),
        ("1.5 h", "min", 90.0),
        ("18 months", "years", 1.5),
        ("36 km/h", "m/s", 10.0),
        ("7 mV", "MV", 7e-9),
        ("23 KG/M²", "kg/m²", 23.0),
    ],
)
def test_a_value_in_another_unit_is_converted_exactly(text: str, unit: str, value: float) -> None:
    assert read(text, unit) == value


def test_every_decimal_of_millimetres_is_that_of_centimetres() -> None:
    length = Feature(name="x", form_name="x", label="X", unit="cm")
    for tenths in range(10_000):
        assert length.read_text(f"{tenths} mm") == float(f"{tenths // 10}.{tenths % 10}")


@pytest.mark.parametrize(
    ("text", "unit"),
    [
        ("5 kg", "cm"),
        ("cm", "cm"),
        ("5 cm cm", "cm"),
        ("5 Mv", "V"),  # milli or mega?
        ("5 g", "kg/m²"),
        ("5 cm", ""),
        ("wide mm", "cm"),
        ("inf mm", "cm"),
        ("1e308 km", "mm"),
    ],
)
def test_what_is_no_number_in_a_unit_of_the_dimension_is_unreadable(text: str, unit: str) -> None:
    assert read(text, unit) == UNREADABLE


def test_a_number_beyond_all_floats_keeps_its_sign() -> None:
    assert read("-1e308 km", "mm") == -math.inf


@pytest.mark.parametrize("dimension", DIMENSIONS, ids=lambda units: units[0].plural)
def test_each_unit_is_converted_there_and_back_by_each_of_its_names(dimension: tuple[object, ...]) -> None:
    for unit in dimension:
        for spelling, conversion in find_conversions(unit.symbol).items():  # type: ignore[attr-defined]
            back = find_conversions(conversion.unit.symbol)[unit.symbol]  # type: ignore[attr-defined]
            assert conversion.scale * back.scale == 1, spelling
            assert Fraction(7) * conversion.scale * back.scale + conversion.shift * back.scale + back.shift == 7


@pytest.mark.parametrize(
    ("unit", "value", "advice"),
    [
        ("cm", 51.0, "not 51. In millimetres? Then it is 5.1 cm."),
        ("kg", 1200.0, "not 1200. In grams? Then it is 1.2 kg."),
        ("cm", 5100.0, "not 5100."),
        ("furlongs", 51.0, "not 51."),
        ("", 51.0, "not 51."),
    ],
)
def test_a_value_that_is_too_large_may_be_in_a_smaller_unit(unit: str, value: float, advice: str) -> None:
    error = Feature(name="x", form_name="x", label="X", unit=unit, at_most=30.0).validate(value)
    assert error is not None
    assert error.endswith(advice)
