import math

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iris_app.schema import MISSING, UNKNOWN, UNREADABLE, Feature, Value

NUMBER = Feature(name="dose", form_name="dose", label="Dose", unit="mg", optional=True)
COUNT = Feature(name="count", form_name="count", label="Count", kind="integer", at_least=0)
SMOKER = Feature(name="smoker", form_name="smoker", label="Smoker", kind="boolean", optional=True)
ISLAND = Feature(
    name="island", form_name="island", label="Island", kind="category", categories=("Biscoe", "Dream", "001", "NA")
)
GRADE = Feature(
    name="grade", form_name="grade", label="Grade", kind="category", categories=(1, 2, 3), allow_unknown=True
)
FEATURES = [NUMBER, COUNT, SMOKER, ISLAND, GRADE]


def same(first: float, second: float) -> bool:
    return first == second or (math.isnan(first) and math.isnan(second))


@pytest.mark.parametrize(
    ("feature", "value", "encoded"),
    [
        (NUMBER, 5, 5.0),
        (NUMBER, -0.5, -0.5),
        (NUMBER, None, MISSING),
        (NUMBER, math.nan, MISSING),
        (COUNT, 3.0, 3.0),
        (COUNT, 0, 0.0),
        (SMOKER, True, 1.0),
        (SMOKER, False, 0.0),
        (ISLAND, "Dream", 1.0),
        (ISLAND, "001", 2.0),
        (ISLAND, "NA", 3.0),
        (GRADE, 2, 1.0),
        (GRADE, "2", 1.0),
        (GRADE, 2.0, 1.0),
        (GRADE, 7, UNKNOWN),
    ],
)
def test_a_value_that_is_accepted_is_encoded(feature: Feature, value: Value, encoded: float) -> None:
    assert feature.validate(value) is None
    assert feature.accepts(value)
    assert same(feature.encode(value), encoded)


@pytest.mark.parametrize(
    ("feature", "value", "error"),
    [
        (NUMBER, "5", "Dose must be a number in mg, not text."),
        (NUMBER, math.inf, "Dose must be a number between -3.4e38 and 3.4e38, not a number that is too large."),
        (NUMBER, -1e300, "Dose must be a number between -3.4e38 and 3.4e38, not -1e+300."),
        (COUNT, 1e300, "Count must be a number between -3.4e38 and 3.4e38, not 1e+300."),
        (COUNT, -1e300, "Count must be at least 0, not -1e+300."),
        (COUNT, 2.5, "Count must be a whole number, not 2.5."),
        (COUNT, -1, "Count must be at least 0, not -1."),
        (COUNT, None, "Count must be a whole number, not null."),
        (COUNT, math.nan, "Count must be at least 0, not NaN."),
        (SMOKER, 1, "Smoker must be true or false, not a number."),
        (SMOKER, "yes", "Smoker must be true or false, not text."),
        (ISLAND, "dram", 'Island must be one of Biscoe, Dream, 001 or NA, not "dram". Did you mean "Dream"?'),
        (ISLAND, 1, 'Island must be one of Biscoe, Dream, 001 or NA, not "1".'),
        (ISLAND, True, "Island must be one of Biscoe, Dream, 001 or NA, not true or false."),
        (ISLAND, ["Dream"], "Island must be one of Biscoe, Dream, 001 or NA, not a list."),
    ],
)
def test_a_value_that_is_refused_is_named_with_what_is_taken(feature: Feature, value: object, error: str) -> None:
    assert feature.validate(value) == error
    assert not feature.accepts(value)


@pytest.mark.parametrize(
    ("feature", "text", "value"),
    [
        (NUMBER, "5,1", 5.1),
        (NUMBER, " 5.1 mg", 5.1),
        (NUMBER, "", MISSING),
        (NUMBER, "NA", MISSING),
        (NUMBER, "NaN", MISSING),
        (NUMBER, "null", MISSING),
        (NUMBER, "five", UNREADABLE),
        (NUMBER, "1_000", UNREADABLE),
        (COUNT, "3.0", 3.0),
        (SMOKER, "Yes", 1.0),
        (SMOKER, "FALSE", 0.0),
        (SMOKER, "0", 0.0),
        (SMOKER, "maybe", UNREADABLE),
        (ISLAND, "NA", 3.0),
        (ISLAND, "001", 2.0),
        (ISLAND, "1", UNKNOWN),
        (ISLAND, " dream ", 1.0),
        (ISLAND, "", MISSING),
        (GRADE, "2", 1.0),
        (GRADE, "2.0", 1.0),
        (GRADE, "9", UNKNOWN),
    ],
)
def test_a_text_is_read_as_its_kind(feature: Feature, text: str, value: float) -> None:
    assert same(feature.read_text(text), value)


@pytest.mark.parametrize(
    ("feature", "text", "error"),
    [
        (NUMBER, "NA", None),
        (NUMBER, "five", 'Dose must be a number in mg, not "five".'),
        (COUNT, "", "Count is missing."),
        (COUNT, "NaN", "Count is missing."),
        (COUNT, "2.5", "Count must be a whole number, not 2.5."),
        (SMOKER, "maybe", 'Smoker must be true or false, not "maybe".'),
        (SMOKER, "yes", None),
        (ISLAND, "Drem", 'Island must be one of Biscoe, Dream, 001 or NA, not "Drem". Did you mean "Dream"?'),
        (ISLAND, "", "Island is missing."),
        (GRADE, "9", None),
    ],
)
def test_a_text_that_is_refused_is_named(feature: Feature, text: str, error: str | None) -> None:
    assert feature.validate_text(text) == error


@pytest.mark.parametrize("feature", FEATURES, ids=lambda feature: feature.name)
def test_what_is_formatted_reads_as_the_same_value(feature: Feature) -> None:
    values = {"number": [-1.5, 0.0, MISSING], "boolean": [0.0, 1.0, MISSING], "integer": [0.0, 12.0]}
    for value in values.get(feature.kind, [float(index) for index in range(len(feature.categories))]):
        assert same(feature.read_text(feature.format(value)), value)
        assert same(feature.encode(feature.decode(value)), value)


def test_a_category_that_is_not_known_has_no_value() -> None:
    assert GRADE.decode(UNKNOWN) is None
    assert GRADE.format(UNKNOWN) == ""


def test_categories_that_differ_in_case_are_told_apart_by_it() -> None:
    feature = Feature(name="c", form_name="c", label="C", kind="category", categories=("a", "A"))
    assert [feature.read_text(text) for text in ("a", "A")] == [0.0, 1.0]


def test_of_many_categories_twenty_are_named() -> None:
    categories = tuple(f"city {index}" for index in range(500))
    feature = Feature(name="city", form_name="city", label="City", kind="category", categories=categories)
    assert str(feature.validate("x")).endswith('city 19 and 480 more, not "x".')


def test_a_number_without_bounds_may_be_any_float32() -> None:
    feature = Feature(name="x", form_name="x", label="X")
    assert [feature.validate(value) for value in (0, -3.4e38, 10**38)] == [None] * 3
    assert all(feature.validate(value) for value in (-3.5e38, 10**39, 10**400))  # not a float32, as trees need it


@given(st.text(max_size=30))
def test_any_text_is_read_and_refused_without_failing(text: str) -> None:
    for feature in FEATURES:
        value = feature.read_text(text)
        accepted = feature.validate_text(text) is None
        if math.isnan(value):
            assert accepted == feature.optional
        elif value == UNREADABLE:
            assert not accepted


@given(st.recursive(st.none() | st.booleans() | st.floats() | st.integers() | st.text(), st.lists, max_leaves=3))
def test_any_value_is_accepted_or_named(value: object) -> None:
    for feature in FEATURES:
        error = feature.validate(value)
        assert error is None or error.startswith(feature.label)


def test_numbers_stand_for_categories_that_are_spelt_as_numbers() -> None:
    assert ISLAND.whole_numbers == {}  # 001 keeps its zeros
    assert msgspec.structs.replace(ISLAND, categories=("Biscoe", 1, "20", "020")).whole_numbers == {1: 1, 20: 2}
