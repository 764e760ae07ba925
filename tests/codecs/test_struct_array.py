import msgspec
import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from iris_app.codecs.struct_array import StructArray


class Row(msgspec.Struct):
    length: float
    a_name_of_more_than_thirty_one_characters: float
    size: float


values = st.lists(st.tuples(*[st.floats(allow_nan=False)] * 3), max_size=70)


@given(rows=values)
def test_the_values_of_structs_become_an_array_bit_by_bit(rows: list[tuple[float, float, float]]) -> None:
    array = StructArray(Row).to_array([Row(*row) for row in rows])
    assert array.tobytes() == np.array(rows, np.float64).reshape(-1, 3).tobytes()


def test_messagepack_has_the_layout_that_is_relied_on() -> None:
    encoded = msgspec.msgpack.encode([Row(1.0, 2.0, 3.0)] * 2)
    row = b"\x83" + b"\xa6length\xcb" + np.array(1.0, ">f8").tobytes()
    assert encoded[:1] == b"\x92"
    assert encoded[1:].startswith(row)
    assert len(encoded[1:]) == 2 * len(msgspec.msgpack.encode(Row(1.0, 2.0, 3.0)))
