"""The forms in which rows come to ``/api/classify``, and in which answers go."""

import csv
import gzip
import io
import json
import math
import zlib
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.models import ServedModel
from tests.support import FLOWER

JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"
TABLE = "Id,Sepal.Length,Sepal.Width,Petal.Length,Petal.Width\n1,5.1,3.5,1.4,0.2\n2,6.5,3.0,5.6,9.0\n"
LINES = json.dumps(FLOWER) + "\n\n" + json.dumps(FLOWER | {"petal_width": 9}) + "\n"


def send(client: FlaskClient, body: str | bytes, content_type: str, **headers: str) -> TestResponse:
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return client.post("/api/classify", data=body, content_type=content_type, headers=names)


def rows(answer: TestResponse) -> list[dict[str, str]]:
    assert (answer.status_code, answer.mimetype) == (200, CSV)
    return list(csv.DictReader(io.StringIO(answer.text, newline="")))


def test_csv_is_answered_in_csv(client: FlaskClient) -> None:
    first, second = rows(send(client, TABLE, CSV))
    assert (first["Id"], first["species"], first["warnings"]) == ("1", "setosa", "")
    assert (second["Id"], second["species"], second["warnings"]) == ("2", "virginica", "out_of_range:petal_width")


def test_csv_gets_the_same_bits_as_json(client: FlaskClient) -> None:
    first = rows(send(client, TABLE, CSV))[0]
    probabilities = client.post("/api/classify", json=FLOWER).get_json()["probabilities"]
    assert {name: float(first[f"probability_{name}"]) for name in probabilities} == probabilities


def test_a_header_alone_is_answered_by_a_header_alone(client: FlaskClient) -> None:
    answer = send(client, "slen,swid,plen,pwid\n", CSV)
    assert answer.text.startswith("slen,swid,plen,pwid,species,")
    assert rows(answer) == []


def test_a_bad_cell_is_a_422_that_names_line_and_column(client: FlaskClient) -> None:
    answer = send(client, TABLE.replace("5.1", "wide"), CSV)
    assert (answer.status_code, answer.content_type) == (422, "application/problem+json")
    assert json.loads(answer.text)["errors"] == [
        {
            "detail": 'Line 2, column Sepal.Length: Sepal length must be a number in cm, not "wide".',
            "line": 2,
            "column": "Sepal.Length",
        }
    ]


def test_the_first_hundred_bad_cells_are_named(client: FlaskClient) -> None:
    problem = json.loads(send(client, "slen,swid,plen,pwid\n" + "a,b,c,d\n" * 50, CSV).text)
    assert (len(problem["errors"]), problem["errors_omitted"]) == (100, 100)


def test_what_is_no_csv_is_a_400(client: FlaskClient) -> None:
    assert send(client, "", CSV).status_code == 400
    assert send(client, b"\xff", CSV).status_code == 400


def test_more_rows_of_csv_than_allowed_are_a_413(make_app: Callable[..., Flask]) -> None:
    assert send(make_app(MAX_BATCH_ROWS=1).test_client(), TABLE, CSV).status_code == 413


def test_lines_are_answered_by_lines(client: FlaskClient) -> None:
    answer = send(client, LINES, NDJSON)
    assert (answer.status_code, answer.mimetype) == (200, NDJSON)
    first, second = map(json.loads, answer.text.splitlines())
    assert first == client.post("/api/classify", json=FLOWER).get_json()
    assert second["warnings"][0]["field"] == "petal_width"


def test_no_lines_are_answered_by_none(client: FlaskClient) -> None:
    answer = send(client, "", NDJSON)
    assert (answer.status_code, answer.text) == (200, "")


def test_every_wrong_value_of_every_line_is_named(client: FlaskClient) -> None:
    answer = send(client, f'{json.dumps(FLOWER)}\n\n{{"sepal_length": 0}}\n5\n', NDJSON)
    assert answer.status_code == 422
    errors = json.loads(answer.text)["errors"]
    assert [(error["line"], error["pointer"]) for error in errors] == [
        (3, "/sepal_length"),
        (3, "/sepal_width"),
        (3, "/petal_length"),
        (3, "/petal_width"),
        (4, ""),
    ]


@pytest.mark.parametrize(
    ("line", "detail"),
    [
        ("{", "Line 2 is not JSON: Expecting property name enclosed in double quotes: column 2."),
        ('{"a" 1}', "Line 2 is not JSON: Expecting ':' delimiter: column 6."),
        ('{"a": 1} {"b": 2}', "Line 2 is not JSON: Extra data: column 10."),
        ("flower", "Line 2 is not JSON: Expecting value: column 1."),
    ],
)
def test_a_line_that_is_not_json_is_a_400_that_names_it_by_its_number_in_the_text(
    client: FlaskClient, line: str, detail: str
) -> None:
    answer = send(client, f"{json.dumps(FLOWER)}\n{line}\n{json.dumps(FLOWER)}\n", NDJSON)
    assert (answer.status_code, json.loads(answer.text)["detail"]) == (400, detail)


def test_a_document_of_several_lines_that_is_not_json_is_named_by_line_and_column(client: FlaskClient) -> None:
    answer = client.post("/api/classify", data='{"a":\n 1,\n}', content_type="application/json")
    assert "line 3 column 1" in answer.get_json()["detail"]


@pytest.mark.parametrize("wanted", ["true", "false"])
def test_why_is_said_to_who_asks(client: FlaskClient, wanted: str) -> None:
    answer = client.post(f"/api/classify?explain={wanted}", json=[FLOWER]).get_json()["predictions"][0]
    assert ("explanation" in answer) == (wanted == "true")
    if wanted == "true":
        why = answer["explanation"]
        assert why["sentence"].startswith(
            "Above all because of the petal length, 1.4 cm: typical for Setosa, far too short"
        )
        assert sum(why["contributions"].values()) + why["average"] == pytest.approx(why["log_odds"])
        odds = answer["probabilities"]
        assert why["log_odds"] == pytest.approx(math.log(odds["setosa"] / odds[why["runner_up"]]))


def test_whether_why_is_said_is_true_or_false(client: FlaskClient) -> None:
    assert client.post("/api/classify?explain=perhaps", json=FLOWER).status_code == 400


@pytest.mark.parametrize("line", [json.dumps(FLOWER), "{}"])
def test_more_lines_than_allowed_are_a_413(make_app: Callable[..., Flask], line: str) -> None:
    assert send(make_app(MAX_BATCH_ROWS=2).test_client(), f"{line}\n" * 3, NDJSON).status_code == 413


@pytest.mark.parametrize("answer", [JSON, CSV, NDJSON])
@pytest.mark.parametrize(("body", "content_type"), [(json.dumps([FLOWER] * 2), JSON), (TABLE, CSV), (LINES, NDJSON)])
def test_accept_decides_the_form_of_the_answer(client: FlaskClient, body: str, content_type: str, answer: str) -> None:
    answered = send(client, body, content_type, Accept=answer)
    assert (answered.status_code, answered.mimetype) == (200, answer)
    match answer:
        case "application/json":
            species = [one["species"] for one in answered.get_json()["predictions"]]
        case "text/csv":
            species = [row["species"] for row in rows(answered)]
        case _:
            species = [json.loads(line)["species"] for line in answered.text.splitlines()]
    assert species[0] == "setosa"
    assert len(species) == 2


@pytest.mark.parametrize(
    ("accept", "form"),
    [
        ("*/*", CSV),
        ("text/*", CSV),
        ("application/json, */*;q=0.1", JSON),
        ("text/html, application/x-ndjson;q=0.5", NDJSON),
        ("text/csv;q=0.5, application/json", JSON),
        ("text/csv, application/json", CSV),
        ("text/csv; charset=utf-8", CSV),
        ("application/json; indent=2; q=0.9, text/csv; q=0.1", JSON),
        ("", CSV),
    ],
)
def test_the_form_that_is_liked_best_is_made(client: FlaskClient, accept: str, form: str) -> None:
    assert send(client, TABLE, CSV, Accept=accept).mimetype == form


@pytest.mark.parametrize("accept", ["text/html", "application/xml", "application/json;q=0", "nonsense"])
def test_a_form_that_cannot_be_made_is_a_406(client: FlaskClient, accept: str) -> None:
    answer = send(client, json.dumps(FLOWER), JSON, Accept=accept)
    assert (answer.status_code, answer.content_type) == (406, "application/problem+json")
    assert "text/csv" in json.loads(answer.text)["detail"]


def test_every_answer_names_its_model(client: FlaskClient) -> None:
    version = client.post("/api/classify", json=FLOWER).get_json()["model"]
    assert send(client, TABLE, CSV).headers["X-Model-Version"] == version


def bare_deflate(body: bytes) -> bytes:
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return compressor.compress(body) + compressor.flush()


ENCODINGS: dict[str, Callable[[bytes], bytes]] = {
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
    "identity": bytes,
    "": bytes,
}


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_a_body_may_come_compressed(client: FlaskClient, encoding: str) -> None:
    body = ENCODINGS[encoding](json.dumps(FLOWER).encode())
    assert send(client, body, JSON, Content_Encoding=encoding).get_json()["species"] == "setosa"


def test_a_body_may_be_deflated_without_its_wrapping(client: FlaskClient) -> None:
    body = bare_deflate(json.dumps(FLOWER).encode())
    assert send(client, body, JSON, Content_Encoding="deflate").status_code == 200


def test_a_body_may_be_several_gzip_streams_that_follow_each_other(client: FlaskClient) -> None:
    body = json.dumps(FLOWER).encode()
    parts = gzip.compress(body[:20]) + gzip.compress(body[20:])
    assert send(client, parts, JSON, Content_Encoding="gzip").status_code == 200


@pytest.mark.parametrize("encoding", ["br", "deflate, gzip", "gzip, gzip"])
def test_an_unknown_encoding_is_a_415_that_names_the_known_ones(client: FlaskClient, encoding: str) -> None:
    answer = send(client, b"x", JSON, Content_Encoding=encoding)
    assert (answer.status_code, answer.headers["Accept-Encoding"]) == (415, "gzip, deflate")


def test_a_deflated_body_is_one_stream(client: FlaskClient) -> None:
    assert send(client, zlib.compress(b"[]") * 2, JSON, Content_Encoding="deflate").status_code == 400


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"not gzip",
        gzip.compress(b"[]", mtime=0)[:-1],
        gzip.compress(b"[]", mtime=0) + b"x",
        gzip.compress(b"[]", mtime=0) + gzip.compress(b"") * 100,
    ],
)
def test_a_body_that_cannot_be_inflated_is_a_400(client: FlaskClient, body: bytes) -> None:
    answer = send(client, body, JSON, Content_Encoding="gzip")
    assert answer.status_code == 400
    assert json.loads(answer.text)["detail"].startswith("The body cannot be inflated: ")


def test_an_inflated_body_of_the_limit_is_read(make_app: Callable[..., Flask]) -> None:
    client = make_app(MAX_CONTENT_LENGTH=1000).test_client()
    assert send(client, gzip.compress(b"[]".ljust(1000)), JSON, Content_Encoding="gzip").status_code == 200


@pytest.mark.parametrize("pack", [gzip.compress, lambda body: gzip.compress(body[:999]) * 3])
def test_a_bomb_is_a_413(make_app: Callable[..., Flask], pack: Callable[[bytes], bytes]) -> None:
    client = make_app(MAX_CONTENT_LENGTH=1000).test_client()
    answer = send(client, pack(b"[]".ljust(100_000)), JSON, Content_Encoding="gzip")
    assert answer.status_code == 413


@pytest.mark.parametrize("encoding", ["gzip", "deflate", "br", "zstd"])
def test_a_large_answer_is_compressed_for_who_asks(client: FlaskClient, encoding: str) -> None:
    body = json.dumps([FLOWER] * 100)
    answer = send(client, body, JSON, Accept_Encoding=encoding)
    assert answer.headers["Content-Encoding"] == encoding
    assert len(answer.data) < 2000
    if encoding == "gzip":
        assert len(json.loads(gzip.decompress(answer.data))["predictions"]) == 100


def test_a_small_answer_is_sent_as_it_is(client: FlaskClient) -> None:
    assert "Content-Encoding" not in send(client, json.dumps(FLOWER), JSON, Accept_Encoding="gzip").headers


def test_nothing_is_compressed_for_who_does_not_ask(client: FlaskClient) -> None:
    assert "Content-Encoding" not in send(client, json.dumps([FLOWER] * 100), JSON).headers


def test_reasons_of_too_many_rows_are_refused_by_a_model_for_which_they_take_time(
    serve: Callable[[str], ServedModel], make_app: Callable[..., Flask]
) -> None:
    mixed = serve("mixed")
    client = make_app(MODEL_PATH=str(mixed.path)).test_client()
    assert client.post("/api/classify?explain=true", json=mixed.row).status_code == 200
    answer = client.post("/api/classify?explain=true", json=[mixed.row] * 1000)
    assert answer.status_code == 413
    assert answer.get_json()["detail"].startswith("Explanations of this model take time: ask for those of ")
