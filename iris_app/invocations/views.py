"""``/invocations`` and ``/ping``, also at the routes of Vertex AI."""

import re
from typing import Any, TypeVar

import msgspec
from flask import Blueprint, Flask, current_app
from flask.blueprints import BlueprintSetupState
from msgspec import UNSET, Raw, UnsetType
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.http import HTTP_STATUS_CODES

from iris_app import model_service
from iris_app.codecs import bounds, csv_rows, json_errors, json_rows
from iris_app.exceptions import MalformedDocument
from iris_app.iris import SCHEMA
from iris_app.model_service import get_model
from iris_app.schema import Floats
from iris_app.web.api_response import json_response
from iris_app.web.problem import Problem
from iris_app.web.request import request
from iris_app.web.response import Response
from iris_app.web.view_flags import probe

Decoded = TypeVar("Decoded")

bp = Blueprint("invocations", __name__)

# The start of an object of columns, in place of an array of rows.
OBJECT_START = re.compile(rb"\A\s*\{")


class SplitFrame(msgspec.Struct, frozen=True):
    """A data frame as pandas writes it with ``orient="split"``."""

    columns: list[str]
    data: list[Raw]


class Invocation(msgspec.Struct, frozen=True):
    """Rows in exactly one of four members; others, such as ``params``, are ignored."""

    dataframe_split: Raw | UnsetType = UNSET
    dataframe_records: Raw | UnsetType = UNSET
    instances: Raw | UnsetType = UNSET
    inputs: Raw | UnsetType = UNSET


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
    rows = _read(request.read_body(), current_app.config["MAX_BATCH_ROWS"])
    return json_response({"predictions": model_service.predict(get_model(), rows).labels()})


@probe
def ping() -> Response:
    """Report that there is a model, or raise ``ModelUnavailable``."""
    return json_response({"status": "ready", "model": get_model().version})


def _read(body: bytes, max_rows: int) -> Floats:
    match request.mimetype:
        case "application/json":
            return _read_json(body, max_rows)
        case "text/csv":
            return csv_rows.read(body, max_rows, header=list(SCHEMA.features_by_name)).measurements
    raise UnsupportedMediaType("Send application/json or text/csv, and say which in Content-Type.")


def _read_json(body: bytes, max_rows: int) -> Floats:
    bounds.check_json(body, max_rows)
    document = _decode(body, Invocation)
    members = {name: rows for name, rows in msgspec.structs.asdict(document).items() if rows is not UNSET}
    _reject_repeated(body, members)
    if len(members) != 1:
        raise MalformedDocument(f"Send exactly one of {', '.join(Invocation.__struct_fields__)}, not {len(members)}.")
    ((name, rows),) = members.items()
    if name == "dataframe_split":
        frame = _decode(rows, SplitFrame)
        return _read_columns(frame.columns, frame.data, max_rows)
    if name == "inputs" and OBJECT_START.match(rows):
        return _read_lists(_decode(rows, dict[str, Raw]), max_rows)
    return json_rows.read_rows(bytes(rows), max_rows)


def _reject_repeated(body: bytes, members: dict[str, Raw]) -> None:
    """Reject a repeated name in an object, except in rows, which are checked when they are read."""
    rows = members.get("dataframe_records", members.get("instances", members.get("inputs")))
    has_rows = rows is not None and not OBJECT_START.match(rows)
    inside = bytes(rows).count(b":") if rows is not None and has_rows else 0
    expected = 1 if has_rows else 3 if set(members) == {"dataframe_split"} else -1
    if len(members) == 1 and body.count(b":") - inside == expected:
        return
    known = sum(json_errors.count_fields(bytes(member)) for member in members.values())
    if name := json_errors.find_repeated(body, known):
        raise MalformedDocument(f"{name} is given more than once.")


def _read_lists(columns: dict[str, Raw], max_rows: int) -> Floats:
    """Read rows from an object of columns, each a list of values."""
    lists = [_decode(column, list[Raw]) for column in columns.values()]
    if len(set(map(len, lists))) > 1:
        raise MalformedDocument("The columns of inputs are not of one length.")
    indices = csv_rows.find_features(list(columns))
    json_errors.check_row_count(lists[0], max_rows)
    selected = [_decode(list(columns.values())[index], list[Any]) for index in indices]
    return json_rows.check_rows(list(map(list, zip(*selected, strict=True))), max_rows)


def _read_columns(columns: list[str], data: list[Raw], max_rows: int) -> Floats:
    """Read rows from a split data frame."""
    indices = csv_rows.find_features(columns)
    json_errors.check_row_count(data, max_rows)
    return json_rows.check_rows([_select(row, indices, len(columns)) for row in data], max_rows)


def _select(row: Raw, indices: list[int], width: int) -> list[Any]:
    values = _decode(row, list[Any])
    if len(values) != width:
        raise MalformedDocument(f"Each row of data must have {width} values, as there are columns.")
    return [values[index] for index in indices]


def _decode(body: bytes | Raw, type_: type[Decoded]) -> Decoded:
    try:
        return msgspec.json.decode(body, type=type_)
    except RecursionError as error:
        raise MalformedDocument("The body is nested too deeply to be read.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedDocument(f"This is no invocation: {error}.") from error


def render_problem(problem: Problem) -> Response:
    """Render a problem in MLflow's format."""
    status = 400 if problem.errors else problem.status
    code = HTTP_STATUS_CODES[status].upper().replace(" ", "_")
    return json_response({"error_code": code, "message": problem.summary}, status)
