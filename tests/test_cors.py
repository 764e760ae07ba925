"""Requests from pages of other origins, unknown addresses, and a path below a proxy."""

from collections.abc import Callable
from hashlib import sha256

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.support import FLOWER

ORIGIN = "https://app.example.org"
PATHS = ["/api/classify", "/v2/models/iris/infer", "/invocations"]


ASKED = "authorization,content-type,traceparent,x-requested-with"


def preflight(client: FlaskClient, path: str, origin: str = ORIGIN, **headers: str) -> dict[str, str]:
    headers = {"Origin": origin, "Access-Control-Request-Method": "POST"} | headers
    answer = client.options(path, headers=headers)
    assert answer.status_code in {200, 204}
    return dict(answer.headers)


@pytest.mark.parametrize("path", PATHS)
def test_no_other_origin_may_ask_by_default(client: FlaskClient, path: str) -> None:
    assert not any(name.startswith("Access-Control") for name in preflight(client, path))


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("origins", [[ORIGIN, "http://localhost:3000"], ["*"]])
def test_a_preflight_is_answered_without_a_key(make_app: Callable[..., Flask], path: str, origins: list[str]) -> None:
    app = make_app(CORS_ORIGINS=origins, API_KEYS={"key": sha256(b"secret").hexdigest()})
    headers = preflight(app.test_client(), path, **{"Access-Control-Request-Headers": ASKED})
    assert headers["Access-Control-Allow-Headers"] == ASKED
    assert headers["Access-Control-Allow-Origin"] == ORIGIN
    assert "POST" in headers["Access-Control-Allow-Methods"]
    assert "Origin" in headers["Vary"]


def test_a_preflight_that_asks_for_no_header_is_allowed_none(make_app: Callable[..., Flask]) -> None:
    headers = preflight(make_app(CORS_ORIGINS=["*"]).test_client(), "/api/classify")
    assert "POST" in headers["Access-Control-Allow-Methods"]
    assert "Access-Control-Allow-Headers" not in headers


@pytest.mark.parametrize("origin", ["https://elsewhere.example", "null", "https://app.example.org.evil", "HTTPS://APP"])
def test_an_origin_that_is_not_listed_is_not_allowed(make_app: Callable[..., Flask], origin: str) -> None:
    client = make_app(CORS_ORIGINS=[ORIGIN]).test_client()
    assert "Access-Control-Allow-Origin" not in preflight(client, "/api/classify", origin)
    answer = client.post("/api/classify", json=FLOWER, headers={"Origin": origin})
    assert (answer.status_code, "Access-Control-Allow-Origin" in answer.headers) == (200, False)


def test_answers_and_errors_may_be_read_by_an_origin_that_is_listed(make_app: Callable[..., Flask]) -> None:
    client = make_app(CORS_ORIGINS=[ORIGIN]).test_client()
    for document, status in ((FLOWER, 200), ({}, 422)):
        answer = client.post("/api/classify", json=document, headers={"Origin": ORIGIN})
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, ORIGIN)
        assert "X-Model-Version" in answer.headers["Access-Control-Expose-Headers"]


@pytest.mark.parametrize("path", ["/home", "/batch", "/model"])
def test_no_page_may_be_read_by_another_origin(make_app: Callable[..., Flask], path: str) -> None:
    answer = make_app(CORS_ORIGINS=["*"]).test_client().get(path, headers={"Origin": ORIGIN})
    assert "Access-Control-Allow-Origin" not in answer.headers


@pytest.mark.parametrize("path", ["/v1/models/iris:predict", "/version", "/health", "/nowhere"])
@pytest.mark.parametrize(
    ("accept", "mimetype"),
    [
        ("application/json", "application/problem+json"),
        ("application/json, */*;q=0.1", "application/problem+json"),
        ("application/problem+json", "application/problem+json"),
        ("text/html,application/xhtml+xml,*/*;q=0.8", "text/html"),
        ("*/*", "text/html"),
    ],
)
def test_an_unknown_address_answers_in_json_to_who_asks_for_it(
    client: FlaskClient, path: str, accept: str, mimetype: str
) -> None:
    answer = client.get(path, headers={"Accept": accept})
    assert (answer.status_code, answer.mimetype) == (404, mimetype)
    assert "Accept" in answer.headers["Vary"]


@pytest.mark.parametrize("prefix", ["/iris", "/iris/", "iris", "iris/", "//iris"])
def test_a_path_below_a_proxy_is_in_links_and_in_the_specification(make_app: Callable[..., Flask], prefix: str) -> None:
    client = make_app(PROXY_COUNT=1).test_client()
    headers = {"X-Forwarded-Prefix": prefix}
    assert client.get("/", headers=headers).headers["Location"] == "/iris/home"
    assert 'action="/iris/classify' in client.get("/home", headers=headers).text
    assert client.get("/api/openapi.json", headers=headers).get_json()["servers"] == [{"url": "/iris"}]
    assert client.get("/api/openapi.json").get_json()["servers"] == [{"url": "/"}]


@pytest.mark.parametrize("path", ["/static/app.css", "/api/docs/swagger-ui-bundle.js", "/api/docs/swagger-ui.css"])
@pytest.mark.parametrize("encoding", ["gzip", "br", "zstd", "deflate"])
def test_static_files_are_compressed(client: FlaskClient, path: str, encoding: str) -> None:
    with client.get(path, headers={"Accept-Encoding": encoding}) as answer:
        assert (answer.status_code, answer.headers.get("Content-Encoding")) == (200, encoding)
        assert answer.data
