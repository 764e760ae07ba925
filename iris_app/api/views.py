"""``/api``: classify rows, and describe the model."""

from importlib.metadata import version
from importlib.resources import files

from flask import Blueprint, current_app, render_template

from iris_app import model_service
from iris_app.api.formats import READERS, WRITERS, write
from iris_app.api.openapi import OpenApi
from iris_app.exceptions import MalformedDocument
from iris_app.model.manifest import ModelDescription
from iris_app.model_service import get_model
from iris_app.web.api_response import ApiResponse, join_or_stream, json_response, model_headers
from iris_app.web.negotiation import FORMATS, has_header, read_format, select_media_type
from iris_app.web.problem import Problem
from iris_app.web.request import Request, request
from iris_app.web.response import Response
from iris_app.web.view_flags import public

bp = Blueprint("api", __name__, url_prefix="/api", static_folder="static", template_folder="templates")

# The static files of Swagger UI.
swagger = Blueprint(
    "swagger",
    __name__,
    url_prefix="/api/docs",
    static_folder=str(files("flask_swagger_ui") / "dist"),
    static_url_path="",
)


@bp.post("/classify")
def classify() -> Response:
    """Classify the rows in the body."""
    body_format = read_format(request, READERS)
    own = request.mimetype if request.mimetype in FORMATS else body_format
    media_type, explain = select_media_type(request, [own, *WRITERS]), _wants_explanation(request)
    model = get_model()
    max_rows = current_app.config["MAX_BATCH_ROWS"]
    batch = READERS[body_format](model.schema, request.read_text(), max_rows, has_header(request))
    blocks = model_service.predict(model, batch.rows).to_predictions(explain=explain)
    body = join_or_stream(write(media_type, model.schema, batch, blocks, model.version))
    return ApiResponse(body, mimetype=media_type, headers=[*model_headers(model), ("Vary", "Accept")])


def _wants_explanation(request: Request) -> bool:
    if not request.query_string:
        return False
    explain = request.args.get("explain", "false")
    if explain not in {"true", "false"}:
        raise MalformedDocument("The parameter explain must be true or false.")
    return explain == "true"


@bp.get("/model")
def model() -> Response:
    """Describe the current model."""
    return json_response(ModelDescription.of(get_model().manifest, current_app.config["MODEL_NAME"]))


@bp.get("/openapi.json")
@public
def specification() -> Response:
    """Return the OpenAPI document."""
    config = current_app.config
    document = (
        get_model()
        .schema.derive(OpenApi)
        .document(version("iris_app"), config["MAX_BATCH_ROWS"], keys=bool(config["API_KEYS"]), root=request.root_path)
    )
    return json_response(document)


@bp.get("/docs")
@public
def docs() -> str:
    """Show the interactive documentation of the API."""
    return render_template("api/docs.html")


def render_problem(problem: Problem) -> Response:
    """Render a problem as RFC 9457 specifies."""
    return json_response(problem, problem.status, "application/problem+json")
