"""Headers that not every answer carries: those for browsers that came by HTTPS, and those of files that may be kept."""

from functools import wraps
from http import HTTPStatus
from typing import Any

from flask import Flask, Response, current_app, request

from iris_app.web.assets import is_versioned

STATIC = ".static"


def init_app(app: Flask) -> None:
    """Put the headers on the answers of an app whose blueprints are all registered."""
    for endpoint, view in app.view_functions.items():
        if endpoint.endswith(STATIC):
            app.view_functions[endpoint] = _with_immutable_cache(view)
    if app.config["HSTS_SECONDS"]:
        app.after_request(_add_hsts)


def _with_immutable_cache(view: Any) -> Any:
    """Have a view of static files say that browsers may keep those whose address names their version."""

    @wraps(view)
    def serve(filename: str) -> Response:
        response: Response = view(filename=filename)
        if response.status_code == HTTPStatus.OK and is_versioned():
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    return serve


def _add_hsts(response: Response) -> Response:
    if request.is_secure:
        response.headers["Strict-Transport-Security"] = f"max-age={current_app.config['HSTS_SECONDS']}"
    return response
