from typing import Any

import msgspec
import pytest

from iris_app.iris import SCHEMA
from iris_app.model.explanations.profiles import Change
from iris_app.schema import Feature
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
    feature = Feature(name="x", form_name="x", label="X", unit="cm", **bounds)
    schema = msgspec.structs.replace(SCHEMA, features=(feature, *SCHEMA.features[1:]))
    change = Change(index=0, value=value, class_index=1, direction=direction, lasting=True)
    (described,) = describe_changes(schema, [change], lambda _index, _text: None)
    assert [option.value for option in described.options] == [text]
