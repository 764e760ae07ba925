"""Text is read as a number as a cell of the API's CSV is."""

import math

import numpy as np
import polars as pl
from hypothesis import example, given
from hypothesis import strategies as st

from iris_app.bulk.readers.values import read_numbers
from iris_app.codecs.csv_rows import read_decimal

characters = st.sampled_from("0123456789.,eE+-_xinfaINFNAty \t\n\x1c\x85\u2028\u00a0\u0665\uff15")
cells = st.one_of(st.text(characters, max_size=8), st.floats().map(repr), st.floats().map("{:.20g}".format), st.text())


def same(one: float, other: float) -> bool:
    return one == other or (math.isnan(one) and math.isnan(other))


@given(texts=st.lists(st.one_of(cells, st.none()), max_size=10))
@example(texts=["1_0", " 5.1 ", "infinity", "-inf", "nan", "1e999", "5.1f", "0x10", "+.5e-3", "5.", "\uff15", None, ""])
def test_text_is_read_as_the_api_reads_it(texts: list[str | None]) -> None:
    read = read_numbers(pl.Series(texts, dtype=pl.String)).tolist()
    assert all(map(same, read, [math.nan if text is None else read_decimal(text) for text in texts]))


@given(texts=st.lists(cells, max_size=5), decimal=st.sampled_from([".", ","]))
def test_decimals_are_where_they_are_said_to_be(texts: list[str], decimal: str) -> None:
    read = read_numbers(pl.Series(texts, dtype=pl.String), decimal).tolist()
    assert all(map(same, read, [read_decimal(text, decimal) for text in texts]))


@given(numbers=st.lists(st.floats()))
def test_numbers_are_what_they_are(numbers: list[float]) -> None:
    assert np.array_equal(read_numbers(pl.Series(numbers, dtype=pl.Float64)), numbers, equal_nan=True)


def test_what_is_null_is_not_a_number() -> None:
    assert np.isnan(read_numbers(pl.Series([None, None]))).all()
    assert np.isnan(read_numbers(pl.Series([1, None, 2]))).tolist() == [False, True, False]
