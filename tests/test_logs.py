"""Lines of JSON."""

import json
import logging
import sys
from typing import Any

from flask import Flask

from iris_app.logs import JsonFormatter


def line(**more: Any) -> dict[str, Any]:
    record = logging.makeLogRecord({"name": "iris_app", "levelname": "INFO", "msg": "said %s", "args": ("so",)} | more)
    written = JsonFormatter().format(record)
    assert "\n" not in written
    said: dict[str, Any] = json.loads(written)
    return said


def test_a_line_says_when_how_loudly_who_and_what() -> None:
    said = line(created=0)
    assert said == {"time": "1970-01-01T00:00:00Z", "level": "INFO", "logger": "iris_app", "message": "said so"}


def test_a_line_holds_the_fields_that_it_was_given() -> None:
    assert line(fields={"rows": 3})["rows"] == 3


def test_a_traceback_stands_in_its_line() -> None:
    try:
        raise RuntimeError("a fault")
    except RuntimeError:
        said = line(exc_info=sys.exc_info())
    assert said["exception"].startswith("Traceback (most recent call last):\n")
    assert said["exception"].endswith("RuntimeError: a fault")


def test_a_line_about_a_request_names_it(app: Flask) -> None:
    trace = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    with app.test_request_context(headers={"X-Request-ID": "mine", "traceparent": trace}):
        said = line()
    assert (said["request_id"], said["traceparent"]) == ("mine", trace)


def test_a_line_about_a_request_without_a_trace_has_none(app: Flask) -> None:
    with app.test_request_context():
        assert "traceparent" not in line()


def test_what_json_cannot_hold_is_written_as_text() -> None:
    assert line(fields={"error": ValueError("odd")})["error"] == "odd"


def test_half_a_surrogate_pair_does_not_break_a_line() -> None:
    assert "\ud800" not in line(args=("\ud800",))["message"]
