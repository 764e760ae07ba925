"""The log: a line of JSON for each thing that is said, with the request that it is about."""

import json
import logging
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from select import PIPE_BUF
from threading import RLock
from typing import Any, TextIO, cast

import msgspec
from flask import has_request_context

from iris_app.formatting import printable
from iris_app.web.request import Request, request

# The one control character that msgspec writes as it is.
DELETE = b"\x7f"

encode = msgspec.json.Encoder(enc_hook=str).encode


def request_context(request: Request) -> dict[str, object]:
    """Return what a line says of the request that it is about."""
    trace = request.traceparent
    return {"request_id": request.id, "traceparent": trace} if trace else {"request_id": request.id}


class LineHandler(logging.StreamHandler[TextIO]):
    """Write each record at once, with no more steps than that takes."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as a line."""
        try:
            self._write(f"{self.format(record)}\n")
        except Exception:
            self.handleError(record)

    def emit_many(self, logger: str, facts: Iterable[tuple[float, str, dict[str, object]]]) -> None:
        """Write what is said of requests, as records of level INFO would be, without making any.

        ``facts`` are the times, the messages and the fields of the lines.
        """
        lines = [
            {"time": datetime.fromtimestamp(at, UTC), "level": "INFO", "logger": logger, "message": message, **fields}
            for at, message, fields in facts
        ]
        try:
            with cast("RLock", self.lock):
                for piece in _pieces(map(_encoded, lines)):
                    self._write(piece.decode())
        except Exception:
            self.handleError(logging.LogRecord(logger, logging.INFO, "", 0, str(lines[0]["message"]), None, None))

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


class JsonFormatter(logging.Formatter):
    """Write a record as one line, its traceback and its ``fields`` included, or else the id of the current request."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC),
            "level": record.levelname,
            "logger": record.name,
            "message": record.getMessage(),
        }
        if fields := getattr(record, "fields", None):
            line |= fields
        elif has_request_context():
            line |= request_context(request)
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return _encoded(line).decode()


def fast_handler(logger: logging.Logger) -> LineHandler | None:
    """Return what writes the lines of a logger, where that is a ``LineHandler`` and nothing else looks at them."""
    handlers: list[logging.Handler] = []
    filters: list[object] = []
    current: logging.Logger | None = logger
    while current:
        handlers += current.handlers
        current = current.parent if current.propagate else None
    for one in (logger, *handlers):
        filters += one.filters
    is_ours = len(handlers) == 1 and type(handlers[0].formatter) is JsonFormatter and logger.isEnabledFor(logging.INFO)
    return handlers[0] if is_ours and not filters and isinstance(handlers[0], LineHandler) else None


def _pieces(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines to pieces that a pipe takes whole, or those of other workers might come in between."""
    piece = b""
    for line in lines:
        if piece and len(piece) + len(line) >= PIPE_BUF:
            yield piece
            piece = b""
        piece += line + b"\n"
    if piece:
        yield piece


def _encoded(line: dict[str, Any]) -> bytes:
    """Encode a line; characters that would move or hide others on a terminal are escaped, as JSON does."""
    try:
        encoded = encode(line)
    except UnicodeEncodeError:  # half of a surrogate pair, which UTF-8 cannot write
        encoded = json.dumps(line, default=str, ensure_ascii=False).encode(errors="replace")
    if encoded.isascii() and DELETE not in encoded:
        return encoded
    return printable(encoded.decode()).encode()
