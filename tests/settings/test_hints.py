"""Values that are nearly right: each error says what to write instead."""

import os

import pytest

from iris_app import create_app
from iris_app.exceptions import ConfigurationError
from tests.support import SECRET_KEY


@pytest.fixture(autouse=True)
def no_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("IRIS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("IRIS_SECRET_KEY", SECRET_KEY)


def refuse(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> str:
    """Return the error of a start with a variable that is wrong."""
    monkeypatch.setenv(name, text)
    with pytest.raises(ConfigurationError) as raised:
        create_app()
    return str(raised.value)


NEARLY_RIGHT = [
    ("SESSION_COOKIE_SECURE", "True", "true"),
    ("SESSION_COOKIE_SECURE", "yes", "true"),
    ("SESSION_COOKIE_SECURE", "1", "true"),
    ("SESSION_COOKIE_SECURE", "on", "true"),
    ("SESSION_COOKIE_SECURE", "'true'", "true"),
    ("SESSION_COOKIE_SECURE", "FALSE", "false"),
    ("SESSION_COOKIE_SECURE", "0", "false"),
    ("MAX_BATCH_ROWS", "1e5", "100000"),
    ("MAX_BATCH_ROWS", "100_000", "100000"),
    ("MAX_BATCH_ROWS", "100,000", "100000"),
    ("MAX_BATCH_ROWS", "100 000", "100000"),
    ("MAX_BATCH_ROWS", "100k", "100000"),
    ("MAX_BATCH_ROWS", '"500"', "500"),
    ("MAX_CONTENT_LENGTH", "16MB", "16777216"),
    ("MAX_CONTENT_LENGTH", "16 MiB", "16777216"),
    ("MAX_CONTENT_LENGTH", "1.5m", "1572864"),
    ("WTF_CSRF_TIME_LIMIT", "4h", "14400"),
    ("WTF_CSRF_TIME_LIMIT", "None", "null"),
    ("PERMANENT_SESSION_LIFETIME", "1 day", "86400"),
    ("MODEL_CHECK_SECONDS", "2,5", "2.5"),
    ("COMPRESS_ALGORITHM", "gzip", '["gzip"]'),
    ("COMPRESS_ALGORITHM", "GZIP, br", '["gzip","br"]'),
    ("COMPRESS_ALGORITHM", "['gzip']", '["gzip"]'),
    ("TRUSTED_HOSTS", "example.org", '["example.org"]'),
    ("SESSION_COOKIE_SAMESITE", "lax", "Lax"),
    ("SERVER_NAME", "https://example.org/", "example.org"),
    ("SERVER_NAME", "None", "null"),
    ("APPLICATION_ROOT", "iris", "/iris"),
    ("AIP_PREDICT_ROUTE", "predict", "/predict"),
    ("MODEL_SHA256", "sha256:" + "AB" * 32, "ab" * 32),
    ("MODEL_PATH", '"model.joblib"', "it without them"),
]


@pytest.mark.parametrize(("name", "text", "advice"), NEARLY_RIGHT)
def test_a_variable_that_is_nearly_right_gets_the_right_spelling(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, advice: str
) -> None:
    error = refuse(monkeypatch, f"IRIS_{name}", text)
    assert error.startswith(f"IRIS_{name} in the environment cannot be ")
    assert error.endswith(f"; write {advice}.")


@pytest.mark.parametrize(("name", "advice"), [(name, advice) for name, _, advice in NEARLY_RIGHT[:-1]])
def test_what_a_hint_says_to_write_is_accepted(monkeypatch: pytest.MonkeyPatch, name: str, advice: str) -> None:
    monkeypatch.setenv(f"IRIS_{name}", advice)
    assert create_app()


@pytest.mark.parametrize(
    ("name", "text", "advice"),
    [
        ("SESSION_COOKIE_SECURE", "maybe", "true or false"),
        ("MAX_BATCH_ROWS", "16MB", "a whole number in digits, such as 1000"),
        ("MAX_BATCH_ROWS", "1.2.3", "a whole number in digits, such as 1000"),
        ("MAX_BATCH_ROWS", "1.5", "a whole number in digits, such as 1000"),
        ("MAX_BATCH_ROWS", "m" * 1000, "a whole number in digits, such as 1000"),
        ("MODEL_CHECK_SECONDS", "nan", "a number in digits, such as 2.5"),
        ("COMPRESS_ALGORITHM", "rar", 'a list in JSON, such as ["br","deflate"]'),
        ("RECAPTCHA_DATA_ATTRS", "theme=dark", 'an object in JSON, such as {"name": "value"}'),
        ("WTF_CSRF_TIME_LIMIT", "long", "a whole number in digits, such as 1000, or null"),
        ("SESSION_COOKIE_SAMESITE", "some", "one of Lax, None, Strict"),
        ("MODEL_NAME", "my model", "text such as iris-2, or null"),
        ("COMPRESS_CACHE_BACKEND", "redis", "null"),
    ],
)
def test_a_variable_that_means_nothing_gets_the_form_of_its_setting(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, advice: str
) -> None:
    assert refuse(monkeypatch, f"IRIS_{name}", text).endswith(f"; write {advice}.")


@pytest.mark.parametrize(
    ("name", "text", "reason"),
    [
        ("PROXY_COUNT", "-1", "Expected `int` >= 0"),
        ("COMPRESS_LEVEL", "10", "Expected `int` <= 9"),
        ("MODEL_CHECK_SECONDS", "1e999", "Number out of range"),
    ],
)
def test_a_number_out_of_its_bounds_gets_the_bound_alone(
    monkeypatch: pytest.MonkeyPatch, name: str, text: str, reason: str
) -> None:
    assert refuse(monkeypatch, f"IRIS_{name}", text).endswith(f"cannot be {text!r}: {reason}.")


@pytest.mark.parametrize(
    "name", ["SECRET_KEY", "SECRET_KEY_FALLBACKS", "WTF_CSRF_SECRET_KEY", "METRICS_TOKEN", "API_KEYS"]
)
@pytest.mark.parametrize("text", ["hush", "'hush'", "hush=hush", "{'hush': 'hush'}", "['hush']"])
def test_no_hint_repeats_a_secret(monkeypatch: pytest.MonkeyPatch, name: str, text: str) -> None:
    error = refuse(monkeypatch, f"IRIS_{name}", text)
    assert error.startswith(f"IRIS_{name} in the environment is wrong: ")
    assert "hush" not in error


def test_a_secret_in_quotes_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    error = refuse(monkeypatch, "IRIS_METRICS_TOKEN", f'"{SECRET_KEY}"')
    assert error == "IRIS_METRICS_TOKEN in the environment is wrong: it stands in quotes; write it without them."


@pytest.mark.parametrize(
    ("name", "value", "advice"),
    [
        ("SESSION_COOKIE_SECURE", "true", "True"),
        ("SESSION_COOKIE_SECURE", 0, "False"),
        ("MAX_BATCH_ROWS", 1e5, "100000"),
        ("MAX_BATCH_ROWS", "7", "7"),
        ("MODEL_NAME", 7, "'7'"),
        ("TRUSTED_HOSTS", "example.org", "['example.org']"),
        ("MAX_BATCH_ROWS", 1.5, "a whole number in digits, such as 1000"),
        ("API_KEYS", "lab", 'an object in Python, such as {"name": "value"}'),
    ],
)
def test_an_override_that_is_nearly_right_gets_the_right_spelling(name: str, value: object, advice: str) -> None:
    with pytest.raises(ConfigurationError) as raised:
        create_app({"SECRET_KEY": SECRET_KEY, name: value})
    assert str(raised.value).endswith(f"; write {advice}.")
