"""Addresses of static files that change when the files do, so that browsers may keep them for as long as they like."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from flask import current_app, request, url_for


def static(filename: str, blueprint: str = "ui") -> str:
    """Return the versioned address of a static file of a blueprint."""
    return url_for(f"{blueprint}.static", filename=filename, v=_version(_folder(blueprint), filename))


def is_versioned() -> bool:
    """Say whether the current request, for a static file, names the version that is served."""
    filename = (request.view_args or {})["filename"]
    return request.args.get("v") == _version(_folder(str(request.blueprint)), filename)


def _folder(blueprint: str) -> Path:
    return Path(str(current_app.blueprints[blueprint].static_folder))


@cache
def _version(folder: Path, filename: str) -> str | None:
    path = folder / filename
    return sha256(path.read_bytes()).hexdigest()[:12] if path.is_file() else None
