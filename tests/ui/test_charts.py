import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iris_app.formatting import format_percent
from iris_app.iris import SCHEMA
from iris_app.json_types import Prediction, PredictionWarning, Probabilities
from iris_app.model.manifest import TrainingRow
from iris_app.ui.charts import COLUMNS, HEIGHT, ROWS, WIDTH, Axis, bars, panels, verdict

FLOWERS = [TrainingRow([5.0, 3.4, 1.5, 0.2], 0), TrainingRow([6.5, 3.0, 5.6, 2.0], 2)]


def left_is_first(rows: np.ndarray) -> np.ndarray:  # type: ignore[type-arg]
    """See the first species where the petal is shorter than 4 cm, and the third elsewhere."""
    return np.where(rows[:, 2:3] < 4, [[1.0, 0.0, 0.0]], [[0.0, 0.0, 1.0]])


@given(low=st.floats(0, 30), width=st.floats(0.5, 30))
def test_ticks_are_few_and_at_round_values_within_the_axis(low: float, width: float) -> None:
    axis = Axis(SCHEMA.features[0], low, low + width, WIDTH)
    ticks = axis.ticks
    assert 2 <= len(ticks) <= 9
    assert all(-0.01 <= place <= WIDTH + 0.01 for place, _ in ticks)
    assert [axis.position(float(label)) for _, label in ticks] == pytest.approx(
        [place for place, _ in ticks], abs=WIDTH / width
    )


def test_a_flower_beyond_the_others_is_still_in_the_picture() -> None:
    for panel in panels([30, 30, 30, 30], FLOWERS, left_is_first):
        assert 0 < panel.point[0] < WIDTH
        assert 0 < panel.point[1] < HEIGHT


def test_the_regions_cover_the_panel_once() -> None:
    for panel in panels([5, 3, 2, 0.5], FLOWERS, left_is_first):
        area = sum(width * height for _, _, width, height, _ in panel.regions)
        assert area == pytest.approx(WIDTH * HEIGHT)


def test_the_regions_show_what_changes_with_the_panel_s_values() -> None:
    sepals, petals = panels([5, 3, 2, 0.5], FLOWERS, left_is_first)
    assert {region[-1] for region in sepals.regions} == {0}
    assert {region[-1] for region in petals.regions} == {0, 2}
    edge = petals.across.position(4)
    for x, _, width, _, species in petals.regions:
        assert (x + width <= edge + WIDTH / COLUMNS) if species == 0 else (x >= edge - WIDTH / COLUMNS)
    assert len(petals.regions) == 2 * ROWS


def predicted(*probabilities: float, warnings: tuple[PredictionWarning, ...] = ()) -> Prediction:
    return Prediction("setosa", Probabilities(*probabilities), warnings)


@pytest.mark.parametrize(
    ("first", "words"),
    [(0.995, "almost certainly"), (0.95, "very likely"), (0.8, "probably"), (0.6, "perhaps")],
)
def test_the_verdict_says_how_sure_it_is(first: float, words: str) -> None:
    sentence = verdict(predicted(first, 1 - first, 0.0))
    assert (
        sentence
        == f"This is {words} setosa: {format_percent(first)}, against {format_percent(1 - first)} for versicolor."
    )


def test_a_doubtful_verdict_says_so() -> None:
    sentence = verdict(predicted(1.0, 0.0, 0.0, warnings=(PredictionWarning("unlike_training", "Unlike."),)))
    assert sentence.endswith("but knows no flower like it.")


def test_there_are_no_bars_without_an_explanation() -> None:
    assert bars(predicted(1.0, 0.0, 0.0)) == []
