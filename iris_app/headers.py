"""The headers that every answer carries, and those of static files whose address names their version."""

from http import HTTPStatus

from flask import Flask, Response

from iris_app.assets import is_versioned

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

HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}


def init_app(app: Flask) -> None:
    """Put the headers on every answer of the app."""
    app.after_request(_add_headers)


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if response.status_code == HTTPStatus.OK and is_versioned():
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
