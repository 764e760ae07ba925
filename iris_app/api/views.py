"""``/api``: classify rows, and describe the model."""

from importlib.metadata import version
from importlib.resources import files

from flask import Blueprint, current_app, render_template
from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import NotAcceptable, UnsupportedMediaType

from iris_app import model_service
from iris_app.api import openapi
from iris_app.api.formats import READERS, WRITERS
from iris_app.exceptions import MalformedDocument
from iris_app.model.manifest import ModelDescription
from iris_app.model_service import get_model
from iris_app.web.api_response import ApiResponse, gather, json_response
from iris_app.web.problem import Problem
from iris_app.web.request import Request, request
from iris_app.web.response import Response
from iris_app.web.view_flags import public

bp = Blueprint("api", __name__, url_prefix="/api", static_folder="static", template_folder="templates")

# Swagger UI's own files, beside the page that uses them.
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
    own = request.mimetype
    read = READERS.get(own)
    if read is None:
        raise UnsupportedMediaType(f"Send {' or '.join(READERS)}, and say which in Content-Type.")
    form, explain = _form_of_answer(request, own), _explanation_wanted(request)
    batch = read(request.read_body(), current_app.config["MAX_BATCH_ROWS"])
    model = get_model()
    blocks = model_service.predict(model, batch.measurements).to_predictions(explain=explain)
    answer = gather(WRITERS[form](batch, blocks, model.version))
    headers = [("X-Model-Version", model.version), ("Vary", "Accept")]
    return ApiResponse(answer, mimetype=form, headers=headers)


def _form_of_answer(request: Request, own: str) -> str:
    """Choose the media type that the client prefers, and among equals that of its request."""
    if request.environ.get("HTTP_ACCEPT", "*/*") in {"*/*", ""}:
        return own
    # Parameters, such as a charset, do not choose between forms.
    wanted = MIMEAccept([(name.partition(";")[0], quality) for name, quality in request.accept_mimetypes])
    form = wanted.best_match([own, *WRITERS])
    if form is None:
        raise NotAcceptable(f"The answer can be {' or '.join(WRITERS)}.")
    return form


def _explanation_wanted(request: Request) -> bool:
    if not request.query_string:
        return False
    wanted = request.args.get("explain", "false")
    if wanted not in {"true", "false"}:
        raise MalformedDocument("The parameter explain must be true or false.")
    return wanted == "true"


@bp.get("/model")
def model() -> Response:
    """Describe the model that answers."""
    return json_response(ModelDescription.of(get_model().manifest))


@bp.get("/openapi.json")
@public
def specification() -> Response:
    """Describe the API in OpenAPI 3.1."""
    return json_response(
        openapi.document(
            version("iris_app"), current_app.config["MAX_BATCH_ROWS"], keys=bool(current_app.config["API_KEYS"])
        )
    )


@bp.get("/docs")
@public
def docs() -> str:
    """Show the API's documentation, in which it can be tried."""
    return render_template("api/docs.html")


def render_problem(problem: Problem) -> Response:
    """Render a problem as RFC 9457 has it."""
    return json_response(problem, problem.status, "application/problem+json")
