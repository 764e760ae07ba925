"""The request of every view, with an id and a body that is read whole or refused."""

import re
from collections.abc import Mapping
from random import getrandbits
from time import perf_counter
from typing import IO, Any, cast

import flask
import msgspec
from flask import current_app
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest
from werkzeug.sansio.utils import get_content_length
from werkzeug.utils import cached_property

from iris_app.model.manifest import Manifest
from iris_app.schema import Floats
from iris_app.web.body import PIECE, inflate, open_body, read_whole
from iris_app.web.concurrency import LARGE, SHARE, Share

WELL_FORMED_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)

# Version 00 of https://www.w3.org/TR/trace-context/
TRACE = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class PredictionStats(msgspec.Struct, gc=False):
    """Statistics of the rows that a request was answered.

    Attributes
    ----------
    rows : int
        The number of rows.
    manifest : Manifest
        The manifest of the model that answered.
    classes : mapping of str to int
        The number of rows of each predicted class.
    sample : ndarray of shape (m, features), float64
        Some of the rows, for the drift.
    """

    rows: int
    manifest: Manifest
    classes: Mapping[str, int]
    sample: Floats


class Request(flask.Request):
    """A request with an id, the statistics of its answer, and the name of its API key."""

    stats: PredictionStats | None = None
    key: str | None = None

    def __init__(self, environ: dict[str, Any], populate_request: bool = True, shallow: bool = False) -> None:
        super().__init__(environ, populate_request, shallow)
        self.began = perf_counter()

    @cached_property
    def id(self) -> str:
        """Return the id that the client sent, where it is well-formed, or a new one."""
        given = self.environ.get("HTTP_X_REQUEST_ID")
        return given if given and WELL_FORMED_ID.fullmatch(given) else f"{getrandbits(128):032x}"

    @cached_property
    def args(self) -> MultiDict[str, str]:
        """Return the parameters in the address, or raise a 400 where they are not UTF-8."""
        try:
            return super().args
        except UnicodeDecodeError:
            raise BadRequest("What follows the question mark in the address is not UTF-8.") from None

    @property
    def traceparent(self) -> str | None:
        """The trace context that the client sent, where it is well-formed."""
        given = self.environ.get("HTTP_TRACEPARENT")
        return given if given and TRACE.fullmatch(given) else None

    @property
    def content_length(self) -> int | None:
        """The length of the body in bytes, or None where it comes in chunks."""
        return get_content_length(
            self.environ.get("CONTENT_LENGTH") or None, self.environ.get("HTTP_TRANSFER_ENCODING")
        )

    @cached_property
    def stream(self) -> IO[bytes]:
        """Return the body as a stream that raises where it is too long, too short or broken."""
        return open_body(self.environ, self.content_length, self.max_content_length)

    def begin(self, limit: int | None) -> None:
        """Count the request among those in hand, and what its body may take, or raise ``Overloaded``."""
        self.share.begin()
        if limit is not None:
            self.share.reserve(self._largest_body(limit))

    def _largest_body(self, limit: int) -> int:
        """Return how many bytes the body may take, as far as that is known before it is read."""
        length = self.content_length
        if length is None:  # in chunks, which are counted as they are read, if not by Werkzeug
            length = limit if self.encoding or self.mimetype == "multipart/form-data" else 0
        if length > limit:
            return 0  # it is refused unread
        return limit if self.encoding else length

    @property
    def share(self) -> Share:
        """What the request adds to what the process has in hand."""
        share: Share = self.environ[SHARE]
        return share

    @property
    def encoding(self) -> str:
        """How the body is compressed; empty where it is not."""
        encoding: str = self.environ.get("HTTP_CONTENT_ENCODING", "")
        return encoding.strip().lower()

    def read_body(self) -> bytes:
        """Return the body, inflated where it came compressed, as long as the limit at most."""
        limit = current_app.config["MAX_CONTENT_LENGTH"]
        length = self.content_length
        body = self._read_chunks(limit) if length is None else read_whole(self.environ, length, limit)
        if self.encoding:
            body = inflate(body, self.encoding, limit)
        self.share.shrink(len(body))
        return body

    def _read_chunks(self, limit: int) -> bytes:
        stream = open_body(self.environ, None, limit)
        pieces: list[bytes] = []
        size = 0
        while piece := stream.read(PIECE):
            size += len(piece)
            if size > LARGE:
                self.share.reserve(limit)
            pieces.append(piece)
        return b"".join(pieces)


# The current request, with the type that it has in this application.
request = cast("Request", flask.request)
