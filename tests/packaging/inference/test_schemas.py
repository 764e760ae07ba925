import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import CategoricalNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, PowerTransformer

from iris_app.model.inputs import Inputs, PipelineInputs
from iris_app.packaging.inference.columns import Column
from iris_app.packaging.inference.probes import Probe
from iris_app.packaging.inference.schemas import ask_about_values, make_features, make_schema, with_examples
from iris_app.schema import Class, Feature, Floats, Schema

CLASSES = (Class(name="no", label="No", value=0), Class(name="yes", label="Yes", value=1))
COLUMNS = [
    Column("bill_length_mm", "number", "float64"),
    Column("visits_g", "integer", "int64"),
    Column("tagged", "boolean", "bool"),
    Column("home island", "category", "str", ("a", "b"), {"a": 0, "b": 1}),
]


def test_a_feature_is_made_of_each_column() -> None:
    bill, visits, tagged, island = make_features(COLUMNS)
    assert (bill.name, bill.form_name, bill.label, bill.unit) == (
        "bill_length_mm",
        "bill_length_mm",
        "Bill length",
        "mm",
    )
    assert (visits.label, visits.unit, visits.kind) == ("Visits g", "", "integer")
    assert (tagged.kind, tagged.optional, tagged.allow_unknown) == ("boolean", True, False)
    assert (island.label, island.form_name, island.categories, island.allow_unknown) == (
        "Home island",
        "home_island",
        ("a", "b"),
        True,
    )


def ask(classifier: object, rows: Floats) -> Feature:
    """Return the only feature as the classifier answers to questions about it."""
    features = make_features([Column("x", "number", "float64")])
    inputs = PipelineInputs(make_schema("test", "y", features, CLASSES), Inputs())
    classifier.fit(rows, [0, 1] * (len(rows) // 2))  # type: ignore[attr-defined]
    (asked,), _ = ask_about_values(Probe(classifier, inputs, features, rows), features, rows)
    return asked


@pytest.mark.parametrize(
    ("classifier", "rows", "bounds"),
    [
        (LogisticRegression(), [-1.0, 5.0], (None, None, None)),
        (make_pipeline(PowerTransformer("box-cox"), LogisticRegression()), [1.0, 5.0], (0.0, None, None)),
        (make_pipeline(FunctionTransformer(np.sqrt), LogisticRegression()), [0.0, 5.0], (None, 0.0, None)),
        (
            make_pipeline(FunctionTransformer(lambda x: np.log(x + 3)), LogisticRegression()),
            [-2.0, 5.0],
            (None, -2.0, None),
        ),
        (CategoricalNB(), [0.0, 5.0], (None, 0.0, 5.0)),
    ],
)
def test_only_what_the_classifier_refuses_is_out_of_bounds(
    classifier: object, rows: list[float], bounds: tuple[float | None, ...]
) -> None:
    asked = ask(classifier, np.array(rows * 10)[:, None])
    assert (asked.above, asked.at_least, asked.at_most) == bounds
    assert not asked.optional


def test_values_that_may_not_be_missing_together_may_be_where_they_were() -> None:
    def refuse_empty(rows: Floats) -> Floats:
        if np.isnan(rows).all(axis=1).any():
            raise ValueError
        return np.nan_to_num(rows)

    features = make_features([Column("x", "number", "float64"), Column("y", "number", "float64")])
    inputs = PipelineInputs(make_schema("test", "y", features, CLASSES), Inputs())
    rows = np.array([[1.0, 2.0]] * 399 + [[np.nan, 3.0]])  # few are tried, and none of them lacks a value
    classifier = make_pipeline(FunctionTransformer(refuse_empty), LogisticRegression()).fit(rows, [0, 1] * 200)
    asked, _ = ask_about_values(Probe(classifier, inputs, features, rows), features, rows)
    assert [feature.optional for feature in asked] == [True, False]


def test_the_words_of_a_schema_are_made_of_its_names() -> None:
    schema = make_schema(
        "penguins!", "species", make_features(COLUMNS), [CLASSES[0], Class(name="b", label="B", value="b")]
    )
    assert (schema.name, schema.sample_name, schema.targets) == ("penguins", "penguins", "species")
    assert schema.target_columns == ("species", "class", "target", "label")
    assert (schema.title, schema.heading) == ("Which species?", "Which species is it?")
    assert schema.lead == "Enter 4 values, and learn the species that is most likely."
    assert not schema.public_rows


def test_a_single_feature_is_one_value() -> None:
    assert "Enter one value" in make_schema("a", "b", make_features(COLUMNS[:1]), CLASSES).lead


def test_examples_are_typical_of_the_most_frequent_class() -> None:
    schema = make_schema("test", "y", make_features(COLUMNS), CLASSES)
    typical = [np.array([1.5, 2, 0, 1]), np.array([2.5, 3, 1, 0])]
    found = with_examples(schema, typical, np.array([1, 1, 0]))
    assert [feature.example for feature in found.features] == [2.5, 3, True, "a"]
    assert [class_.typical for class_ in found.classes] == [(1.5, 2, False, "b"), (2.5, 3, True, "a")]


def test_examples_that_are_there_stay() -> None:
    first, *others = make_features(COLUMNS)
    given = Schema(
        name="test",
        features=(
            Feature(**{name: getattr(first, name) for name in first.__struct_fields__} | {"example": 7.0}),
            *others,
        ),
        classes=(Class(name="no", label="No", value=0, typical=(9.0, 1, True, "a")), CLASSES[1]),
    )
    found = with_examples(given, [np.zeros(4), None], np.array([0]))
    assert (found.features[0].example, found.features[1].example) == (7.0, 0)
    assert [class_.typical for class_ in found.classes] == [(9.0, 1, True, "a"), ()]


def test_there_is_no_example_where_no_row_is_typical() -> None:
    schema = make_schema("test", "y", make_features(COLUMNS), CLASSES)
    assert with_examples(schema, [None, None], np.array([0, 1])) == schema
