"""The OpenAPI document of ``/api``, made from the schema of the model."""

import csv
import io
from typing import Any

import msgspec

from iris_app.api.formats import ResponseTypes
from iris_app.json_types import JsonTypes
from iris_app.model.manifest import ModelDescription
from iris_app.schema import Schema, Value
from iris_app.web.negotiation import CSV, JSON, NDJSON
from iris_app.web.problem import Problem

# What text in CSV must be.
WITHOUT_NUL = {"not": {"type": "string", "pattern": "\\u0000"}}

PROBLEMS = {
    "400": "The body is not what its content type says, or ends early.",
    "406": "None of the forms that `Accept` names can be made.",
    "413": "There are more rows, or more bytes, than one request may hold.",
    "415": "The content type or the content encoding is none that is read.",
    "422": "Something is missing, unknown, of another kind or out of bounds: `errors` says what and where.",
    "503": "There is no usable model, or there are too many requests; `Retry-After` says when to try again.",
}
NO_KEY = {"401": "There is no key, or none that is known."}
FAULT = {"500": "This is a fault of ours; `request_id` finds it in the log."}

DESCRIPTION = (
    "Send one row or many, as JSON, CSV or a JSON object a line. The answer comes in the form that `Accept` "
    "asks for, or else in the form of the body, which may be compressed with gzip or deflate."
)
CSV_DESCRIPTION = (
    "A header row names the columns, in any order; others pass through. A feature's name counts by its letters and "
    "digits, with or without a unit at its end. Commas, tabs or semicolons (then with decimal commas or points) "
    "separate."
)


class OpenApi:
    """The parts of the document that a schema determines; ``schema.derive(OpenApi)`` makes them once."""

    def __init__(self, schema: Schema) -> None:
        responses = schema.derive(ResponseTypes)
        row = schema.derive(JsonTypes).Row
        types = [row, responses.PredictionResponse, responses.BatchResponse, ModelDescription, Problem]
        _, self._components = msgspec.json.schema_components(types, ref_template="#/components/schemas/{name}")
        del self._components["Row"]["additionalProperties"]  # further fields are passed over
        self._schema = schema
        self._row = _example(schema)

    def document(self, version: str, max_rows: int, *, keys: bool = False, root: str = "") -> dict[str, Any]:
        """Return the OpenAPI document.

        Parameters
        ----------
        version : str
            The version of the application.
        max_rows : int
            The maximum number of rows of a request.
        keys : bool
            Whether clients need an API key.
        root : str
            The path below which a proxy serves the application.
        """
        nouns, target = self._schema.nouns, self._schema.target
        result = {
            "openapi": "3.1.0",
            "info": {
                "title": self._schema.title,
                "version": version,
                "description": f"Classify {nouns}, with the probability of each {target} and the reasons.",
                "license": {"name": "BSD-3-Clause", "identifier": "BSD-3-Clause"},
            },
            "servers": [{"url": root or "/"}],
            "paths": {
                "/api/classify": {"post": self._classify(max_rows)},
                "/api/model": {"get": _model()},
            },
            "components": {"schemas": self._components},
        }
        return _with_security(result) if keys else result

    def _classify(self, max_rows: int) -> dict[str, Any]:
        return {
            "operationId": "classify",
            "tags": ["Classification"],
            "summary": f"Classify one {self._schema.noun} or many",
            "description": DESCRIPTION,
            "parameters": [
                {
                    "name": "explain",
                    "in": "query",
                    "description": "Whether JSON answers say why, in log-odds and in a sentence.",
                    "schema": {"type": "boolean", "default": False},
                }
            ],
            "requestBody": {"required": True, "content": self._bodies(max_rows)},
            "responses": {"200": self._answer(), **_problems(PROBLEMS | FAULT)},
        }

    def _bodies(self, max_rows: int) -> dict[str, Any]:
        rows = {"type": "array", "items": _ref("Row"), "maxItems": max_rows}
        return {
            JSON: {"schema": {"anyOf": [_ref("Row"), rows]}, "example": self._row},
            CSV: {
                "schema": rows | {"items": self._csv_row(), "description": CSV_DESCRIPTION},
                "example": _csv_example(self._schema, self._row),
            },
            NDJSON: {
                "schema": rows | {"description": "A row a line."},
                "example": f"{msgspec.json.encode(self._row).decode()}\n",
            },
        }

    def _csv_row(self) -> dict[str, Any]:
        """Return the schema of a CSV row, which may have other columns of any name."""
        row: dict[str, Any] = self._components["Row"]
        properties = {
            feature.name: row["properties"][feature.name] | (WITHOUT_NUL if feature.allow_unknown else {})
            for feature in self._schema.features
        }
        return row | {"properties": properties, "propertyNames": {"pattern": "^[^\u0000]*$"}}

    def _answer(self) -> dict[str, Any]:
        what = f"The {self._schema.target} of each {self._schema.noun}"
        return {
            "description": f"{what}, probabilities, and reasons for doubt.",
            "headers": {
                "X-Model-Version": {"description": "The version of the model.", "schema": {"type": "string"}},
                "X-Model-Schema": {"description": "The digest of its schema.", "schema": {"type": "string"}},
            },
            "content": {
                JSON: {"schema": {"anyOf": [_ref("PredictionResponse"), _ref("BatchResponse")]}},
                CSV: {"schema": {"type": "string", "description": "The columns that came, and then ours."}},
                NDJSON: {"schema": {"type": "string", "description": "The answer to a row a line."}},
            },
        }


def _example(schema: Schema) -> dict[str, Value]:
    """Return a typical row: the examples of the features, or else the typical values of the first class."""
    typical = schema.classes[0].typical or [None] * len(schema.features)
    values = (
        value if feature.example is None else feature.example
        for feature, value in zip(schema.features, typical, strict=True)
    )
    return {feature.name: value for feature, value in zip(schema.features, values, strict=True)}


def _csv_example(schema: Schema, row: dict[str, Value]) -> str:
    text = io.StringIO()
    cells = [feature.format(feature.encode(row[feature.name])) for feature in schema.features]
    csv.writer(text, lineterminator="\n").writerows([list(row), cells])
    return text.getvalue()


def _with_security(document: dict[str, Any]) -> dict[str, Any]:
    """Add the security scheme of API keys, and the response without one."""
    paths = {
        path: {
            method: operation | {"responses": operation["responses"] | _problems(NO_KEY)}
            for method, operation in operations.items()
        }
        for path, operations in document["paths"].items()
    }
    components = document["components"] | {"securitySchemes": {"key": {"type": "http", "scheme": "bearer"}}}
    return document | {"paths": paths, "security": [{"key": []}], "components": components}


def _model() -> dict[str, Any]:
    return {
        "operationId": "model",
        "tags": ["Model"],
        "summary": "Describe the model that answers",
        "responses": {
            "200": {"description": "The model.", "content": {JSON: {"schema": _ref("ModelDescription")}}},
            **_problems({"503": PROBLEMS["503"]} | FAULT),
        },
    }


def _ref(name: str) -> dict[str, str]:
    return {"$ref": f"#/components/schemas/{name}"}


def _problems(descriptions: dict[str, str]) -> dict[str, Any]:
    content = {"application/problem+json": {"schema": _ref("Problem")}}
    return {status: {"description": text, "content": content} for status, text in descriptions.items()}
