import re
from collections.abc import Callable

import pytest
from flask import Flask, request
from flask.testing import FlaskClient

from iris_app import create_app
from tests.support import FORM, SECRET_KEY

PAGES = ["/", "/home", "/classify?slen=5.1&swid=3.5&plen=1.4&pwid=0.2", "/classify?slen=x", "/missing", "/api/missing"]


def test_an_app_is_made_from_instance_and_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRIS_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("IRIS_MODEL_PATH", "/elsewhere/model.joblib")
    assert create_app().config["MODEL_PATH"] == "/elsewhere/model.joblib"


def test_the_doors_are_open(app: Flask) -> None:
    rules = {(rule.rule, method) for rule in app.url_map.iter_rules() for method in rule.methods or ()}
    doors = {("/", "GET"), ("/home", "GET"), ("/classify", "GET"), ("/classify", "POST"), ("/api/classify", "POST")}
    assert doors <= rules


@pytest.mark.parametrize("page", PAGES)
def test_every_answer_carries_a_strict_content_security_policy(client: FlaskClient, page: str) -> None:
    answer = client.get(page)
    policy = answer.headers["Content-Security-Policy"]
    assert policy.startswith("default-src 'none'; ")
    assert "unsafe" not in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Referrer-Policy"] == "same-origin"


@pytest.mark.parametrize("page", PAGES)
def test_no_page_holds_a_script_or_a_style_of_its_own(client: FlaskClient, page: str) -> None:
    text = client.get(page).text
    assert re.findall(r"<script(?! src=)", text) == []
    assert re.findall(r"<script[^>]*>[^<]", text) == []
    assert "<style" not in text
    assert " style=" not in text


def test_the_session_cookie_is_guarded(make_app: Callable[..., Flask]) -> None:
    cookie = make_app(SESSION_COOKIE_SECURE=True).test_client().get("/home").headers["Set-Cookie"]
    assert cookie.startswith("iris_session=")
    assert {"Secure", "HttpOnly", "SameSite=Lax"} <= set(cookie.split("; "))


@pytest.mark.parametrize(("proxies", "scheme"), [(0, "http"), (1, "https")])
def test_a_proxy_s_word_is_taken_where_the_configuration_says_that_there_is_one(
    make_app: Callable[..., Flask], proxies: int, scheme: str
) -> None:
    app = make_app(PROXY_COUNT=proxies)
    app.add_url_rule("/scheme", view_func=lambda: request.scheme)
    assert app.test_client().get("/scheme", headers={"X-Forwarded-Proto": "https"}).text == scheme


def test_a_form_that_was_opened_in_one_worker_can_be_sent_to_another(make_app: Callable[..., Flask]) -> None:
    first, second = make_app().test_client(), make_app().test_client()
    page = first.get("/home")
    token = page.text.partition('name="csrf_token" type="hidden" value="')[2].partition('"')[0]
    second.set_cookie("iris_session", page.headers["Set-Cookie"].partition("=")[2].partition(";")[0])
    assert second.post("/classify", data=FORM | {"csrf_token": token}).status_code == 303
