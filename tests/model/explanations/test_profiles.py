from collections.abc import Callable

import msgspec
import numpy as np
import pytest
from flask import Flask

from iris_app.model.classifier import Model, load
from iris_app.model.explanations.profiles import MAX_ROWS, Change, Steps, find_changes, make_profiles
from iris_app.model.manifest import FeatureSummary, Histogram
from iris_app.schema import MISSING, Feature, Floats
from tests.models import ServedModel, for_every_model, random_rows

ROWS = 200

NUMBER = Feature(name="x", form_name="x", label="X")


def summary(low: float | None, high: float | None) -> FeatureSummary:
    return FeatureSummary("x", low, high, None, None, 0, Histogram([], [1]))


def changes_of(model: Model, row: Floats) -> list[Change]:
    profiles = make_profiles(model.manifest, row, model.predict)
    return find_changes(profiles, row, int(model.predict(row[None]).classes[0]), model.predict)


@pytest.mark.parametrize("name", ["iris", "mixed", "wine"])
def test_each_change_asked_of_the_api_gives_the_class_that_it_states(
    make_app: Callable[..., Flask], serve: Callable[[str], ServedModel], name: str
) -> None:
    served = serve(name)
    model, random = load(served.path), np.random.default_rng(0)
    moved, stated = [], []
    for row in np.column_stack([random.choice(column, ROWS) for column in served.rows.T]):
        for change in changes_of(model, row):
            changed = row.copy()
            changed[change.index] = change.value
            moved.append(dict(zip(served.schema.features_by_name, served.to_values(changed), strict=True)))
            stated.append(served.schema.class_names[change.class_index])
            seen, feature = model.manifest.features[change.index], served.schema.features[change.index]
            assert not feature.is_numeric or seen.minimum <= change.value <= seen.maximum  # type: ignore[operator]
    assert len(stated) > ROWS / 4
    client = make_app(MODEL_PATH=str(served.path)).test_client()
    answers = client.post("/api/classify", json=moved).get_json()["predictions"]
    assert [answer[served.schema.answer_key] for answer in answers] == stated


def test_a_change_is_the_nearest_value_of_so_few_decimals(serve: Callable[[str], ServedModel]) -> None:
    model = load(serve("iris").path)
    row = np.array([6.5, 3.0, 5.6, 2.0])
    (found,) = [change for change in changes_of(model, row) if change.index == 3]
    assert found.direction == -1
    assert found.lasting
    assert found.last == model.manifest.features[3].minimum
    nearer = row.copy()
    nearer[3] = round(found.value + 0.01, 2)
    assert model.predict(nearer[None]).classes[0] == model.predict(row[None]).classes[0] != found.class_index


def test_a_change_that_ends_before_the_range_does_says_where_it_was_seen_last(
    serve: Callable[[str], ServedModel],
) -> None:
    model = load(serve("iris").path)
    row = np.array([6.0, 2.7, 4.95, 1.7])
    (found,) = [change for change in changes_of(model, row) if change.index == 1]
    assert not found.lasting
    row[1] = found.last
    assert found.value < found.last < model.manifest.features[1].maximum  # type: ignore[operator]
    assert model.predict(row[None]).classes[0] == found.class_index


def test_a_row_outside_the_training_is_led_back_into_it(serve: Callable[[str], ServedModel]) -> None:
    model = load(serve("iris").path)
    found = changes_of(model, np.array([6.5, 3.0, 5.6, 9.0]))
    assert [(change.index, change.direction) for change in found] == [(3, -1)]
    assert found[0].value < 2.5


def test_a_number_that_is_missing_has_a_profile_and_no_change(serve: Callable[[str], ServedModel]) -> None:
    served = serve("mixed")
    model = load(served.path)
    row = random_rows(served.schema, 1)[0][0]
    row[1] = MISSING
    assert 1 in [profile.index for profile in make_profiles(model.manifest, row, model.predict)]
    assert 1 not in [change.index for change in changes_of(model, row)]


@for_every_model
def test_a_profile_is_what_the_model_predicts(served: ServedModel) -> None:
    model = load(served.path)
    row = served.rows[0]
    profiles = make_profiles(model.manifest, row, model.predict)
    assert [profile.index for profile in profiles] == list(range(len(served.schema.features)))
    for profile in profiles:
        moved = np.tile(row, (len(profile.values), 1))
        moved[:, profile.index] = profile.values
        assert np.allclose(model.predict(moved).probabilities, profile.probabilities)
        assert list(profile.values) == sorted(profile.values)


def test_a_slow_model_is_asked_for_fewer_rows(serve: Callable[[str], ServedModel]) -> None:
    model = load(serve("iris").path)
    asked: list[int] = []

    def count(rows: Floats) -> object:
        asked.append(len(rows))
        return model.predict(rows)

    for limit in (None, 40, 10):
        training = msgspec.structs.replace(model.manifest, explanation_rows=limit)
        make_profiles(training, serve("iris").rows[0], count)  # type: ignore[arg-type]
    assert asked[0] <= MAX_ROWS
    assert asked[1:] == [40, 10]


def test_without_ranges_there_are_no_profiles(serve: Callable[[str], ServedModel]) -> None:
    model = load(serve("iris").path)
    flat = [msgspec.structs.replace(one, minimum=5.0, maximum=5.0) for one in model.manifest.features]
    training = msgspec.structs.replace(model.manifest, features=flat)
    assert make_profiles(training, serve("iris").rows[0], model.predict) == []
    assert find_changes([], serve("iris").rows[0], 0, model.predict) == []


@pytest.mark.parametrize(
    ("low", "high", "first", "last"),
    [(0.1, 2.5, 0.1, 2.5), (278, 1680, 280, 1680), (-0.04, 0.03, -0.04, 0.03), (1e9, 5e11, 1e9, 5e11)],
)
def test_steps_are_numbers_that_people_write(low: float, high: float, first: float, last: float) -> None:
    steps = Steps.of(NUMBER, summary(low, high))
    assert steps
    values = steps.values(steps.spread(1000)).tolist()
    assert (values[0], values[-1]) == (first, last)
    assert all(len(f"{abs(value):g}") <= 8 for value in values)


def test_whole_numbers_have_whole_steps() -> None:
    steps = Steps.of(msgspec.structs.replace(NUMBER, kind="integer"), summary(0, 7))
    assert steps
    assert steps.values(steps.spread(61)).tolist() == list(range(8))


@pytest.mark.parametrize(
    ("low", "high"), [(None, None), (3, 3), (-1.7e308, 1.7e308), (1e15, 1e15 + 1), (0, 5e-324), (0, 1e-320)]
)
def test_a_range_without_exact_steps_has_none(low: float | None, high: float | None) -> None:
    assert Steps.of(NUMBER, summary(low, high)) is None
