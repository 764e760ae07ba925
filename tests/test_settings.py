from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from flask import Flask

import config
from iris_app.exceptions import ConfigurationError
from iris_app.settings import configure
from tests.support import SECRET_KEY

SECRET_LINE = f"SECRET_KEY = {SECRET_KEY!r}"


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in get_type_hints(config):
        monkeypatch.delenv(f"IRIS_{name}", raising=False)


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Any]:
    """Read the settings that an instance folder with this text, and these overrides, come to."""

    def configured(text: str = SECRET_LINE, overrides: dict[str, object] | None = None) -> Any:
        (tmp_path / "config.py").write_text(text)
        app = Flask("iris_app", instance_path=str(tmp_path))
        configure(app, overrides)
        return app.config

    return configured


def test_every_setting_has_a_type_and_a_comment_above_it() -> None:
    lines = Path(config.__file__).read_text().splitlines()
    types = get_type_hints(config)
    assert {name for name in vars(config) if name.isupper()} == set(types)
    for name in types:
        (at,) = (number for number, line in enumerate(lines) if line.startswith(f"{name}: "))
        group = lines[at - 1].startswith("#") or lines[at - 1].split(":")[0] in types
        assert group, f"{name} stands without a word"


def test_the_defaults_are_the_first_layer(configured: Callable[..., Any]) -> None:
    assert configured()["MAX_BATCH_ROWS"] == config.MAX_BATCH_ROWS


def test_the_instance_folder_changes_a_default(configured: Callable[..., Any]) -> None:
    assert configured(f"{SECRET_LINE}\nMAX_BATCH_ROWS = 7")["MAX_BATCH_ROWS"] == 7


def test_the_environment_changes_the_instance_folder(
    configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRIS_MAX_BATCH_ROWS", "8")
    assert configured(f"{SECRET_LINE}\nMAX_BATCH_ROWS = 7")["MAX_BATCH_ROWS"] == 8


def test_overrides_stand_in_place_of_instance_folder_and_environment(
    configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRIS_MAX_BATCH_ROWS", "8")
    settings = configured("MAX_BATCH_ROWS = 7", {"SECRET_KEY": SECRET_KEY})
    assert (settings["SECRET_KEY"], settings["MAX_BATCH_ROWS"]) == (SECRET_KEY, config.MAX_BATCH_ROWS)


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("SECRET_KEY", "1" * 32, "1" * 32),
        ("MODEL_PATH", "true", "true"),
        ("API_KEYS", '{"lab": "%s"}' % ("0" * 64), {"lab": "0" * 64}),
        ("MODEL_PATH", "/a/b c.joblib", "/a/b c.joblib"),
        ("MAX_BATCH_ROWS", "123", 123),
        ("SESSION_COOKIE_SECURE", "true", True),
        ("SESSION_COOKIE_SECURE", "false", False),
        ("WTF_CSRF_TIME_LIMIT", "null", None),
        ("WTF_CSRF_TIME_LIMIT", "60", 60),
    ],
)
def test_the_environment_holds_text_as_it_stands_and_all_else_as_json(
    configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str, text: str, value: object
) -> None:
    monkeypatch.setenv(f"IRIS_{name}", text)
    assert configured()[name] == value
    assert type(configured()[name]) is type(value)


@pytest.mark.parametrize("text", ["many", "1.5", "true", "", "[1]"])
def test_an_ill_typed_variable_is_named(
    configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("IRIS_MAX_BATCH_ROWS", text)
    with pytest.raises(ConfigurationError, match=r"^MAX_BATCH_ROWS in the environment cannot be "):
        configured()


def test_an_unknown_variable_is_named(configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRIS_MAX_BATCH_ROW", "5")
    with pytest.raises(ConfigurationError, match=r"^MAX_BATCH_ROW in the environment is not a setting"):
        configured()


def test_an_ill_typed_setting_of_the_instance_folder_is_named(configured: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"^MAX_BATCH_ROWS in instance/config.py cannot be '7': .*`str`"):
        configured(f"{SECRET_LINE}\nMAX_BATCH_ROWS = '7'")


def test_an_unknown_setting_of_the_instance_folder_is_named(configured: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"^SECRET in instance/config.py is not a setting"):
        configured("SECRET = 'instance'")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("MAX_BATCH_ROWS = 5\nMAX_BATCH_ROWS = \n", "instance/config.py, line 2, cannot be read: SyntaxError"),
        ("\n\nMAX_BATCH_ROWS = many\n", "instance/config.py, line 3, cannot be read: NameError"),
        ("raise SystemExit", "instance/config.py, line 1, cannot be read: SystemExit"),
        ("\0", "instance/config.py"),
    ],
)
def test_an_instance_folder_that_cannot_be_read_is_named_with_its_line(
    configured: Callable[..., Any], text: str, place: str
) -> None:
    with pytest.raises(ConfigurationError, match=place):
        configured(text)


def test_text_that_is_wrong_is_not_taken_for_json(
    configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRIS_SECRET_KEY", "short")
    with pytest.raises(ConfigurationError, match="Expected `str` of length >= 32"):
        configured()


def test_a_setting_in_the_wrong_case_is_named(configured: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"^max_batch_rows in instance/config.py is not a setting"):
        configured(f"{SECRET_LINE}\nmax_batch_rows = 7")


def test_the_instance_folder_may_compute(configured: Callable[..., Any]) -> None:
    assert (
        configured(f"from math import prod\nsize = prod([2, 3])\n{SECRET_LINE}\nMAX_BATCH_ROWS = size")[
            "MAX_BATCH_ROWS"
        ]
        == 6
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [("PROXY_COUNT", -1), ("MAX_BATCH_ROWS", 0), ("SESSION_COOKIE_SAMESITE", "Bogus"), ("SESSION_COOKIE_NAME", "")],
)
def test_a_value_that_a_setting_does_not_allow_is_named(
    configured: Callable[..., Any], name: str, value: object
) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{name} in the overrides cannot be {value!r}: "):
        configured(overrides={"SECRET_KEY": SECRET_KEY, name: value})


def test_an_unknown_override_is_named(configured: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"^DEBUG_MODE in the overrides is not a setting"):
        configured(overrides={"SECRET_KEY": SECRET_KEY, "DEBUG_MODE": True})


@pytest.mark.parametrize("text", ["", "SECRET_KEY = None"])
def test_there_is_no_start_without_a_secret_key(configured: Callable[..., Any], text: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^SECRET_KEY is not set\. Run scripts/setup"):
        configured(text)


@pytest.mark.parametrize("setting", ["SECRET_KEY", "SECRET_KEY_FALLBACKS", "METRICS_TOKEN", "API_KEYS"])
def test_a_secret_that_is_refused_is_not_repeated(configured: Callable[..., Any], setting: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"^{setting} in instance/config.py is wrong: ") as raised:
        configured(f"{SECRET_LINE}\n{setting} = 'hush'")
    assert "hush" not in str(raised.value)


def test_a_secret_key_that_is_too_short_stops_the_start(configured: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"Expected `str` of length >= 32"):
        configured("SECRET_KEY = 'a secret of thirty-one letters.'")
