"""The response class: the id of the request, and security headers."""

from collections.abc import Iterable
from typing import Any

import flask

from iris_app.web.request import request

CONTENT_SECURITY_POLICY = "; ".join(
    [
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",  # Bootstrap's icons are data: URLs
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
    """Add the common headers when the response is sent.

    ``policy`` is its Content-Security-Policy.
    """

    policy = CONTENT_SECURITY_POLICY

    def get_wsgi_response(self, environ: dict[str, Any]) -> tuple[Iterable[bytes], str, list[tuple[str, str]]]:
        """Return the body, the status and the headers."""
        body, status, headers = super().get_wsgi_response(environ)
        headers += [("Content-Security-Policy", self.policy), ("X-Request-ID", request.id), *HEADERS]
        if "HTTP_ACCEPT_ENCODING" not in environ:
            headers.append(("Vary", "Accept-Encoding"))  # Flask-Compress adds it for other clients
        if request.is_secure and (seconds := flask.current_app.config["HSTS_SECONDS"]):
            headers.append(("Strict-Transport-Security", f"max-age={seconds}"))
        return body, status, headers
