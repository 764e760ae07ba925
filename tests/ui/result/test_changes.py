from typing import Any

import msgspec
import pytest

from iris_app.iris import SCHEMA
from iris_app.model.explanations.profiles import Change
from iris_app.schema import Feature, Schema
from iris_app.ui.result.changes import describe_changes


@pytest.mark.parametrize(
    ("bounds", "value", "direction", "text"),
    [
        ({"at_least": 0.0}, 0.1, -1, "0.1 cm or less"),
        ({"at_least": 0.0}, 0.0, -1, "0 cm"),
        ({"at_most": 35.0}, 34.9, 1, "34.9 cm or more"),
        ({"at_most": 35.0}, 35.0, 1, "35 cm"),
        ({}, 0.0, -1, "0 cm or less"),
    ],
)
def test_no_value_is_suggested_beyond_the_bounds(
    bounds: dict[str, Any], value: float, direction: int, text: str
) -> None:
    change = Change(index=0, value=value, class_index=1, direction=direction, last=value + direction, lasting=True)
    assert describe(change, **bounds) == text


@pytest.mark.parametrize(
    ("value", "direction", "last", "text"),
    [(3.41, 1, 3.6, "3.41 to 3.6 cm"), (3.41, -1, 3.2, "3.2 to 3.41 cm"), (3.41, 1, 3.41, "3.41 cm")],
)
def test_numbers_that_change_the_answer_and_then_no_more_have_two_ends(
    value: float, direction: int, last: float, text: str
) -> None:
    assert describe(Change(0, value, 1, direction, last, lasting=False)) == text


def describe(change: Change, **bounds: Any) -> str:
    """Return the value of a change of a feature with these bounds, in words."""
    feature = Feature(name="x", form_name="x", label="X", unit="cm", **bounds)
    schema: Schema = msgspec.structs.replace(SCHEMA, features=(feature, *SCHEMA.features[1:]))
    (described,) = describe_changes(schema, [change], lambda _index, _text: None, lambda _index, _value: False)
    (option,) = described.options
    return option.value
