import re
from importlib.resources import files
from typing import Any

import msgspec
import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from iris_app.iris import SCHEMA
from iris_app.json_types import JsonTypes, Prediction
from iris_app.model.manifest import Training, TrainingRow
from iris_app.schema import MISSING, Class, Feature, Floats, Schema
from iris_app.ui.charts import (
    COLUMNS,
    HEIGHT,
    MAX_BARS,
    MAX_CLASSES,
    MAX_POINTS,
    MIN_RANGE,
    ROWS,
    WIDTH,
    Axis,
    Panel,
    bars,
    format_tick,
    odds,
    panels,
)
from tests.support import trained

TYPES = SCHEMA.derive(JsonTypes)
ROWS_OF_TRAINING = [TrainingRow([5.0, 3.4, 1.5, 0.2], 0), TrainingRow([6.5, 3.0, 5.6, 2.0], 2)]


def training(**changes: Any) -> Training:
    """Return the training of the example with two rows, and with changes to its schema."""
    schema = msgspec.structs.replace(SCHEMA, **changes)
    return msgspec.structs.replace(trained()[1], schema=schema, training_rows=ROWS_OF_TRAINING)


def left_is_first(rows: Floats) -> Any:
    """See the first class where the third value is less than 4, and the third elsewhere."""
    return np.where(rows[:, 2] < 4, 0, 2)


def predicted(*probabilities: float) -> Prediction:
    prediction: Prediction = TYPES.Prediction("setosa", TYPES.Probabilities(*probabilities), ())
    return prediction


def explained(*contributions: float, error: float = 0.0) -> Prediction:
    explanation = TYPES.Explanation("versicolor", 2.0, 0.5, TYPES.Contributions(*contributions), "Because.", error)
    return TYPES.Prediction("setosa", TYPES.Probabilities(1.0, 0.0, 0.0), (), explanation)  # type: ignore[no-any-return]


def draw(*row: float, about: Training | None = None, prediction: Prediction | None = None) -> list[Panel]:
    return panels(np.array(row), about or training(), left_is_first, prediction or predicted(1.0, 0.0, 0.0))


@given(low=st.floats(0, 30), width=st.floats(0.5, 30))
def test_ticks_are_few_and_at_round_values_within_the_axis(low: float, width: float) -> None:
    axis = Axis(SCHEMA.features[0], low, low + width, WIDTH)
    assert 2 <= len(axis.ticks) <= 9
    assert all(-0.01 <= place <= WIDTH + 0.01 for place, _ in axis.ticks)
    labels = [axis.position(float(label)) for _, label in axis.ticks]
    assert labels == pytest.approx([place for place, _ in axis.ticks], abs=0.02)


@given(low=st.floats(-1e12, 1e12), power=st.integers(-5, 14), length=st.sampled_from([WIDTH, HEIGHT]))
def test_labels_of_any_size_differ_and_do_not_touch(low: float, power: int, length: float) -> None:
    assume(10.0**power > abs(low) * MIN_RANGE)
    labels = [label for _, label in Axis(SCHEMA.features[0], low, low + 10.0**power, length).ticks]
    assert len(set(labels)) == len(labels)
    assert len(labels) <= 1 or max(map(len, labels)) * 7 * len(labels) < length


@pytest.mark.parametrize(
    ("low", "high", "labels"),
    [
        (0, 60_000, ["0k", "10k", "20k", "30k", "40k", "50k", "60k"]),
        (0, 2_500_000, ["0.0M", "0.5M", "1.0M", "1.5M", "2.0M", "2.5M"]),
        (0, 30_000_000, ["0M", "5M", "10M", "15M", "20M", "25M", "30M"]),
        (1900, 2020, ["1,900", "1,920", "1,940", "1,960", "1,980", "2,000", "2,020"]),
        (-1.5, 1.5, ["\N{MINUS SIGN}1.5", "\N{MINUS SIGN}1.0", "\N{MINUS SIGN}0.5", "0.0", "0.5", "1.0", "1.5"]),
        (0.001, 0.004, ["0.001", "0.002", "0.003", "0.004"]),
    ],
)
def test_labels_are_short_and_exact(low: float, high: float, labels: list[str]) -> None:
    assert [label for _, label in Axis(SCHEMA.features[0], low, high, WIDTH).ticks] == labels


def test_labels_of_tiny_and_huge_numbers_have_an_exponent() -> None:
    assert format_tick(2e-9, 1e-9, 3e-9) == "2e-09"
    assert format_tick(5e20, 1e20, 6e20) == "5e+20"


def test_whole_numbers_have_whole_ticks_and_steps() -> None:
    feature = Feature(name="n", form_name="n", label="N", kind="integer")
    axis = Axis(feature, -0.12, 2.12, WIDTH)
    assert [label for _, label in axis.ticks] == ["0", "1", "2"]
    assert axis.steps(4).tolist() == [0, 1, 1, 2]


def test_a_long_title_is_truncated() -> None:
    feature = Feature(name="n", form_name="n", label="A name that is much longer than an axis", unit="m")
    assert Axis(feature, 0, 1, WIDTH).title == "A name that is much longer t…"


def test_a_row_beyond_the_others_is_still_in_the_picture() -> None:
    for panel in draw(30, 30, 30, 30):
        assert 0 < panel.point[0] < WIDTH
        assert 0 < panel.point[1] < HEIGHT


def test_the_regions_show_what_changes_with_the_panel_s_values() -> None:
    first, second = (panel.regions for panel in draw(5, 3, 2, 0.5))
    assert {index for *_, index in first.rectangles} == {0}
    assert (first.borders, first.marks) == (
        "",
        [(pytest.approx(WIDTH / 2, abs=4), pytest.approx(HEIGHT / 2, abs=4), 0)],
    )
    edge = draw(5, 3, 2, 0.5)[1].across.position(4)
    for x, _, width, _, index in second.rectangles:
        assert (x + width <= edge + WIDTH / COLUMNS) if index == 0 else (x >= edge - WIDTH / COLUMNS)
    assert len(second.rectangles) == 2 * ROWS


def test_rows_that_are_not_public_are_neither_drawn_nor_counted() -> None:
    for panel in draw(5, 3, 2, 0.5, about=training(public_rows=False)):
        assert panel.training_rows == []
        assert "nearest" not in panel.description


def test_of_many_rows_a_part_is_drawn() -> None:
    about = msgspec.structs.replace(training(), training_rows=ROWS_OF_TRAINING * 1000)
    assert MAX_POINTS / 2 < len(draw(5, 3, 2, 0.5, about=about)[0].training_rows) <= MAX_POINTS


def test_a_panel_with_a_missing_value_is_left_out() -> None:
    assert [panel.title for panel in draw(5, 3, MISSING, 0.5)] == ["Sepals"]


def test_a_training_row_with_a_missing_value_is_left_out() -> None:
    about = msgspec.structs.replace(training(), training_rows=[TrainingRow([None, 3.4, 1.5, 0.2], 0)])
    assert [len(panel.training_rows) for panel in draw(5, 3, 2, 0.5, about=about)] == [0, 1]


def test_a_panel_is_described_in_words() -> None:
    assert draw(5, 3, 2, 0.5)[1].description == (
        "Petals: this flower, with Petal length 2 cm and Petal width 0.5 cm. The 2 nearest flowers of the training are "
        "1 Setosa, 1 Virginica. It lies where the model answers Setosa."
    )


def test_without_panels_in_the_schema_the_first_two_numbers_are_drawn() -> None:
    (panel,) = draw(5, MISSING, 2, 0.5, about=training(panels=()))
    assert panel.title == "Sepal length and Petal length"


def test_without_panels_in_the_schema_the_numbers_that_matter_most_are_drawn() -> None:
    (panel,) = draw(5, 3, 2, 0.5, about=training(panels=()), prediction=explained(0.1, -2.0, 0.2, 1.0))
    assert panel.title == "Sepal width and Petal width"


def test_one_number_is_not_drawn() -> None:
    assert draw(5, MISSING, MISSING, MISSING, about=training(panels=())) == []


def test_a_feature_that_is_the_same_in_all_rows_is_drawn() -> None:
    summaries = [msgspec.structs.replace(one, minimum=5.0, maximum=5.0) for one in trained()[1].features]
    for panel in draw(5, 5, 5, 5, about=msgspec.structs.replace(training(), features=summaries)):
        assert panel.point == (WIDTH / 2, HEIGHT / 2)


def test_a_feature_without_values_in_the_training_is_not_drawn() -> None:
    summaries = [msgspec.structs.replace(one, minimum=None, maximum=None) for one in trained()[1].features]
    assert draw(5, 3, 2, 0.5, about=msgspec.structs.replace(training(), features=summaries)) == []


def test_a_value_beyond_all_bounds_is_not_drawn() -> None:
    assert [panel.title for panel in draw(1.7e308, 3, 2, 0.5)] == ["Petals"]


def test_there_are_no_bars_without_an_explanation() -> None:
    assert bars(SCHEMA, predicted(1.0, 0.0, 0.0)) == []


def test_bars_are_as_wide_as_their_log_odds() -> None:
    found = [(bar.label, bar.start, bar.width, bar.error) for bar in bars(SCHEMA, explained(-1.0, 2.0, 0.0, 0.5))]
    assert found == [
        ("Start: an average flower", 50, 12.5, 0),
        ("Sepal length", 25, 25, 0),
        ("Sepal width", 50, 50, 0),
        ("Petal length", 50, 0, 0),
        ("Petal width", 50, 12.5, 0),
    ]


def test_bars_that_are_estimated_have_an_error() -> None:
    assert [bar.error for bar in bars(SCHEMA, explained(1, 1, 1, 1, error=0.25))] == [0.0, 0.25, 0.25, 0.25, 0.25]


MANY = Schema(
    name="many",
    features=tuple(Feature(name=f"x{index}", form_name=f"x{index}", label=f"X {index}") for index in range(30)),
    classes=tuple(Class(name=f"c{index}", label=f"C {index}", value=index) for index in range(30)),
)


def many() -> Prediction:
    """Return a prediction in which later classes and features matter more, but for the class that is predicted."""
    types = MANY.derive(JsonTypes)
    explanation = types.Explanation("c1", 1.0, 0.0, types.Contributions(*map(float, range(30))), "Because.")
    return types.Prediction("c0", types.Probabilities(*(index / 435 for index in range(30))), (), explanation)  # type: ignore[no-any-return]


def test_of_many_contributions_the_largest_come_first() -> None:
    assert len(MANY.features) > MAX_BARS
    assert [bar.label for bar in bars(MANY, many())][:3] == ["Start: an average row", "X 29", "X 28"]


def test_of_many_classes_the_most_probable_come_after_the_predicted_one() -> None:
    assert len(MANY.classes) > MAX_CLASSES
    assert [one.label for one in odds(MANY, many())][:3] == ["C 0", "C 29", "C 28"]


def test_few_classes_stand_in_their_order() -> None:
    assert [one.index for one in odds(SCHEMA, predicted(0.1, 0.2, 0.7))] == [0, 1, 2]


def luminance(colour: str) -> float:
    channels = np.array([int(colour[index : index + 2], 16) / 255 for index in (1, 3, 5)])
    return float(np.where(channels <= 0.04045, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4) @ LUMINANCE)


LUMINANCE = np.array([0.2126, 0.7152, 0.0722])


def test_the_colours_of_classes_differ_and_stand_out_from_the_page() -> None:
    palette = (files("iris_app") / "ui" / "static" / "palette.css").read_text()
    colours = re.findall(r"--class-(\d+): (#\w+);", palette)
    assert [int(index) for index, _ in colours] == [*range(10), *range(10)]
    for (_, colour), page in zip(colours, [*["#ffffff"] * 10, *["#17141f"] * 10], strict=True):
        dark, light = sorted((luminance(colour), luminance(page)))
        assert (light + 0.05) / (dark + 0.05) >= 3
    assert len({colour for _, colour in colours}) == 20
