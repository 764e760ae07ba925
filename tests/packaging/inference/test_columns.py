import datetime as dt
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import pytest

from iris_app.packaging.inference.columns import Column, Unservable, check_name, infer_column, parse_table
from iris_app.packaging.inference.pipelines import Structure
from iris_app.schema import MISSING, UNKNOWN, UNREADABLE


def infer(values: Any, **structure: Any) -> Column:
    return infer_column("x", pd.Series(values, name="x"), Structure(**structure))


@pytest.mark.parametrize(
    ("values", "kind", "dtype"),
    [
        ([1.5, np.nan], "number", "float64"),
        ([1.0, 2.0], "number", "float64"),
        ([1.0, np.nan], "integer", "float64"),
        ([1, 2], "integer", "int64"),
        ([0, 1], "integer", "int64"),
        (pd.array([1, None], dtype="Int64"), "integer", "Int64"),
        (np.array([1.5], np.float32), "number", "float32"),
        ([True, False], "boolean", "bool"),
        (np.array([True, np.nan], object), "boolean", "object"),
        (pd.array([True, None], dtype="boolean"), "boolean", "boolean"),
        ([Decimal("1.5"), Decimal("2")], "number", "float64"),
        (np.array([1, 2.5, np.nan], object), "number", "float64"),
    ],
)
def test_numbers_and_booleans_are_told_by_all_values(values: Any, kind: str, dtype: str) -> None:
    column = infer(values)
    assert (column.kind, column.dtype, column.categories) == (kind, dtype, ())


def test_texts_are_categories_in_their_order() -> None:
    column = infer(["b", "a", None, "b"])
    assert (column.kind, column.dtype, column.categories) == ("category", "str", ("a", "b"))


def test_the_order_of_a_categorical_column_is_kept() -> None:
    column = infer(pd.Categorical(["low", "high"], categories=["low", "middle", "high"]))
    assert (column.dtype, column.categories) == ("category", ("low", "middle", "high"))


@pytest.mark.parametrize(
    ("values", "known", "categories"),
    [
        ([3, 5, 3], [3, 5, 7], (3, 5, 7)),
        ([3.0, np.nan], [3.0, 5.0, np.nan], (3, 5)),
        ([0.5, 1.5], [0.5, 1.5], ("0.5", "1.5")),
        (["a", None], ["b", "a", None], ("b", "a")),
    ],
)
def test_an_encoder_says_what_the_categories_are(values: Any, known: list[Any], categories: tuple[Any, ...]) -> None:
    column = infer(values, categories={"x": known})
    assert (column.kind, column.categories) == ("category", categories)


def test_false_and_true_among_texts_are_categories_of_text() -> None:
    column = infer(np.array([True, "maybe", False], object), categories={"x": [False, True, "maybe"]})
    assert (column.kind, column.categories) == ("category", ("False", "True", "maybe"))


def test_false_and_true_in_an_encoder_are_a_boolean() -> None:
    assert infer([True, False], categories={"x": [False, True]}).kind == "boolean"


def test_what_an_imputer_puts_in_place_of_missing_values_is_no_category() -> None:
    values = ["a", None, "b"]
    known = ["a", "b", "missing"]
    assert infer(values, categories={"x": known}, fills={"x": "missing"}).categories == ("a", "b")
    assert infer(["a", "missing"], categories={"x": known}, fills={"x": "missing"}).categories == ("a", "b", "missing")


def test_the_categories_of_another_type_than_the_column_s_are_not_taken() -> None:
    assert infer([1, 2], categories={"x": ["1", "2"]}).kind == "integer"


def test_numbers_that_gradient_boosting_takes_as_categories_are_such() -> None:
    assert infer([2, 1, 2], native={"x": False}).categories == (1, 2)


@pytest.mark.parametrize(
    ("values", "says"),
    [
        ([None, np.nan], "no value in any row"),
        (pd.to_datetime(["2024-01-01"]), "holds dates"),
        (pd.period_range("2024", periods=2), "holds dates"),
        ([dt.date(2024, 1, 1)], "holds dates"),
        (["2024-01-31", "2024-02-01 12:00"], "holds dates"),
        (["31.01.2024"], "holds dates"),
        (pd.to_timedelta(["1 day"]), "lengths of time"),
        ([[1, 2], [3]], "lists or objects"),
        ([{"a": 1}], "lists or objects"),
        (["a", 1], "several types (int, str)"),
        ([1 + 2j], "complex"),
        ([1.0, np.inf], "infinite"),
        ([f"Person {number}" for number in range(100)], "free text (100 different values"),
        (["word " * 20, "word " * 19], "free text"),
        (pd.Categorical([1, "1"]), "spelt alike"),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(values: Any, says: str) -> None:
    with pytest.raises(Unservable) as refused:
        infer(values)
    assert str(refused.value).startswith('Column "x" ')
    assert says in str(refused.value)


def test_free_text_is_refused_though_an_encoder_knows_it() -> None:
    names = [f"Person {number}" for number in range(100)]
    with pytest.raises(Unservable, match="free text"):
        infer(names, categories={"x": names})


@pytest.mark.parametrize("name", ['a"b', "a\\b", "a\nb", " ", "x" * 201])
def test_a_name_that_cannot_be_one_is_refused(name: str) -> None:
    assert "Rename it" in (check_name(name) or "")


@pytest.mark.parametrize("name", ["sepal length (cm)", "pm25", "class", "été", "csrf_token", "a.b/c"])
def test_any_other_name_is_taken(name: str) -> None:
    assert check_name(name) is None


@pytest.mark.parametrize(
    ("trained", "values", "encoded"),
    [
        ([1.5, 2.0], [2.5, None], [2.5, MISSING]),
        ([1.5, 2.0], ["2.5", "x", None], [2.5, UNREADABLE, MISSING]),
        ([True, False], [True, False], [1, 0]),
        (np.array([True, np.nan], object), np.array([np.nan, False], object), [MISSING, 0]),
        (["a", "b"], ["b", "c", None], [1, UNKNOWN, MISSING]),
        (pd.Categorical(["a", "b"]), pd.Categorical(["b", "c", None]), [1, UNKNOWN, MISSING]),
    ],
)
def test_values_are_encoded_as_rows_have_them(trained: Any, values: Any, encoded: list[float]) -> None:
    np.testing.assert_array_equal(infer(trained).encode(pd.Series(values)), encoded)


def test_whole_numbers_of_an_encoder_are_found_among_floats() -> None:
    column = infer([3.0, np.nan, 5.0], categories={"x": [3, 5]})
    np.testing.assert_array_equal(column.encode(pd.Series([5.0, np.nan, 3.0])), [1, MISSING, 0])


@pytest.mark.parametrize(
    ("texts", "dtype"),
    [
        (["1", "2"], "int64"),
        (["1", None], "float64"),
        (["1.5", "2"], "float64"),
        (["1", "01"], "str"),
        (["001", "002"], "str"),
        (["-1", "2"], "int64"),
        (["True", "false"], "bool"),
        (["True", None], "object"),
        (["yes", "no"], "str"),
        ([None, None], "str"),
        (["a", "1"], "str"),
    ],
)
def test_texts_get_the_types_that_pandas_gives_them(texts: list[str], dtype: str) -> None:
    parsed = parse_table(pd.DataFrame({"x": pd.Series(texts, dtype="str")}), {})
    assert parsed["x"].dtype == dtype


def test_texts_that_an_encoder_knows_as_texts_stay() -> None:
    texts = pd.DataFrame({"x": pd.Series(["1", "2"], dtype="str")})
    assert parse_table(texts, {"x": ["1", "2"]})["x"].tolist() == ["1", "2"]


def test_texts_that_an_encoder_knows_as_numbers_lose_their_zeros() -> None:
    texts = pd.DataFrame({"x": pd.Series(["001", "002"], dtype="str")})
    assert parse_table(texts, {"x": [1, 2]})["x"].tolist() == [1, 2]


def test_texts_stay_where_another_table_has_texts() -> None:
    trained = pd.DataFrame({"x": ["1", "a"]})
    texts = pd.DataFrame({"x": pd.Series(["1", "2"], dtype="str")})
    assert parse_table(texts, {}, like=trained)["x"].tolist() == ["1", "2"]


def test_columns_that_have_types_keep_them() -> None:
    table = pd.DataFrame({"x": [1.5], "y": [True]})
    pd.testing.assert_frame_equal(parse_table(table, {}), table)


def test_texts_for_a_missing_value_stay_where_a_classifier_knows_them() -> None:
    table = pd.DataFrame({name: pd.Series(["NA", "1", None], dtype="str") for name in "xy"})
    parsed = parse_table(table, {"y": ["1", "NA"]}, missing={"NA", "null"})
    assert parsed["x"].isna().tolist() == [True, False, True]
    assert parsed["x"].tolist()[1] == 1.0
    assert parsed["y"].tolist()[:2] == ["NA", "1"]
