from collections.abc import Callable

import msgspec
import numpy as np
import pytest

from iris_app.model.classifier import Model, load
from iris_app.model.explanations.misreadings import Misreading, find_misreadings
from iris_app.schema import MISSING, Floats
from tests.models import ServedModel


@pytest.fixture(scope="module")
def model(serve: Callable[[str], ServedModel]) -> Model:
    return load(serve("iris").path)


def misreadings_of(model: Model, row: list[float], errors: dict[int, float]) -> list[Misreading]:
    return find_misreadings(model.manifest, np.array(row), errors, model.predict)


def probabilities(model: Model, rows: list[list[float]], index: int) -> Floats:
    found: Floats = model.predict(np.array(rows)).probabilities[index]
    return found


def test_the_probabilities_are_those_of_the_row_with_the_error(model: Model) -> None:
    row = [6.0, 2.7, 4.95, 1.7]
    (found,) = misreadings_of(model, row, {3: 0.1})
    ends = probabilities(model, [[*row[:3], 1.6], [*row[:3], 1.8]], 2)
    assert [found.lowest, found.highest] == [pytest.approx(min(ends)), pytest.approx(max(ends))]
    assert found.changes_class == bool(min(ends) < 0.5)


def test_an_error_that_matters_changes_the_class(model: Model) -> None:
    found = misreadings_of(model, [6.0, 2.7, 4.95, 1.7], {0: 0.001, 3: 1.0})
    assert [(one.index, one.changes_class) for one in found] == [(0, False), (3, True)]
    assert found[0].span < 0.01 < found[1].span


def test_no_error_leaves_the_bounds_of_the_feature(model: Model) -> None:
    rows: list[Floats] = []
    find_misreadings(
        model.manifest,
        np.array([5.0, 3.0, 1.0, 0.2]),
        {3: 50.0},
        lambda sent: rows.append(sent) or model.predict(sent),  # type: ignore[func-returns-value]
    )
    assert (rows[0][:, 3] > 0).all()
    assert rows[0][:, 3].max() == 30


def test_values_that_are_missing_have_no_error(model: Model) -> None:
    assert misreadings_of(model, [MISSING, 3.0, 1.0, 0.2], {0: 0.1}) == []


def test_a_model_whose_rows_take_long_has_the_first_ones_alone(model: Model) -> None:
    slow = msgspec.structs.replace(model.manifest, explanation_rows=8)
    found = find_misreadings(slow, np.array([6.0, 2.7, 4.95, 1.7]), dict.fromkeys(range(4), 0.1), model.predict)
    assert [one.index for one in found] == [0, 1]
