"""Static files under versioned URLs, which browsers may cache forever."""

from functools import cache, wraps
from hashlib import sha256
from http import HTTPStatus
from pathlib import Path
from typing import Any

from flask import Flask, Response, current_app, request, url_for

ENDPOINT = ".static"


def init_app(app: Flask) -> None:
    """Make the static files immutable for caches; call it after all blueprints are registered."""
    for endpoint, view in app.view_functions.items():
        if endpoint.endswith(ENDPOINT):
            app.view_functions[endpoint] = _with_immutable_cache(view)


def static(filename: str, blueprint: str = "ui") -> str:
    """Return the versioned URL of a blueprint's static file."""
    return url_for(f"{blueprint}.static", filename=filename, v=_version(_folder(blueprint), filename))


def _with_immutable_cache(view: Any) -> Any:
    """Wrap a view of static files, so that a URL with the current version is cached forever."""

    @wraps(view)
    def serve(filename: str) -> Response:
        response: Response = view(filename=filename)
        version = _version(_folder(str(request.blueprint)), filename)
        if response.status_code == HTTPStatus.OK and request.args.get("v") == version:
            response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
        return response

    return serve


def _folder(blueprint: str) -> Path:
    return Path(str(current_app.blueprints[blueprint].static_folder))


@cache
def _version(folder: Path, filename: str) -> str | None:
    path = folder / filename
    return sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else None
