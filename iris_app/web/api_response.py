"""Responses to programs, in JSON and other media types."""

from collections.abc import Iterable, Iterator, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec
from werkzeug.datastructures import Headers
from werkzeug.utils import get_content_type

from iris_app.web.negotiation import JSON
from iris_app.web.response import Response

if TYPE_CHECKING:
    from iris_app.model.classifier import Model

# Bytes from which a body is streamed.
STREAM_THRESHOLD = 1024 * 1024

encoder = msgspec.json.Encoder()


class ApiResponse(Response):
    """A response to a program, whose headers do not depend on the request."""

    policy = "default-src 'none'; frame-ancestors 'none'"

    def __init__(
        self,
        body: bytes | Iterator[bytes],
        status: int = 200,
        *,
        mimetype: str = JSON,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        all_headers = Headers()
        all_headers.add("Content-Type", get_content_type(mimetype, "utf-8"))
        if isinstance(body, bytes):
            all_headers.add("Content-Length", str(len(body)))
        for name, value in headers:
            all_headers.add(name, value)
        # The chunks are bytes already, and need no closing.
        super().__init__([body] if isinstance(body, bytes) else body, status, all_headers, direct_passthrough=True)

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:  # noqa: ARG002 -- Werkzeug's own
        """Return the headers."""
        return self.headers


def model_headers(model: "Model") -> list[tuple[str, str]]:
    """Return the headers that name the model of an answer."""
    return [("X-Model-Version", model.version), ("X-Model-Schema", model.schema.digest[:12])]


def warning_headers(counts: Mapping[str, int]) -> list[tuple[str, str]]:
    """Return the header that counts the warnings of an answer by their codes, where its body has no place for them."""
    return [("X-Model-Warnings", ", ".join(f"{code}={count}" for code, count in counts.items()))] if counts else []


def join_or_stream(chunks: Iterator[bytes]) -> bytes | Iterator[bytes]:
    """Join the chunks of a short body; return an iterator over those of a long one, to save memory."""
    first: list[bytes] = []
    while sum(map(len, first)) <= STREAM_THRESHOLD:
        try:
            first.append(next(chunks))
        except StopIteration:
            return b"".join(first)
    return chain(first, chunks)


def json_response(document: msgspec.Struct | dict[str, Any], status: int = 200, mimetype: str = JSON) -> ApiResponse:
    """Encode a document as a response."""
    return ApiResponse(encoder.encode(document), status, mimetype=mimetype)
