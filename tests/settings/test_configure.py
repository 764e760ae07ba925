import os
import subprocess
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any, get_type_hints

import pytest
from flask import Flask

import config
from iris_app.exceptions import ConfigurationError
from iris_app.settings import configure
from tests.support import CHECKOUT, SECRET_KEY

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
    with pytest.raises(ConfigurationError, match=r"^IRIS_MAX_BATCH_ROWS in the environment cannot be "):
        configured()


def test_an_unknown_variable_is_named(configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRIS_MAX_BATCH_ROW", "5")
    with pytest.raises(ConfigurationError, match=r"^IRIS_MAX_BATCH_ROW in the environment is not a setting"):
        configured()


def test_an_ill_typed_setting_of_the_instance_folder_is_named(configured: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"^MAX_BATCH_ROWS in instance/config.py, line 2, is wrong: .*`str`"):
        configured(f"{SECRET_LINE}\nMAX_BATCH_ROWS = '7'")


def test_an_unknown_setting_of_the_instance_folder_is_named(configured: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"^SECRET in instance/config.py, line 1, is not a setting"):
        configured("SECRET = 'instance'")


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("MAX_BATCH_ROWS = 5\nMAX_BATCH_ROWS = \n", "instance/config.py, line 2, cannot be read: it is not Python"),
        ("\n\nMAX_BATCH_ROWS = many\n", "instance/config.py, line 3, cannot be read: a name is not"),
        ("raise SystemExit", "instance/config.py, line 1, cannot be read: it ends"),
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
    with pytest.raises(ConfigurationError, match=r"^max_batch_rows in instance/config.py, line 2, is not a setting"):
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
    with pytest.raises(ConfigurationError, match=rf"^{setting} in instance/config.py, line 2, is wrong: ") as raised:
        configured(f"{SECRET_LINE}\n{setting} = 'hush'")
    assert "hush" not in str(raised.value)


def test_a_secret_key_that_is_too_short_stops_the_start(configured: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"Expected `str` of length >= 32"):
        configured("SECRET_KEY = 'a secret of thirty-one letters.'")


SECRET_TEXT = "correct horse battery staple, and more"  # noqa: S105

WRONG_FILES = {
    "a missing quote": f"SECRET_KEY = '{SECRET_TEXT}".encode(),
    "no quotes": b"SECRET_KEY = correcthorsebatterystapleandmore",
    "text and a name": b"SECRET_KEY = 'a' correcthorse",
    "an unknown escape and a fault": rb"SECRET_KEY = 'correct horse \d'; 1 / 0",
    "a bracket": f"SECRET_KEY = ('{SECRET_TEXT}'".encode(),
    "another encoding": f"SECRET_KEY = '{SECRET_TEXT} é'".encode("latin-1"),
    "an unknown encoding": f"# coding: none\nSECRET_KEY = '{SECRET_TEXT}'".encode(),
    "UTF-16": f"SECRET_KEY = '{SECRET_TEXT}'".encode("utf-16"),
    "a NUL": f"SECRET_KEY = '{SECRET_TEXT}\0'".encode(),
    "an exception": f"SECRET_KEY = '{SECRET_TEXT}'\nraise ValueError(SECRET_KEY)".encode(),
    "an exception of its own": f"class E(BaseException): pass\nraise E('{SECRET_TEXT}')".encode(),
    "a missing key": f"SECRET_KEY = {{}}['{SECRET_TEXT}']".encode(),
    "an exit": f"SECRET_KEY = '{SECRET_TEXT}'\nexit(SECRET_KEY)".encode(),
    "a file that is missing": f"SECRET_KEY = open('{SECRET_TEXT}').read()".encode(),
    "a module that is missing": b"import correcthorse",
    "a type": f"SECRET_KEY = ['{SECRET_TEXT}']".encode(),
    "a short text": b"SECRET_KEY = 'correct horse'",
    "half a character": b"SECRET_KEY = 'correct horse' + 40 * '\\ud800'",
    "the wrong setting": f"SESSION_COOKIE_SAMESITE = '{SECRET_TEXT}'".encode(),
    "an indent": f"  SECRET_KEY = '{SECRET_TEXT}'\n 1".encode(),
    "brackets without end": b"SECRET_KEY = " + b"(" * 100_000 + b"correct",
}


@pytest.mark.parametrize("kind", WRONG_FILES)
def test_no_value_in_a_wrong_file_is_repeated(
    tmp_path: Path, kind: str, capfd: pytest.CaptureFixture[str], recwarn: pytest.WarningsRecorder
) -> None:
    (tmp_path / "config.py").write_bytes(WRONG_FILES[kind])
    with pytest.raises(ConfigurationError, match=r"instance/config\.py") as raised:
        configure(Flask("iris_app", instance_path=str(tmp_path)), None)
    said = "".join(traceback.format_exception(raised.value)).rpartition("ConfigurationError")[2]
    said += "".join(capfd.readouterr()) + "".join(str(one.message) for one in recwarn)
    assert "correct" not in said
    assert "staple" not in said
    assert raised.value.__suppress_context__


def test_a_file_that_is_right_is_read_without_a_warning_that_repeats_it(
    configured: Callable[..., Any], recwarn: pytest.WarningsRecorder
) -> None:
    assert configured(rf"SECRET_KEY = '{SECRET_TEXT}\d'")["SECRET_KEY"] == SECRET_TEXT + r"\d"
    assert not recwarn.list


@pytest.mark.parametrize("make", [Path.mkdir, os.mkfifo, lambda path: path.symlink_to("nowhere")])
def test_settings_that_are_no_file_stop_the_start(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "config.py")
    with pytest.raises(ConfigurationError, match=r"^instance/config\.py cannot be read: "):
        configure(Flask("iris_app", instance_path=str(tmp_path)), None)


def test_a_setting_that_is_made_in_another_way_is_named_without_a_line(configured: Callable[..., Any]) -> None:
    with pytest.raises(ConfigurationError, match=r"^MAX_BATCH_ROWS in instance/config\.py is wrong: "):
        configured(f"{SECRET_LINE}\nglobals()['MAX_BATCH_ROWS'] = 'many'")


def test_who_interrupts_the_start_is_heard(configured: Callable[..., Any]) -> None:
    with pytest.raises(KeyboardInterrupt):
        configured("raise KeyboardInterrupt")


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "MODEL_PATH", "TRUSTED_HOSTS", "MAX_BATCH_ROWS", "MODEL_NAME", "\udcff"]
)
def test_a_variable_that_is_not_utf_8_stops_the_start(
    configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(f"IRIS_{name}", "\udcff" * 40)
    with pytest.raises(ConfigurationError, match=r"^IRIS_\S+ in the environment ") as raised:
        configured()
    assert str(raised.value).isascii()


def test_a_secret_that_is_not_utf_8_is_refused_for_that(
    configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRIS_SECRET_KEY", "\udcff" * 40)
    with pytest.raises(ConfigurationError, match=r"^IRIS_SECRET_KEY in the environment is wrong: it is not UTF-8\.$"):
        configured()


def test_every_wrong_setting_is_named_at_once(configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IRIS_PROXY_COUNT", "some")
    monkeypatch.setenv("IRIS_PROXY", "1")
    with pytest.raises(ConfigurationError) as raised:
        configured("MAX_BATCH_ROWS = 'many'\nKEEP_MODELS = 0")
    assert [line.partition(" ")[0] for line in str(raised.value).splitlines()] == [
        "MAX_BATCH_ROWS",
        "KEEP_MODELS",
        "IRIS_PROXY_COUNT",
        "IRIS_PROXY",
        "SECRET_KEY",
    ]


def test_the_server_prints_a_line_for_each_wrong_setting_and_exits_with_1() -> None:
    settings = {"IRIS_SECRET_KEY": "short", "IRIS_SESSION_COOKIE_SECURE": "True", "IRIS_SERVERNAME": "a"}
    command = [Path(sys.executable).parent / "gunicorn", "wsgi:app", "--bind=127.0.0.1:0"]
    run = subprocess.run(command, cwd=CHECKOUT, env=os.environ | settings, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.splitlines() == [
        "iris_app cannot start: IRIS_SECRET_KEY in the environment is wrong: Expected `str` of length >= 32.",
        "IRIS_SESSION_COOKIE_SECURE in the environment cannot be 'True': Expected `bool`, got `str`; write true.",
        "IRIS_SERVERNAME in the environment is not a setting of iris_app. Did you mean IRIS_SERVER_NAME?",
    ]


def test_a_file_that_cannot_be_read_hides_no_wrong_variable(
    configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRIS_PROXY_COUNT", "some")
    with pytest.raises(ConfigurationError) as raised:
        configured("SECRET_KEY =")
    assert [line.partition(" ")[0] for line in str(raised.value).splitlines()] == [
        "instance/config.py,",
        "IRIS_PROXY_COUNT",
    ]


@pytest.mark.parametrize("variable", ["AIP_PREDICT_ROUTE", "IRIS_AIP_PREDICT_ROUTE"])
def test_a_variable_is_named_in_full(
    configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, "<>")
    with pytest.raises(ConfigurationError, match=rf"^{variable} in the environment cannot be '<>'"):
        configured()


def test_a_variable_with_the_prefix_wins_over_the_platform_s(
    configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("IRIS_AIP_PREDICT_ROUTE", "/ours")
    monkeypatch.setenv("AIP_PREDICT_ROUTE", "/theirs")
    assert configured()["AIP_PREDICT_ROUTE"] == "/ours"


@pytest.mark.parametrize("service", ["IRIS", "IRIS_APP", "IRIS_PREDICTOR_DEFAULT"])
def test_the_variables_of_a_kubernetes_service_are_passed_over(
    configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    variables = {
        "SERVICE_HOST": "10.0.0.11",
        "SERVICE_PORT": "8000",
        "SERVICE_PORT_HTTP": "8000",
        "PORT": "tcp://10.0.0.11:8000",
        "PORT_8000_TCP": "tcp://10.0.0.11:8000",
        "PORT_8000_TCP_PROTO": "tcp",
        "PORT_8000_TCP_PORT": "8000",
        "PORT_8000_TCP_ADDR": "10.0.0.11",
    }
    for name, text in variables.items():
        monkeypatch.setenv(f"{service}_{name}", text)
    assert not configured().keys() & variables.keys()


@pytest.mark.parametrize(("name", "text"), [("PORT", "8000"), ("SERVICE_NAME", "iris"), ("PORT_HTTP", "8000")])
def test_a_variable_that_kubernetes_does_not_set_stops_the_start(
    configured: Callable[..., Any], monkeypatch: pytest.MonkeyPatch, name: str, text: str
) -> None:
    monkeypatch.setenv(f"IRIS_{name}", text)
    with pytest.raises(ConfigurationError, match=rf"^IRIS_{name} in the environment is not a setting"):
        configured()


def test_the_instance_folder_sets_what_is_flask_s(configured: Callable[..., Any]) -> None:
    text = f"from datetime import timedelta\n{SECRET_LINE}\nPERMANENT_SESSION_LIFETIME = timedelta(hours=1)"
    assert configured(text)["PERMANENT_SESSION_LIFETIME"].total_seconds() == 3600


@pytest.mark.parametrize(
    ("line", "advice"),
    [
        ("SESSION_COOKIE_SECURE = 'true'", "True"),
        ("SESSION_COOKIE_SAMESITE = 'lax'", "'Lax'"),
        ("WTF_CSRF_TIME_LIMIT = 'None'", "None"),
        ("MAX_BATCH_ROWS = '4711'", "a whole number in digits, such as 1000"),
        ("MAX_BATCH_ROWS = '4711 or so'", "a whole number in digits, such as 1000"),
        ('SESSION_COOKIE_SAMESITE = "it\'s 4711"', "one of 'Lax', 'None', 'Strict'"),
    ],
)
def test_a_hint_for_the_instance_folder_repeats_no_value(
    configured: Callable[..., Any], line: str, advice: str
) -> None:
    with pytest.raises(ConfigurationError) as raised:
        configured(f"{SECRET_LINE}\n{line}")
    assert str(raised.value).endswith(f"; write {advice}.")
    assert "4711" not in str(raised.value)
