"""The log: a line of JSON for each thing that is said, with the request that it is about."""

import json
import logging
from datetime import UTC, datetime
from typing import Any

import msgspec
from flask import has_request_context

from iris_app.request import Request, current_request

encode = msgspec.json.Encoder(enc_hook=str).encode


def about(request: Request) -> dict[str, object]:
    """Return what a line says of the request that it is about."""
    trace = request.traceparent
    return {"request_id": request.id, "traceparent": trace} if trace else {"request_id": request.id}


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
            line |= about(current_request())
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        try:
            return encode(line).decode()
        except UnicodeEncodeError:  # half of a surrogate pair, which UTF-8 cannot write
            return json.dumps(line, default=str, ensure_ascii=False).encode(errors="replace").decode()
