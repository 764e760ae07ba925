"""The request as every door sees it: it has an id, and a body that never ends in the middle."""

import re
import uuid
from time import perf_counter
from typing import IO, Any, cast

import flask
from werkzeug.utils import cached_property

from iris_app.body import open_body

WELL_FORMED_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)

# Version 00 of https://www.w3.org/TR/trace-context/
TRACE = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Request(flask.Request):
    """A request, and what is noted of it: ``rows`` and ``model`` of its answer, and the name of its API ``key``."""

    rows: int | None = None
    model: str | None = None
    key: str | None = None

    def __init__(self, environ: dict[str, Any], populate_request: bool = True, shallow: bool = False) -> None:
        super().__init__(environ, populate_request, shallow)
        self.began = perf_counter()

    @cached_property
    def id(self) -> str:
        """Name the request: as the client did, where that is well-formed, or anew."""
        given = self.environ.get("HTTP_X_REQUEST_ID", "")
        return given if WELL_FORMED_ID.fullmatch(given) else uuid.uuid4().hex

    @property
    def traceparent(self) -> str | None:
        """The trace that the client says it belongs to, where that is well-formed."""
        given = self.environ.get("HTTP_TRACEPARENT", "")
        return given if TRACE.fullmatch(given) else None

    @property
    def route(self) -> str | None:
        """The pattern of addresses that this one matched."""
        return self.url_rule.rule if self.url_rule else None

    @cached_property
    def stream(self) -> IO[bytes]:
        """Give the body as a stream that raises where it is too long, too short or broken."""
        return open_body(self.environ, self.content_length, self.max_content_length)


# The current request, as flask.request has it, with what is ours.
request = cast("Request", flask.request)
