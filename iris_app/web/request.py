"""The request class: an id, and a body that is read whole or rejected."""

import re
from collections.abc import Mapping
from random import getrandbits
from time import perf_counter
from typing import IO, TYPE_CHECKING, Any, cast

import flask
import msgspec
from flask import current_app
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import BadRequest
from werkzeug.sansio.utils import get_content_length
from werkzeug.utils import cached_property

from iris_app.codecs.encodings import inflate, to_utf_8
from iris_app.model.manifest import Manifest
from iris_app.schema import Floats
from iris_app.web.body import CHUNK_SIZE, open_body, read_sized
from iris_app.web.concurrency import MIN_COUNTED_SIZE, USAGE, Usage

if TYPE_CHECKING:
    from iris_app.model.classifier import Model

WELL_FORMED_ID = re.compile(r"[\w.-]{1,64}", re.ASCII)

# Version 00 of https://www.w3.org/TR/trace-context/
TRACE = re.compile("00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")


class PredictionStats(msgspec.Struct, gc=False):
    """Statistics of the predictions for a request.

    Attributes
    ----------
    rows : int
        The number of rows.
    manifest : Manifest
        The manifest of the model that predicted them.
    classes : mapping of str to int
        The number of rows of each predicted class.
    sample : ndarray of shape (m, features), float64
        A sample of the rows, for the drift.
    """

    rows: int
    manifest: Manifest
    classes: Mapping[str, int]
    sample: Floats


class Request(flask.Request):
    """A request with an id, the model that answers it, statistics of its predictions, and the name of its API key.

    ``is_preview`` is true where the row may still be edited, or was counted before: then neither its values nor its
    prediction are counted.
    """

    model: "Model | None" = None
    is_preview = False
    stats: PredictionStats | None = None
    key: str | None = None

    def __init__(self, environ: dict[str, Any], populate_request: bool = True, shallow: bool = False) -> None:
        super().__init__(environ, populate_request, shallow)
        self.started = perf_counter()

    @cached_property
    def id(self) -> str:
        """Return the id that the client sent, if it is well-formed, or a random one."""
        sent = self.environ.get("HTTP_X_REQUEST_ID")
        return sent if sent and WELL_FORMED_ID.fullmatch(sent) else f"{getrandbits(128):032x}"

    @cached_property
    def args(self) -> MultiDict[str, str]:
        """Return the parameters of the query string, or raise a 400 if they are not UTF-8."""
        try:
            return super().args
        except UnicodeDecodeError:
            raise BadRequest("What follows the question mark in the address is not UTF-8.") from None

    @property
    def traceparent(self) -> str | None:
        """The trace context that the client sent, if it is well-formed."""
        sent = self.environ.get("HTTP_TRACEPARENT")
        return sent if sent and TRACE.fullmatch(sent) else None

    @property
    def content_length(self) -> int | None:
        """The length of the body in bytes, or None if it is chunked."""
        return get_content_length(
            self.environ.get("CONTENT_LENGTH") or None, self.environ.get("HTTP_TRANSFER_ENCODING")
        )

    @cached_property
    def stream(self) -> IO[bytes]:
        """Return the body as a stream that raises if it is too long, too short or broken."""
        return open_body(self.environ, self.content_length, self.max_content_length)

    def enforce_limits(self, limit: int | None) -> None:
        """Count the request, and the bytes that its body may have, or raise ``Overloaded``."""
        self.usage.acquire()
        if limit is not None:
            self.usage.reserve(self._max_body_size(limit))

    def _max_body_size(self, limit: int) -> int:
        """Return the bytes that the body may have, as far as the headers show."""
        length = self.content_length
        if length is None:  # chunked: counted while it is read, unless Werkzeug reads it
            length = limit if self.encoding or self.mimetype == "multipart/form-data" else 0
        if length > limit:
            return 0  # rejected unread
        return limit if self.encoding else length

    @property
    def usage(self) -> Usage:
        """The part of the limits that the request uses."""
        usage: Usage = self.environ[USAGE]
        return usage

    @property
    def encoding(self) -> str:
        """The content encoding of the body, in lower case; empty if it has none."""
        encodings: list[str] = self.environ.get("HTTP_CONTENT_ENCODING", "").lower().split(",")
        return ", ".join(name for encoding in encodings if (name := encoding.strip()) not in {"", "identity"})

    def read_text(self) -> bytes:
        """Read the body as ``read_body`` does, and return it in UTF-8, from the character set that it came in."""
        limit = current_app.config["MAX_CONTENT_LENGTH"]
        return to_utf_8(self.read_body(), self.mimetype_params.get("charset", ""), limit)

    def read_body(self) -> bytes:
        """Read the body, inflate it if it is compressed, and raise a 413 beyond ``MAX_CONTENT_LENGTH``."""
        limit = current_app.config["MAX_CONTENT_LENGTH"]
        length = self.content_length
        body = self._read_chunks(limit) if length is None else read_sized(self.environ, length, limit)
        if self.encoding:
            body = inflate(body, self.encoding, limit)
        self.usage.shrink(len(body))
        return body

    def _read_chunks(self, limit: int) -> bytes:
        stream = open_body(self.environ, None, limit)
        chunks: list[bytes] = []
        size = 0
        while chunk := stream.read(CHUNK_SIZE):
            size += len(chunk)
            if size > MIN_COUNTED_SIZE:
                self.usage.reserve(limit)
            chunks.append(chunk)
        return b"".join(chunks)


# The current request, typed as this application's.
request = cast("Request", flask.request)
