import keyword

import pytest
from flask_wtf import FlaskForm

from iris_app.packaging.inference.words import (
    make_class_label,
    make_form_names,
    make_heading,
    make_label,
    make_name,
    make_plural,
    split_unit,
)
from iris_app.schema import Class


@pytest.mark.parametrize(
    ("name", "stem", "unit"),
    [
        ("bill_length_mm", "bill length", "mm"),
        ("body_mass_g", "body mass", "g"),
        ("sepal length (cm)", "sepal length", "cm"),
        ("weight [kg]", "weight", "kg"),
        ("glucose_mg_dl", "glucose", "mg/dl"),
        ("temperature_c", "temperature", "°C"),
        ("age_years", "age", "years"),
        ("share_percent", "share", "%"),
        ("duration_min", "duration", "min"),
        ("pm25", "pm25", ""),
        ("x1", "x1", ""),
        ("temp_min", "temp_min", ""),
        ("vitamin_c", "vitamin_c", ""),
        ("group_g", "group_g", ""),
        ("cm", "cm", ""),
    ],
)
def test_a_unit_at_the_end_of_a_name_is_told_from_it(name: str, stem: str, unit: str) -> None:
    assert split_unit(name) == (stem, unit)


@pytest.mark.parametrize(
    ("name", "label"),
    [
        ("bill_length", "Bill length"),
        ("petalLength", "Petal length"),
        ("BMI", "BMI"),
        ("home.dest", "Home dest"),
        ("hours-per-week", "Hours per week"),
        ("région", "Région"),
        ("pH value", "pH value"),
        ("x1", "X1"),
        ("_", "_"),
        ("x" * 300, "X" + "x" * 199),
    ],
)
def test_a_label_is_a_readable_name(name: str, label: str) -> None:
    assert make_label(name) == label


@pytest.mark.parametrize(("value", "label"), [(True, "Yes"), (False, "No"), (3, "3"), ("class_0", "Class 0")])
def test_the_label_of_a_class_reads_like_its_value(value: str | int | bool, label: str) -> None:
    assert make_class_label(value) == label


def test_form_names_are_safe_and_unique() -> None:
    names = [
        "Bill Length",
        "bill-length",
        "1st",
        "身長",
        "été",
        "csrf_token",
        "data",
        "validate_x",
        "class",
        "petalWidth",
    ]
    assert make_form_names(names) == [
        "bill_length",
        "bill_length_2",
        "value_1st",
        "value_4",
        "ete",
        "value_csrf_token",
        "value_data",
        "value_validate_x",
        "value_class",
        "petal_width",
    ]


def test_no_form_name_is_an_attribute_of_forms() -> None:
    names = [name for name in dir(FlaskForm) if not name.startswith("_")] + keyword.kwlist
    assert not set(make_form_names(names)) & set(names)


@pytest.mark.parametrize(
    ("word", "plural"),
    [
        ("flower", "flowers"),
        ("species", "species"),
        ("class", "classes"),
        ("quality", "qualities"),
        ("day", "days"),
        ("diagnosis", "diagnoses"),
    ],
)
def test_a_plural_is_spelt_as_usual(word: str, plural: str) -> None:
    assert make_plural(word) == plural


@pytest.mark.parametrize(("text", "name"), [("my wine!", "my-wine"), ("résumé_2", "résumé_2"), ("…", "model")])
def test_the_name_of_a_model_fits_into_an_address(text: str, name: str) -> None:
    assert make_name(text) == name


def test_the_heading_asks_for_the_target() -> None:
    text = [Class(name=name, label=name, value=name) for name in ("a", "b")]
    numbers = [Class(name=str(value), label=str(value), value=value) for value in (0, 1)]
    assert make_heading("penguin_species", text) == ("Which penguin species?", "Which penguin species is it?")
    assert make_heading("survived", numbers) == ("Survived?", "Survived: yes or no?")
