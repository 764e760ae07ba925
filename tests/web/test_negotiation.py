"""Media types, character sets and ``Accept``, at every address that takes them."""

import json
import struct
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.models import ServedModel, for_every_model
from tests.support import FLOWER

OBJECT = json.dumps(FLOWER)
TABLE = ",".join(FLOWER) + "\n" + ",".join(map(str, FLOWER.values())) + "\n"

JSON_NAMES = [
    "application/json",
    "text/json",
    "application/x-json",
    "application/vnd.api+json",
    "application/ld+json; charset=utf-8",
    "application/json; charset=utf-8",
    "Application/JSON",
]
LINES_NAMES = [
    "application/x-ndjson",
    "application/ndjson",
    "application/jsonlines",
    "application/x-jsonlines",
    "application/jsonl",
    "application/x-ldjson",
    "application/json-lines",
    "application/stream+json",
    "text/ndjson",
    "text/jsonl",
]
CSV_NAMES = [
    "text/csv",
    "application/csv",
    "text/x-csv",
    "text/comma-separated-values",
    "text/x-comma-separated-values",
    "application/vnd.ms-excel",
    "text/csv; header=present",
]


def send(client: FlaskClient, path: str, body: str | bytes, content_type: str, accept: str = "") -> TestResponse:
    return client.post(path, data=body, content_type=content_type, headers={"Accept": accept} if accept else {})


def classes(answer: TestResponse) -> list[str]:
    """Return the classes in an answer of the API or of /invocations in JSON."""
    assert (answer.status_code, answer.mimetype) == (200, "application/json"), answer.text
    document = answer.get_json()
    if "predictions" not in document:
        return [document["species"]]
    return [one if isinstance(one, str) else one["species"] for one in document["predictions"]]


@pytest.mark.parametrize("path", ["/api/classify", "/invocations"])
@pytest.mark.parametrize(
    ("body", "content_type"),
    [(f"[{OBJECT}]", name) for name in JSON_NAMES if name != "application/json"]
    + [(OBJECT + "\n", name) for name in LINES_NAMES]
    + [(TABLE, name) for name in CSV_NAMES]
    + [(TABLE.replace(",", "\t"), name) for name in ("text/tab-separated-values", "text/tsv")],
)
def test_a_format_is_read_by_each_of_its_names(client: FlaskClient, path: str, body: str, content_type: str) -> None:
    if path == "/invocations" and body.startswith("["):
        body = f'{{"instances": {body}}}'
    assert classes(send(client, path, body, content_type, "application/json")) == ["setosa"]


@pytest.mark.parametrize("path", ["/api/classify", "/invocations"])
@pytest.mark.parametrize(
    "content_type", ["", "text/plain", "application/octet-stream", "application/x-recordio", "csv"]
)
def test_another_media_type_is_a_415_that_names_it_and_those_that_are_read(
    client: FlaskClient, path: str, content_type: str
) -> None:
    answer = send(client, path, TABLE, content_type)
    assert answer.status_code == 415
    assert (f"Content-Type is {content_type}" if content_type else "There is no Content-Type") in answer.text
    assert "send application/json, text/csv or application/x-ndjson, and say which in Content-Type" in answer.text


@pytest.mark.parametrize("path", ["/api/classify", "/invocations"])
@pytest.mark.parametrize("accept", [*LINES_NAMES, *CSV_NAMES[:4], "text/json"])
def test_an_answer_has_the_name_that_was_asked_for(client: FlaskClient, path: str, accept: str) -> None:
    answer = send(client, path, TABLE, "text/csv", accept)
    assert (answer.status_code, answer.mimetype) == (200, accept)
    assert "setosa" in answer.text


@pytest.mark.parametrize(
    ("accept", "mimetype"),
    [
        ("text/csv;q=0.5, application/x-ndjson", "application/x-ndjson"),
        ("*/*, text/csv;q=0", "application/json"),
        ("application/json;q=0, */*;q=0.1", "text/csv"),
        ("text/*", "text/csv"),
        ("application/*;q=0.2, application/jsonl;q=0.1", "application/json"),
        ("text/html, application/jsonlines;q=0.9, */*;q=0.8", "application/jsonlines"),
    ],
)
def test_the_most_specific_quality_of_accept_decides(client: FlaskClient, accept: str, mimetype: str) -> None:
    for path, body in (("/api/classify", f"[{OBJECT}]"), ("/invocations", f'{{"instances": [{OBJECT}]}}')):
        assert send(client, path, body, "application/json", accept).mimetype == mimetype


@pytest.mark.parametrize("path", ["/api/classify", "/invocations"])
@pytest.mark.parametrize("accept", ["text/html", "application/json;q=0", "image/*", "*/*;q=0"])
def test_what_cannot_be_written_is_a_406_that_names_what_can(client: FlaskClient, path: str, accept: str) -> None:
    answer = send(client, path, TABLE, "text/csv", accept)
    assert answer.status_code == 406
    for name in ("application/json", "text/csv", "application/x-ndjson"):
        assert name in answer.text


@pytest.mark.parametrize("body", [f"[{OBJECT}]", TABLE])
def test_an_answer_in_tabs_is_in_tabs_whatever_came(client: FlaskClient, body: str) -> None:
    content_type = "application/json" if body.startswith("[") else "text/csv"
    answer = send(client, "/api/classify", body, content_type, "text/tab-separated-values")
    assert answer.content_type == "text/tab-separated-values; charset=utf-8"
    assert answer.text.startswith("\t".join(FLOWER) + "\tspecies\t")


def test_lines_of_a_platform_are_answered_by_an_object_a_line(client: FlaskClient) -> None:
    answer = send(client, "/invocations", f"{OBJECT}\n{OBJECT}\n", "application/jsonlines", "application/jsonlines")
    assert answer.text == '{"prediction":"setosa"}\n' * 2


CHARSETS = ["utf-8", "UTF8", "utf-16", "utf-16le", "utf-32", "latin-1", "windows-1252", "iso-8859-15", "ascii", "cp437"]


@pytest.mark.parametrize("charset", CHARSETS)
def test_the_declared_charset_is_read(client: FlaskClient, charset: str) -> None:
    bodies = [
        ("/api/classify", TABLE, "text/csv"),
        ("/api/classify", OBJECT, "application/json"),
        ("/api/classify", OBJECT, "application/jsonlines"),
        ("/invocations", TABLE, "text/csv"),
        ("/invocations", f'{{"instances": [{OBJECT}]}}', "application/json"),
    ]
    for path, body, content_type in bodies:
        sent = body.replace("\n", "\r\n").encode(charset)
        answer = send(client, path, sent, f"{content_type}; charset={charset}", "application/json")
        assert classes(answer) == ["setosa"]


def test_the_declared_charset_is_read_by_the_open_inference_protocol(client: FlaskClient) -> None:
    document = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": list(FLOWER.values())}]}
    for charset in ("utf-16", "latin-1"):
        body = json.dumps(document).encode(charset)
        answer = send(client, "/v2/models/iris/infer", body, f"application/json; charset={charset}")
        assert answer.get_json()["outputs"][0]["data"] == [0]


@for_every_model
def test_texts_of_another_charset_keep_their_letters(client: FlaskClient, served: ServedModel) -> None:
    header = [*served.schema.features_by_name, "añadido"]
    (row, *_) = served.objects
    cells = ["" if (value := row.get(name)) is None else str(value) for name in header]
    table = f"{';'.join(header)}\n{';'.join([*cells[:-1], 'Müller'])}\n"
    answer = send(client, "/api/classify", table.encode("cp1252"), "text/csv; charset=windows-1252")
    assert answer.status_code == 200, answer.text
    assert "añadido" in answer.text
    assert "Müller" in answer.text


@pytest.mark.parametrize("path", ["/api/classify", "/invocations"])
@pytest.mark.parametrize(
    "charset", ["klingon", "zip", "hex", "rot13", "base64", "idna", "punycode", "unicode_escape", "x" * 200, "../os"]
)
def test_what_is_no_charset_is_a_415(client: FlaskClient, path: str, charset: str) -> None:
    answer = send(client, path, TABLE, f"text/csv; charset={charset}")
    assert answer.status_code == 415
    assert "is not known; send the text as UTF-8." in answer.text


@pytest.mark.parametrize(("charset", "body"), [("utf-16", b"\xff\xfea"), ("utf-7", b"+A"), ("shift_jis", b"\x81")])
def test_a_body_that_is_not_of_its_charset_is_a_400(client: FlaskClient, charset: str, body: bytes) -> None:
    answer = send(client, "/api/classify", body, f"text/csv; charset={charset}")
    assert answer.status_code == 400
    assert f"This is not text in {charset}, or a part of it is missing." in answer.text


def test_a_body_that_grows_beyond_the_limit_in_utf_8_is_a_413(make_app: Callable[..., Flask]) -> None:
    client = make_app(MAX_CONTENT_LENGTH=1000).test_client()
    body = TABLE.replace("\n", ",ä" * 200 + "\n").encode("latin-1")
    assert send(client, "/api/classify", body, "text/csv; charset=latin-1").status_code == 413


@pytest.mark.parametrize("codec", ["utf-8-sig", "utf-16", "utf-32"])
def test_a_byte_order_mark_is_no_part_of_the_text(client: FlaskClient, codec: str) -> None:
    for content_type, body in (("application/json", OBJECT), ("application/x-ndjson", OBJECT), ("text/csv", TABLE)):
        assert classes(send(client, "/api/classify", body.encode(codec), content_type, "application/json")) == [
            "setosa"
        ]
    instances = f'{{"instances": [{OBJECT}]}}'
    assert classes(send(client, "/invocations", instances.encode(codec), "application/json")) == ["setosa"]
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": list(FLOWER.values())}
    answer = client.post("/v2/models/iris/infer", data=json.dumps({"inputs": [tensor]}).encode(codec))
    assert answer.get_json()["outputs"][0]["data"] == [0]


def test_bytes_behind_the_json_of_the_protocol_are_of_no_charset(client: FlaskClient) -> None:
    content = struct.pack("<4d", *FLOWER.values())
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP64", "parameters": {"binary_data_size": len(content)}}
    head = json.dumps({"inputs": [tensor]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = client.post(
        "/v2/models/iris/infer", data=head + content, headers=headers, content_type="application/json; charset=latin-1"
    )
    assert answer.get_json()["outputs"][0]["data"] == [0]
