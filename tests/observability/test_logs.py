"""Lines of JSON."""

import io
import json
import logging
import sys
import time
from collections.abc import Callable, Iterator
from select import PIPE_BUF
from typing import Any

import pytest
from flask import Flask

from iris_app.observability.logs import JsonFormatter, LineHandler, fast_handler


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


@pytest.fixture
def written() -> Iterator[tuple[logging.Logger, io.StringIO]]:
    """A logger whose lines are written by our handler, and where they go."""
    stream = io.StringIO()
    handler = LineHandler(stream)
    handler.setFormatter(JsonFormatter())
    logger = logging.getLogger("iris_app.tests")
    logger.propagate = False
    logger.setLevel(logging.INFO)
    logger.addHandler(handler)
    yield logger, stream
    logger.handlers, logger.filters, logger.propagate = [], [], True
    logger.setLevel(logging.NOTSET)


def test_what_is_said_of_a_request_is_written_as_a_record_would_be(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written
    logger.handlers = logger.handlers[:1]  # pytest listens too
    handler = fast_handler(logger)
    assert handler is not None
    handler.emit_many(logger.name, [(time.time(), "GET / 200", {"rows": 3})])
    logger.info("%s", "GET / 200", extra={"fields": {"rows": 3}})
    said, recorded = (json.loads(text) for text in stream.getvalue().splitlines())
    assert set(said) == set(recorded)
    assert said | {"time": ""} == recorded | {"time": ""}


def test_what_is_said_of_many_requests_is_a_line_for_each(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written
    handler = logger.handlers[0]
    assert isinstance(handler, LineHandler)
    handler.emit_many(logger.name, [(second, f"GET /{second} 200", {}) for second in range(3)])
    said = [json.loads(text) for text in stream.getvalue().splitlines()]
    assert [(line["time"], line["message"]) for line in said] == [
        (f"1970-01-01T00:00:0{second}Z", f"GET /{second} 200") for second in range(3)
    ]


def test_where_nothing_is_said_nothing_is_written(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written
    handler = logger.handlers[0]
    assert isinstance(handler, LineHandler)
    handler.emit_many(logger.name, [])
    assert stream.getvalue() == ""


def test_lines_of_requests_are_written_in_pieces_that_a_pipe_takes_whole(
    written: tuple[logging.Logger, io.StringIO], monkeypatch: pytest.MonkeyPatch
) -> None:
    logger, stream = written
    handler = logger.handlers[0]
    assert isinstance(handler, LineHandler)
    pieces: list[str] = []
    monkeypatch.setattr(stream, "write", pieces.append)
    handler.emit_many(logger.name, [(0, "é" * 100, {})] * 64)
    assert all(piece.endswith("\n") and len(piece.encode()) <= PIPE_BUF for piece in pieces)
    assert "".join(pieces).count("\n") == 64
    assert len(pieces) < 10


def test_a_line_that_cannot_be_written_is_no_fault_of_the_request(
    written: tuple[logging.Logger, io.StringIO], capsys: pytest.CaptureFixture[str]
) -> None:
    logger, stream = written
    logger.handlers = logger.handlers[:1]
    handler = fast_handler(logger)
    stream.close()
    logger.info("so")
    assert "--- Logging error ---" in capsys.readouterr().err
    assert handler is not None
    handler.emit_many("iris_app", [(0, "so", {})])
    assert "--- Logging error ---" in capsys.readouterr().err


@pytest.mark.parametrize(
    "change",
    [
        lambda logger: logger.addHandler(logging.NullHandler()),
        lambda logger: logger.addFilter(lambda _record: True),
        lambda logger: logger.handlers[0].addFilter(lambda _record: True),
        lambda logger: logger.handlers[0].setFormatter(logging.Formatter()),
        lambda logger: logger.setLevel(logging.WARNING),
        lambda logger: setattr(logger, "handlers", [logging.StreamHandler()]),
        lambda logger: setattr(logger, "propagate", True),
    ],
    ids=["a second handler", "a filter", "a handler's filter", "a formatter", "a level", "a handler", "a parent's"],
)
def test_who_configures_logging_otherwise_gets_records(
    written: tuple[logging.Logger, io.StringIO], change: Callable[[logging.Logger], object]
) -> None:
    logger, _ = written
    logger.handlers = logger.handlers[:1]
    assert fast_handler(logger)
    change(logger)
    assert fast_handler(logger) is None


def test_half_a_surrogate_pair_does_not_break_a_line() -> None:
    assert "\ud800" not in line(args=("\ud800",))["message"]


@pytest.mark.parametrize(
    "character", ["\x7f", "\x9b", "\xad", "\u200b", "\u202e", "\u2028", "\u2029", "\ue000", "\U000e0041"]
)
@pytest.mark.parametrize("place", ["args", "fields", "name", "exception"])
def test_no_character_that_moves_others_is_written_as_it_is(character: str, place: str) -> None:
    more: dict[str, Any] = {
        "args": {"args": (character,)},
        "fields": {"fields": {character: character}},
        "name": {"name": character},
        "exception": {"exc_info": (ValueError, ValueError(character), None)},
    }[place]
    record = logging.makeLogRecord({"name": "iris_app", "levelname": "INFO", "msg": "said %s", "args": ("so",)} | more)
    written = JsonFormatter().format(record)
    assert character not in written
    assert character in json.dumps(json.loads(written), ensure_ascii=False)


def test_no_such_character_is_written_of_requests(written: tuple[logging.Logger, io.StringIO]) -> None:
    logger, stream = written
    handler = logger.handlers[0]
    assert isinstance(handler, LineHandler)
    handler.emit_many(logger.name, [(0, "GET /\x9b\u202e 404", {"path": "\x7f"})])
    assert stream.getvalue().rstrip("\n").isprintable()
