"""Rows read from JSON; what is said of those that are wrong stands in ``tests/api``."""

import json
from functools import partial

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from iris_app.codecs import json_rows, orientations
from iris_app.codecs.json_rows import BLOCK_SIZE
from iris_app.exceptions import InvalidValues, IrisError
from iris_app.iris import SCHEMA
from tests.support import FLOWER

read = partial(orientations.read, SCHEMA)
ROW = json.dumps(FLOWER)
LONG = 2 * BLOCK_SIZE // len(ROW)

# What bodies are made of, right and wrong.
pieces = st.sampled_from(
    [
        ROW,
        ROW + ",",
        "[",
        "]",
        ",",
        " ",
        "},",
        "{",
        "null",
        "NaN",
        '"},"',
        ROW.replace("5.1", "99"),
        ROW.replace("5.1", "5"),
    ]
)


def outcome(body: str, size: int) -> object:
    """Return what a body is read as, or how it is refused, where so many bytes are read at once."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(json_rows, "BLOCK_SIZE", size)
        try:
            array, is_single = read(body.encode(), 3)
        except InvalidValues as error:
            return error.errors
        except IrisError as error:
            return type(error), str(error)
        return array.tolist(), is_single


@example([ROW])
@example(["[", ROW + ",", ROW, "]"])
@example(["[", ROW + ",", "]"])
@example(["[", ROW + ",", ROW.replace("5.1", "99"), "]"])
@example(["[", ROW + ",", ROW + ",", ROW + ",", ROW, "]"])
@given(parts=st.lists(pieces, max_size=8))
def test_a_body_is_read_or_refused_alike_however_much_of_it_is_read_at_once(parts: list[str]) -> None:
    body = "".join(parts)
    assert outcome(body, 1) == outcome(body, len(body) + 1)


@pytest.mark.parametrize("space", ["", " ", "\n\t"])
def test_long_arrays_are_read_whatever_stands_between_their_objects(space: str) -> None:
    rows = [FLOWER | {"petal_width": place / LONG + 1} for place in range(LONG)]
    body = space + json.dumps(rows, separators=(f"{space},{space}", ":")) + space
    array, is_single = read(body.encode(), LONG)
    assert not is_single
    assert array.tolist() == [list(row.values()) for row in rows]
