"""The OpenAPI document, held against the API by tools that we did not write."""

import csv
import io
import json
from collections import Counter
from collections.abc import Callable

import msgspec
import pytest
import schemathesis
from flask import Flask
from flask.testing import FlaskClient
from openapi_spec_validator import OpenAPIV31SpecValidator
from schemathesis.config import SchemathesisConfig
from schemathesis.engine import Status, from_schema
from schemathesis.engine.events import ScenarioFinished

from iris_app.api.formats import READERS
from iris_app.api.openapi import OpenApi
from iris_app.iris import SCHEMA
from iris_app.schema import Feature, Schema
from tests.conftest import EXAMPLES
from tests.models import package
from tests.schemas import MANY_CLASSES, MIXED, NAMES, ONE, WIDE

# The schema of the model that is tried.
tried = [SCHEMA]


@schemathesis.serializer("text/csv")
def write_csv(_context: object, rows: object) -> bytes:
    """Write rows as CSV: a cell as JSON, so that what is no number, or is not there, does not become one."""
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        return json.dumps(rows).encode()
    features = tried[0].features_by_name
    names = list(dict.fromkeys([*features, *(name for row in rows for name in row)]))
    written = io.StringIO()
    writer = csv.writer(written)
    writer.writerow(names)
    for row in rows:
        cells = [write_cell(features.get(name), row.get(name)) for name in names]
        writer.writerow([cell for cell in cells if cell is not None])
    return written.getvalue().encode("utf-8", "replace")


def write_cell(feature: Feature | None, value: object) -> str | None:
    """Return a cell: a category as it is; None for what would become a category or a boolean as text."""
    is_category = feature is not None and feature.kind == "category"
    if is_category and isinstance(value, str):
        return value
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    refused = feature is not None and feature.kind == "boolean" and is_number
    if refused or (is_category and not (value is None or is_number)):
        return None
    return json.dumps(value)


@schemathesis.serializer("application/x-ndjson")
def write_ndjson(_context: object, rows: object) -> bytes:
    """Write a row a line; what is no list of rows, as a list, which no line may be."""
    return "\n".join(map(json.dumps, rows if isinstance(rows, list) else [[rows]])).encode()


@pytest.fixture(scope="module")
def mixed_app(make_app: Callable[..., Flask], tmp_path_factory: pytest.TempPathFactory) -> Flask:
    """An app whose model takes every kind of feature."""
    path = tmp_path_factory.mktemp("mixed") / "model.joblib"
    package(path, MIXED)
    return make_app(MODEL_PATH=str(path))


@pytest.fixture(scope="module", params=["example", "mixed"])
def finished(
    make_app: Callable[..., Flask], mixed_app: Flask, request: pytest.FixtureRequest
) -> list[ScenarioFinished]:
    """Let schemathesis go through all its phases, with what the document allows and with what it does not."""
    app, tried[0] = (mixed_app, MIXED) if request.param == "mixed" else (make_app(), SCHEMA)
    settings = SchemathesisConfig.from_dict(
        {"seed": 0, "generation": {"max-examples": EXAMPLES}, "headers": {"Accept-Encoding": "identity"}}
    )
    schema = schemathesis.openapi.from_wsgi("/api/openapi.json", app, config=settings)
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
    assert "additionalProperties" not in row
    assert row["required"] == [feature.name for feature in SCHEMA.features]
    for feature in SCHEMA.features:
        described = row["properties"][feature.name]
        assert described["x-unit"] == feature.unit
        assert (described["exclusiveMinimum"], described["maximum"]) == (feature.above, feature.at_most)
        assert described["examples"] == [feature.example]
        assert described["title"] == f"{feature.label} ({feature.unit})"


@pytest.mark.parametrize("schema", [MIXED, NAMES, ONE, WIDE, MANY_CLASSES], ids=lambda schema: schema.name)
def test_the_document_of_any_schema_is_valid(schema: Schema) -> None:
    document = json.loads(json.dumps(schema.derive(OpenApi).document("1", 10, keys=True)))
    assert list(OpenAPIV31SpecValidator(document).iter_errors()) == []
    assert list(document["components"]["schemas"]["Row"]["properties"]) == list(schema.features_by_name)
    assert document["paths"]["/api/classify"]["post"]["responses"]["401"]


def test_the_document_is_made_once_whatever_is_asked_of_it() -> None:
    assert MIXED.derive(OpenApi) is MIXED.derive(OpenApi)
    with_keys = MIXED.derive(OpenApi).document("1", 10, keys=True)
    assert "security" in with_keys
    without = MIXED.derive(OpenApi).document("1", 10)
    assert "security" not in without
    assert "401" not in without["paths"]["/api/model"]["get"]["responses"]


def test_the_document_says_what_each_kind_accepts() -> None:
    document = MIXED.derive(OpenApi).document("1", 10)
    row = document["components"]["schemas"]["Row"]
    assert row["required"] == [feature.name for feature in MIXED.features if not feature.optional]
    age, smoker, ward = (row["properties"][name] for name in ("age", "smoker", "ward"))
    assert (age["minimum"], age["maximum"], age["multipleOf"]) == (0, 120, 1)
    assert smoker["type"] == "boolean"
    assert set(ward["enum"]) == {1, 2, 10, "1", "2", "10"}
    sex, null = row["properties"]["sex"]["anyOf"]
    assert (set(sex["enum"]), null) == ({"", "female", "male"}, {"type": "null"})
    assert row["properties"]["región"]["examples"] == ["norte", "sur", "este: costa", "oeste"]
    answer = document["components"]["schemas"]["PredictionResponse"]["properties"]
    assert set(answer["outcome"]["enum"]) == {"fraud", "no_fraud"}


def test_the_examples_of_the_document_are_read() -> None:
    for schema in (MIXED, NAMES, ONE):
        content = schema.derive(OpenApi).document("1", 10)["paths"]["/api/classify"]["post"]["requestBody"]["content"]
        expected = schema.encode(feature.example for feature in schema.features)
        for media_type, described in content.items():
            example = described["example"]
            body = json.dumps(example) if media_type == "application/json" else example
            assert READERS[media_type](schema, body.encode(), 1).rows.tolist() == [expected]


def test_a_feature_without_an_example_has_that_of_a_typical_row() -> None:
    features = tuple(msgspec.structs.replace(feature, example=None) for feature in MIXED.features)
    schema = msgspec.structs.replace(MIXED, features=features)
    content = schema.derive(OpenApi).document("1", 10)["paths"]["/api/classify"]["post"]["requestBody"]["content"]
    assert tuple(content["application/json"]["example"].values()) == schema.classes[0].typical


def test_the_document_names_every_status(client: FlaskClient) -> None:
    responses = client.get("/api/openapi.json").get_json()["paths"]["/api/classify"]["post"]["responses"]
    assert set(responses) == {"200", "400", "406", "413", "415", "422", "500", "503"}


def test_the_document_gives_the_rows_that_the_configuration_allows(make_app: Callable[..., Flask]) -> None:
    document = make_app(MAX_BATCH_ROWS=7).test_client().get("/api/openapi.json").get_json()
    content = document["paths"]["/api/classify"]["post"]["requestBody"]["content"]
    assert content["application/json"]["schema"]["anyOf"][1]["maxItems"] == 7


def test_the_documentation_page_names_the_document(client: FlaskClient) -> None:
    assert 'data-url="/api/openapi.json"' in client.get("/api/docs").text


def test_the_documentation_page_has_whole_sentences_before_a_model_is_loaded(make_app: Callable[..., Flask]) -> None:
    text = make_app().test_client().get("/api/docs").text
    assert "this does for a program: one row or a hundred thousand, as JSON or CSV." in text
    assert 'content="Classify rows from a program: ' in text


@pytest.mark.parametrize("file", ["swagger-ui.css", "swagger-ui-bundle.js"])
def test_the_documentation_page_s_files_are_served_from_here(client: FlaskClient, file: str) -> None:
    assert f"/api/docs/{file}" in client.get("/api/docs").text
    with client.get(f"/api/docs/{file}") as answer:
        assert answer.status_code == 200


def test_no_other_file_is_served_from_there(client: FlaskClient) -> None:
    assert client.get("/api/docs/../flask_swagger_ui.py").status_code == 404
    assert client.get("/api/docs/%2e%2e/flask_swagger_ui.py").status_code == 404
