"""The OpenAPI document of ``/api``, made from the types of its requests and responses."""

from typing import Any

import msgspec

from iris_app.api.formats import CSV, NDJSON, BatchResponse, PredictionResponse
from iris_app.iris import SCHEMA
from iris_app.json_types import Measurement
from iris_app.model.manifest import ModelDescription
from iris_app.web.api_response import JSON
from iris_app.web.problem import Problem

TYPES = (Measurement, PredictionResponse, BatchResponse, ModelDescription, Problem)
EXAMPLE = {feature.name: feature.example for feature in SCHEMA.features}

PROBLEMS = {
    "400": "The body is not what its content type says, or ends early.",
    "406": "None of the forms that `Accept` names can be made.",
    "413": "There are more rows, or more bytes, than one request may hold.",
    "415": "The content type or the content encoding is none that is read.",
    "422": "Something is missing, unknown, no number or out of bounds: `errors` says what and where.",
    "503": "There is no usable model, or there are too many requests; `Retry-After` says when to try again.",
}
FAULT = {"500": "This is a fault of ours; `request_id` finds it in the log."}

DESCRIPTION = (
    "Send one measurement or many, as JSON, CSV or a JSON object a line. The answer comes in the form that `Accept` "
    "asks for, or else in the form of the body, which may be compressed with gzip or deflate."
)
CSV_DESCRIPTION = (
    "A header row names the columns, in any order; others pass through. A feature's name counts "
    "by its letters, less a unit at its end. Commas, tabs or semicolons (then with decimal commas or points) separate."
)


def document(version: str, max_rows: int, *, keys: bool = False) -> dict[str, Any]:
    """Return the OpenAPI document.

    Parameters
    ----------
    version : str
        The version of the application.
    max_rows : int
        The maximum number of rows of a request.
    keys : bool
        Whether clients need an API key.
    """
    _, components = msgspec.json.schema_components(TYPES, ref_template="#/components/schemas/{name}")
    result = {
        "openapi": "3.1.0",
        "info": {
            "title": "iris_app",
            "version": version,
            "description": f"Classify {SCHEMA.nouns}, with the probability of each {SCHEMA.target} and the reasons.",
            "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
        },
        "paths": {
            "/api/classify": {"post": _classify(components, max_rows)},
            "/api/model": {"get": _model()},
        },
        "components": {"schemas": components},
    }
    return _with_security(result) if keys else result


def _with_security(document: dict[str, Any]) -> dict[str, Any]:
    """Add the security scheme of API keys, and the response without one."""
    for path in document["paths"].values():
        for operation in path.values():
            operation["responses"] |= _problems({"401": "There is no key, or none that is known."})
    schemes = {"key": {"type": "http", "scheme": "bearer"}}
    return document | {"security": [{"key": []}], "components": document["components"] | {"securitySchemes": schemes}}


def _classify(components: dict[str, Any], max_rows: int) -> dict[str, Any]:
    rows = {"type": "array", "items": _ref(Measurement), "maxItems": max_rows}
    either = {"anyOf": [_ref(PredictionResponse), _ref(BatchResponse)]}
    return {
        "operationId": "classify",
        "tags": ["Classification"],
        "summary": f"Classify one {SCHEMA.noun} or many",
        "description": DESCRIPTION,
        "parameters": [
            {
                "name": "explain",
                "in": "query",
                "description": "Whether JSON answers say why, in log-odds and in a sentence.",
                "schema": {"type": "boolean", "default": False},
            }
        ],
        "requestBody": {
            "required": True,
            "content": {
                JSON: {"schema": {"anyOf": [_ref(Measurement), rows]}, "example": EXAMPLE},
                CSV: {
                    "schema": rows | {"items": _csv_row(components), "description": CSV_DESCRIPTION},
                    "example": f"{','.join(EXAMPLE)}\n{','.join(map(str, EXAMPLE.values()))}\n",
                },
                NDJSON: {
                    "schema": rows | {"description": "A measurement a line."},
                    "example": f"{msgspec.json.encode(EXAMPLE).decode()}\n",
                },
            },
        },
        "responses": {
            "200": {
                "description": f"The {SCHEMA.target} of each {SCHEMA.noun}, probabilities, and reasons for doubt.",
                "headers": {"X-Model-Version": {"description": "What answered.", "schema": {"type": "string"}}},
                "content": {
                    JSON: {"schema": either},
                    CSV: {"schema": {"type": "string", "description": "The columns that came, and then ours."}},
                    NDJSON: {"schema": {"type": "string", "description": "The answer to a measurement a line."}},
                },
            },
            **_problems(PROBLEMS | FAULT),
        },
    }


def _model() -> dict[str, Any]:
    return {
        "operationId": "model",
        "tags": ["Model"],
        "summary": "Describe the model that answers",
        "responses": {
            "200": {"description": "The model.", "content": {JSON: {"schema": _ref(ModelDescription)}}},
            **_problems({"503": PROBLEMS["503"]} | FAULT),
        },
    }


def _csv_row(components: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a CSV row, which may have other columns of any name."""
    measurement = {key: value for key, value in components["Measurement"].items() if key != "additionalProperties"}
    return measurement | {"propertyNames": {"pattern": "^[^\\u0000]*$"}}


def _ref(type_: type) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{type_.__name__}"}


def _problems(descriptions: dict[str, str]) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _ref(Problem)}}
    return {status: {"description": text, "content": content} for status, text in descriptions.items()}
