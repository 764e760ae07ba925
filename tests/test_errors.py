import logging
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from flask import Flask, abort
from flask.testing import FlaskClient
from werkzeug.test import EnvironBuilder
from werkzeug.wrappers import Response

from tests.models import ServedModel, for_every_model

pytestmark = for_every_model


@pytest.fixture
def broken(app: Flask) -> FlaskClient:
    """An app with a fault of its own, behind each door."""

    def fail() -> str:
        raise RuntimeError("a fault with /a/path in it")

    app.add_url_rule("/fail", view_func=fail)
    app.add_url_rule("/api/fail", view_func=fail)
    return app.test_client()


def test_a_fault_of_ours_is_a_500_that_shows_no_cause(broken: FlaskClient) -> None:
    answer = broken.get("/fail")
    assert answer.status_code == 500
    assert "Something went wrong on our side" in answer.text
    assert "RuntimeError" not in answer.text
    assert "/a/path" not in answer.text


def test_a_fault_of_ours_is_a_problem_document_under_the_api(broken: FlaskClient) -> None:
    answer = broken.get("/api/fail")
    assert answer.status_code == 500
    assert answer.content_type == "application/problem+json"
    problem = answer.get_json(force=True)
    assert set(problem) == {"type", "title", "status", "detail", "request_id"}
    assert (problem["type"], problem["title"], problem["status"]) == ("about:blank", "Internal Server Error", 500)
    assert "RuntimeError" not in answer.text


def test_a_fault_of_ours_is_logged_with_its_traceback_and_the_request_id_of_the_answer(
    broken: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    request_id = broken.get("/api/fail").get_json(force=True)["request_id"]
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.getMessage() == f"Request {request_id} failed: GET /api/fail"
    assert record.exc_info is not None
    assert isinstance(record.exc_info[1], RuntimeError)


@pytest.mark.parametrize("given", ["abc-123", "01JCXW.F_9", "a" * 64])
def test_a_well_formed_request_id_is_kept(broken: FlaskClient, given: str) -> None:
    answer = broken.get("/api/fail", headers={"X-Request-ID": given})
    assert answer.get_json(force=True)["request_id"] == given


@pytest.mark.parametrize("given", ["", "a b", "a" * 65, "é", "<script>"])
def test_an_ill_formed_request_id_is_replaced(broken: FlaskClient, given: str) -> None:
    answer = broken.get("/api/fail", headers={"X-Request-ID": given})
    request_id = answer.get_json(force=True)["request_id"]
    assert request_id != given
    assert len(request_id) == 32


@pytest.mark.parametrize("status", [400, 404, 405, 413, 500, 503])
def test_every_error_page_is_in_the_same_dress(app: Flask, status: int) -> None:
    app.add_url_rule("/abort", view_func=lambda: abort(status))
    answer = app.test_client().get("/abort")
    assert answer.status_code == status
    assert answer.content_type == "text/html; charset=utf-8"
    assert "Go to the form" in answer.text
    assert "app.css" in answer.text


def test_an_error_without_words_of_its_own_tells_the_standard_s(app: Flask) -> None:
    app.add_url_rule("/teapot", view_func=lambda: abort(418))
    answer = app.test_client().get("/teapot")
    assert answer.status_code == 418
    assert "I&#39;m a teapot" in answer.text


def test_the_wrong_method_on_a_page_is_a_405_with_the_right_ones(client: FlaskClient) -> None:
    answer = client.delete("/classify")
    assert answer.status_code == 405
    assert set(answer.headers["Allow"].split(", ")) == {"GET", "HEAD", "OPTIONS", "POST"}


@pytest.mark.parametrize("path", ["/api/clasify", "/api/", "/api", "/api/classify/"])
def test_an_unknown_path_under_the_api_is_a_problem_document(client: FlaskClient, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.content_type) == (404, "application/problem+json")


def test_a_path_that_only_begins_like_the_api_is_a_page(client: FlaskClient) -> None:
    answer = client.get("/apis")
    assert (answer.status_code, answer.content_type) == (404, "text/html; charset=utf-8")


def test_a_form_that_is_too_large_is_a_page_that_says_so(client: FlaskClient) -> None:
    answer = client.post("/classify", data={"x": "1" * 1_000_000})
    assert answer.status_code == 413
    assert "That was too much at once" in answer.text


def test_a_form_above_a_small_limit_for_all_bodies_is_refused(make_app: Callable[..., Flask]) -> None:
    client = make_app(MAX_CONTENT_LENGTH=1000).test_client()
    assert client.post("/classify", data={"x": "1" * 2000}).status_code == 413


def test_a_path_that_no_file_can_have_is_a_503(make_app: Callable[..., Flask], served: ServedModel) -> None:
    assert make_app(MODEL_PATH="a\0b").test_client().post("/api/classify", json=served.row).status_code == 503


class TestWithoutAModel:
    @pytest.fixture
    def client(self, make_app: Callable[..., Flask]) -> FlaskClient:
        return make_app(MODEL_PATH="/nowhere/model.joblib", RETRY_AFTER_SECONDS=7).test_client()

    def test_the_api_is_a_503_with_retry_after(self, client: FlaskClient, served: ServedModel) -> None:
        answer = client.post("/api/classify", json=served.row)
        assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
        assert answer.headers["Retry-After"] == "7"

    def test_the_page_is_a_503_with_retry_after(self, client: FlaskClient, served: ServedModel) -> None:
        answer = client.get("/classify", query_string=served.form)
        assert answer.status_code == 503
        assert answer.headers["Retry-After"] == "7"

    def test_no_path_is_told_to_the_client(self, client: FlaskClient, served: ServedModel) -> None:
        assert "nowhere" not in client.post("/api/classify", json=served.row).text
        assert "nowhere" not in client.get("/classify", query_string=served.form).text

    def test_the_reason_is_told_to_the_log(
        self, client: FlaskClient, caplog: pytest.LogCaptureFixture, served: ServedModel
    ) -> None:
        request_id = client.post("/api/classify", json=served.row).get_json(force=True)["request_id"]
        reason = "/nowhere/model.joblib.json cannot be read: No such file or directory."
        assert f"Request {request_id} found no model: {reason}" in caplog.text

    def test_what_was_typed_is_not_lost(self, client: FlaskClient, served: ServedModel) -> None:
        text = client.get("/classify", query_string=served.form).text
        kept = urlencode(served.form).replace("&", "&amp;")
        assert f'href="/classify?{kept}">Try again' in text
        assert f'href="/home?{kept}">Go to the form' in text

    def test_the_form_is_a_503_too(self, client: FlaskClient) -> None:
        assert client.get("/home").status_code == 503


RUDE = {
    "a host with an empty label": {"HTTP_HOST": "a..b"},
    "a host of dots": {"HTTP_HOST": ".."},
    "a host with a long label": {"HTTP_HOST": "a" * 64},
    "a host of eight thousand characters": {"HTTP_HOST": "a." * 4000},
    "a host that is no Punycode": {"HTTP_HOST": "xn--" + "a" * 300},
    "a query that is not UTF-8": {"QUERY_STRING": "explain=\xff"},
}
DOORS = ["/home", "/classify", "/static/app.css", "/api/classify", "/v2/models/model/infer", "/invocations", "/nowhere"]


@pytest.mark.parametrize("settings", [{}, {"TRUSTED_HOSTS": ["iris.example"], "API_KEYS": {"a": "0" * 64}}])
@pytest.mark.parametrize("kind", RUDE)
def test_what_cannot_be_routed_is_refused_as_anything_else(
    make_app: Callable[..., Flask], kind: str, settings: dict[str, object], served: ServedModel
) -> None:
    app = make_app(**settings, TESTING=False)
    for path in DOORS:
        environment = EnvironBuilder(path=path, method="POST" if "ss" in path else "GET", json=served.row).get_environ()
        answer = Response.from_app(app, environment | RUDE[kind])
        assert answer.status_code < 500
        assert answer.headers["X-Request-ID"]
        assert answer.headers["Content-Security-Policy"]


def test_a_host_that_is_none_is_a_problem_document(client: FlaskClient) -> None:
    answer = client.get("/home", headers={"Host": "a..b"})
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")


@pytest.mark.parametrize("headers", [{}, {"X-Live": "1"}])
@pytest.mark.parametrize("path", ["/home", "/classify?x=y", "/batch"])
def test_pages_that_answer_scripts_otherwise_say_so_to_caches(
    client: FlaskClient, path: str, headers: dict[str, str]
) -> None:
    assert "x-live" in client.get(path, headers=headers).vary


def test_a_static_file_is_the_same_for_scripts(client: FlaskClient) -> None:
    with client.get("/static/app.css") as answer:
        assert "x-live" not in answer.vary


@pytest.mark.parametrize("accept", ["text/csv", "image/png"])
def test_an_answer_that_depends_on_accept_says_so(client: FlaskClient, accept: str, served: ServedModel) -> None:
    assert "accept" in client.post("/api/classify", json=served.row, headers={"Accept": accept}).vary
    assert "accept" in client.get("/metrics", headers={"Accept": accept}).vary
