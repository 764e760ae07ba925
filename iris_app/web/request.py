"""The request as every door sees it: it has an id, and a body that never ends in the middle."""

import re
from collections.abc import Mapping
from random import getrandbits
from time import perf_counter, time
from typing import IO, Any, cast

import flask
import msgspec
import numpy as np
from flask import current_app
from numpy.typing import NDArray
from werkzeug.routing import Rule
from werkzeug.sansio.utils import get_content_length
from werkzeug.utils import cached_property

from iris_app.model.manifest import Manifest
from iris_app.web.body import inflate, open_body, read_whole

WELL_FORMED_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)

# Version 00 of https://www.w3.org/TR/trace-context/
TRACE = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class Flowers(msgspec.Struct, gc=False):
    """What a request was answered: how many ``rows``, by which model, how many of each species, and some of them."""

    rows: int
    manifest: Manifest
    species: Mapping[str, int]
    sample: NDArray[np.float64]


class RequestRecord(msgspec.Struct, gc=False):
    """What is known of a request that was answered, for those who count it and write its line a moment later."""

    at: float
    seconds: float
    status: int
    request_id: str
    traceparent: str | None
    client: str | None
    method: str
    path: str
    rule: Rule | None
    flowers: Flowers | None
    key: str | None

    @property
    def route(self) -> str | None:
        """The pattern of addresses that its own matched."""
        return self.rule.rule if self.rule else None


class Request(flask.Request):
    """A request, and what is noted of it: the ``flowers`` of its answer, and the name of its API ``key``."""

    flowers: Flowers | None = None
    key: str | None = None

    def __init__(self, environ: dict[str, Any], populate_request: bool = True, shallow: bool = False) -> None:
        super().__init__(environ, populate_request, shallow)
        self.began = perf_counter()

    @cached_property
    def id(self) -> str:
        """Name the request: as the client did, where that is well-formed, or anew."""
        given = self.environ.get("HTTP_X_REQUEST_ID")
        return given if given and WELL_FORMED_ID.fullmatch(given) else f"{getrandbits(128):032x}"

    @property
    def traceparent(self) -> str | None:
        """The trace that the client says it belongs to, where that is well-formed."""
        given = self.environ.get("HTTP_TRACEPARENT")
        return given if given and TRACE.fullmatch(given) else None

    def told(self, status: int) -> RequestRecord:
        """Return what is known of the request, now that it is answered with a status."""
        return RequestRecord(
            time(),
            perf_counter() - self.began,
            status,
            self.id,
            self.traceparent,
            self.remote_addr,
            self.method,
            self.path,
            self.url_rule,
            self.flowers,
            self.key,
        )

    @property
    def content_length(self) -> int | None:
        """The length of the body in bytes, or None where it comes in chunks."""
        return get_content_length(
            self.environ.get("CONTENT_LENGTH") or None, self.environ.get("HTTP_TRANSFER_ENCODING")
        )

    @cached_property
    def stream(self) -> IO[bytes]:
        """Give the body as a stream that raises where it is too long, too short or broken."""
        return open_body(self.environ, self.content_length, self.max_content_length)

    def read_body(self) -> bytes:
        """Return the body, inflated where it came compressed, as long as the limit at most."""
        limit = current_app.config["MAX_CONTENT_LENGTH"]
        body = read_whole(self.environ, self.content_length, limit)
        return inflate(body, self.environ.get("HTTP_CONTENT_ENCODING", "").strip().lower(), limit)


# The current request, as flask.request has it, with what is ours.
request = cast("Request", flask.request)


def current_request() -> Request:
    """Return the current request itself, for who asks much of it: ``request`` looks it up for each question."""
    return cast("Request", flask.request._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001 -- Werkzeug documents it
