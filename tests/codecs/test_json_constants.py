import json
from time import process_time
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from iris_app.codecs.json_constants import decode
from iris_app.exceptions import MalformedDocument

decoder: msgspec.json.Decoder[Any] = msgspec.json.Decoder()


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"[NaN, 1]", [None, 1]),
        (b'{"NaN": NaN, "a": "NaN"}', {"NaN": None, "a": "NaN"}),
        (rb'["\"NaN", NaN, "\\", NaN]', ['"NaN', None, "\\", None]),
        (b'["Infinity", NaN]', ["Infinity", None]),
    ],
)
def test_nan_is_read_as_null(body: bytes, expected: object) -> None:
    decoded, body = decode(decoder, body, "document")
    assert decoded == expected
    assert json.loads(body) == expected


def test_nan_is_read_as_null_behind_many_texts() -> None:
    body = json.dumps(["NaN"] * 200_000 + [float("nan")]).encode()
    assert decode(decoder, body, "document")[0] == ["NaN"] * 200_000 + [None]


def test_json_is_returned_as_it_is() -> None:
    body = b'["NaN"]'
    assert decode(decoder, body, "document") == (["NaN"], body)


@pytest.mark.parametrize(
    ("body", "sentence"),
    [
        (b"[1, -Infinity]", "This is no document: Number out of range - at `$[1]`."),
        (b'["a", Infinity]', "This is no document: Number out of range - at `$[1]`."),
        (b"[NaN", "This is no document: Input data was truncated."),
        (b"[-NaN]", "This is no document: JSON is malformed: invalid character (byte 2)."),
        (b"[NaNNaN]", "This is no document: JSON is malformed: expected ',' or ']' (byte 5)."),
        (b"NaNNaN", "This is no document: JSON is malformed: invalid character (byte 0)."),
        (b"\xff NaN", "This is no document: JSON is malformed: invalid character (byte 0)."),
        (b"[" * 100_000, "The document is nested too deeply to be read."),
    ],
)
def test_what_cannot_be_read_is_named(body: bytes, sentence: str) -> None:
    with pytest.raises(MalformedDocument) as refused:
        decode(decoder, body, "document")
    assert str(refused.value) == sentence


@pytest.mark.parametrize("unit", [b'\\"', b'"', b'"\\', b"NaN", b'"NaN', b"\\", b'"",', b"-N,", b"NaN,"])
def test_the_time_is_linear(unit: bytes) -> None:
    started = process_time()
    with pytest.raises(MalformedDocument):
        decode(decoder, b'["NaN' + unit * (4_000_000 // len(unit)), "document")
    assert process_time() - started < 5


@given(document=st.recursive(st.none() | st.floats(allow_infinity=False) | st.text(), st.lists))
def test_python_s_json_is_read(document: object) -> None:
    body = json.dumps(document).encode()
    expected = json.loads(body, parse_constant=lambda _: None)
    assert decode(decoder, body, "document")[0] == expected
