"""Answers to programs, most of them in JSON, which every door for programs gives."""

from collections.abc import Iterable
from typing import Any

import msgspec
from werkzeug.datastructures import Headers
from werkzeug.utils import get_content_type

from iris_app.web.response import Response

JSON = "application/json"

encoder = msgspec.json.Encoder()


class Answer(Response):
    """A whole document, whose headers are made at once and leave as they are: none depends on the request."""

    policy = "default-src 'none'; frame-ancestors 'none'"

    def __init__(
        self, body: bytes, status: int = 200, *, mimetype: str = JSON, headers: Iterable[tuple[str, str]] = ()
    ) -> None:
        made = Headers()
        made.add("Content-Type", get_content_type(mimetype, "utf-8"))
        made.add("Content-Length", str(len(body)))
        for name, value in headers:
            made.add(name, value)
        # Its one piece goes as it is: there is nothing in it to encode, and nothing to close behind it.
        super().__init__([body], status, made, direct_passthrough=True)

    def get_wsgi_headers(self, environ: dict[str, Any]) -> Headers:  # noqa: ARG002 -- Werkzeug's own
        """Return the headers."""
        return self.headers


def json_response(document: msgspec.Struct | dict[str, Any], status: int = 200, mimetype: str = JSON) -> Answer:
    """Write a document as the answer."""
    return Answer(encoder.encode(document), status, mimetype=mimetype)
