"""Addresses of static files that change when the files do, so that browsers may keep them for as long as they like."""

from functools import cache
from hashlib import sha256
from pathlib import Path

from flask import url_for

FOLDER = Path(__file__).parent / "static"


def static(filename: str) -> str:
    """Return the versioned address of a static file of the pages."""
    return url_for("ui.static", filename=filename, v=_version(filename))


@cache
def _version(filename: str) -> str:
    return sha256((FOLDER / filename).read_bytes()).hexdigest()[:12]
