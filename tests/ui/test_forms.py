"""The form of any schema; the pages that show it are in test_pages.py."""

import math
from typing import Any

import msgspec
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.datastructures import MultiDict

from iris_app.schema import Class, Feature, Schema
from iris_app.ui.forms import MAX_CHOICES, FeatureField, RowForm, make_row_form
from tests.schemas import MIXED, MIXED_CODES, MIXED_ROW, NAMES

CLASSES = (Class(name="a", label="A", value="a"), Class(name="b", label="B", value="b"))

# Names that WTForms, Flask-WTF, our forms and the document object model use themselves.
OWN = [
    "csrf_token",
    "schema",
    "data",
    "errors",
    "validate",
    "meta",
    "hidden_tag",
    "form",
    "fields",
    "f0",
    "self",
    "action",
]


def schema(*features: Feature) -> Schema:
    return Schema(name="test", features=features, classes=CLASSES)


def fill(app: Flask, asked: Schema, texts: dict[str, str]) -> RowForm:
    """Fill the form of a schema, and validate it."""
    with app.test_request_context():
        form = asked.derive(make_row_form)(MultiDict(texts))
        form.validate()
    return form


def field(app: Flask, text: str, **feature: Any) -> FeatureField:
    one = Feature(**{"name": "x", "form_name": "x", "label": "X"} | feature)
    return fill(app, schema(one), {"x": text}).fields[0]


def test_a_form_reads_every_kind(app: Flask) -> None:
    texts = {feature.form_name: feature.format(feature.encode(MIXED_ROW[feature.name])) for feature in MIXED.features}
    form = fill(app, MIXED, texts)
    assert form.wrong_fields == []
    assert form.rows.tolist() == [MIXED_CODES]


def test_the_form_of_a_schema_is_made_once() -> None:
    assert MIXED.derive(make_row_form) is MIXED.derive(make_row_form)
    assert MIXED.derive(make_row_form) is not NAMES.derive(make_row_form)


def test_any_name_is_possible(app: Flask) -> None:
    names = [*OWN, *NAMES.features_by_name]
    features = [
        Feature(name=f"{name} {index}", form_name=name, label="X") for index, name in enumerate(dict.fromkeys(names))
    ]
    form = fill(app, schema(*features), {one.form_name: str(index) for index, one in enumerate(features)})
    assert form.wrong_fields == []
    assert form.rows.tolist() == [list(map(float, range(len(features))))]
    assert [field.id for field in form.fields] == [f"f{index}" for index in range(len(features))]


def test_the_form_s_own_fields_give_way_to_features(app: Flask) -> None:
    features = [Feature(name=name, form_name=name, label=name) for name in ("csrf_token", "schema", "schema_")]
    with app.test_request_context():
        form = schema(*features).derive(make_row_form)(MultiDict())
    names = [field.name for field in form]
    assert len(set(names)) == len(names)
    assert {"csrf_token_", "schema__"} < set(names)


@pytest.mark.parametrize(
    ("feature", "text", "value", "described"),
    [
        ({"unit": "cm"}, " 5,1 cm", 5.1, "5.1 cm"),
        ({"kind": "integer"}, "5.0", 5.0, "5"),
        ({"kind": "boolean"}, "yes", 1.0, "Yes"),
        ({"kind": "boolean"}, "0", 0.0, "No"),
        ({"kind": "category", "categories": ("u", "v")}, "V", 1.0, "v"),
        ({"kind": "category", "categories": (1, 2)}, "2", 1.0, "2"),
        ({"kind": "category", "categories": ("001", "1")}, "001", 0.0, "001"),
        ({"kind": "category", "categories": ("u", "v"), "allow_unknown": True}, "w", -1.0, "w"),
        ({"optional": True, "unit": "cm"}, "", math.nan, "Not known"),
        ({"optional": True}, "NA", math.nan, "Not known"),
    ],
)
def test_a_value_is_read_and_described(
    app: Flask, feature: dict[str, Any], text: str, value: float, described: str
) -> None:
    read = field(app, text, **feature)
    assert read.errors == []
    assert read.value == pytest.approx(value, nan_ok=True)
    assert read.described == described
    assert field(app, read.formatted, **feature).value == pytest.approx(value, nan_ok=True)


@pytest.mark.parametrize(
    ("feature", "text", "error"),
    [
        ({}, "", "X is missing. Enter a number."),
        ({"unit": "cm"}, "", "X is missing. Enter a number in cm."),
        ({"kind": "boolean"}, "", "X is missing. Choose a value."),
        ({"kind": "category", "categories": ("u", "v")}, "", "X is missing. Choose a value."),
        ({"kind": "category", "categories": tuple(map(str, range(200)))}, "", "X is missing. Enter a value."),
        ({"unit": "cm"}, "wide", 'X must be a number in cm, not "wide".'),
        ({"kind": "integer"}, "1.5", "X must be a whole number, not 1.5."),
        ({"kind": "boolean"}, "perhaps", 'X must be Yes or No, not "perhaps".'),
        ({"kind": "category", "categories": ("up", "low")}, "x", 'X must be one of up or low, not "x".'),
        ({"at_least": 1.0}, "0", "X must be at least 1, not 0."),
    ],
)  # fmt: skip
def test_a_wrong_value_has_an_error(app: Flask, feature: dict[str, Any], text: str, error: str) -> None:
    assert field(app, text, **feature).errors == [error]


@pytest.mark.parametrize(
    ("feature", "text", "choices"),
    [
        ({}, "", []),
        ({"kind": "boolean"}, "", [("", "Choose…"), ("true", "Yes"), ("false", "No")]),
        ({"kind": "boolean", "optional": True}, "", [("", "Not known"), ("true", "Yes"), ("false", "No")]),
        ({"kind": "category", "categories": (1, 2)}, "2", [("", "Choose…"), ("1", "1"), ("2", "2")]),
        ({"kind": "category", "categories": ("", "u")}, "u", [("", "(empty)"), ("u", "u")]),
        ({"kind": "category", "categories": ("u",)}, "w", [("", "Choose…"), ("u", "u"), ("w", "w")]),
        ({"kind": "boolean"}, "w", [("", "Choose…"), ("true", "Yes"), ("false", "No"), ("w", "w")]),
    ],
)
def test_a_value_of_few_is_chosen(
    app: Flask, feature: dict[str, Any], text: str, choices: list[tuple[str, str]]
) -> None:
    assert field(app, text, **feature).choices == choices


def test_a_value_of_many_is_typed_with_suggestions(app: Flask) -> None:
    categories = tuple(map(str, range(MAX_CHOICES + 1)))
    read = field(app, "7", kind="category", categories=categories)
    assert (read.choices, read.suggestions, read.inputmode) == ([], list(categories), "text")


@pytest.mark.parametrize(
    ("feature", "inputmode"),
    [
        ({"at_least": 0.0}, "decimal"),
        ({"at_least": 0.0, "kind": "integer"}, "numeric"),
        ({}, "text"),
        ({"at_least": -1.0, "kind": "integer"}, "text"),
    ],
)
def test_a_phone_s_keyboard_has_what_a_value_needs(app: Flask, feature: dict[str, Any], inputmode: str) -> None:
    assert field(app, "", **feature).inputmode == inputmode


def test_a_form_is_outdated_once_its_fields_mean_something_else(app: Flask) -> None:
    one = Feature(name="x", form_name="x", label="X", unit="cm")
    old = fill(app, schema(one), {}).current_digest
    for change, outdated in (
        ({"unit": "mm"}, True),
        ({"label": "Y"}, True),
        ({"at_most": 5.0}, False),
        ({"help": "?"}, False),
    ):
        form = fill(app, schema(msgspec.structs.replace(one, **change)), {"x": "1", "schema": old})
        assert form.is_outdated == outdated
        assert form.digest.data == form.current_digest
    assert not fill(app, schema(one), {"x": "1"}).is_outdated


def test_an_outdated_form_names_what_is_new_and_gone_and_keeps_what_fits(app: Flask) -> None:
    form = fill(app, MIXED, {"age": "41", "ward": "7", "sex": "female", "petals": "5", "schema": "old"})
    assert form.new == ["BMI", "Temperature change", "Smoker", "Vaccinated", "Región", "Zip"]
    assert form.gone == ["petals"]
    form.clear_wrong_fields()
    assert form.wrong_fields == []
    assert [field.text for field in form.fields] == ["41", "", "", "", "", "female", "", "", ""]


def test_a_form_of_more_fields_than_a_column_has_is_long(app: Flask) -> None:
    features = [Feature(name=f"x{index}", form_name=f"x{index}", label="X") for index in range(200)]
    form = fill(app, schema(*features), {one.form_name: "1" for one in features})
    assert form.is_long
    assert form.rows.shape == (1, 200)
    assert not fill(app, MIXED, {}).is_long


@given(texts=st.dictionaries(st.sampled_from([one.form_name for one in MIXED.features]), st.text(max_size=20)))
def test_no_text_is_a_fault_of_ours(steady_app: Flask, texts: dict[str, str]) -> None:
    form = fill(steady_app, MIXED, texts)
    for one in form.fields:
        assert one.errors or MIXED.accepted(form.rows)[0, form.fields.index(one)]
        assert isinstance(one.choices, list)
        if not one.errors:
            assert one.described


@pytest.mark.parametrize(
    ("text", "error"),
    [
        ("5.1", 0.05),
        ("5.10", 0.005),
        ("5,1", 0.05),
        ("51 mm", 0.05),
        ("6", 0.5),
        ("1e-5", 5e-6),
        ("", None),
        ("x", None),
    ],
)
def test_a_number_may_be_wrong_by_half_of_its_last_digit(app: Flask, text: str, error: float | None) -> None:
    form = fill(app, schema(Feature(name="a", form_name="a", label="A", unit="cm", optional=True)), {"a": text})
    assert form.fields[0].reading_error == error


def test_what_is_counted_has_no_reading_error(app: Flask) -> None:
    form = fill(app, schema(Feature(name="a", form_name="a", label="A", kind="integer")), {"a": "5"})
    assert form.fields[0].reading_error is None


@pytest.mark.parametrize(
    ("text", "shown"),
    [("6.0", "6.0"), ("6,00", "6.00"), ("-6.0", "-6.0"), (".50", ".50"), ("6", "6")],
)
def test_a_number_comes_back_with_the_decimals_that_were_typed(app: Flask, text: str, shown: str) -> None:
    form = fill(app, schema(Feature(name="a", form_name="a", label="A", unit="cm")), {"a": text})
    assert (form.fields[0].formatted, form.fields[0].described) == (shown, f"{shown} cm")
