import re
from itertools import groupby

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays

from iris_app.ui.result.regions import find_regions

GRIDS = arrays(np.int16, array_shapes(min_dims=2, max_dims=2, max_side=12), elements=st.integers(0, 3))


@given(GRIDS)
def test_the_rectangles_cover_the_panel_once(classes: "np.ndarray[tuple[int, int], np.dtype[np.int16]]") -> None:
    found = np.full(classes.shape, -1)
    for x, y, width, height, index in find_regions(classes, classes.shape[1], classes.shape[0]).rectangles:
        place = slice(round(y), round(y + height)), slice(round(x), round(x + width))
        assert (found[place] == -1).all()
        found[place] = index
    assert (found == classes).all()


@given(GRIDS)
def test_the_borders_lie_between_classes(classes: "np.ndarray[tuple[int, int], np.dtype[np.int16]]") -> None:
    regions = find_regions(classes, classes.shape[1], classes.shape[0])
    found = set(re.findall(r"M(\d+) (\d+)([vh])1", regions.borders))
    for row, cells in enumerate(classes.tolist()):
        edges = {column for column in range(1, len(cells)) if cells[column] != cells[column - 1]}
        assert {int(x) for x, y, way in found if way == "v" and int(y) == row} == edges
    for column, cells in enumerate(classes.T.tolist()):
        edges = {row for row in range(1, len(cells)) if cells[row] != cells[row - 1]}
        assert {int(y) for x, y, way in found if way == "h" and int(x) == column} == edges


@given(GRIDS)
def test_each_class_has_a_mark_within_it(classes: "np.ndarray[tuple[int, int], np.dtype[np.int16]]") -> None:
    marks = find_regions(classes, classes.shape[1], classes.shape[0]).marks
    assert [index for *_, index in marks] == [index for index, _ in groupby(sorted(classes.ravel().tolist()))]
    for x, y, index in marks:
        assert classes[int(y), int(x)] == index


def test_a_mark_is_where_its_class_is_widest() -> None:
    classes = np.zeros((9, 20), np.int16)
    classes[:, 15:] = 1  # five columns
    classes[0, 5:] = 1  # and a thin line
    marks = find_regions(classes, 200, 90).marks
    assert marks[1] == (pytest.approx(175), pytest.approx(45, abs=21), 1)
