"""The OpenAPI document, held against the API by tools that we did not write."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable

import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, from_schema
from schemathesis.engine.events import ScenarioFinished

from iris_app.api.formats import READERS
from iris_app.iris import SCHEMA


@schemathesis.serializer("text/csv")
def write_csv(_context: object, rows: object) -> bytes:
    """Write rows as CSV: a cell as JSON, so that what is no number, or is not there, does not become one."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return json.dumps(rows).encode()
    names = list(dict.fromkeys([*(one.name for one in SCHEMA.features), *(name for row in rows for name in row)]))
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(names)
    writer.writerows([json.dumps(row.get(name)) for name in names] for row in rows)
    return written.getvalue().encode("utf-8", "replace")


@schemathesis.serializer("application/x-ndjson")
def write_ndjson(_context: object, rows: object) -> bytes:
    """Write a row a line; what is no list of rows, as a list, which no line may be."""
    return "\n".join(map(json.dumps, rows if isinstance(rows, list) else [[rows]])).encode()


@pytest.fixture(scope="module")
def finished(make_app: Callable[..., Flask]) -> list[ScenarioFinished]:
    """Let schemathesis go through all its phases, with what the document allows and with what it does not."""
    settings = SchemathesisConfig.from_dict(
        {"seed": 0, "generation": {"max-examples": 300}, "headers": {"Accept-Encoding": "identity"}}
    )
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", make_app(), config=settings)
    return [event for event in from_schema(schema).execute() if isinstance(event, ScenarioFinished)]


def test_the_api_does_what_its_document_says(finished: list[ScenarioFinished]) -> None:
    checks = [check for scenario in finished for checks in scenario.recorder.checks.values() for check in checks]
    assert [check.failure_info for check in checks if check.status is not Status.SUCCESS] == []
    assert {"response_schema_conformance", "negative_data_rejection", "positive_data_acceptance"} <= {
        check.name for check in checks
    }


def test_enough_was_tried_in_every_form(finished: list[ScenarioFinished]) -> None:
    cases = [case.value for scenario in finished for case in scenario.recorder.cases.values()]
    forms = Counter(case.media_type for case in cases if case.operation.label == "POST /api/classify")
    assert forms.total() >= 200
    assert min(forms[form] for form in READERS) >= 50


def test_the_document_is_valid_openapi_3_1(client: FlaskClient) -> None:
    document = client.get("/api/openapi.json").get_json()
    assert document["openapi"] == "3.1.0"
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []


def test_the_document_gives_each_feature_its_unit_bounds_and_an_example(client: FlaskClient) -> None:
    row = client.get("/api/openapi.json").get_json()["components"]["schemas"]["Row"]
    assert row["additionalProperties"] is False
    assert row["required"] == [feature.name for feature in SCHEMA.features]
    for feature in SCHEMA.features:
        described = row["properties"][feature.name]
        assert described["x-unit"] == feature.unit
        assert (described["exclusiveMinimum"], described["maximum"]) == (feature.above, feature.at_most)
        assert described["examples"] == [feature.example]
        assert described["title"] == f"{feature.label} ({feature.unit})"


def test_the_document_names_every_status(client: FlaskClient) -> None:
    responses = client.get("/api/openapi.json").get_json()["paths"]["/api/classify"]["post"]["responses"]
    assert set(responses) == {"200", "400", "406", "413", "415", "422", "500", "503"}


def test_the_document_gives_the_rows_that_the_configuration_allows(make_app: Callable[..., Flask]) -> None:
    document = make_app(MAX_BATCH_ROWS=7).test_client().get("/api/openapi.json").get_json()
    content = document["paths"]["/api/classify"]["post"]["requestBody"]["content"]
    assert content["application/json"]["schema"]["anyOf"][1]["maxItems"] == 7


def test_the_documentation_page_names_the_document(client: FlaskClient) -> None:
    assert 'data-url="/api/openapi.json"' in client.get("/api/docs").text


@pytest.mark.parametrize("file", ["swagger-ui.css", "swagger-ui-bundle.js"])
def test_the_documentation_page_s_files_are_served_from_here(client: FlaskClient, file: str) -> None:
    assert f"/api/docs/{file}" in client.get("/api/docs").text
    with client.get(f"/api/docs/{file}") as answer:
        assert answer.status_code == 200


def test_no_other_file_is_served_from_there(client: FlaskClient) -> None:
    assert client.get("/api/docs/../flask_swagger_ui.py").status_code == 404
    assert client.get("/api/docs/%2e%2e/flask_swagger_ui.py").status_code == 404
