"""Columns are read as the API reads single values."""

import math
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iris_app.bulk.readers.values import has_own_type, read_rows, read_values, to_column
from iris_app.iris import SCHEMA
from iris_app.schema import MISSING, UNKNOWN, UNREADABLE, Feature
from tests.schemas import MIXED

NUMBER = SCHEMA.features[0]
BY_NAME = MIXED.features_by_name

characters = st.sampled_from("0123456789.,eE+-_xinfaINFNAty \t\n\x1c\x85\u2028\u00a0\u0665\uff15")
words = st.sampled_from(
    ["true", "Yes", " no", "1", "0", "2", "NA", "null", "sur", " SUR ", "010", "10", "10.0", "5 cm"]
)
cells = st.one_of(
    words, st.text(characters, max_size=8), st.floats().map(repr), st.floats().map("{:.20g}".format), st.text()
)
features = st.sampled_from([NUMBER, *MIXED.features])


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


@given(feature=features, texts=st.lists(st.one_of(cells, st.none()), max_size=10))
@example(feature=NUMBER, texts=["1_0", " 5.1 ", "infinity", "-inf", "nan", "1e999", "5.1f", "0x10", "+.5e-3", "5.", ""])
@example(feature=BY_NAME["bmi"], texts=["nan", "+nan", "-NaN", " nan", "NA", "inf", "x", None])
def test_text_is_read_as_the_api_reads_it(feature: Feature, texts: list[str | None]) -> None:
    read = read_values(feature, pl.Series(texts, dtype=pl.String)).tolist()
    expected = [MISSING if text is None else feature.read_text(text) for text in texts]
    if feature.optional or not feature.is_numeric:
        assert all(map(same, read, expected))
    else:  # what is missing is as bad as what is no number
        assert all(same(*pair) or all(map(_is_unfit, pair)) for pair in zip(read, expected, strict=True))


def _is_unfit(value: float) -> bool:
    return math.isnan(value) or value == UNREADABLE


@given(feature=features, texts=st.lists(cells, max_size=5), decimal=st.sampled_from([".", ","]))
def test_decimals_are_where_they_are_said_to_be(feature: Feature, texts: list[str], decimal: str) -> None:
    read = read_values(feature, pl.Series(texts, dtype=pl.String), decimal).tolist()
    expected = [feature.read_text(text, decimal) for text in texts]
    assert all(same(*pair) or all(map(_is_unfit, pair)) for pair in zip(read, expected, strict=True))


@given(numbers=st.lists(st.floats()))
def test_numbers_are_what_they_are(numbers: list[float]) -> None:
    assert np.array_equal(read_values(NUMBER, pl.Series(numbers, dtype=pl.Float64)), numbers, equal_nan=True)


def test_what_is_null_is_missing() -> None:
    for feature in MIXED.features:
        assert np.isnan(read_values(feature, pl.Series([None, None]))).all()
    assert np.isnan(read_values(NUMBER, pl.Series([1, None, 2]))).tolist() == [False, True, False]


@pytest.mark.parametrize("values", [[1, 10, 7, None], [1.0, 10.0, 1.5, math.nan], ["1", "10.0", "x", "NA"]])
def test_categories_that_are_numbers_come_in_any_type(values: list[Any]) -> None:
    read = read_values(BY_NAME["ward"], pl.Series(values)).tolist()
    assert read[:3] == [0.0, 2.0, UNKNOWN]
    assert math.isnan(read[3])


def test_booleans_come_as_booleans_numbers_and_text() -> None:
    for values in ([True, False, None], [1, 0, None], [1.0, 0.0, math.nan], ["yes", "0", "NA"]):
        assert np.array_equal(read_values(BY_NAME["smoker"], pl.Series(values)), [1.0, 0.0, MISSING], equal_nan=True)


def test_a_column_that_is_absent_is_missing_in_each_row() -> None:
    columns: list[pl.Series | None] = [pl.Series([1, 2])] * 3 + [None]
    assert np.array_equal(read_rows(SCHEMA, columns, 2), [[1, 1, 1, math.nan], [2, 2, 2, math.nan]], equal_nan=True)


@pytest.mark.parametrize(
    ("name", "values", "column"),
    [
        ("bmi", [1.5, MISSING, UNREADABLE, -math.inf], [1.5, None, None, None]),
        ("age", [1.0, MISSING, 1.5, 1e300], [1, None, None, None]),
        ("smoker", [1.0, 0.0, 2.0, UNREADABLE], [True, False, None, None]),
    ],
)
def test_values_are_written_in_columns_of_their_types(name: str, values: list[float], column: list[object]) -> None:
    made = to_column(BY_NAME[name], name, np.array(values))
    assert (made.name, made.to_list()) == (name, column)
    assert has_own_type(BY_NAME[name], made.dtype)


def test_text_is_no_type_of_its_own_but_for_categories() -> None:
    assert [has_own_type(BY_NAME[name], pl.String()) for name in ("bmi", "age", "smoker", "sex")] == [False] * 3 + [
        True
    ]
