"""The blueprint of the pages, and the filters and globals of its templates."""

from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlencode

from flask import Blueprint, has_request_context, url_for

from iris_app.formatting import format_count, format_number, format_percent, with_article
from iris_app.model_service import get_service
from iris_app.schema import Schema
from iris_app.web.request import request
from iris_app.web.response import Response
from iris_app.web.static_files import static

bp = Blueprint("ui", __name__, static_folder="static", static_url_path="/static", template_folder="templates")

# The drawings that show what to measure; a schema with one of them has its icon too.
DRAWINGS = {path.stem for path in (Path(__file__).parent / "templates" / "ui" / "drawings").iterdir()}

# The request header of the pages' scripts.
LIVE = "X-Live"

# gunicorn and nginx refuse request lines that are a little longer.
MAX_URL_LENGTH = 8000

bp.add_app_template_filter(format_number)
bp.add_app_template_filter(format_percent)
bp.add_app_template_filter(format_count)
bp.add_app_template_filter(with_article)
bp.add_app_template_global(static)


@bp.app_context_processor
def add_schema() -> dict[str, Schema | str | None]:
    """Add to templates the schema of the request's model, or of the one that is loaded, and its pictures."""
    model = (request.model if has_request_context() else None) or get_service().loaded
    schema = model.schema if model else None
    if not schema or schema.drawing not in DRAWINGS:
        return {"schema": schema, "icon": "favicon.svg", "drawing": None}
    return {"schema": schema, "icon": f"icons/{schema.drawing}.svg", "drawing": f"ui/drawings/{schema.drawing}.svg"}


@bp.after_request
def add_vary(response: Response) -> Response:
    """Make caches store responses to scripts separately, since their status may differ; see ``status``."""
    if request.endpoint != "ui.static":
        response.vary.add(LIVE)
    return response


def status(code: int) -> int:
    """Return the status of a page that shows an error: 200 for a script, so that the browser logs no failure."""
    return 200 if LIVE in request.headers else code


def filled_url(endpoint: str, values: Mapping[str, str]) -> str | None:
    """Return the URL of a page with the values of a form, or None if it is too long for a request."""
    url = f"{url_for(endpoint)}?{urlencode(values)}"
    return url if len(url) <= MAX_URL_LENGTH else None
