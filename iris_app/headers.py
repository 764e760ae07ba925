"""The headers that every answer carries, and those of static files whose address names their version."""

from http import HTTPStatus

from flask import Flask, Response, current_app, request

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
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def init_app(app: Flask) -> None:
    """Put the headers on every answer of the app."""
    app.after_request(_add_headers)
    if app.config["HSTS_SECONDS"]:
        app.after_request(_add_hsts)


def _add_hsts(response: Response) -> Response:
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = f"max-age={current_app.config['HSTS_SECONDS']}"
    return response


def _add_headers(response: Response) -> Response:
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if response.status_code == HTTPStatus.OK and is_versioned():
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
