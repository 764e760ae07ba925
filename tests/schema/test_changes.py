import msgspec
import pytest

from iris_app.iris import SCHEMA
from iris_app.schema import Feature, Schema
from iris_app.schema.changes import breaking_changes

COLOUR = Feature(name="colour", form_name="colour", label="Colour", kind="category", categories=("blue", "white"))


def changed(index: int, **changes: object) -> Schema:
    """Return the example's schema with changes to one feature."""
    features = list(SCHEMA.features)
    features[index] = msgspec.structs.replace(features[index], **changes)
    return msgspec.structs.replace(SCHEMA, features=tuple(features), classes=without_typical())


def without_typical() -> tuple[object, ...]:
    return tuple(msgspec.structs.replace(class_, typical=()) for class_ in SCHEMA.classes)


def with_features(*features: Feature) -> Schema:
    classes = without_typical()
    return msgspec.structs.replace(SCHEMA, features=(*SCHEMA.features, *features), classes=classes)


@pytest.mark.parametrize(
    "new",
    [
        SCHEMA,
        msgspec.structs.replace(SCHEMA, title="Another title"),
        changed(0, at_most=40.0),
        changed(0, above=-1.0),
        changed(0, optional=True),
        with_features(msgspec.structs.replace(COLOUR, optional=True)),
    ],
    ids=["none", "words", "wider at the top", "wider at the bottom", "optional", "a further optional one"],
)
def test_what_takes_all_rows_of_before_breaks_nothing(new: Schema) -> None:
    assert breaking_changes(SCHEMA, new) == []


def test_further_categories_break_nothing() -> None:
    more = msgspec.structs.replace(COLOUR, categories=("blue", "violet", "white"))
    assert breaking_changes(with_features(COLOUR), with_features(more)) == []


@pytest.mark.parametrize(
    ("new", "change"),
    [
        (changed(0, at_most=20.0), "sepal_length must be greater than 0 and at most 20 cm"),
        (changed(1, unit="mm"), "sepal_width is in mm instead of cm"),
        (changed(1, unit=""), "sepal_width is in no unit instead of cm"),
        (changed(1, kind="integer", example=3), "sepal_width is an integer instead of a number"),
        (with_features(COLOUR), "colour is new, and may not be missing"),
        (msgspec.structs.replace(SCHEMA, target="variety"), "the answer is called variety instead of species"),
    ],
)
def test_what_refuses_rows_of_before_is_named(new: Schema, change: str) -> None:
    assert breaking_changes(SCHEMA, new) == [change]


@pytest.mark.parametrize(
    ("old", "new", "change"),
    [
        ({}, {"categories": ("white", "red")}, "colour can no longer be blue"),
        ({"optional": True}, {}, "colour may no longer be missing"),
        ({"allow_unknown": True}, {}, "colour must be a category that the model knows"),
    ],
)
def test_a_category_that_takes_less_is_named(old: dict[str, object], new: dict[str, object], change: str) -> None:
    schemas = [with_features(msgspec.structs.replace(COLOUR, **changes)) for changes in (old, new)]
    assert breaking_changes(*schemas) == [change]


def test_a_feature_that_is_gone_is_named() -> None:
    assert breaking_changes(with_features(COLOUR), SCHEMA) == ["colour is gone"]
