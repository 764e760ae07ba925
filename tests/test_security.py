"""What keeps browsers and hosts from being misled."""

import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.models import ServedModel, for_every_model
from tests.support import SECRET_KEY

pytestmark = for_every_model

PATHS = ["/home", "/api/model", "/api/docs", "/healthz", "/nowhere", "/static/app.css", "/v2"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("X-Content-Type-Options", "nosniff"),
        ("Referrer-Policy", "same-origin"),
        ("Cross-Origin-Opener-Policy", "same-origin"),
        ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
    ],
)
def test_every_answer_carries_it(client: FlaskClient, path: str, name: str, value: str) -> None:
    with client.get(path) as answer:
        assert answer.headers[name] == value


def test_browsers_are_told_to_come_by_https_where_they_came_by_it(make_app: Callable[..., Flask]) -> None:
    client = make_app(HSTS_SECONDS=31536000).test_client()
    by_https = client.get("/home", base_url="https://localhost")
    assert by_https.headers["Strict-Transport-Security"] == "max-age=31536000"
    assert "Strict-Transport-Security" not in client.get("/home").headers


def test_browsers_are_told_nothing_of_https_by_default(client: FlaskClient) -> None:
    assert "Strict-Transport-Security" not in client.get("/home", base_url="https://localhost").headers


@pytest.mark.parametrize(("scheme", "secure"), [("https", True), ("http", False)])
def test_the_cookie_is_secure_where_the_request_was(client: FlaskClient, scheme: str, secure: bool) -> None:
    cookie = client.get("/home", base_url=f"{scheme}://localhost").headers["Set-Cookie"]
    assert ("Secure" in cookie) is secure
    assert "HttpOnly" in cookie
    assert "SameSite=Lax" in cookie


def test_the_cookie_can_be_made_secure_everywhere(make_app: Callable[..., Flask]) -> None:
    cookie = make_app(SESSION_COOKIE_SECURE=True).test_client().get("/home").headers["Set-Cookie"]
    assert "Secure" in cookie


@pytest.mark.parametrize("path", ["/home", "/api/model", "/nowhere", "/api/nowhere", "/v2"])
def test_a_host_that_is_not_ours_is_a_400(make_app: Callable[..., Flask], path: str) -> None:
    client = make_app(TRUSTED_HOSTS=["iris.example", ".iris.example"]).test_client()
    statuses = [client.get(path, base_url=f"http://{host}").status_code for host in ("evil.example", "iris.example.x")]
    assert statuses == [400, 400]


def test_a_host_that_is_ours_is_answered(make_app: Callable[..., Flask]) -> None:
    client = make_app(TRUSTED_HOSTS=["iris.example", ".iris.example"]).test_client()
    for host in ("iris.example", "www.iris.example", "iris.example:8000"):
        assert client.get("/home", base_url=f"http://{host}").status_code == 200


def rotated(make_app: Callable[..., Flask], **more: object) -> FlaskClient:
    """A client that opened the form before the secret was changed, and its token."""
    old = make_app().test_client()
    page = old.get("/home").text
    new = make_app(SECRET_KEY=SECRET_KEY[::-1], **more).test_client()
    cookie = old.get_cookie("iris_session")
    assert cookie is not None
    new.set_cookie("iris_session", cookie.value)
    new.token = page.partition('name="csrf_token" type="hidden" value="')[2].partition('"')[0]  # type: ignore[attr-defined]
    return new


def assert_kept(page: str, form: dict[str, str]) -> None:
    for name, value in form.items():
        assert re.search(
            rf'name="{name}"[^>]* value="{value}"|name="{name}".*?<option value="{value}" selected', page, re.DOTALL
        )


@pytest.mark.parametrize("fallbacks", [[], [SECRET_KEY]])
def test_a_form_that_was_opened_before_the_secret_changed_keeps_what_was_typed(
    make_app: Callable[..., Flask], fallbacks: list[str], served: ServedModel
) -> None:
    client = rotated(make_app, SECRET_KEY_FALLBACKS=fallbacks)
    answer = client.post("/classify", data=served.form | {"csrf_token": client.token})  # type: ignore[attr-defined]
    assert answer.status_code == 400
    assert_kept(answer.text, served.form)
    again = answer.text.partition('name="csrf_token" type="hidden" value="')[2].partition('"')[0]
    assert client.post("/classify", data=served.form | {"csrf_token": again}).status_code == 303


def test_a_clock_that_is_set_back_loses_nothing_of_a_form(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, served: ServedModel
) -> None:
    token = client.get("/home").text.partition('name="csrf_token" type="hidden" value="')[2].partition('"')[0]
    monkeypatch.setattr("itsdangerous.timed.time.time", lambda: 1e9)
    answer = client.post("/classify", data=served.form | {"csrf_token": token})
    assert answer.status_code == 400
    assert_kept(answer.text, served.form)
    assert client.post("/api/classify", json=served.row).status_code == 200


def test_a_form_of_many_parts_is_refused(client: FlaskClient) -> None:
    parts = {f"part{number}": "x" for number in range(1001)}
    answer = client.post("/batch", data=parts, content_type="multipart/form-data")
    assert answer.status_code == 413
