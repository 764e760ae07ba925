"""Logging in JSON, a line per record, with the id of the request."""

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

# The only control character that msgspec does not escape.
DELETE = b"\x7f"

encode = msgspec.json.Encoder(enc_hook=str).encode


def request_context(request: Request) -> dict[str, object]:
    """Return the fields that identify a request."""
    trace = request.traceparent
    return {"request_id": request.id, "traceparent": trace} if trace else {"request_id": request.id}


class LineHandler(logging.StreamHandler[TextIO]):
    """Write and flush each record, without the locks and lookups of ``StreamHandler``."""

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as a line."""
        try:
            self._write(f"{self.format(record)}\n")
        except Exception:
            self.handleError(record)

    def emit_many(self, logger: str, entries: Iterable[tuple[float, str, dict[str, object]]]) -> None:
        """Write lines as records of level INFO would be written, without creating records.

        ``entries`` are the times, the messages and the fields of the lines.
        """
        lines = [
            {"time": datetime.fromtimestamp(at, UTC), "level": "INFO", "logger": logger, "message": message, **fields}
            for at, message, fields in entries
        ]
        try:
            with cast("RLock", self.lock):
                for chunk in _chunks(map(_encode_line, lines)):
                    self._write(chunk.decode())
        except Exception:
            self.handleError(logging.LogRecord(logger, logging.INFO, "", 0, str(lines[0]["message"]), None, None))

    def _write(self, text: str) -> None:
        self.stream.write(text)
        self.stream.flush()


class JsonFormatter(logging.Formatter):
    """Format a record as a line of JSON, with its traceback, and its ``fields`` or the current request's id."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line of a record."""
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
        return _encode_line(line).decode()


def fast_handler(logger: logging.Logger) -> LineHandler | None:
    """Return the only handler of a logger, if it is an unfiltered ``LineHandler`` that writes JSON."""
    handlers: list[logging.Handler] = []
    filters: list[object] = []
    current: logging.Logger | None = logger
    while current:
        handlers += current.handlers
        current = current.parent if current.propagate else None
    for filterer in (logger, *handlers):
        filters += filterer.filters
    is_only = len(handlers) == 1 and type(handlers[0].formatter) is JsonFormatter and logger.isEnabledFor(logging.INFO)
    return handlers[0] if is_only and not filters and isinstance(handlers[0], LineHandler) else None


def _chunks(lines: Iterable[bytes]) -> Iterator[bytes]:
    """Join lines into chunks that a pipe takes atomically, so that workers do not mix their lines."""
    chunk = b""
    for line in lines:
        if chunk and len(chunk) + len(line) >= PIPE_BUF:
            yield chunk
            chunk = b""
        chunk += line + b"\n"
    if chunk:
        yield chunk


def _encode_line(line: dict[str, Any]) -> bytes:
    """Encode a line as JSON, and escape unprintable characters, which could hide or reorder text on a terminal."""
    try:
        encoded = encode(line)
    except UnicodeEncodeError:  # a lone surrogate, which UTF-8 cannot encode
        encoded = json.dumps(line, default=str, ensure_ascii=False).encode(errors="replace")
    if encoded.isascii() and DELETE not in encoded:
        return encoded
    return printable(encoded.decode()).encode()
