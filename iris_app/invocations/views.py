"""``/invocations`` and ``/ping``, also at the routes of Vertex AI."""

import csv
import io
import re
from collections.abc import Callable

from flask import Blueprint, Flask, current_app
from flask.blueprints import BlueprintSetupState
from werkzeug.http import HTTP_STATUS_CODES

from iris_app import model_service
from iris_app.codecs import csv_rows, orientations
from iris_app.codecs.json_rows import JsonRows
from iris_app.exceptions import InvalidValue
from iris_app.model.predictions import PredictionBatch
from iris_app.model_service import get_model
from iris_app.schema import Floats, Schema
from iris_app.web.api_response import ApiResponse, encoder, json_response, model_headers, warning_headers
from iris_app.web.negotiation import CSV, FORMATS, JSON, NDJSON, has_header, read_format, select_media_type
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
    read = READERS[read_format(request, READERS)]
    media_type = select_media_type(request, list(WRITERS))
    model = get_model()
    rows = read(model.schema, request.read_text(), current_app.config["MAX_BATCH_ROWS"], has_header(request))
    batch = model_service.predict(model, rows)
    headers = [*model_headers(model), *warning_headers(batch.warning_counts()), ("Vary", "Accept")]
    return ApiResponse(WRITERS[FORMATS[media_type]](batch), mimetype=media_type, headers=headers)


@probe
def ping() -> Response:
    """Report that there is a model, or raise ``ModelUnavailable``."""
    model = get_model()
    return json_response({"status": "ready", "model": model.version, "schema": model.schema.digest[:12]})


def _read_json(schema: Schema, body: bytes, max_rows: int, _header: bool | None) -> Floats:
    return orientations.read(schema, body, max_rows)[0]


def _read_csv(schema: Schema, body: bytes, max_rows: int, header: bool | None) -> Floats:
    return csv_rows.read(schema, body, max_rows, header=header, by_position=True).values


def _read_ndjson(schema: Schema, body: bytes, max_rows: int, _header: bool | None) -> Floats:
    return schema.derive(JsonRows).read_lines(body, max_rows)


def _write_json(batch: PredictionBatch) -> bytes:
    outputs = batch.schema.derive(_outputs)
    return encoder.encode({"predictions": [outputs[label] for label in batch.labels()]})


def _outputs(schema: Schema) -> dict[str, str | int | bool]:
    """Return what the classifier predicts for each class, by the class's name."""
    return {class_.name: class_.output for class_ in schema.classes}


def _write_ndjson(batch: PredictionBatch) -> bytes:
    """Write an object a line."""
    outputs = batch.schema.derive(_outputs)
    return encoder.encode_lines([{"prediction": outputs[label]} for label in batch.labels()])


def _write_csv(batch: PredictionBatch) -> bytes:
    """Write one class a line, without a header."""
    written = io.StringIO()
    csv.writer(written, lineterminator="\n").writerows([label] for label in batch.labels())
    return written.getvalue().encode()


READERS: dict[str, Callable[[Schema, bytes, int, bool | None], Floats]] = {
    JSON: _read_json,
    CSV: _read_csv,
    NDJSON: _read_ndjson,
}

# The default first.
WRITERS: dict[str, Callable[[PredictionBatch], bytes]] = {JSON: _write_json, CSV: _write_csv, NDJSON: _write_ndjson}


def render_problem(problem: Problem) -> Response:
    """Render a problem in MLflow's format."""
    status = 400 if problem.errors else problem.status
    code = HTTP_STATUS_CODES[status].upper().replace(" ", "_")
    message = " ".join([problem.detail, *map(_describe, problem.errors[:ERRORS_NAMED])])
    return json_response({"error_code": code, "message": message}, status)


def _describe(error: InvalidValue) -> str:
    """Return an error with the line or the row that it is in."""
    row = ROW.match(error.pointer or "")
    place = f"Line {error.line}" if error.line else f"Row {row[1]}" if row else ""
    return error.detail if not place or error.detail.startswith(("Line ", "Row ")) else f"{place}: {error.detail}"
