"""What is told of every request."""

import io
import json
import logging
import math
from collections.abc import Callable, Iterator
from hashlib import sha256
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient

from iris_app.observability.logs import JsonFormatter, LineHandler
from iris_app.observability.recorder import MAX_BUFFERED, RequestRecorder, get_recorder, logger
from tests.support import FLOWER, FORM, eventually

TRACE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"


@pytest.fixture
def said(caplog: pytest.LogCaptureFixture) -> Callable[[], list[dict[str, Any]]]:
    """What the log says of requests, beside its sentences."""
    caplog.set_level(logging.INFO, "iris_app.observability.recorder")
    return lambda: [record.fields for record in caplog.records if hasattr(record, "fields")]


@pytest.mark.parametrize("path", ["/home", "/api/model", "/nowhere", "/api/nowhere", "/healthz", "/static/app.css"])
def test_every_answer_names_its_request(client: FlaskClient, path: str) -> None:
    with client.get(path) as answer:
        assert len(answer.headers["X-Request-ID"]) == 32


def test_a_problem_names_the_request_that_its_answer_names(client: FlaskClient) -> None:
    answer = client.post("/api/classify", json={}, headers={"X-Request-ID": "mine"})
    assert (answer.headers["X-Request-ID"], answer.get_json(force=True)["request_id"]) == ("mine", "mine")


def test_a_request_is_one_line_of_the_log(client: FlaskClient, said: Callable[[], list[dict[str, Any]]]) -> None:
    model = client.post("/api/classify", json=[FLOWER] * 3).get_json()["model"]
    (line,) = said()
    assert line.pop("seconds") > 0
    assert len(line.pop("request_id")) == 32
    assert line == {
        "client": "127.0.0.1",
        "method": "POST",
        "route": "/api/classify",
        "status": 200,
        "rows": 3,
        "model": model,
    }


def test_a_request_for_nothing_has_no_route(client: FlaskClient, said: Callable[[], list[dict[str, Any]]]) -> None:
    client.get("/nowhere")
    assert set(said()[0]) == {"request_id", "client", "method", "status", "seconds"}


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/v2/health/ready", "/v2/health/live", "/ping"])
def test_a_probe_makes_no_noise(client: FlaskClient, said: Callable[[], list[dict[str, Any]]], path: str) -> None:
    assert client.get(path).status_code == 200
    assert said() == []


def test_what_was_measured_is_not_logged(client: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    client.get("/classify", query_string=FORM | {"slen": "6.789"})
    client.post("/api/classify", json=FLOWER | {"sepal_length": 6.789})
    client.post("/api/classify", json=FLOWER | {"sepal_length": "6.789"})
    assert "6.789" not in caplog.text
    assert not any("6.789" in str(vars(record)) for record in caplog.records)


def test_a_well_formed_trace_is_taken_up(app: Flask) -> None:
    with app.test_request_context(headers={"traceparent": TRACE}) as context:
        assert context.request.traceparent == TRACE  # type: ignore[attr-defined]


@pytest.mark.parametrize("trace", ["", "00-1-2-3", TRACE.upper(), TRACE.replace("00-4", "ff-4")])
def test_an_ill_formed_trace_is_passed_over(app: Flask, trace: str) -> None:
    with app.test_request_context(headers={"traceparent": trace}) as context:
        assert context.request.traceparent is None  # type: ignore[attr-defined]


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """What is written of requests where our handler alone writes."""
    stream = io.StringIO()
    handler = LineHandler(stream)
    handler.setFormatter(JsonFormatter())
    monkeypatch.setattr(logger, "propagate", False)
    monkeypatch.setattr(logger, "handlers", [handler])
    logger.setLevel(logging.INFO)
    yield lambda: [json.loads(line) for line in stream.getvalue().splitlines()]
    logger.setLevel(logging.NOTSET)


@pytest.fixture
def gathering(app: Flask, monkeypatch: pytest.MonkeyPatch) -> RequestRecorder:
    """What tells of requests, all of which follow each other soon."""
    monkeypatch.setattr("iris_app.observability.recorder.IDLE_THRESHOLD", math.inf)
    recorder = get_recorder(app)
    recorder.start()
    return recorder


def test_requests_that_follow_each_other_soon_are_told_of_together(
    lines: Callable[[], list[dict[str, Any]]], app: Flask, gathering: RequestRecorder
) -> None:
    gathering._last_flush = math.inf  # for the thread, which else takes some of them
    client = app.test_client()
    for number in range(MAX_BUFFERED - 1):
        client.get(f"/nowhere/{number}")
    assert lines() == []
    client.post("/api/classify", json=FLOWER)
    assert [line["message"] for line in lines()[-2:]] == ["GET /nowhere/62 404", "POST /api/classify 200"]
    assert len(lines()) == MAX_BUFFERED
    client.get("/home")
    gathering.flush()
    assert lines()[-1]["message"] == "GET /home 200"


def test_a_request_is_told_of_before_long_though_no_other_follows(
    lines: Callable[[], list[dict[str, Any]]], app: Flask, gathering: RequestRecorder
) -> None:
    app.test_client().get("/home")
    assert eventually(lines)[0]["route"] == "/home"
    assert not gathering._buffer


def test_a_request_after_a_pause_is_told_of_at_once(lines: Callable[[], list[dict[str, Any]]], app: Flask) -> None:
    get_recorder(app).start()
    app.test_client().get("/home")
    assert len(lines()) == 1


def test_a_key_and_a_trace_stand_in_the_line(
    make_app: Callable[..., Flask], said: Callable[[], list[dict[str, Any]]]
) -> None:
    app = make_app(API_KEYS={"lab": sha256(b"key").hexdigest()})
    app.test_client().get("/api/model", headers={"Authorization": "Bearer key", "traceparent": TRACE})
    assert (said()[0]["key"], said()[0]["traceparent"]) == ("lab", TRACE)
