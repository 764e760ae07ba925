import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iris_app.formatting import format_number
from iris_app.iris import SCHEMA

SEPAL_LENGTH = SCHEMA.features[0]


@pytest.mark.parametrize("value", [5.1, 5, 30, 30.0, math.ulp(0.0)])
def test_a_value_within_the_bounds_is_accepted(value: float) -> None:
    assert SEPAL_LENGTH.validate(value) is None


@pytest.mark.parametrize("value", [0, -0.0, -1, 30.000000000000004, 31, 10**400, math.inf, -math.inf, math.nan])
def test_a_value_out_of_bounds_is_told_the_bounds(value: float) -> None:
    assert "Sepal length must be greater than 0 and at most 30 cm, not" in str(SEPAL_LENGTH.validate(value))


@pytest.mark.parametrize(
    ("value", "kind"),
    [("5.1", "text"), (True, "true or false"), (None, "null"), ([5.1], "a list"), ({"cm": 5.1}, "an object")],
)
def test_what_is_no_number_is_told_what_it_is(value: object, kind: str) -> None:
    assert SEPAL_LENGTH.validate(value) == f"Sepal length must be a number in cm, not {kind}."


def test_a_value_just_out_of_bounds_is_not_rounded_into_them() -> None:
    assert "not 30.000000000000004." in str(SEPAL_LENGTH.validate(30.000000000000004))


def test_a_value_that_would_do_in_millimetres_is_told_in_centimetres() -> None:
    assert str(SEPAL_LENGTH.validate(51)).endswith("not 51. In millimetres? Then it is 5.1 cm.")
    assert str(SEPAL_LENGTH.validate(301)).endswith("not 301.")


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_number_that_was_written_reads_as_the_same_number(value: float) -> None:
    assert float(format_number(value)) == value


def test_a_whole_number_is_written_without_a_point() -> None:
    assert format_number(30.0) == "30"


def test_every_example_is_accepted() -> None:
    assert [feature.validate(feature.example) for feature in SCHEMA.features] == [None] * len(SCHEMA.features)


def test_every_typical_flower_is_accepted() -> None:
    for species in SCHEMA.classes:
        assert [one.validate(value) for one, value in zip(SCHEMA.features, species.typical, strict=True)] == [None] * 4
