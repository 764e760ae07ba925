import xml.etree.ElementTree as ET
from typing import Any

import numpy as np
import pytest
import seaborn as sns

from iris_app.packaging import pairplot
from iris_app.packaging.pairplot import MARKERS, draw_pairplot
from iris_app.schema import MISSING, Class, Feature, Floats, Schema


def schema(features: int, classes: int, *, public_rows: bool = False, **words: Any) -> Schema:
    return Schema(
        name="test",
        features=tuple(
            Feature(name=f"f{index}", form_name=f"f{index}", label="Size", unit="cm") for index in range(features)
        ),
        classes=tuple(Class(name=f"c{index}", label="Kind", value=index) for index in range(classes)),
        public_rows=public_rows,
        **words,
    )


def draw(one: Schema, rows: Floats, classes: Any) -> bytes:
    drawn = draw_pairplot(one, rows, np.asarray(classes), list(range(len(one.features))))
    assert drawn is not None
    assert ET.fromstring(drawn).tag == "{http://www.w3.org/2000/svg}svg"  # noqa: S314 -- it is ours
    assert b"<script" not in drawn
    assert len(drawn) <= 1_000_000
    return drawn


@pytest.fixture
def grids(monkeypatch: pytest.MonkeyPatch) -> list[sns.PairGrid]:
    drawn: list[sns.PairGrid] = []
    original = sns.pairplot
    monkeypatch.setattr(sns, "pairplot", lambda *args, **kwargs: drawn.append(original(*args, **kwargs)) or drawn[-1])
    return drawn


def make_rows(count: int, features: int, classes: int) -> tuple[Floats, Any]:
    random = np.random.default_rng(0)
    indices = random.integers(0, classes, count)
    return random.normal(size=(count, features)) + indices[:, None], indices


def test_public_rows_are_drawn_in_the_colours_and_shapes_of_the_pages(grids: list[sns.PairGrid]) -> None:
    drawn = draw(schema(2, 3, public_rows=True), *make_rows(60, 2, 3))
    assert drawn.count(b'id="PathCollection_') == 2
    legend = grids[0].legend
    assert legend.get_title().get_text() == "Class"
    assert [handle.get_marker() for handle in legend.legend_handles] == MARKERS[:3]
    assert b"#2f6fe0" in drawn


def test_no_single_row_is_drawn_where_they_are_not_public(grids: list[sns.PairGrid]) -> None:
    one = schema(2, 2)
    drawn = draw(one, *make_rows(60, 2, 2))
    assert b"PathCollection" not in drawn
    assert all(not axes.collections or "Path" not in str(axes.collections) for axes in grids[0].axes.flat)


def test_names_that_are_alike_stay_apart(grids: list[sns.PairGrid]) -> None:
    draw(schema(2, 2, public_rows=True, target="Size (cm)"), *make_rows(30, 2, 2))
    assert grids[0].x_vars == ["Size (cm)", "Size (cm) "]
    assert grids[0].hue_names == ["Kind", "Kind "]


def test_missing_values_are_left_out() -> None:
    rows, classes = make_rows(40, 2, 2)
    rows[::5, 0] = MISSING
    draw(schema(2, 2, public_rows=True), rows, classes)


def test_a_class_whose_values_are_all_alike_is_drawn() -> None:
    rows, classes = make_rows(40, 2, 2)
    rows[classes == 1] = 3.0
    draw(schema(2, 2), rows, classes)


def test_a_class_without_rows_is_drawn() -> None:
    rows, classes = make_rows(40, 2, 2)
    draw(schema(2, 3, public_rows=True), rows, classes)


@pytest.mark.parametrize("public_rows", [False, True])
def test_a_single_number_has_a_picture(public_rows: bool) -> None:
    draw(schema(1, 2, public_rows=public_rows), *make_rows(30, 1, 2))


def test_nothing_has_no_picture() -> None:
    assert draw_pairplot(schema(1, 2), np.zeros((4, 1)), np.array([0, 1, 0, 1]), []) is None


@pytest.mark.parametrize("public_rows", [False, True])
def test_thirty_classes_have_a_picture(public_rows: bool, grids: list[sns.PairGrid]) -> None:
    draw(schema(2, 30, public_rows=public_rows), *make_rows(300, 2, 30))
    assert len(grids[-1].legend.texts) == 30


def test_only_the_most_telling_numbers_are_drawn(grids: list[sns.PairGrid], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairplot, "MAX_FEATURES", 3)
    rows, classes = make_rows(40, 5, 2)
    drawn = draw_pairplot(schema(5, 2), rows, classes, [4, 0, 2, 1, 3])
    assert drawn is not None
    assert grids[0].x_vars == ["Size (cm)", "Size (cm) ", "Size (cm)  "]
    assert np.array_equal(grids[0].data["Size (cm)  "].sort_values(), np.sort(rows[:, 4]))


def test_more_numbers_are_drawn_of_fewer_classes() -> None:
    assert [pairplot._count_features(schema(1, count), 20) for count in (2, 3, 10, 30, 90, 101)] == [6, 6, 5, 3, 2, 1]
    assert pairplot._count_features(schema(1, 101, public_rows=True), 20) == 6


def test_a_picture_that_is_too_large_shows_less(grids: list[sns.PairGrid], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairplot, "MAX_SIZE", 60_000)
    draw_pairplot(schema(3, 2), *make_rows(40, 3, 2), ranked=[0, 1, 2])
    assert [len(grid.x_vars) for grid in grids] == [3, 2, 1]


def test_no_picture_is_drawn_where_none_is_small_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pairplot, "MAX_SIZE", 10)
    assert draw_pairplot(schema(1, 2), *make_rows(40, 1, 2), ranked=[0]) is None
