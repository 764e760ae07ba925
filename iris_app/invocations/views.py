"""``/invocations`` and ``/ping``, also at the routes of Vertex AI."""

import csv
import io
import re
from collections.abc import Callable

from flask import Blueprint, Flask, current_app
from flask.blueprints import BlueprintSetupState
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.http import HTTP_STATUS_CODES

from iris_app import model_service
from iris_app.codecs import csv_rows
from iris_app.exceptions import InvalidValue
from iris_app.invocations import orientations
from iris_app.model.predictions import PredictionBatch
from iris_app.model_service import get_model
from iris_app.schema import Floats, Schema
from iris_app.web.api_response import ApiResponse, encoder, json_response
from iris_app.web.negotiation import select_mimetype
from iris_app.web.problem import Problem
from iris_app.web.request import request
from iris_app.web.response import Response
from iris_app.web.view_flags import probe

bp = Blueprint("invocations", __name__)

# The index of a row at the start of a JSON pointer.
ROW = re.compile(r"/(\d+)")

# The errors that a message names.
ERRORS_NAMED = 10


def routes(app: Flask) -> set[str]:
    """Return all routes of the blueprint, those of the configuration included."""
    return {"/invocations", "/ping", *filter(None, (app.config["AIP_PREDICT_ROUTE"], app.config["AIP_HEALTH_ROUTE"]))}


@bp.record
def _add_routes(state: BlueprintSetupState) -> None:
    """Add the views at their own routes and at those of the configuration."""
    config = state.app.config
    for route in {"/invocations", config["AIP_PREDICT_ROUTE"] or "/invocations"}:
        state.add_url_rule(route, f"predict:{route}", predict, methods=["POST"])
    for route in {"/ping", config["AIP_HEALTH_ROUTE"] or "/ping"}:
        state.add_url_rule(route, f"ping:{route}", ping)


def predict() -> Response:
    """Classify the rows in the body."""
    mimetype = select_mimetype(request, list(WRITERS))
    model = get_model()
    rows = _read(model.schema, request.read_body(), current_app.config["MAX_BATCH_ROWS"])
    body = WRITERS[mimetype](model_service.predict(model, rows))
    headers = [
        ("X-Model-Version", model.version),
        ("X-Model-Schema", model.schema.digest[:12]),
        ("Vary", "Accept"),
    ]
    return ApiResponse(body, mimetype=mimetype, headers=headers)


@probe
def ping() -> Response:
    """Report that there is a model, or raise ``ModelUnavailable``."""
    model = get_model()
    return json_response({"status": "ready", "model": model.version, "schema": model.schema.digest[:12]})


def _read(schema: Schema, body: bytes, max_rows: int) -> Floats:
    match request.mimetype:
        case "application/json":
            return orientations.read(schema, body, max_rows)
        case "text/csv":
            return csv_rows.read(schema, body, max_rows, header=list(schema.features_by_name)).values
    raise UnsupportedMediaType("Send application/json or text/csv, and say which in Content-Type.")


def _write_json(batch: PredictionBatch) -> bytes:
    outputs = batch.schema.derive(_outputs)
    return encoder.encode({"predictions": [outputs[label] for label in batch.labels()]})


def _outputs(schema: Schema) -> dict[str, str | int | bool]:
    """Return what the classifier predicts for each class, by the class's name."""
    return {class_.name: class_.output for class_ in schema.classes}


def _write_csv(batch: PredictionBatch) -> bytes:
    """Write one class a line, without a header."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([label] for label in batch.labels())
    return written.getvalue().encode()


# The writers of predictions by media type, the default first.
WRITERS: dict[str, Callable[[PredictionBatch], bytes]] = {"application/json": _write_json, "text/csv": _write_csv}


def render_problem(problem: Problem) -> Response:
    """Render a problem in MLflow's format."""
    status = 400 if problem.errors else problem.status
    code = HTTP_STATUS_CODES[status].upper().replace(" ", "_")
    message = " ".join([problem.detail, *map(_describe, problem.errors[:ERRORS_NAMED])])
    return json_response({"error_code": code, "message": message}, status)


def _describe(error: InvalidValue) -> str:
    """Return an error with the row that it is in."""
    row = ROW.match(error.pointer or "")
    return f"Row {row[1]}: {error.detail}" if row else error.detail
