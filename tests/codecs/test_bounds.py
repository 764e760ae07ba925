"""What a few kilobytes inflate to: refused before anything is made of it, or answered in little memory."""

import gzip
import http.client
import importlib
import json
import pkgutil
import re
import threading
import time
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path

import pytest
from flask.testing import FlaskClient

import iris_app
from iris_app.codecs import bounds
from iris_app.iris import SCHEMA
from tests.fuzz.worst import keys
from tests.support import FLOWER, running, traced_memory

SIZE = 16 * 1024 * 1024
NAMES = list(FLOWER)
HEADER = ",".join(NAMES).encode()
ROW = json.dumps(FLOWER).encode()
TWICE = ROW[:-1] + b', "' + NAMES[0].encode() + b'": 1}'
TENSOR = json.dumps({"name": "x", "shape": [1, 4], "datatype": "FP64", "data": list(FLOWER.values())}).encode()
JSON, NDJSON, CSV = "application/json", "application/x-ndjson", "text/csv"
INFER = "/v2/models/iris/infer"
KEYS = 1_000_000  # fewer than the values that are allowed


def filled(unit: bytes, before: bytes = b"", after: bytes = b"") -> bytes:
    """Fill a body with as many units as fit."""
    return before + unit * ((SIZE - len(before) - len(after)) // len(unit)) + after


WORST: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "a line of commas": ("/api/classify", CSV, lambda: b"a" + b"," * (SIZE - 1)),
    "lines of commas": ("/api/classify", CSV, lambda: filled(b"," * 999 + b"\n", HEADER + b"," * 996 + b"\n")),
    "wide rows": ("/api/classify", CSV, lambda: filled(b"a" + b"," * 999_999 + b"\n")),
    "wide rows of spaces": ("/invocations", CSV, lambda: filled(b" ," * 9_999 + b"\n")),
    "blank rows above": ("/api/classify", CSV, lambda: filled(b",,,\n", b"", b"\n" + HEADER + b"\n" + b"1,1,1,1")),
    "newlines": ("/api/classify", CSV, lambda: b"\n" * SIZE),
    "carriage returns": ("/api/classify", CSV, lambda: HEADER + b"\r" * (SIZE - 100)),
    "quotes": ("/api/classify", CSV, lambda: b'"' * SIZE),
    "three separators": ("/api/classify", CSV, lambda: filled(b";\t,")),
    "a long name": ("/api/classify", CSV, lambda: filled(b"a" * 70_000 + b"\n")),
    "commas as rows": ("/invocations", CSV, lambda: b"a" + b"," * (SIZE - 1)),
    "numbers": ("/api/classify", JSON, lambda: filled(b"1,", b"[", b"1]")),
    "arrays": ("/api/classify", JSON, lambda: filled(b"[],", b"[", b"[]]")),
    "nesting": ("/api/classify", JSON, lambda: filled(b'{"a":')),
    "fields": ("/api/classify", JSON, lambda: filled(b'"a":1,', b"{", b'"a":1}')),
    "keys": ("/api/classify", JSON, lambda: keys(KEYS, b"{", b"}")),
    "keys of a row": ("/api/classify", JSON, lambda: keys(KEYS, b"[{", b"}]")),
    "keys of a line": ("/api/classify", NDJSON, lambda: keys(KEYS, b"{", b"}")),
    "keys beside instances": ("/invocations", JSON, lambda: keys(KEYS, b'{"instances":[],', b"}")),
    "keys of an instance": ("/invocations", JSON, lambda: keys(KEYS, b'{"instances":[{', b"}]}")),
    "keys beside tensors": (INFER, JSON, lambda: keys(KEYS, b'{"inputs":[' + TENSOR + b"],", b"}")),
    "numbers in a field": ("/api/classify", JSON, lambda: filled(b"1,", b'{"a":[', b"1]}")),
    "lines of numbers": ("/api/classify", NDJSON, lambda: b"1\n" * (SIZE // 2)),
    "lines of objects": ("/api/classify", NDJSON, lambda: b"{}\n" * (SIZE // 3)),
    "instances": ("/invocations", JSON, lambda: filled(b"1,", b'{"instances":[', b"1]}")),
    "columns": ("/invocations", JSON, lambda: filled(b"1,", b'{"inputs":{"a":[', b"1]}}")),
    "a frame": ("/invocations", JSON, lambda: filled(b"[],", b'{"dataframe_split":{"columns":[],"data":[', b"[]]}}")),
    "tensors": (INFER, JSON, lambda: filled(TENSOR + b",", b'{"inputs":[', TENSOR + b"]}")),
    "dimensions": (INFER, JSON, lambda: filled(b"1,", b'{"inputs":[{"name":"x","shape":[', b"1]}]}")),
    "outputs": (INFER, JSON, lambda: filled(b'{"name":""},', b'{"inputs":[' + TENSOR + b'],"outputs":[', b"{}]}")),
}


# Bodies that are read, and hold a wrong value.
WRONG: dict[str, tuple[str, str, Callable[[], bytes]]] = {
    "a long text": ("/api/classify", JSON, lambda: filled(b"a", b'"', b'"')),
    "a long text among values": ("/api/classify", JSON, lambda: filled(b"a", b'[5.1,3.5,1.4,"', b'"]')),
    "a long text in a field": ("/api/classify", JSON, lambda: filled(b"a", ROW[:-4] + b'"', b'"}')),
    "a long text in a line": ("/api/classify", NDJSON, lambda: filled(b"a", ROW + b"\n" + ROW[:-4] + b'"', b'"}')),
    "a long text in an instance": ("/invocations", JSON, lambda: filled(b"a", b'{"instances":["', b'"]}')),
    "a long text in a tensor": (INFER, JSON, lambda: filled(b"a", b'{"inputs":["', b'"]}')),
    "many wrong rows": ("/api/classify", JSON, lambda: b"[" + b"[1,1,1,99]," * 5_000 + b"1]"),
    "many wrong cells": ("/invocations", CSV, lambda: HEADER + b"\n1,1,1,x" * 5_000),
}


@cache
def compressed(kind: str) -> tuple[str, dict[str, str], bytes]:
    path, media_type, make = (WORST | WRONG)[kind]
    return path, {"Content-Type": media_type, "Content-Encoding": "gzip"}, gzip.compress(make(), 1)


@pytest.mark.parametrize("kind", WORST)
def test_the_worst_bodies_are_refused_by_their_structure(client: FlaskClient, kind: str) -> None:
    path, headers, body = compressed(kind)
    client.post("/api/classify", json=FLOWER)
    begun = time.process_time()
    answer = client.post(path, headers=headers, data=body)
    assert answer.status_code in {400, 413}
    assert re.search("more than|longer than|error", answer.text)
    assert time.process_time() - begun < 2  # where lists were made of them it took up to a minute


@pytest.mark.no_cover
@pytest.mark.parametrize("kind", WORST | WRONG)
def test_little_is_made_of_the_worst_bodies_and_nothing_kept(client: FlaskClient, kind: str) -> None:
    path, headers, body = compressed(kind)
    client.post("/api/classify", json=FLOWER)
    with traced_memory() as memory:
        client.post(path, headers=headers, data=body).close()
    # What was inflated, twice at once and a little more; where it is read, it is a text, and its value another.
    assert memory.peak < (2.5 if kind in WORST else 5.5) * SIZE
    assert memory.kept < 0.1 * SIZE


def test_a_line_of_many_cells_is_counted_in_steps_that_others_can_interrupt(trained_path: Path, tmp_path: Path) -> None:

    with running(tmp_path / "log", "--workers=1", IRIS_MODEL_PATH=str(trained_path)) as server:
        worst = [compressed(kind) for kind in WORST]

        def attack() -> None:
            for path, headers, body in worst:
                connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
                connection.request("POST", path, body, headers)
                assert connection.getresponse().status in {400, 413}
                connection.close()

        attacker = threading.Thread(target=attack)
        attacker.start()
        waits = []
        while attacker.is_alive():
            begun = time.monotonic()
            other = http.client.HTTPConnection("127.0.0.1", server.port, timeout=60)
            other.request("GET", "/healthz")
            assert other.getresponse().status == 200
            other.close()
            waits.append(time.monotonic() - begun)
        attacker.join()
        assert waits
        assert max(waits) < 1
        assert "Traceback" not in server.log


def test_a_long_answer_is_sent_as_it_is_made(client: FlaskClient) -> None:
    answer = client.post("/api/classify", json=[FLOWER] * 20_000)
    assert "Content-Length" not in answer.headers
    assert len(answer.json["predictions"]) == 20_000


@pytest.mark.parametrize("accept", [CSV, NDJSON])
def test_a_long_answer_is_whole_in_every_form(client: FlaskClient, accept: str) -> None:
    answer = client.post("/api/classify", json=[FLOWER] * 20_000, headers={"Accept": accept})
    assert len(answer.text.splitlines()) == 20_000 + (accept == CSV)


REPEATED = {
    "an object": ("/api/classify", JSON, TWICE),
    "an array": ("/api/classify", JSON, b"[" + ROW + b"," + TWICE + b"]"),
    "a long array": ("/api/classify", JSON, b"[" + (ROW + b",") * 2000 + TWICE + b"]"),
    "a line": ("/api/classify", NDJSON, ROW + b"\n" + TWICE),
    "records": ("/invocations", JSON, b'{"dataframe_records":[' + TWICE + b"]}"),
    "instances": ("/invocations", JSON, b'{"instances":[[5.1,3.5,1.4,0.2],' + TWICE + b"]}"),
    "rows": ("/invocations", JSON, b'{"instances":[[5.1,3.5,1.4,0.2]],"instances":[[5.1,3.5,1.4,0.2]]}'),
    "a column": (
        "/invocations",
        JSON,
        b'{"inputs":{%s,"%s":[1]}}' % (b",".join(b'"%s":[1]' % name.encode() for name in NAMES), NAMES[0].encode()),
    ),
    "a tensor": (INFER, JSON, b'{"inputs":[' + TENSOR[:-1] + b',"name":"y"}]}'),
    "a request": (INFER, JSON, b'{"id":"a","id":"b","inputs":[' + TENSOR + b"]}"),
    "parameters": (INFER, JSON, b'{"inputs":[' + TENSOR + b'],"parameters":{"a":1,"a":2}}'),
}


@pytest.mark.parametrize("kind", REPEATED)
def test_a_name_that_is_given_twice_is_an_error_that_names_it(client: FlaskClient, kind: str) -> None:
    path, media_type, body = REPEATED[kind]
    answer = client.post(path, data=body, content_type=media_type)
    assert answer.status_code in {400, 422}
    assert re.search(r"\w+ is given more than once", answer.text)


def test_members_that_the_protocol_does_not_know_are_passed_over(client: FlaskClient) -> None:
    body = b'{"inputs":[' + TENSOR + b'],"id":"a:b","more":{"a":1}}'
    assert client.post(INFER, data=body, content_type=JSON).status_code == 200
    rows = b'{"params":{"a":1},"instances":[[5.1,3.5,1.4,0.2]]}'
    assert client.post("/invocations", data=rows, content_type=JSON).status_code == 200


def test_bytes_are_counted_alike_in_short_and_long_bodies() -> None:
    assert bounds.count(b"a,b;", b",;") == 2
    assert bounds.count(b"a,b;" * bounds.CHUNK_SIZE, b",;") == 2 * bounds.CHUNK_SIZE


@pytest.mark.parametrize("body", ["é" * 600_000, "\n" * 3 + "a" * 100])
def test_text_is_checked_across_the_pieces_that_it_is_read_in(client: FlaskClient, body: str) -> None:
    broken = body.encode() + b"\xff"
    answer = client.post("/api/classify", data=broken, content_type=CSV)
    assert f"byte {len(broken) - 1} cannot be read" in answer.text


def test_wrong_values_beyond_those_that_are_named_are_counted(client: FlaskClient) -> None:
    rows = [FLOWER | {NAMES[0]: 99}, {"sepal_lengthh": 1}, {"height": 1}, [], FLOWER] * 300
    for body, media_type in ((json.dumps(rows), JSON), ("\n".join(map(json.dumps, rows)), NDJSON)):
        answer = client.post("/api/classify", data=body, content_type=media_type).get_json(force=True)
        assert len(answer["errors"]) + answer["errors_omitted"] == 300 * (1 + len(SCHEMA.features) + 1 + 1 + 1)


def patterns() -> Iterator[re.Pattern[str] | re.Pattern[bytes]]:
    """Find every pattern that a module of the package holds."""
    for found in pkgutil.walk_packages(iris_app.__path__, "iris_app."):
        module = importlib.import_module(found.name)
        yield from (value for value in vars(module).values() if isinstance(value, re.Pattern))


@pytest.mark.parametrize(
    "pattern", sorted(set(patterns()), key=lambda one: str(one.pattern)), ids=lambda one: ascii(one.pattern)
)
@pytest.mark.parametrize(
    "unit", ["\n", "\t", " ", ",", "a", "0", '"', '""', "\\", "[", "{", "-", " \n", "\r\n", "é", ":"], ids=ascii
)
def test_no_pattern_takes_more_than_linear_time(pattern: re.Pattern[str] | re.Pattern[bytes], unit: str) -> None:
    search: Callable[..., object] = pattern.search

    def cost(length: int) -> float:
        text = "x" + unit * (length // len(unit)) + "x"
        subject = text.encode() if isinstance(pattern.pattern, bytes) else text
        begun = time.process_time()
        search(subject)
        return time.process_time() - begun

    # Four times as much takes four times as long; where it is quadratic, sixteen times.
    assert any(cost(200_000) < 10 * cost(50_000) + 0.05 for _ in range(5))
