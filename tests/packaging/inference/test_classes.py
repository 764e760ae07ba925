from typing import Any

import numpy as np
import pandas as pd
import pytest

from iris_app.exceptions import PackagingRefused
from iris_app.packaging.inference.classes import NO_CLASS, encode_classes, find_class_problem, make_classes
from iris_app.schema import Feature, Schema


def schema(*values: Any, **words: dict[str, Any]) -> Schema:
    return Schema(
        name="test",
        features=(Feature(name="x", form_name="x", label="X"),),
        classes=make_classes(values, words),
    )


@pytest.mark.parametrize(
    ("value", "plain", "name", "label"),
    [
        (np.int64(3), 3, "3", "3"),
        (np.float64(1.0), 1, "1", "1"),
        (np.True_, True, "True", "Yes"),
        (np.str_("big_one"), "big_one", "big_one", "Big one"),
    ],
)
def test_a_class_is_named_by_its_value(value: Any, plain: Any, name: str, label: str) -> None:
    class_ = schema(value, "other").classes[0]
    assert (class_.value, class_.name, class_.label) == (plain, name, label)
    assert type(class_.value) is type(plain)


@pytest.mark.parametrize("value", [0.5, None, (1, 2)])
def test_another_class_is_refused(value: Any) -> None:
    with pytest.raises(PackagingRefused, match="must be text, whole numbers or booleans"):
        schema(value, 1)


def test_words_override_the_value() -> None:
    named, labelled = schema(0, 1, **{"0": {"name": "setosa"}, "1": {"label": "Blue flag"}}).classes
    assert (named.name, named.label, named.value) == ("setosa", "Setosa", 0)
    assert (labelled.name, labelled.label) == ("1", "Blue flag")


@pytest.mark.parametrize(
    ("values", "classes", "indices"),
    [
        (["b", "a"], ["a", "b"], [1, 0]),
        (["A", "c", None], ["a", "b"], [0, NO_CLASS, NO_CLASS]),
        ([2, 1], [1, 2], [1, 0]),
        (["2", "1"], [1, 2], [1, 0]),
        ([2.0, np.nan], [1, 2], [1, NO_CLASS]),
        ([True, False], [False, True], [1, 0]),
        (["True", "false"], [False, True], [1, 0]),
        ([1, 0], [False, True], [1, 0]),
    ],
)
def test_true_classes_are_found_however_they_are_spelt(
    values: list[Any], classes: list[Any], indices: list[int]
) -> None:
    assert encode_classes(schema(*classes), pd.Series(values)).tolist() == indices


def test_true_classes_are_found_by_the_names_that_were_given() -> None:
    named = schema(0, 1, **{"0": {"name": "setosa"}, "1": {"name": "virginica"}})
    assert encode_classes(named, pd.Series(["virginica", "setosa", 0])).tolist() == [1, 0, 0]


def test_classes_that_are_not_predicted_are_named_with_how_to_name_them() -> None:
    values = pd.Series(["b", "a", "c", None], name="kind")
    problem = find_class_problem(schema(0, 1, 2), values, np.full(4, NO_CLASS))
    assert problem is not None
    assert problem.startswith('Column "kind" has b, a, c, and the classifier predicts 0, 1, 2.')
    assert '[classes.0] name = "a"' in problem


def test_many_classes_are_counted() -> None:
    values = pd.Series(list("abcdefg"), name="kind")
    assert "a, b, c, d, e and 2 more" in (find_class_problem(schema(0, 1), values, np.full(7, NO_CLASS)) or "")


def test_missing_classes_are_no_problem() -> None:
    values = pd.Series([None, 1], name="kind")
    assert find_class_problem(schema(0, 1), values, encode_classes(schema(0, 1), values)) is None
