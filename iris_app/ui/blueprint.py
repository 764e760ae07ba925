"""The blueprint of the pages, and the filters and globals of its templates."""

from flask import Blueprint, request
from flask.blueprints import BlueprintSetupState

from iris_app.formatting import format_number, format_percent
from iris_app.iris import SCHEMA
from iris_app.web.response import Response
from iris_app.web.static_files import static

bp = Blueprint("ui", __name__, static_folder="static", static_url_path="/static", template_folder="templates")

# The request header of the pages' scripts.
LIVE = "X-Live"

bp.add_app_template_filter(format_number)
bp.add_app_template_filter(format_percent)
bp.add_app_template_global(static)


@bp.record_once
def add_schema(state: BlueprintSetupState) -> None:
    """Add the schema to the globals of templates, which macros see too."""
    state.app.jinja_env.globals["schema"] = SCHEMA


@bp.after_request
def add_vary(response: Response) -> Response:
    """Make caches store responses to scripts separately, since their status may differ; see ``status``."""
    if request.endpoint != "ui.static":
        response.vary.add(LIVE)
    return response


def status(code: int) -> int:
    """Return the status of a page that shows an error: 200 for a script, so that the browser logs no failure."""
    return 200 if LIVE in request.headers else code
