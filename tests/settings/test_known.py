"""The settings of Flask and of its extensions, and what they do to the answers."""

import email.utils
import time
import warnings
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask import Flask, session, url_for
from flask_bootstrap import Bootstrap5
from flask_compress import Compress
from flask_wtf import CSRFProtect

from iris_app import create_app
from iris_app.exceptions import ConfigurationError
from iris_app.settings import configure
from iris_app.settings.known import known_types
from tests.support import FORM, SECRET_KEY

DOCUMENTED = {"WTF_CSRF_SECRET_KEY": "1" * 32, "WTF_I18N_ENABLED": False, "RECAPTCHA_PUBLIC_KEY": "a key"}


def defaults() -> dict[str, Any]:
    """Return every setting of Flask and of the extensions in use, with its default."""
    app = Flask("defaults")
    for extension in (Bootstrap5, Compress, CSRFProtect):
        extension(app)
    return app.config | DOCUMENTED | {"SECRET_KEY": SECRET_KEY}


# What iris_app narrows: each has a type of its own in config.py.
OURS = {"SECRET_KEY_FALLBACKS", "SESSION_COOKIE_SAMESITE", "MAX_CONTENT_LENGTH"}


@pytest.mark.parametrize("name", sorted(defaults().keys() - OURS))
def test_the_default_of_every_setting_of_flask_and_its_extensions_is_accepted(name: str) -> None:
    value = defaults()[name]
    app = Flask("iris_app")
    configure(app, {"SECRET_KEY": SECRET_KEY, name: value})
    assert app.config[name] == (list(value) if isinstance(value, set) else value)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("DEBUG", "true", True),
        ("SERVER_NAME", "example.org:8000", "example.org:8000"),
        ("SERVER_NAME", "null", None),
        ("PERMANENT_SESSION_LIFETIME", "3600", 3600),
        ("SEND_FILE_MAX_AGE_DEFAULT", "60", 60),
        ("MAX_COOKIE_SIZE", "0", 0),
        ("PROPAGATE_EXCEPTIONS", "null", None),
        ("PREFERRED_URL_SCHEME", "https", "https"),
        ("WTF_CSRF_METHODS", '["POST"]', ["POST"]),
        ("COMPRESS_LEVEL", "9", 9),
        ("BOOTSTRAP_BTN_STYLE", "secondary", "secondary"),
        ("RECAPTCHA_PARAMETERS", '{"hl": "en"}', {"hl": "en"}),
    ],
)
def test_the_environment_sets_what_is_flask_s(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    monkeypatch.setenv("IRIS_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv(f"IRIS_{name}", text)
    assert create_app().config[name] == value


@pytest.mark.parametrize(("text", "value"), [("7", 7), ("null", None), ("seven", "seven")])
def test_a_setting_of_a_newer_flask_may_be_anything(monkeypatch: pytest.MonkeyPatch, text: str, value: object) -> None:
    monkeypatch.setattr(Flask, "default_config", {**Flask.default_config, "NEWER": None})
    monkeypatch.setenv("IRIS_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("IRIS_NEWER", text)
    known_types.cache_clear()
    try:
        assert create_app().config["NEWER"] == value
    finally:
        known_types.cache_clear()


def test_a_function_is_accepted_where_flask_compress_takes_one() -> None:
    app = create_app({"SECRET_KEY": SECRET_KEY, "COMPRESS_CACHE_KEY": repr, "COMPRESS_CACHE_BACKEND": dict})
    assert app.config["COMPRESS_CACHE_KEY"] is repr


def test_a_cache_of_compressed_answers_without_a_key_stops_the_start() -> None:
    with pytest.raises(ConfigurationError, match=r"^COMPRESS_CACHE_BACKEND is set without COMPRESS_CACHE_KEY"):
        create_app({"SECRET_KEY": SECRET_KEY, "COMPRESS_CACHE_BACKEND": dict})


@pytest.mark.parametrize("name", ["COMPRESS_ALGORITHM", "COMPRESS_ALGORITHM_STREAMING"])
def test_there_is_a_way_to_compress(name: str) -> None:
    with pytest.raises(ConfigurationError, match=f"^{name} in the overrides cannot be "):
        create_app({"SECRET_KEY": SECRET_KEY, name: []})


@pytest.mark.parametrize("seconds", [float("nan"), float("inf")])
def test_a_number_of_seconds_is_finite(seconds: float) -> None:
    with pytest.raises(ConfigurationError, match=r"^MODEL_CHECK_SECONDS in the overrides cannot be "):
        create_app({"SECRET_KEY": SECRET_KEY, "MODEL_CHECK_SECONDS": seconds})


@pytest.mark.parametrize(
    ("wrong", "right"),
    [
        ("SERVERNAME", "SERVER_NAME"),
        ("WTF_CSRF_ENABLE", "WTF_CSRF_ENABLED"),
        ("COMPRESS_LEVELS", "COMPRESS_LEVEL"),
        ("BOOTSTRAP_BTNSTYLE", "BOOTSTRAP_BTN_STYLE"),
        ("MAX_BATCH_ROW", "MAX_BATCH_ROWS"),
        ("max_batch_rows", "MAX_BATCH_ROWS"),
    ],
)
def test_a_name_that_is_unknown_gets_the_nearest_one(wrong: str, right: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        create_app({"SECRET_KEY": SECRET_KEY, wrong: 1})
    assert str(raised.value) == f"{wrong} in the overrides is not a setting of iris_app. Did you mean {right}?"


def test_a_name_that_is_like_no_other_gets_the_lists_of_names() -> None:
    with pytest.raises(
        ConfigurationError,
        match=r"^X{64}… in the overrides is not a setting of iris_app\. config\.py and the documentation of",
    ):
        create_app({"SECRET_KEY": SECRET_KEY, "X" * 100_000: 1})


def test_without_csrf_protection_a_form_is_answered_without_a_token(make_app: Callable[..., Flask]) -> None:
    client = make_app(WTF_CSRF_ENABLED=False).test_client()
    assert "csrf_token" not in client.get("/home").text
    assert client.post("/classify", data=FORM).status_code == 303
    assert client.post("/batch", data={}).status_code == 422


def test_the_token_may_have_another_field(make_app: Callable[..., Flask]) -> None:
    client = make_app(WTF_CSRF_FIELD_NAME="proof").test_client()
    token = client.get("/home").text.partition('name="proof" type="hidden" value="')[2].partition('"')[0]
    assert client.post("/classify", data=FORM | {"proof": token}).status_code == 303
    assert client.post("/classify", data=FORM | {"csrf_token": token}).status_code == 400
    assert client.post("/batch", data={}).status_code == 400


def test_the_token_may_have_a_secret_of_its_own(make_app: Callable[..., Flask]) -> None:
    first = make_app(WTF_CSRF_SECRET_KEY="1" * 32).test_client()
    token = first.get("/home").text.partition('name="csrf_token" type="hidden" value="')[2].partition('"')[0]
    assert first.post("/classify", data=FORM | {"csrf_token": token}).status_code == 303
    second = make_app(WTF_CSRF_SECRET_KEY="2" * 32).test_client()
    second.set_cookie("iris_session", first.get_cookie("iris_session").value)  # type: ignore[union-attr]
    assert second.post("/classify", data=FORM | {"csrf_token": token}).status_code == 400


def test_the_server_name_is_the_host_of_links_made_outside_of_requests(make_app: Callable[..., Flask]) -> None:
    app = make_app(SERVER_NAME="example.org", PREFERRED_URL_SCHEME="https", APPLICATION_ROOT="/iris")
    with app.app_context():
        assert url_for("ui.home") == "https://example.org/iris/home"


@pytest.mark.parametrize("host", ["example.org", "127.0.0.1:8000"])
def test_with_a_server_name_every_host_is_answered(make_app: Callable[..., Flask], host: str) -> None:
    client = make_app(SERVER_NAME="example.org").test_client()
    assert client.get("/home", headers={"Host": host}).status_code == 200


def test_under_an_application_root_cookie_and_links_begin_with_it(make_app: Callable[..., Flask]) -> None:
    answer = make_app(APPLICATION_ROOT="/iris").test_client().get("/home")
    assert answer.status_code == 200
    assert "Path=/iris" in answer.headers["Set-Cookie"].split("; ")
    assert 'action="/iris/classify"' in answer.text
    assert 'href="/iris/static/' in answer.text


def test_a_session_cookie_above_the_maximum_warns(make_app: Callable[..., Flask]) -> None:
    with pytest.warns(UserWarning, match="cookie is too large"):
        make_app(MAX_COOKIE_SIZE=10).test_client().get("/home")


def test_without_a_maximum_no_cookie_warns(make_app: Callable[..., Flask]) -> None:
    app = make_app(MAX_COOKIE_SIZE=0)
    app.add_url_rule("/fill", view_func=lambda: session.update(text=[*range(5000)]) or "full")  # type: ignore[func-returns-value]
    with warnings.catch_warnings(action="error"):
        assert app.test_client().get("/fill").text == "full"


@pytest.mark.parametrize("lifetime", [600, timedelta(minutes=10)])
def test_a_permanent_session_ends_after_its_lifetime(make_app: Callable[..., Flask], lifetime: object) -> None:
    app = make_app(PERMANENT_SESSION_LIFETIME=lifetime)
    app.add_url_rule("/keep", view_func=lambda: session.update({"_permanent": True}) or "kept")  # type: ignore[func-returns-value]
    begun = int(time.time())
    cookie = app.test_client().get("/keep").headers["Set-Cookie"]
    (expires,) = (part.partition("=")[2] for part in cookie.split("; ") if part.startswith("Expires="))
    assert begun + 600 <= email.utils.parsedate_to_datetime(expires).timestamp() <= time.time() + 600


def test_in_debug_mode_templates_are_read_again(make_app: Callable[..., Flask]) -> None:
    app = make_app(DEBUG=True)
    assert app.debug
    assert app.jinja_env.auto_reload
    assert app.test_client().get("/home").status_code == 200
    assert not make_app(DEBUG=False).jinja_env.auto_reload


@pytest.mark.parametrize(
    ("settings", "encoding"),
    [({}, "gzip"), ({"COMPRESS_REGISTER": False}, None), ({"COMPRESS_MIMETYPES": ["text/css"]}, None)],
)
def test_the_settings_of_flask_compress_decide_on_compression(
    make_app: Callable[..., Flask], settings: dict[str, object], encoding: str | None
) -> None:
    answer = make_app(**settings).test_client().get("/home", headers={"Accept-Encoding": "gzip"})
    assert answer.headers.get("Content-Encoding") == encoding


def test_options_are_answered_unless_flask_is_told_not_to(make_app: Callable[..., Flask]) -> None:
    assert make_app().test_client().options("/home").status_code == 200
    assert make_app(PROVIDE_AUTOMATIC_OPTIONS=False).test_client().options("/home").status_code == 405
