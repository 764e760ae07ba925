import math
import re

import msgspec
import numpy as np
import pytest

from iris_app.iris import SCHEMA
from iris_app.schema import Class, Feature, Schema

CLASSES = (Class(name="no_fraud", label="No fraud", value=False), Class(name="fraud", label="Fraud", value=True))


def feature(name: str, **more: object) -> Feature:
    return Feature(**{"name": name, "form_name": name, "label": name} | more)  # type: ignore[arg-type]


def schema(*features: Feature, **more: object) -> Schema:
    return Schema(**{"name": "test", "features": features, "classes": CLASSES} | more)  # type: ignore[arg-type]


def test_a_schema_is_the_same_after_json() -> None:
    assert msgspec.json.decode(msgspec.json.encode(SCHEMA), type=Schema) == SCHEMA


def test_the_digest_covers_every_word() -> None:
    assert msgspec.structs.replace(SCHEMA, title="Another").digest != SCHEMA.digest
    assert msgspec.structs.replace(SCHEMA).digest == SCHEMA.digest


def test_what_is_derived_is_made_once() -> None:
    one = schema(feature("x"))
    types = [one.derive(list_features) for _ in range(3)]
    assert types[0] is types[1] is types[2]


def list_features(schema: Schema) -> list[str]:
    return [feature.name for feature in schema.features]


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("x1", "x1"),
        ("X1", "x1"),
        ("pm25", "pm25"),
        ("PM2.5", "pm25"),
        ("bill_length_mm", "bill_length_mm"),
        ("Bill length (mm)", "bill_length_mm"),
        ("bill.length", "bill_length_mm"),
        ("bill length (cm)", None),
        ("größe", "Größe"),
        ("x2", None),
        ("5.1", None),
        ("", None),
    ],
)
def test_a_column_is_matched_by_its_letters_and_digits(name: str, found: str | None) -> None:
    one = schema(feature("x1"), feature("pm25"), feature("bill_length_mm", unit="mm"), feature("Größe"))
    matched = one.match_feature(name)
    assert (matched.name if matched else None) == found


def test_an_exact_name_comes_before_a_similar_one() -> None:
    one = schema(feature("length"), feature("Length"), feature("length_mm", unit="mm"))
    for name in ("length", "Length", "length_mm"):
        matched = one.match_feature(name)
        assert matched
        assert matched.name == name
    assert one.match_feature("LENGTH") is None


@pytest.mark.parametrize(
    ("text", "name"),
    [("fraud", "fraud"), ("no_fraud", "no_fraud"), ("NO_FRAUD", "no_fraud"), ("True", "fraud"), ("really", None)],
)
def test_a_class_is_matched_exactly_first(text: str, name: str | None) -> None:
    matched = schema(feature("x")).match_class(text)
    assert (matched.name if matched else None) == name


def test_classes_that_are_numbers_are_matched_by_their_values_and_not_by_their_places() -> None:
    classes = tuple(Class(name=str(value), label=str(value), value=value) for value in (1, 2, 0))
    matched = [schema(feature("x"), classes=classes).match_class(text) for text in ("1", "2", "0")]
    assert [one.value if one else None for one in matched] == [1, 2, 0]


def test_what_is_accepted_is_told_by_kind() -> None:
    one = schema(
        feature("number", optional=True),
        feature("whole", kind="integer", at_least=1),
        feature("flag", kind="boolean"),
        feature("category", kind="category", categories=("a", "b")),
        feature("open", kind="category", categories=("a",), allow_unknown=True),
    )
    rows = np.array(
        [
            [math.nan, 1, 0, 1, -1],
            [-1e30, 0, 0.5, 2, 1],
            [math.inf, 1.5, math.nan, -1, -2],
        ]
    )
    assert one.accepted(rows).tolist() == [[True] * 5, [True, False, False, False, False], [False] * 5]
    assert one.find_out_of_bounds(rows)[0] == (1, 1)


def test_a_target_that_is_called_like_another_member_is_renamed_in_answers() -> None:
    assert schema(feature("x"), target="warnings").answer_key == "predicted_warnings"
    assert schema(feature("x"), target="outcome").answer_key == "outcome"


@pytest.mark.parametrize(
    ("make", "error"),
    [
        (lambda: schema(feature("x"), feature("x", form_name="y")), "The feature 'x' is there 2 times."),
        (lambda: schema(feature("x"), feature("y", form_name="x")), "The form name 'x' is there 2 times."),
        (lambda: schema(feature('a"b')), "holds a quote, a backslash or a control character"),
        (lambda: schema(feature("x", kind="category")), "x must have categories if it is a category"),
        (lambda: schema(feature("x", categories=("a",))), "x must have categories if it is a category"),
        (lambda: schema(feature("x", above=0.0, at_least=0.0)), "x has both above and at_least"),
        (lambda: schema(feature("x", at_least=2.0, at_most=1.0)), "x accepts nothing"),
        (lambda: schema(feature("x", example="a")), "The example of x is refused: x must be a number, not text."),
        (lambda: schema(feature("x"), panels=(("P", 0, 0),)), "The panel 'P' needs the indices of two features"),
        (
            lambda: schema(feature("x"), classes=(CLASSES[0], CLASSES[0])),
            "The class 'no_fraud' is there 2 times.",
        ),
        (
            lambda: schema(feature("x"), classes=(msgspec.structs.replace(CLASSES[0], typical=(1, 2)), CLASSES[1])),
            "The typical row of no_fraud has 2 values, not 1.",
        ),
        (
            lambda: schema(feature("x"), classes=(msgspec.structs.replace(CLASSES[0], typical=("a",)), CLASSES[1])),
            "The typical row of no_fraud is refused: x must be a number, not text.",
        ),
    ],
)
def test_a_schema_with_an_error_is_refused(make: object, error: str) -> None:
    with pytest.raises(ValueError, match=re.escape(error)):
        make()  # type: ignore[operator]


def test_all_errors_of_a_schema_are_named_at_once() -> None:
    with pytest.raises(ValueError, match=r"both above and at_least.*accepts nothing"):
        schema(feature("x", above=0.0, at_least=0.0), feature("y", at_least=2.0, at_most=1.0))


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sepal_len", "sepal_length"),  # H2O
        ("petal_wid", "petal_width"),
        ("sepal length in cm", "sepal_length"),  # UCI
        ("Petal W.", "petal_width"),  # iris3 in R
        ("Petal.W.", "petal_width"),
        ("SepalLen", "sepal_length"),
        ("sep. length", "sepal_length"),
        ("sepal_l", None),
        ("sep_len", None),
        ("sepal", None),
        ("length sepal", None),
        ("sepal_length_2", None),
        ("sepal_lenght", None),
        (f"sepal {'l' * 200}", None),
    ],
)
def test_a_word_of_a_name_may_be_abbreviated_beside_a_whole_one(name: str, expected: str | None) -> None:
    matched = SCHEMA.match_feature(name)
    assert (matched.name if matched else None) == expected


def test_an_abbreviation_of_several_features_is_none_and_a_number_is_never_abbreviated() -> None:
    names = ("mean concavity", "mean concave points", "mean contrast", "x 12", "y alpha")
    one = schema(*map(feature, names))
    assert [one.match_feature(name) for name in ("mean con", "x 1", "y a")] == [None, None, None]
    assert one.match_feature("mean contr") is one.features[2]
    assert one.match_feature("y alp") is one.features[4]
