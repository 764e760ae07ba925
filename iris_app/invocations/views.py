"""``/invocations`` and ``/ping``, and the same at the addresses that Vertex AI names."""

import re
from typing import Any, TypeVar

import msgspec
import numpy as np
from flask import Blueprint, Flask, current_app
from flask.blueprints import BlueprintSetupState
from msgspec import UNSET, Raw, UnsetType
from numpy.typing import NDArray
from werkzeug.exceptions import UnsupportedMediaType
from werkzeug.http import HTTP_STATUS_CODES

from iris_app import model_service
from iris_app.codecs import bounds, csv_rows, json_errors, json_rows
from iris_app.exceptions import MalformedDocument
from iris_app.iris import SCHEMA
from iris_app.model_service import get_model
from iris_app.web.api_response import json_response
from iris_app.web.problem import Problem
from iris_app.web.request import request
from iris_app.web.response import Response
from iris_app.web.view_flags import probe

Floats = NDArray[np.float64]
Decoded = TypeVar("Decoded")

bp = Blueprint("invocations", __name__)

# Columns by their names, in place of rows.
COLUMNS = re.compile(rb"\s*\{")


class Split(msgspec.Struct, frozen=True):
    """A data frame as pandas writes it with ``orient="split"``."""

    columns: list[str]
    data: list[Raw]


class Invocation(msgspec.Struct, frozen=True):
    """Rows, in exactly one of the four ways; other members, such as ``params``, are passed over."""

    dataframe_split: Raw | UnsetType = UNSET
    dataframe_records: Raw | UnsetType = UNSET
    instances: Raw | UnsetType = UNSET
    inputs: Raw | UnsetType = UNSET


def routes(app: Flask) -> set[str]:
    """Return all addresses of the blueprint, those of the configuration included."""
    return {"/invocations", "/ping", *filter(None, (app.config["AIP_PREDICT_ROUTE"], app.config["AIP_HEALTH_ROUTE"]))}


@bp.record
def _add_routes(state: BlueprintSetupState) -> None:
    """Add the views at their own addresses and at those of the configuration."""
    config = state.app.config
    for route in {"/invocations", config["AIP_PREDICT_ROUTE"] or "/invocations"}:
        state.add_url_rule(route, f"predict:{route}", predict, methods=["POST"])
    for route in {"/ping", config["AIP_HEALTH_ROUTE"] or "/ping"}:
        state.add_url_rule(route, f"ping:{route}", ping)


def predict() -> Response:
    """Classify the rows in the body, and answer with a class for each."""
    measurements = _read(request.read_body(), current_app.config["MAX_BATCH_ROWS"])
    return json_response({"predictions": model_service.predict(get_model(), measurements).labels()})


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
    ways = {name: rows for name, rows in msgspec.structs.asdict(document).items() if rows is not UNSET}
    _refuse_repeated(body, ways)
    if len(ways) != 1:
        raise MalformedDocument(f"Send exactly one of {', '.join(Invocation.__struct_fields__)}, not {len(ways)}.")
    ((way, rows),) = ways.items()
    if way == "dataframe_split":
        frame = _decode(rows, Split)
        return _read_columns(frame.columns, frame.data, max_rows)
    if way == "inputs" and COLUMNS.match(rows):
        return _read_lists(_decode(rows, dict[str, Raw]), max_rows)
    return json_rows.read_rows(bytes(rows), max_rows)


def _refuse_repeated(body: bytes, ways: dict[str, Raw]) -> None:
    """Refuse an object with a name that is given twice, but for rows, which are checked when they are read."""
    rows = ways.get("dataframe_records", ways.get("instances", ways.get("inputs")))
    named = rows is not None and not COLUMNS.match(rows)
    inside = bytes(rows).count(b":") if rows is not None and named else 0
    expected = 1 if named else 3 if set(ways) == {"dataframe_split"} else -1
    if len(ways) == 1 and body.count(b":") - inside == expected:
        return
    known = sum(json_errors.count_fields(bytes(way)) for way in ways.values())
    if name := json_errors.find_repeated(body, known):
        raise MalformedDocument(f"{name} is given more than once.")


def _read_lists(columns: dict[str, Raw], max_rows: int) -> Floats:
    """Read the features' columns, each a list of its values, from among others."""
    lists = [_decode(column, list[Raw]) for column in columns.values()]
    if len(set(map(len, lists))) > 1:
        raise MalformedDocument("The columns of inputs are not of one length.")
    places = csv_rows.find_features(list(columns))
    json_errors.limit(lists[0], max_rows)
    chosen = [_decode(list(columns.values())[place], list[Any]) for place in places]
    return json_rows.check_rows(list(map(list, zip(*chosen, strict=True))), max_rows)


def _read_columns(columns: list[str], data: list[Raw], max_rows: int) -> Floats:
    """Read the features' columns from among others."""
    places = csv_rows.find_features(columns)
    json_errors.limit(data, max_rows)
    return json_rows.check_rows([_pick(row, places, len(columns)) for row in data], max_rows)


def _pick(row: Raw, places: list[int], width: int) -> list[Any]:
    values = _decode(row, list[Any])
    if len(values) != width:
        raise MalformedDocument(f"Each row of data must have {width} values, as there are columns.")
    return [values[place] for place in places]


def _decode(body: bytes | Raw, kind: type[Decoded]) -> Decoded:
    try:
        return msgspec.json.decode(body, type=kind)
    except RecursionError as error:
        raise MalformedDocument("The body is nested too deeply to be read.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedDocument(f"This is no invocation: {error}.") from error


def render_problem(problem: Problem) -> Response:
    """Render a problem as MLflow does."""
    status = 400 if problem.errors else problem.status
    code = HTTP_STATUS_CODES[status].upper().replace(" ", "_")
    return json_response({"error_code": code, "message": problem.summary}, status)
