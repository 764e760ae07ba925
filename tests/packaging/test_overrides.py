import tomllib
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from iris_app.exceptions import PackagingRefused
from iris_app.iris import SCHEMA as IRIS
from iris_app.packaging import overrides
from iris_app.packaging.overrides import apply_overrides, class_overrides, read_overrides, to_toml
from iris_app.schema import Class, Feature, Schema
from tests.schemas import MIXED

SCHEMA = Schema(
    name="birds",
    features=(
        Feature(name="bill length", form_name="bill", label="Bill length", unit="mm", optional=True, example=44.5),
        Feature(name="visits", form_name="visits", label="Visits", kind="integer"),
        Feature(name="island", form_name="island", label="Island", kind="category", categories=("a", "b")),
    ),
    classes=(Class(name="0", label="0", value=0), Class(name="1", label="1", value=1)),
    target="species",
)


def problems(text: str) -> tuple[str, ...]:
    with pytest.raises(PackagingRefused) as refused:
        apply_overrides(SCHEMA, tomllib.loads(text))
    return refused.value.problems


def test_nothing_overrides_nothing() -> None:
    assert apply_overrides(SCHEMA, {}) == SCHEMA


def test_words_and_bounds_are_overridden() -> None:
    text = """
    name = "penguins"
    target = "kind"
    noun = "penguin"
    nouns = "penguins"
    title = "Which penguin?"
    public_rows = true
    target_columns = ["kind", "species"]
    panels = [{title = "Bills", x = "bill length", y = "visits"}]

    [about]
    limits = "Few birds of one time."

    [features."bill length"]
    label = "Length of the bill"
    unit = "cm"
    help = "From its base to its tip."
    at_least = 10
    at_most = 80.5
    example = 40
    optional = false
    spellings = ["bl"]
    less = "short"
    more = "long"

    [features.visits]
    kind = "number"

    [classes.1]
    label = "Gentoo"
    """
    schema = apply_overrides(SCHEMA, tomllib.loads(text))
    bill, visits, island = schema.features
    assert (schema.name, schema.target, schema.noun, schema.nouns, schema.title) == (
        "penguins",
        "kind",
        "penguin",
        "penguins",
        "Which penguin?",
    )
    assert schema.public_rows
    assert schema.sample_name == "penguins"  # so that it does not depend on the classifier's file
    assert schema.target_columns == ("kind", "species")
    assert schema.panels == (("Bills", 0, 1),)
    assert schema.about.limits == "Few birds of one time."
    assert (bill.label, bill.unit, bill.help, bill.at_least, bill.at_most) == (
        "Length of the bill",
        "cm",
        "From its base to its tip.",
        10.0,
        80.5,
    )
    assert (bill.example, bill.optional, bill.spellings, bill.less, bill.more) == (40, False, ("bl",), "short", "long")
    assert visits.kind == "number"
    assert island == SCHEMA.features[2]
    assert schema.classes[1] == Class(name="1", label="Gentoo", value=1)


def test_unknown_names_and_wrong_types_are_named_all_at_once() -> None:
    found = problems(
        """
        titel = "x"
        noun = 3
        name = "a b"
        [about]
        limit = "x"
        [features.visit]
        label = "x"
        [features.visits]
        units = "x"
        at_least = "0"
        kind = "float"
        [classes.2]
        label = "x"
        [classes.1]
        labels = "x"
        [[panels]]
        title = "x"
        x = "island"
        y = "visit"
        """
    )
    assert found == (
        'titel is not known. Did you mean "title"?',
        "noun: expected text, got a whole number.",
        "name: expected text matching regex '^[\\\\w.-]{1,100}$'.",
        'about.limit is not known. Did you mean "limits"?',
        'features.visit is not known. Did you mean "visits"?',
        'features.visits.units is not known. Did you mean "unit"?',
        "features.visits.at_least: expected a number, got text.",
        "features.visits.kind: invalid enum value 'float'.",
        "classes.2 is not known. Known are 0, 1.",
        'classes.1.labels is not known. Did you mean "label"?',
        "panels: island is no number, and has no place on an axis.",
        'panels: visit is not known. Did you mean "visits"?',
    )


def test_tables_that_are_none_are_named() -> None:
    assert problems("about = 1\nfeatures = 2\nclasses = 3\npanels = 4") == (
        "about: expected a table.",
        "features: expected a table.",
        "classes: expected a table.",
        "panels: expected a list, got a whole number.",
    )
    assert problems("features.visits = 1\nclasses.0 = 2") == (
        "features.visits: expected a table.",
        "classes.0: expected a table.",
    )


def test_contradictions_are_named_all_at_once() -> None:
    found = problems(
        """
        [features."bill length"]
        at_least = 5
        at_most = 3
        kind = "category"
        [features.visits]
        optional = true
        form_name = "a b"
        example = 1.5
        [features.island]
        allow_unknown = true
        unit = "km"
        at_most = 3
        """
    )
    assert found == (
        "features.bill length.kind: the classifier takes number, not category.",
        "features.visits.optional: the classifier does not answer rows without it.",
        "features.visits.form_name: expected letters, digits and underscores.",
        "features.visits.example: Visits must be a whole number, not 1.5.",
        "features.island.unit: only a number has one, and this is a category.",
        "features.island.at_most: only a number has one, and this is a category.",
        "features.island.allow_unknown: the classifier does not answer categories that it does not know.",
    )


def test_bounds_that_leave_nothing_are_named() -> None:
    text = "features.visits.at_least = 5\nfeatures.visits.at_most = 3"
    assert problems(text) == ("features.visits.at_most: 3 is less than the lower bound.",)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ('features.visits.form_name = "bill"', "form name 'bill' is there 2 times"),
        ('classes.0.name = "1"', "class '1' is there 2 times"),
        ("target = 'a\"b'", "holds a quote"),
        ('classes.0.name = "a\\u0007"', "control character"),
        ("features.visits.above = 1\nfeatures.visits.at_least = 1", "has both above and at_least"),
    ],
)
def test_what_no_schema_may_have_is_named(text: str, says: str) -> None:
    assert any(says in problem for problem in problems(text))


def test_the_words_of_classes_are_found_beforehand_but_for_wrong_ones() -> None:
    text = 'classes.0 = {name = "setosa", label = 3}\nclasses.1 = 4'
    assert class_overrides(tomllib.loads(text)) == {"0": {"name": "setosa"}}
    assert class_overrides({"classes": 3}) == {}


@pytest.mark.parametrize("schema", [SCHEMA, IRIS, MIXED], ids=lambda schema: schema.name)
def test_what_is_written_overrides_nothing(schema: Schema) -> None:
    text = to_toml(schema, {feature.name: f"{feature.kind}, seen" for feature in schema.features})
    assert apply_overrides(schema, tomllib.loads(text)) == schema
    assert text.startswith(f"# What {schema.name} takes and gives")
    assert f"# {schema.features[0].kind}, seen\n[features." in text


def test_a_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "words.toml"
    path.write_text('noun = "été"')
    assert read_overrides(path) == {"noun": "été"}


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b"noun = ", "is not TOML: Invalid value"),
        (b"noun = '\xff'", "is not TOML: "),
        (None, "cannot be read: No such"),
    ],
)
def test_a_file_that_is_none_is_refused(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "words.toml"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PackagingRefused) as refused:
        read_overrides(path)
    assert says in str(refused.value)


def test_a_file_that_is_too_large_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(overrides, "MAX_FILE_SIZE", 3)
    path = tmp_path / "words.toml"
    path.write_text("noun = 'x'")
    with pytest.raises(PackagingRefused, match="more than 3 bytes"):
        read_overrides(path)


def test_anything_is_checked_without_another_error() -> None:
    anything: list[Any] = [None, 1, "x", [], {}, [{}], {"x": []}]
    for value in anything:
        for name in ("features", "classes", "panels", "about", "noun"):
            with suppress(PackagingRefused):
                apply_overrides(SCHEMA, {name: value})
