"""Responses to programs, most of them in JSON."""

from collections.abc import Iterable, Iterator
from itertools import chain
from typing import Any

import msgspec
from werkzeug.datastructures import Headers
from werkzeug.utils import get_content_type

from iris_app.web.response import Response

JSON = "application/json"

# Bytes of an answer that is sent piece by piece, as it is made.
LONG = 1024 * 1024

encoder = msgspec.json.Encoder()


class ApiResponse(Response):
    """A response with a whole document, whose headers do not depend on the request."""

    policy = "default-src 'none'; frame-ancestors 'none'"

    def __init__(
        self,
        body: bytes | Iterator[bytes],
        status: int = 200,
        *,
        mimetype: str = JSON,
        headers: Iterable[tuple[str, str]] = (),
    ) -> None:
        made = Headers()
        made.add("Content-Type", get_content_type(mimetype, "utf-8"))
        if isinstance(body, bytes):
            made.add("Content-Length", str(len(body)))
        for name, value in headers:
            made.add(name, value)
        # There is nothing in its chunks to encode, and nothing to close behind them.
        super().__init__([body] if isinstance(body, bytes) else body, status, made, direct_passthrough=True)

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:  # noqa: ARG002 -- Werkzeug's own
        """Return the headers."""
        return self.headers


def gather(chunks: Iterator[bytes]) -> bytes | Iterator[bytes]:
    """Join the chunks of a short body; return an iterator for a long one, so that it is never in memory whole."""
    first: list[bytes] = []
    while sum(map(len, first)) <= LONG:
        try:
            first.append(next(chunks))
        except StopIteration:
            return b"".join(first)
    return chain(first, chunks)


def json_response(document: msgspec.Struct | dict[str, Any], status: int = 200, mimetype: str = JSON) -> ApiResponse:
    """Encode a document as a response."""
    return ApiResponse(encoder.encode(document), status, mimetype=mimetype)
