"""What a process has in hand is given back whatever becomes of a request."""

import gzip
import io
import json
from collections.abc import Callable
from threading import Thread
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from iris_app.access import get_limits
from iris_app.exceptions import Overloaded
from iris_app.web import concurrency
from iris_app.web.concurrency import Limits
from tests.support import FLOWER, FORM, eventually

LIMIT = 1024 * 1024
ROWS = json.dumps([FLOWER] * 2000).encode()
HALF_JSON = b"[" + b" " * 100_000

# Requests, each with the status of its answer.
REQUESTS: dict[str, tuple[dict[str, Any], int]] = {
    "a row": ({"path": "/api/classify", "method": "POST", "json": FLOWER}, 200),
    "many rows": ({"path": "/api/classify", "method": "POST", "json": [FLOWER] * 2000}, 200),
    "a page": ({"path": "/classify", "query_string": FORM}, 200),
    "a static file": ({"path": "/static/app.css"}, 200),
    "only a head": ({"path": "/home", "method": "HEAD"}, 200),
    "nothing there": ({"path": "/nowhere"}, 404),
    "an error before the view": ({"path": "/home", "headers": {"Host": "elsewhere"}}, 400),
    "a wrong method": ({"path": "/api/classify"}, 405),
    "an unknown type": ({"path": "/api/classify", "method": "POST", "data": b"x", "content_type": "text/x"}, 415),
    "too long": ({"path": "/api/classify", "method": "POST", "json": " " * LIMIT}, 413),
    "malformed": (
        {"path": "/api/classify", "method": "POST", "data": HALF_JSON, "content_type": "application/json"},
        400,
    ),
    "wrong values": ({"path": "/api/classify", "method": "POST", "json": FLOWER | {"petal_width": -1}}, 422),
}


@pytest.fixture
def narrow(make_app: Callable[..., Flask]) -> Flask:
    """An app that may have one request and twice the longest body in hand."""
    return make_app(
        MAX_CONCURRENT_REQUESTS=1, MAX_CONCURRENT_BYTES=1, MAX_CONTENT_LENGTH=LIMIT, TRUSTED_HOSTS=["localhost"]
    )


def ask(app: Flask, environment: dict[str, Any]) -> int:
    """Answer a request as a server does, to the end, and return the status."""
    with Response.from_app(app, environment) as answer:
        answer.get_data()
        return answer.status_code


@pytest.mark.parametrize("name", REQUESTS)
def test_a_request_that_was_answered_makes_room_for_another(narrow: Flask, name: str) -> None:
    arguments, status = REQUESTS[name]
    assert [ask(narrow, EnvironBuilder(**arguments).get_environ()) for _ in range(4)] == [status] * 4


def chunked(body: bytes, **more: object) -> dict[str, Any]:
    builder = EnvironBuilder(path="/api/classify", method="POST", content_type="application/json")
    return builder.get_environ() | {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True} | more


@pytest.mark.parametrize("encoding", ["", "gzip"])
def test_bodies_in_chunks_are_given_back(narrow: Flask, encoding: str) -> None:
    body = gzip.compress(ROWS) if encoding else ROWS
    assert [ask(narrow, chunked(body, HTTP_CONTENT_ENCODING=encoding)) for _ in range(4)] == [200] * 4


def test_a_form_in_chunks_is_given_back(narrow: Flask) -> None:
    environment = chunked(b"--x--\r\n", PATH_INFO="/batch", CONTENT_TYPE="multipart/form-data; boundary=x")
    assert [ask(narrow, environment | {"wsgi.input": io.BytesIO(b"--x--\r\n")}) for _ in range(4)] == [400] * 4


def test_an_app_that_raises_makes_room_for_another(narrow: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(_environ: object) -> None:
        raise ZeroDivisionError

    with monkeypatch.context() as patch:
        patch.setattr(narrow, "request_context", fail)
        with pytest.raises(ZeroDivisionError):
            ask(narrow, EnvironBuilder(path="/home").get_environ())
    assert ask(narrow, EnvironBuilder(path="/home").get_environ()) == 200


def test_a_long_answer_counts_until_it_was_sent(narrow: Flask) -> None:
    client = narrow.test_client()
    waiting = client.post("/api/classify", data=ROWS, content_type="application/json")
    assert client.get("/home").status_code == 503
    waiting.close()
    assert client.get("/home").status_code == 200


def test_a_body_that_finds_no_room_is_a_503(narrow: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "MAX_WAIT", 0.01)
    get_limits(narrow).reserve(LIMIT)
    answer = narrow.test_client().post("/api/classify", data=ROWS, content_type="application/json")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert ask(narrow, chunked(ROWS)) == 503
    assert narrow.test_client().post("/api/classify", json=FLOWER).status_code == 200


def test_a_body_waits_for_room() -> None:
    limits = Limits(1, 100)
    limits.reserve(100)
    waiting = Thread(target=limits.reserve, args=(60,))
    waiting.start()
    limits.release(0, 100)
    waiting.join()
    limits.reserve(40)


def test_no_more_wait_than_may(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(concurrency, "MAX_WAIT", 600)
    limits = Limits(8, 100)
    limits.reserve(100, 0)
    waiting = [Thread(target=limits.reserve, args=(50, 2), daemon=True) for _ in range(2)]
    for thread in waiting:
        thread.start()
    eventually(lambda: limits._waiting == 2)
    with pytest.raises(Overloaded):
        limits.reserve(50, 2)
    limits.release(0, 100)
    for thread in waiting:
        thread.join()
    assert limits._waiting == 0


@pytest.mark.parametrize(("threads", "most"), [(1, 1), (2, 1), (4, 3), (32, 24), (400, 24)])
def test_a_quarter_of_the_threads_is_left_for_probes(threads: int, most: int) -> None:
    limits = Limits(24, 1)
    limits.reserve_threads(threads)
    for _ in range(most):
        limits.acquire()
    with pytest.raises(Overloaded):
        limits.acquire()
