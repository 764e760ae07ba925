import io
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from flask import Flask, request
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from tests.support import FLOWER, FORM

LIMIT = 100


def send(app: Flask, stream: io.BytesIO, **environ: object) -> int:
    """Send a body as a server hands it on, and return the status of the answer."""
    builder = EnvironBuilder(path="/api/classify", method="POST", content_type="application/json")
    environment = builder.get_environ() | {"wsgi.input": stream, "wsgi.input_terminated": True} | environ
    return Response.from_app(app, environment).status_code


@pytest.fixture(scope="module")
def app(make_app: Callable[..., Flask]) -> Flask:
    return make_app(MAX_CONTENT_LENGTH=LIMIT)


def padded(length: int) -> io.BytesIO:
    return io.BytesIO(b"[]".ljust(length))


def test_a_body_of_the_limit_is_read(app: Flask) -> None:
    assert send(app, padded(LIMIT), CONTENT_LENGTH=str(LIMIT)) == 200


def test_a_body_above_the_limit_is_refused(app: Flask) -> None:
    assert send(app, padded(LIMIT + 1), CONTENT_LENGTH=str(LIMIT + 1)) == 413


def test_a_body_in_chunks_of_the_limit_is_read(app: Flask) -> None:
    assert send(app, padded(LIMIT)) == 200


@pytest.mark.parametrize("length", [LIMIT + 1, LIMIT + 2, 10 * LIMIT])
def test_a_body_in_chunks_above_the_limit_is_refused(app: Flask, length: int) -> None:
    assert send(app, padded(length)) == 413


def test_a_body_that_ends_early_is_refused_though_what_came_is_valid(app: Flask) -> None:
    assert send(app, padded(50), CONTENT_LENGTH="60") == 400


def test_a_body_that_ends_early_is_told_so(app: Flask) -> None:
    builder = EnvironBuilder(path="/api/classify", method="POST", content_type="application/json")
    environment = builder.get_environ() | {"wsgi.input": padded(50), "CONTENT_LENGTH": "60"}
    assert "The body ended early" in Response.from_app(app, environment).get_data(as_text=True)


def test_a_body_without_a_length_is_none_where_the_server_does_not_end_it(app: Flask) -> None:
    assert send(app, padded(50), **{"wsgi.input_terminated": False}) == 400


def test_only_the_body_is_read_where_the_server_lets_more_be_read(app: Flask) -> None:
    assert send(app, io.BytesIO(b"[]POST / HTTP/1.1"), CONTENT_LENGTH="2") == 200


class Broken(io.BytesIO):
    """What a server's stream does that meets a chunk that is none."""

    def read(self, _size: int | None = -1) -> bytes:
        raise RuntimeError("no chunk")

    readinto = read  # type: ignore[assignment]


def test_a_stream_that_breaks_is_not_a_fault_of_ours(app: Flask) -> None:
    assert send(app, Broken()) == 400


class Reset(io.BytesIO):
    """What is left when a client hangs up in the middle of a body of known length."""

    def read(self, _size: int | None = -1) -> bytes:
        raise ConnectionResetError


def test_a_connection_that_is_reset_is_not_a_fault_of_ours(app: Flask) -> None:
    assert send(app, Reset(), CONTENT_LENGTH="20") == 400


FORMS = {
    "application/x-www-form-urlencoded": b"slen=" + b"1" * 600_000,
    "multipart/form-data; boundary=x": b'--x\r\nContent-Disposition: form-data; name="slen"\r\n\r\n' + b"1" * 600_000,
}


def send_form(app: Flask, content: bytes, content_type: str, **environ: object) -> Response:
    """Send a form, in chunks unless the environment has its length."""
    environment = EnvironBuilder(path="/classify", method="POST", content_type=content_type).get_environ()
    environment |= {"wsgi.input": io.BytesIO(content), "wsgi.input_terminated": True, "CONTENT_LENGTH": ""}
    return Response.from_app(app, environment | environ)


@pytest.mark.parametrize("content_type", FORMS)
def test_a_form_in_chunks_above_the_limit_is_refused(make_app: Callable[..., Flask], content_type: str) -> None:
    assert send_form(make_app(), FORMS[content_type], content_type).status_code == 413


def test_a_form_in_chunks_is_read(make_app: Callable[..., Flask]) -> None:
    content = urlencode(FORM)
    answer = send_form(make_app(WTF_CSRF_ENABLED=False), content.encode(), "application/x-www-form-urlencoded")
    assert answer.status_code == 303
    assert content in answer.headers["Location"]


@pytest.mark.parametrize("content_type", FORMS)
def test_a_form_that_ends_early_is_refused(make_app: Callable[..., Flask], content_type: str) -> None:
    answer = send_form(make_app(), FORMS[content_type][:1000], content_type, CONTENT_LENGTH="2000")
    assert answer.status_code == 400


def test_a_body_without_any_limit_is_read(make_app: Callable[..., Flask]) -> None:
    app = make_app()
    app.config["MAX_CONTENT_LENGTH"] = None
    assert app.test_client().post("/api/classify", json=FLOWER).status_code == 200


def test_a_body_in_chunks_that_is_read_piece_by_piece_is_refused_at_the_limit(make_app: Callable[..., Flask]) -> None:
    app, read = make_app(MAX_CONTENT_LENGTH=LIMIT), []

    def read_pieces() -> None:
        while piece := request.stream.read(LIMIT):
            read.append(piece)

    app.add_url_rule("/pieces", view_func=read_pieces)
    assert send(app, padded(10 * LIMIT), PATH_INFO="/pieces", REQUEST_METHOD="GET") == 413
    assert sum(map(len, read)) == LIMIT + 1
