import numpy as np
import pytest

from iris_app.model.explanations.reasons import sentence
from iris_app.model.manifest import ClassSummary
from iris_app.schema import MISSING, UNKNOWN, Class, Feature, Schema

SCHEMA = Schema(
    name="penguins",
    features=(
        Feature(name="bill", form_name="bill", label="Bill length", unit="mm", less="short", more="long"),
        Feature(name="ph", form_name="ph", label="pH of the Water", optional=True),
        Feature(name="eggs", form_name="eggs", label="Eggs", kind="integer"),
        Feature(name="tagged", form_name="tagged", label="Tagged", kind="boolean"),
        Feature(
            name="island",
            form_name="island",
            label="Island",
            kind="category",
            categories=("Biscoe", "Dream"),
            optional=True,
            allow_unknown=True,
        ),
    ),
    classes=(
        Class(name="adelie", label="Adelie", value="adelie"),
        Class(name="1", label="Gentoo penguin", value=1),
    ),
)
SUMMARIES = [
    ClassSummary("adelie", 10, [38.0, 7.3, 1.5, 0.1, None], [3.0, 0.5, 0.5, 0.3, None]),
    ClassSummary("1", 10, [47.5, 7.0, 1.48, 0.0, None], [3.0, 0.5, 0.4, 0.0, None]),
]
TYPICAL = [38.0, 7.0, 1.0, 0.0, 0.0]


def explain(index: int, value: float, outside: set[int] | None = None, predicted: int = 0) -> str:
    """Return the sentence for a row in which one value speaks for the class."""
    row = np.array(TYPICAL)
    row[index] = value
    return sentence(SCHEMA, SUMMARIES, row, np.eye(5)[index], predicted, 1 - predicted, outside or set())


@pytest.mark.parametrize(
    ("index", "value", "reason"),
    [
        (0, 39.5, "bill length, 39.5 mm: typical for Adelie, too short for Gentoo penguin."),
        (0, 31.0, "bill length, 31 mm: unusually short for Adelie, far too short for Gentoo penguin."),
        (
            0,
            42.5,
            "bill length, 42.5 mm: nearer to the average of Adelie, 38 mm, than to that of Gentoo penguin, 48 mm.",
        ),
        (
            1,
            7.3,
            "pH of the water, 7.3: nearer to the average of Adelie, 7.3, than to that of Gentoo penguin, 7.0.",
        ),
        (1, 7.0, "pH of the water, 7, which points to Adelie rather than Gentoo penguin."),
        (1, MISSING, "pH of the water, which is missing: that points to Adelie rather than Gentoo penguin."),
        (2, 2.0, "eggs, 2, which points to Adelie rather than Gentoo penguin."),
        (3, 1.0, "answer yes to tagged, which points to Adelie rather than Gentoo penguin."),
        (3, 0.0, "answer no to tagged, which points to Adelie rather than Gentoo penguin."),
        (4, 0.0, "island (Biscoe), which points to Adelie rather than Gentoo penguin."),
        (4, MISSING, "island, which is missing: that points to Adelie rather than Gentoo penguin."),
    ],
)
def test_each_kind_of_value_has_its_words(index: int, value: float, reason: str) -> None:
    assert explain(index, value) == f"Above all because of the {reason}"


@pytest.mark.parametrize(
    ("second", "value", "subject"),
    [
        (1, 7.3, "pH of the water, 7.3,"),
        (3, 1.0, "answer yes to tagged"),
        (4, 0.0, "island (Biscoe)"),
        (4, MISSING, "island, which is missing,"),
    ],
)
def test_a_value_that_adds_nearly_as_much_is_named_too(second: int, value: float, subject: str) -> None:
    row = np.array(TYPICAL)
    row[second] = value
    contributions = np.eye(5)[0] + 0.8 * np.eye(5)[second]
    found = sentence(SCHEMA, SUMMARIES, row, contributions, 0, 1)
    assert found.endswith(f"too short for Gentoo penguin. The {subject} adds nearly as much.")
    assert "nearly" not in sentence(SCHEMA, SUMMARIES, row, contributions, 0, 1, {second})


def test_a_value_that_is_nearer_to_the_runner_up_is_not_called_typical() -> None:
    assert (
        explain(0, 47.0)
        == "Above all because of the bill length, 47 mm, which points to Adelie rather than Gentoo penguin."
    )


@pytest.mark.parametrize(
    ("index", "value", "predicted", "doubt"),
    [
        (
            0,
            90.0,
            1,
            "The bill length, 90 mm, is far outside what the model learnt from, so Gentoo penguin is a guess.",
        ),
        (0, 90.0, 0, "The bill length, 90 mm, is far outside what the model learnt from, so Adelie is a guess."),
        (2, 9.0, 1, "The eggs, 9, is far outside what the model learnt from, so Gentoo penguin is a guess."),
        (3, 1.0, 1, "The answer yes to tagged is outside what the model learnt from, so Gentoo penguin is a guess."),
        (4, 1.0, 0, "The island (Dream) is outside what the model learnt from, so Adelie is a guess."),
    ],
)
def test_a_value_far_outside_is_no_reason(index: int, value: float, predicted: int, doubt: str) -> None:
    assert explain(index, value, {index}, predicted) == doubt


def test_a_category_that_is_not_known_is_no_reason() -> None:
    assert explain(4, UNKNOWN) == "The island is one that the model does not know, so Adelie is a guess."


def test_a_value_just_outside_is_a_reason_with_a_doubt() -> None:
    assert explain(0, 31.0, {0}) == (
        "Above all because of the bill length, 31 mm: unusually short for Adelie, far too short for Gentoo penguin. "
        "But that is outside what the model learnt from."
    )


def test_a_reason_is_doubted_where_another_value_is_outside() -> None:
    row = np.array([38.0, 9.0, 3.0, 0.0, UNKNOWN])
    contributions = np.array([1.0, 0.1, -0.5, 0.0, -0.2])
    reason = "Above all because of the bill length, 38 mm: typical for Adelie, too short for Gentoo penguin. But the"
    for outside, doubt in (
        ({1}, "island is one that the model does not know, so Adelie is a guess."),
        ({1, 2}, "island is one that the model does not know, so Adelie is a guess."),
    ):
        assert sentence(SCHEMA, SUMMARIES, row, contributions, 0, 1, outside) == f"{reason} {doubt}"
    row[4] = MISSING
    for outside, doubt in (
        ({1}, "pH of the water, 9, is outside what the model learnt from."),
        ({1, 2}, "eggs, 3, is outside what the model learnt from."),
    ):
        assert sentence(SCHEMA, SUMMARIES, row, contributions, 0, 1, outside) == f"{reason} {doubt}"


@pytest.mark.parametrize("contributions", [[0.0, 0.0, 0.0, 0.0, 0.0], [0.2, 0.2, -0.8, 0.2, 0.2]])
def test_a_small_contribution_is_no_reason(contributions: list[float]) -> None:
    found = sentence(SCHEMA, SUMMARIES, np.array(TYPICAL), np.array(contributions), 0, 1)
    assert found == "No single value points to Adelie, but all of them together do."


@pytest.mark.parametrize("contributions", [[0.1, 0.0, -1.0, 0.0, 0.0], [0.4, 0.0, -1.0, 0.0, 0.0], [-1.0] * 5])
def test_values_that_point_to_the_runner_up_are_said_to_do_so(contributions: list[float]) -> None:
    found = sentence(SCHEMA, SUMMARIES, np.array(TYPICAL), np.array(contributions), 0, 1)
    average = f"An average {SCHEMA.noun} looks more like Adelie than Gentoo penguin"
    assert found == f"{average}, and these values change that too little."


def test_no_reason_is_doubted_too() -> None:
    found = sentence(SCHEMA, SUMMARIES, np.array([90.0, *TYPICAL[1:]]), np.zeros(5), 0, 1, {0})
    assert found == (
        "No single value points to Adelie, but all of them together do. "
        "But the bill length, 90 mm, is far outside what the model learnt from, so Adelie is a guess."
    )
