from typing import Any

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.ensemble import HistGradientBoostingClassifier, RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder

from iris_app.exceptions import PackagingRefused
from iris_app.packaging.inference.layout import find_layout, structure_of
from iris_app.schema import MISSING

TABLE = pd.DataFrame(
    {
        "size": [1.5, 2.5, 3.5, 4.5] * 5,
        "name": [f"Person {number}, of Somewhere" for number in range(20)],
        "colour": ["red", "blue"] * 10,
        "kind": ["a", "b", "b", "a"] * 5,
    }
)
FEATURES = TABLE.drop(columns="kind")


def choosing(*names: str) -> Any:
    chosen = [("colour", OneHotEncoder(), ["colour"])] if "colour" in names else []
    columns = ColumnTransformer([*chosen, ("rest", "passthrough", [name for name in names if name != "colour"])])
    return make_pipeline(columns, LogisticRegression()).fit(FEATURES, TABLE["kind"])


def test_a_frame_s_columns_are_those_that_it_was_trained_on() -> None:
    classifier = choosing("size", "colour")
    layout = find_layout(classifier, TABLE, "kind")
    assert layout.kind == "frame"
    assert [(column.name, column.kind) for column in layout.columns] == [("size", "number"), ("colour", "category")]
    assert layout.dropped == ["name"]
    assert layout.inputs.dtypes == {"size": "float64", "name": "float64", "colour": "str"}


def test_an_array_s_columns_are_all_but_the_target_in_their_order() -> None:
    numbers = TABLE[["size"]].assign(kind=TABLE["kind"], count=range(20))
    classifier = LogisticRegression().fit(numbers[["size", "count"]].to_numpy(), TABLE["kind"])
    layout = find_layout(classifier, numbers, "kind")
    assert (layout.kind, layout.names) == ("array", ["size", "count"])
    assert layout.inputs.dtypes == {"size": "float64", "count": "int64"}
    np.testing.assert_array_equal(layout.original(numbers), layout.encode(numbers))


def test_an_array_may_hold_texts() -> None:
    table = TABLE[["colour", "size", "kind"]]
    encoder = ColumnTransformer([("colour", OneHotEncoder(), [0])], remainder="passthrough")
    classifier = make_pipeline(encoder, RandomForestClassifier(2))
    classifier.fit(table[["colour", "size"]].to_numpy(object), table["kind"])
    layout = find_layout(classifier, table, "kind")
    assert layout.columns[0].categories == ("blue", "red")
    assert layout.original(table).dtype == object
    np.testing.assert_array_equal(layout.encode(table)[:2], [[1, 1.5], [0, 2.5]])


def test_a_classifier_without_names_may_take_frames_alone() -> None:
    class_of_size = make_pipeline(FunctionTransformer(pd.DataFrame.to_numpy), LogisticRegression())
    table = TABLE[["size", "kind"]].set_axis([0, 1], axis=1)
    classifier = class_of_size.fit(table[[0]], table[1])
    del classifier[0].n_features_in_
    layout = find_layout(classifier, table.set_axis(["size", "kind"], axis=1), "kind")
    assert (layout.kind, layout.names) == ("frame", ["size"])


def test_a_classifier_that_answers_nothing_is_asked_with_arrays() -> None:
    class Nothing:
        classes_ = np.array(["a", "b"])
        n_features_in_ = 1

        def predict_proba(self, _rows: Any) -> Any:
            raise ValueError

    layout = find_layout(Nothing(), TABLE[["size", "kind"]], "kind")
    assert layout.kind == "array"


def test_native_categories_are_such_in_the_frame_that_is_asked() -> None:
    features = FEATURES[["size", "colour"]].astype({"colour": "category"})
    classifier = HistGradientBoostingClassifier(max_iter=2).fit(features, TABLE["kind"])
    layout = find_layout(classifier, TABLE, "kind")
    assert layout.inputs.dtypes == {"size": "float64", "colour": "category"}
    assert layout.original(TABLE)["colour"].dtype == "category"


def test_missing_columns_are_named_all_at_once() -> None:
    table = TABLE.rename(columns={"size": "sizes", "colour": "shade"})
    with pytest.raises(PackagingRefused) as refused:
        find_layout(choosing("size", "colour"), table, "kinds")
    assert refused.value.problems == (
        'The table has no column "kinds" of the target. Did you mean "kind"?',
        'The table has no column "size" that the classifier was trained on. Did you mean "sizes"?',
        'The table has no column "colour" that the classifier was trained on. It has sizes, name, shade, kind.',
    )


def test_the_columns_of_a_table_are_listed_once() -> None:
    table = pd.DataFrame({"a": [0, 1], "b": [1, 0], "kind": ["x", "y"]})
    classifier = LogisticRegression().fit(table[["a", "b"]], table["kind"])
    with pytest.raises(PackagingRefused) as refused:
        find_layout(classifier, table.rename(columns={"a": "weight", "b": "height"}), "kind")
    assert refused.value.problems == (
        'The table has no column "a" that the classifier was trained on. It has weight, height, kind.',
        'The table has no column "b" that the classifier was trained on.',
    )


def test_another_number_of_columns_than_an_array_had_is_named() -> None:
    classifier = LogisticRegression().fit(np.zeros((20, 3)), TABLE["kind"])
    with pytest.raises(PackagingRefused, match="trained on 3 columns, and the table has 1 beside the target: size"):
        find_layout(classifier, TABLE[["size", "kind"]], "kind")


def test_columns_that_cannot_be_served_are_named_all_at_once() -> None:
    table = TABLE.assign(**{'a"b': 1.0, "when": "2024-01-01"})
    names = ["size", "name", 'a"b', "when"]
    encoder = ColumnTransformer([("texts", OneHotEncoder(), ["name", "when"])], remainder="passthrough")
    table = pd.concat([table] * 6).assign(name=[f"Person {number}" for number in range(120)])
    classifier = make_pipeline(encoder, LogisticRegression()).fit(table[names], table["kind"])
    with pytest.raises(PackagingRefused) as refused:
        find_layout(classifier, table, "kind")
    assert ["free text" in one for one in refused.value.problems] == [True, False]
    assert "Rename it" in refused.value.problems[1]


def test_a_classifier_that_takes_the_target_is_refused() -> None:
    table = TABLE.assign(kind=[1, 2, 2, 1] * 5)
    classifier = LogisticRegression().fit(table[["size", "kind"]], table["kind"])
    with pytest.raises(PackagingRefused, match='takes the target "kind" itself'):
        find_layout(classifier, table, "kind")


def test_the_structure_of_a_classifier_is_found_with_the_names_of_the_table() -> None:
    table = TABLE[["colour", "kind"]]
    classifier = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(table[["colour"]].to_numpy(), table["kind"])
    assert structure_of(classifier, table, "kind").categories == {"colour": ["blue", "red"]}


def test_rows_with_missing_values_are_encoded() -> None:
    layout = find_layout(choosing("size", "colour"), TABLE, "kind")
    rows = layout.encode(TABLE[:2].assign(size=[np.nan, 1.0], colour=[None, "red"]))
    np.testing.assert_array_equal(rows, [[MISSING, MISSING], [1, 1]])
