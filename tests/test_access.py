"""Who may come in, and how many at once."""

import hashlib
import logging
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from iris_app.access import get_limits
from tests.support import FLOWER, FORM

KEYS = {"laboratory": "the key of the laboratory", "greenhouse": "the key of the greenhouse"}
CALLS = [
    ("POST", "/api/classify"),
    ("GET", "/api/model"),
    ("GET", "/v2"),
    ("GET", "/v2/models/iris"),
    ("POST", "/v2/models/iris/infer"),
    ("POST", "/invocations"),
]
OPEN = [
    "/home",
    "/batch",
    "/model",
    "/static/app.css",
    "/bootstrap/static/css/bootstrap.min.css",
    "/api/docs",
    "/api/docs/swagger-ui.css",
    "/api/static/docs.js",
    "/api/openapi.json",
    "/healthz",
    "/readyz",
    "/metrics",
    "/ping",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models/iris/ready",
]


@pytest.fixture
def guarded(make_app: Callable[..., Flask]) -> FlaskClient:
    digests = {name: hashlib.sha256(key.encode()).hexdigest() for name, key in KEYS.items()}
    return make_app(API_KEYS=digests).test_client()


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


@pytest.mark.parametrize(("method", "path"), CALLS)
def test_a_program_without_a_key_is_refused_and_told_what_to_send(guarded: FlaskClient, method: str, path: str) -> None:
    answer = guarded.open(path, method=method, json=FLOWER)
    assert answer.status_code == 401
    assert answer.headers["WWW-Authenticate"] == "Bearer realm=iris_app"
    assert "Authorization: Bearer" in answer.text


@pytest.mark.parametrize(
    "given", ["Bearer wrong", "Bearer", f"Basic {KEYS['greenhouse']}", KEYS["greenhouse"], "Bearer \xe9"]
)
def test_what_is_no_key_is_refused(guarded: FlaskClient, given: str) -> None:
    assert guarded.get("/api/model", headers={"Authorization": given}).status_code == 401


def test_a_wrong_key_is_told_to_be_wrong(guarded: FlaskClient) -> None:
    answer = guarded.get("/api/model", headers=bearer("wrong"))
    assert answer.headers["WWW-Authenticate"] == "Bearer realm=iris_app, error=invalid_token"


@pytest.mark.parametrize("key", KEYS.values())
def test_a_program_with_a_key_is_answered(guarded: FlaskClient, key: str) -> None:
    assert guarded.post("/api/classify", json=FLOWER, headers=bearer(key)).get_json()["species"] == "setosa"


def test_the_scheme_may_be_written_in_any_case(guarded: FlaskClient) -> None:
    headers = {"Authorization": f"bearer  {KEYS['greenhouse']}"}
    assert guarded.get("/api/model", headers=headers).status_code == 200


@pytest.mark.parametrize("path", OPEN)
def test_pages_and_probes_need_no_key(guarded: FlaskClient, path: str) -> None:
    with guarded.get(path) as answer:
        assert answer.status_code == 200


def test_the_form_needs_no_key(guarded: FlaskClient) -> None:
    assert guarded.get("/classify", query_string=FORM).status_code == 200


def test_log_and_metrics_name_the_key(guarded: FlaskClient, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    guarded.post("/api/classify", json=FLOWER, headers=bearer(KEYS["laboratory"]))
    assert [record.fields["key"] for record in caplog.records if hasattr(record, "fields")] == ["laboratory"]
    assert 'iris_app_keyed_requests_total{key="laboratory"} 1.0' in guarded.get("/metrics").text
    assert KEYS["laboratory"] not in caplog.text


def test_the_specification_says_that_a_key_is_needed(guarded: FlaskClient) -> None:
    document = guarded.get("/api/openapi.json").get_json()
    assert document["security"] == [{"key": []}]
    assert document["components"]["securitySchemes"]["key"] == {"type": "http", "scheme": "bearer"}
    assert "401" in document["paths"]["/api/model"]["get"]["responses"]


def test_the_specification_is_silent_of_keys_where_there_are_none(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").get_json()
    assert "security" not in document
    assert "401" not in document["paths"]["/api/model"]["get"]["responses"]


@pytest.fixture
def busy(app: Flask) -> FlaskClient:
    """An app that has all requests in hand that it may have."""
    get_limits(app).requests = 0
    return app.test_client()


@pytest.mark.parametrize(("method", "path"), [*CALLS, ("GET", "/home"), ("GET", "/nowhere")])
def test_one_request_too_many_is_a_503_with_a_time_to_come_back(busy: FlaskClient, method: str, path: str) -> None:
    answer = busy.open(path, method=method, json=FLOWER)
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics", "/ping"])
def test_a_probe_is_never_one_too_many(busy: FlaskClient, path: str) -> None:
    assert busy.get(path).status_code == 200
