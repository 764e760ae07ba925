"""The blueprint of the pages, and what their templates use."""

from flask import Blueprint, request

from iris_app.formatting import format_number, format_percent
from iris_app.web.assets import static

bp = Blueprint("ui", __name__, static_folder="static", static_url_path="/static", template_folder="templates")

bp.add_app_template_filter(format_number)
bp.add_app_template_filter(format_percent)
bp.add_app_template_global(static)


def status(code: int) -> int:
    """Return the status of a page that tells an error: a script that asks for the page to show it is not at fault."""
    return 200 if "X-Live" in request.headers else code
