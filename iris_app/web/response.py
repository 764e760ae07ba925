"""The response as every door gives it: with its request's id and the headers that protect whoever reads it."""

from collections.abc import Iterable
from typing import Any

import flask

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",  # Bootstrap draws its small marks as data: pictures
        "form-action 'self'",
        "frame-ancestors 'none'",
        "base-uri 'none'",
    ]
)

HEADERS = [
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Permissions-Policy", "camera=(), geolocation=(), microphone=()"),
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
]


class Response(flask.Response):
    """A response; what all have in common is added as it leaves, which costs nothing where each header would be set.

    ``policy`` is its Content-Security-Policy.
    """

    policy = CONTENT_SECURITY_POLICY

    def get_wsgi_response(self, environ: dict[str, Any]) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """Return the body, the status and the headers."""
        body, status, headers = super().get_wsgi_response(environ)
        request_id = environ["werkzeug.request"].id
        headers += [("Content-Security-Policy", self.policy), ("X-Request-ID", request_id), *HEADERS]
        if "HTTP_ACCEPT_ENCODING" not in environ:
            headers.append(("Vary", "Accept-Encoding"))  # Flask-Compress says so to who does send it
        return body, status, headers
