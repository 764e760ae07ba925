from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from iris_app.exceptions import PackagingRefused
from iris_app.packaging.inference import checks
from iris_app.packaging.inference.infer import check_given, find_unaccepted, infer, read_rows
from iris_app.schema import UNKNOWN, Schema


def replaced(schema: Schema, index: int, **changes: Any) -> Schema:
    features = list(schema.features)
    features[index] = msgspec.structs.replace(features[index], **changes)
    return msgspec.structs.replace(schema, features=tuple(features))


def test_every_kind_is_inferred_with_what_the_classifier_answers(classifier: Any, table: pd.DataFrame) -> None:
    inferred = infer(classifier, table, "species", "birds", {})
    assert [
        (feature.name, feature.kind, feature.optional, feature.allow_unknown) for feature in inferred.schema.features
    ] == [
        ("bill_length_mm", "number", True, False),
        ("body_mass_g", "number", True, False),
        ("visits", "integer", True, False),
        ("island", "category", True, True),
        ("code", "category", True, True),
        ("zone", "category", True, True),
        ("tagged", "boolean", False, False),
    ]
    assert inferred.schema.features[4].categories == ("001", "002", "010")
    assert inferred.schema.features[5].categories == (3, 5, 7)
    assert inferred.schema.class_names == ["adelie", "chinstrap", "gentoo"]
    assert inferred.rows.shape == (240, 7)
    assert inferred.schema.accepted(inferred.rows).all()


def test_no_bounds_are_inferred(classifier: Any, table: pd.DataFrame) -> None:
    schema = infer(classifier, table, "species", "birds", {}).schema
    assert all((one.above, one.at_least, one.at_most) == (None, None, None) for one in schema.features)


def test_rows_without_a_class_are_left_out(classifier: Any, table: pd.DataFrame) -> None:
    inferred = infer(classifier, table.assign(species=table["species"].where(table.index > 9)), "species", "birds", {})
    assert (inferred.left_out, len(inferred.rows), len(inferred.classes)) == (10, 230, 230)


def test_a_table_without_classes_is_refused(classifier: Any, table: pd.DataFrame) -> None:
    with pytest.raises(PackagingRefused, match="no row with a class"):
        infer(classifier, table.assign(species=None), "species", "birds", {})


def test_classes_that_are_not_predicted_are_refused(classifier: Any, table: pd.DataFrame) -> None:
    with pytest.raises(PackagingRefused, match='Column "species" has emperor, and the classifier predicts adelie'):
        infer(classifier, table.replace({"species": {"gentoo": "emperor"}}), "species", "birds", {})


def test_a_table_that_the_classifier_does_not_answer_is_refused(table: pd.DataFrame) -> None:
    numbers = table[["body_mass_g", "zone", "species"]]
    strict = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(numbers[["zone"]], numbers["species"])
    with pytest.raises(PackagingRefused, match=r"does not answer the rows of its table: .*unknown categories"):
        infer(strict, numbers.assign(zone=numbers["zone"].replace(3, 4)), "species", "birds", {})


def double_floats(frame: Any) -> Any:
    return frame * 2 if frame["weight"].dtype == "float64" else frame.astype(float)


def test_a_table_that_is_answered_otherwise_by_kinds_is_refused(
    table: pd.DataFrame, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checks, "find_problems", lambda _classifier: [])  # of a function of the tests
    numbers = pd.DataFrame({"weight": table["body_mass_g"].astype(object), "species": table["species"]})
    classifier = make_pipeline(FunctionTransformer(double_floats), LogisticRegression())
    classifier.fit(numbers[["weight"]], numbers["species"])
    with pytest.raises(PackagingRefused, match=r"in another way .* Found: weight \(number, float64\)\. A Parquet"):
        infer(classifier, numbers, "species", "birds", {})


def test_numbers_that_are_none_are_counted(classifier: Any, table: pd.DataFrame) -> None:
    inferred = infer(classifier, table, "species", "birds", {})
    rows, _ = read_rows(inferred.layout, inferred.schema, table.assign(visits="x"), "species")
    assert np.isinf(rows[:, 2]).all()


def test_a_table_that_lacks_columns_is_refused_with_all_of_them(classifier: Any, table: pd.DataFrame) -> None:
    inferred = infer(classifier, table, "species", "birds", {})
    with pytest.raises(PackagingRefused) as refused:
        read_rows(inferred.layout, inferred.schema, table.drop(columns=["zone", "species"]), "species")
    assert refused.value.problems == ('The table has no column "zone".', 'The table has no column "species".')


def test_values_of_the_table_that_the_schema_does_not_accept_are_named(classifier: Any, table: pd.DataFrame) -> None:
    inferred = infer(classifier, table, "species", "birds", {})
    rows = inferred.rows.copy()
    rows[0, 3] = UNKNOWN
    schema = replaced(inferred.schema, 0, at_most=40.0, optional=False)
    schema = replaced(schema, 2, at_least=1.0)
    schema = replaced(schema, 3, allow_unknown=False)
    schema = replaced(schema, 1, kind="integer")
    first, second, third, fourth = find_unaccepted(schema, rows)
    assert first.startswith("bill_length_mm: ")
    assert first.endswith("; it must be at most 40 mm.")
    assert "240 values of the training's table are not accepted" in second
    assert second.endswith("it must be a whole number in g.")
    assert "such as 0; it must be at least 1." in third
    assert "a category that the classifier does not know; it must be one of" in fourth
    missing = replaced(inferred.schema, 3, optional=False)
    assert "such as a missing one" in next(find_unaccepted(missing, inferred.rows))


def test_a_schema_that_was_given_must_fit(classifier: Any, table: pd.DataFrame) -> None:
    inferred = infer(classifier, table, "species", "birds", {}).schema
    assert check_given(inferred, inferred) is inferred
    with pytest.raises(PackagingRefused, match="The schema has the features"):
        check_given(inferred, replaced(inferred, 0, kind="integer"))
    with pytest.raises(PackagingRefused, match="other classes"):
        check_given(inferred, msgspec.structs.replace(inferred, classes=inferred.classes[::-1]))


@pytest.mark.parametrize("name", ["", " ", "x" * 201, 'a "b"', "a\nb"])
def test_names_of_classes_and_of_the_target_that_no_answer_can_carry_are_refused_at_once(name: str) -> None:
    values, classes = np.arange(6.0)[:, None], np.array([name, "b\\", "c"] * 2, object)
    table = pd.DataFrame({"x": values[:, 0], name: classes})
    with pytest.raises(PackagingRefused) as refused:
        infer(LogisticRegression().fit(values, classes), table, name, "letters", {})
    assert len(refused.value.problems) == 3
    assert refused.value.problems[0].startswith('The target "')
    assert all(problem.startswith('Class "') for problem in refused.value.problems[1:])
    words = {"b\\": {"name": "b"}, name: {"name": "a"}}
    renamed = infer(LogisticRegression().fit(values, classes), table.rename(columns={name: "y"}), "y", "letters", words)
    assert sorted(renamed.schema.class_names) == ["a", "b", "c"]
