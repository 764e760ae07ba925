"""``/v2``: the endpoints of the protocol."""

import uuid
from importlib.metadata import version as version_of
from typing import TYPE_CHECKING

from flask import Blueprint, current_app
from werkzeug.exceptions import NotFound

from iris_app import model_service
from iris_app.exceptions import MalformedDocument
from iris_app.formatting import truncate
from iris_app.inference_protocol import requests, responses
from iris_app.inference_protocol.tensors import DATATYPES, AcceptedDatatypes
from iris_app.model_service import get_model
from iris_app.schema import Schema
from iris_app.web.api_response import ApiResponse, json_response, model_headers, warning_headers
from iris_app.web.problem import Problem
from iris_app.web.request import request
from iris_app.web.response import Response
from iris_app.web.view_flags import probe

if TYPE_CHECKING:
    from iris_app.model.classifier import Model

bp = Blueprint("inference_protocol", __name__, url_prefix="/v2")

HEADER_LENGTH = "Inference-Header-Content-Length"


@bp.get("")
@bp.get("/")
def server() -> Response:
    """Describe the server."""
    return json_response({"name": "iris_app", "version": version_of("iris_app"), "extensions": ["binary_tensor_data"]})


@bp.get("/health/live")
@probe
def server_live() -> Response:
    """Report that the server runs."""
    return json_response({"live": True})


@bp.get("/health/ready")
@probe
def server_ready() -> Response:
    """Report that the server has a model, or raise ``ModelUnavailable``."""
    get_model()
    return json_response({"live": True, "ready": True})


@bp.get("/models/<name>")
@bp.get("/models/<name>/versions/<version>")
def model(name: str, version: str | None = None) -> Response:
    """Describe the model's inputs and outputs."""
    model = _model(name, version)
    return json_response(
        {
            "name": name,
            "versions": [model.version],
            "platform": "scikit-learn",
            "inputs": _describe_inputs(model.schema),
            "outputs": [
                {"name": output, "datatype": spec.datatype, "shape": [-1, spec.width]}
                for output, spec in model.schema.derive(responses.make_outputs).items()
            ],
        }
    )


def _describe_inputs(schema: Schema) -> list[dict[str, object]]:
    """Describe one tensor of all features, where the model takes that, and one for each feature in its place."""
    tensors: list[dict[str, object]] = [
        {"name": feature.name, "datatype": DATATYPES[feature.kind], "shape": [-1, 1]} for feature in schema.features
    ]
    if schema.derive(AcceptedDatatypes).of_matrix:
        tensors.insert(0, {"name": "rows", "datatype": "FP64", "shape": [-1, len(schema.features)]})
    return tensors


@bp.get("/models/<name>/ready")
@bp.get("/models/<name>/versions/<version>/ready")
@probe
def model_ready(name: str, version: str | None = None) -> Response:
    """Report that the model is loaded."""
    _model(name, version)
    return json_response({"name": name, "ready": True})


@bp.post("/models/<name>/infer")
@bp.post("/models/<name>/versions/<version>/infer")
def infer(name: str, version: str | None = None) -> Response:
    """Classify the rows in the tensors."""
    model = _model(name, version)
    length = _header_length()
    body = request.read_text() if length is None else request.read_body()
    inference, rows = requests.read(model.schema, body, length, current_app.config["MAX_BATCH_ROWS"])
    outputs = responses.select_outputs(model.schema, inference)
    head: dict[str, object] = {
        "model_name": name,
        "model_version": model.version,
        "id": uuid.uuid4().hex if inference.id is None else inference.id,
    }
    batch = model_service.predict(model, rows)
    counts = batch.warning_counts()
    if counts:
        head["parameters"] = {f"warnings_{code}": count for code, count in counts.items()}
    body, header_length = responses.write(inference, outputs, head, batch)
    headers = [*model_headers(model), *warning_headers(counts)]
    if header_length is None:
        return ApiResponse(body, headers=headers)
    headers.append((HEADER_LENGTH, str(header_length)))
    return ApiResponse(body, mimetype="application/octet-stream", headers=headers)


def _model(name: str, version: str | None) -> "Model":
    """Return the model by its name and version, or raise ``NotFound``."""
    model = get_model()
    known = current_app.config["MODEL_NAME"] or model.schema.name
    if name != known:
        raise NotFound(f"There is no model {truncate(name)}; there is {known}.")
    if version is not None and version != model.version:
        raise NotFound(f"Model {name} has no version {truncate(version)}; it has {model.version}.")
    return model


def _header_length() -> int | None:
    text = request.headers.get(HEADER_LENGTH)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise MalformedDocument(f"{HEADER_LENGTH} must be a number of bytes, not {truncate(text)}.")
    return int(text)


def render_problem(problem: Problem) -> Response:
    """Render a problem with the statuses of the protocol."""
    return json_response({"error": problem.summary}, 400 if problem.status in {406, 415, 422} else problem.status)
