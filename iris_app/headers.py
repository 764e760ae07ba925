"""Headers that not every answer carries: those for browsers that came by HTTPS, and those of files that may be kept."""

from http import HTTPStatus

from flask import Flask, Response, current_app, request

from iris_app.assets import is_versioned


def init_app(app: Flask) -> None:
    """Put the headers on the answers of the app."""
    app.after_request(_let_keep)
    if app.config["HSTS_SECONDS"]:
        app.after_request(_add_hsts)


def _add_hsts(response: Response) -> Response:
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = f"max-age={current_app.config['HSTS_SECONDS']}"
    return response


def _let_keep(response: Response) -> Response:
    if response.status_code == HTTPStatus.OK and is_versioned():
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    return response
