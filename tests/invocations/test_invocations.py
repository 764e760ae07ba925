"""``/invocations`` and ``/ping``, as SageMaker, MLflow and Vertex AI speak to them."""

import json
from collections.abc import Callable
from typing import Any

import pandas as pd
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from werkzeug.test import TestResponse

from iris_app.iris import SCHEMA
from tests.support import FLOWER

ROW = list(FLOWER.values())
BIG = [6.5, 3.0, 5.6, 2.0]


def invoke(client: FlaskClient, document: object, path: str = "/invocations") -> TestResponse:
    return client.post(path, data=json.dumps(document), content_type="application/json")


def predictions(answer: TestResponse) -> list[str]:
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    document: dict[str, list[str]] = answer.get_json()
    assert set(document) == {"predictions"}
    return document["predictions"]


def error(answer: TestResponse, status: int = 400, code: str = "BAD_REQUEST") -> str:
    assert (answer.status_code, answer.content_type) == (status, "application/json")
    document = answer.get_json()
    assert (set(document), document["error_code"]) == ({"error_code", "message"}, code)
    return str(document["message"])


RECORDS = [FLOWER, dict(zip(FLOWER, BIG, strict=True))]
WAYS = {
    "dataframe_split": {"dataframe_split": {"index": [0, 1], "columns": list(FLOWER), "data": [ROW, BIG]}},
    "dataframe_records": {"dataframe_records": RECORDS},
    "instances as lists": {"instances": [ROW, BIG]},
    "instances as objects": {"instances": RECORDS},
    "inputs as lists": {"inputs": [ROW, BIG]},
    "inputs as columns": {"inputs": {name: list(pair) for name, *pair in zip(FLOWER, ROW, BIG, strict=True)}},
    "instances as both": {"instances": [ROW, RECORDS[1]]},
    "with params": {"inputs": [ROW, BIG], "params": {"temperature": 0}},
}


@pytest.mark.parametrize("document", WAYS.values(), ids=WAYS)
def test_rows_come_in_each_way(client: FlaskClient, document: dict[str, object]) -> None:
    assert predictions(invoke(client, document)) == ["setosa", "virginica"]


@pytest.mark.parametrize("header", ["sepal_length,sepal_width,petal_length,petal_width\n", ""], ids=["named", "bare"])
def test_csv_comes_with_a_header_or_without(client: FlaskClient, header: str) -> None:
    body = f"{header}5.1,3.5,1.4,0.2\n6.5,3.0,5.6,2.0\n"
    answer = client.post("/invocations", data=body, content_type="text/csv; charset=utf-8")
    assert predictions(answer) == ["setosa", "virginica"]


def test_columns_of_a_data_frame_may_be_spelt_otherwise_among_others(client: FlaskClient) -> None:
    columns = ["Id", "petal width (cm)", "petal length (cm)", "sepal width (cm)", "sepal length (cm)"]
    split = {"columns": columns, "data": [["a", *reversed(ROW)]]}
    assert predictions(invoke(client, {"dataframe_split": split})) == ["setosa"]


@pytest.mark.parametrize("document", [{"instances": []}, {"inputs": {}}, {"dataframe_records": []}, []])
def test_no_rows_get_no_predictions_or_are_told_what_is_missing(client: FlaskClient, document: object) -> None:
    answer = invoke(client, document)
    assert answer.status_code == 400 if "inputs" in str(document) else predictions(answer) == []


def test_mlflow_s_scoring_contract_holds_for_a_data_frame_in_split_orientation(client: FlaskClient) -> None:
    data = load_iris()
    frame = pd.DataFrame(data.data, columns=data.feature_names)
    document = f'{{"dataframe_split": {frame.to_json(orient="split")}}}'
    assert client.get("/ping").status_code == 200
    answered = predictions(client.post("/invocations", data=document, content_type="application/json"))
    rows = [dict(zip(FLOWER, row, strict=True)) for row in data.data.tolist()]
    expected = client.post("/api/classify", json=rows).get_json()["predictions"]
    assert answered == [one["species"] for one in expected]


@pytest.mark.parametrize(
    ("document", "sentence"),
    [
        ({}, "4 values cannot be used. Sepal length is missing."),
        ({"instances": [], "inputs": []}, "Send exactly one of"),
        (
            {"instances": 5},
            "A row is an object with the fields sepal_length, sepal_width, petal_length, petal_width, or",
        ),
        (
            {"instances": ROW[:3]},
            "Send a list of rows, each an object or a list of 4 values: sepal_length, sepal_width",
        ),
        ({"inputs": ["a"]}, "petal_length, petal_width. This is a list of 1 values."),
        (
            {"instances": [[5.1, 3.5, 1.4]]},
            "One value cannot be used. Row 0: A row is a list of 4 values: sepal_length",
        ),
        ({"instances": [[0, 3.5, 1.4, 31]]}, "2 values cannot be used. Row 0: Sepal length must be greater than 0"),
        (
            {"instances": [ROW, FLOWER | {"petal_width": "x"}]},
            "One value cannot be used. Row 1: Petal width must be a number",
        ),
        ({"instances": [ROW, 5]}, "One value cannot be used. Row 1: A row is an object with the fields"),
        ({"instances": [FLOWER, 5]}, "One value cannot be used. Row 1: A row is an object with the fields"),
        ({"dataframe_records": [{"sepal_length": 5.1}]}, "3 values cannot be used. Row 0: Sepal width is missing."),
        (
            {"dataframe_records": [{"sepal length": 31, "species": "setosa"}, FLOWER]},
            "Then it is 3.1 cm. Row 0: Sepal width is missing. Row 0: Petal length is missing.",
        ),
        (
            {"instances": [FLOWER | {"species": "a"}, FLOWER | {"sepal_length": 31}]},
            "One value cannot be used. Row 1: Sepal length must be greater than 0",
        ),
        (
            {"instances": [FLOWER, {"sepal length": 1, "sepal length (cm)": 1}]},
            "The fields sepal length and sepal length (cm) are each sepal length; there must be one.",
        ),
        ({"instances": [FLOWER | dict.fromkeys(map(str, range(1001)), 1)]}, "The body has more than the 1,000 fields"),
        ({"dataframe_split": {"columns": ["sepal_length"], "data": []}}, "There is no column sepal_width."),
        ({"dataframe_split": {"columns": [0, 1, 2], "data": [[1, 1, 1]]}}, "The columns 0, 1, 2 name no feature. Send"),
        (
            {"dataframe_split": {"columns": [1, 0, 2, 3], "data": []}},
            "or 4 columns in this order: sepal_length, sepal_",
        ),
        ({"dataframe_split": {"columns": list(FLOWER), "data": [[1]]}}, "Row 0 of data has 1 values, not 4."),
        ({"dataframe_split": {"data": [ROW, ROW[:3]]}}, "One value cannot be used. Row 1: A row is a list of 4 values"),
        (
            {"dataframe_split": {"columns": list(FLOWER), "data": [[1, 1, 1, None]]}},
            "Petal width must be a number in cm",
        ),
        ({"dataframe_split": {"columns": list(FLOWER)}}, "There are columns, and no data, which is a list of rows."),
        ({"dataframe_split": {"columns": list(FLOWER), "data": None}}, "There are columns, and no data"),
        ({"dataframe_split": {"columns": list(FLOWER), "data": ROW}}, "Row 0 of data is no list of 4 values."),
        ({"instances": [*ROW[:3], -1]}, "One value cannot be used. Row 0: Petal width must be greater than 0"),
        ([*ROW[:3], -1], "One value cannot be used. Row 0: Petal width must be greater than 0"),
        ({"instances": [[ROW]]}, "This is a list of rows; send each of them by itself."),
        ({"inputs": {name: [1] for name in FLOWER} | {"Id": []}}, "The columns are not of one length."),
        ({"inputs": {"sepal_length": [1]}}, "3 values cannot be used. There is no column sepal_width."),
    ],
)
def test_what_cannot_be_answered_is_a_400_that_says_why(client: FlaskClient, document: object, sentence: str) -> None:
    assert sentence in error(invoke(client, document))


SKLEARN = dict(
    zip(["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"], ROW, strict=True)
)


@pytest.mark.parametrize("member", ["dataframe_records", "instances", "inputs"])
@pytest.mark.parametrize(
    "rows",
    [
        [SKLEARN, SKLEARN],
        [SKLEARN | {"species": "a: b"}, ROW],
        [FLOWER | {"species": None}, FLOWER],
        [FLOWER, FLOWER | {"Id": {"a": 1}}],
        [FLOWER, SKLEARN],
        [{"sepal length": 30} | FLOWER, FLOWER | {"sepal length": 30}],
        [{"comment": "}"} | FLOWER, FLOWER],
    ],
    ids=["scikit-learn's", "further text", "further null", "a further object", "both", "exact first", "a brace"],
)
def test_fields_may_be_spelt_otherwise_among_others(client: FlaskClient, member: str, rows: list[object]) -> None:
    assert predictions(invoke(client, {member: rows})) == ["setosa", "setosa"]


@pytest.mark.parametrize("columns", [None, [], [0, 1, 2, 3], ["0", "1", "2", "3"]])
def test_columns_without_names_are_read_by_their_order(client: FlaskClient, columns: object) -> None:
    assert predictions(invoke(client, {"dataframe_split": {"columns": columns, "data": [BIG]}})) == ["virginica"]
    assert predictions(invoke(client, {"dataframe_split": {"index": [0], "data": [BIG]}})) == ["virginica"]


def test_a_field_that_is_given_twice_is_named_by_its_row(client: FlaskClient) -> None:
    row = json.dumps(FLOWER | {"species": "setosa"})
    body = f'{{"instances": [{row}, {row[:-1]}, "species": 1}}]}}'
    answer = client.post("/invocations", data=body, content_type="application/json")
    assert error(answer) == "One value cannot be used. Row 1: species is given more than once."


@pytest.mark.parametrize(
    "document",
    [
        {"instances": [ROW, [5.1, 3.5, float("nan"), 0.2]]},
        {"dataframe_records": [FLOWER, FLOWER | {"petal_length": float("nan"), "NaN": "NaN"}]},
        {"dataframe_split": {"columns": list(FLOWER), "data": [ROW, [5.1, 3.5, float("nan"), 0.2]]}},
        {"inputs": {name: [value, float("nan") if name == "petal_length" else 1] for name, value in FLOWER.items()}},
    ],
    ids=lambda document: next(iter(document)),
)
def test_nan_is_named_by_its_row(client: FlaskClient, document: dict[str, object]) -> None:
    sentence = error(invoke(client, document))
    assert sentence == (
        "One value cannot be used. NaN is read as null. Row 1: Petal length must be a number in cm, not null."
    )


def test_nan_in_a_further_column_is_passed_over(client: FlaskClient) -> None:
    assert predictions(invoke(client, {"instances": [FLOWER | {"price": float("nan")}]})) == ["setosa"]


def test_an_infinite_number_is_named_by_its_place(client: FlaskClient) -> None:
    sentence = error(invoke(client, {"instances": [[1, 1, 1, float("inf")]]}))
    assert sentence.startswith("One value cannot be used. Row 0: Petal width must be greater than 0")


class TestAccept:
    @pytest.mark.parametrize("accept", ["text/csv", "text/csv; charset=utf-8", "text/csv, application/json;q=0.5"])
    def test_csv_is_one_class_a_line(self, client: FlaskClient, accept: str) -> None:
        answer = client.post("/invocations", json={"instances": [ROW, BIG]}, headers={"Accept": accept})
        assert (answer.status_code, answer.content_type) == (200, "text/csv; charset=utf-8")
        assert answer.text == "setosa\nvirginica\n"
        assert "Accept" in answer.headers["Vary"]

    @pytest.mark.parametrize("accept", ["*/*", "", "application/json", "text/html, */*;q=0.1", "application/*"])
    def test_json_is_the_default(self, client: FlaskClient, accept: str) -> None:
        answer = client.post("/invocations", json={"instances": [ROW]}, headers={"Accept": accept})
        assert predictions(answer) == ["setosa"]

    @pytest.mark.parametrize("accept", ["application/x-recordio-protobuf", "text/html"])
    def test_anything_else_is_a_406(self, client: FlaskClient, accept: str) -> None:
        answer = client.post("/invocations", json={"instances": [ROW]}, headers={"Accept": accept})
        message = error(answer, 406, "NOT_ACCEPTABLE")
        assert message == "The answer can be application/json, text/csv or application/x-ndjson."


def test_the_answer_names_the_model_and_its_schema(client: FlaskClient) -> None:
    headers = invoke(client, {"instances": [ROW]}).headers
    assert headers["X-Model-Version"] == client.get("/api/model").get_json()["version"]
    assert headers["X-Model-Schema"] == SCHEMA.digest[:12]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"instances": ' + b"[" * 100_000, b'{"instances": [NaN]}'])
def test_what_is_not_json_is_a_400(client: FlaskClient, body: bytes) -> None:
    assert error(client.post("/invocations", data=body, content_type="application/json"))


def test_a_bad_cell_of_bare_csv_is_named_by_its_line(client: FlaskClient) -> None:
    answer = client.post("/invocations", data="5.1,3.5,1.4,0.2\n5.1,3.5,1.4,x\n", content_type="text/csv")
    assert "Line 2, column petal_width: " in error(answer)


def test_another_content_type_is_a_415(client: FlaskClient) -> None:
    answer = client.post("/invocations", data="5.1", content_type="text/plain")
    assert "application/json, text/csv or application/x-ndjson" in error(answer, 415, "UNSUPPORTED_MEDIA_TYPE")


@pytest.mark.parametrize("way", [{"instances": [ROW] * 3}, WAYS["dataframe_split"] | {}])
def test_more_rows_than_allowed_are_a_413(make_app: Callable[..., Flask], way: dict[str, object]) -> None:
    client = make_app(MAX_BATCH_ROWS=1).test_client()
    assert "are more than the 1" in error(invoke(client, way), 413, "REQUEST_ENTITY_TOO_LARGE")


def test_the_wrong_method_is_a_405(client: FlaskClient) -> None:
    assert error(client.get("/invocations"), 405, "METHOD_NOT_ALLOWED")


def test_ping_says_which_model_is_ready(client: FlaskClient) -> None:
    answer = client.get("/ping")
    version = client.get("/api/model").get_json()["version"]
    assert answer.get_json() == {"status": "ready", "model": version, "schema": SCHEMA.digest[:12]}


def test_without_a_model_ping_and_invocations_are_a_503(make_app: Callable[..., Flask]) -> None:
    client = make_app(MODEL_PATH="/nowhere").test_client()
    assert error(client.get("/ping"), 503, "SERVICE_UNAVAILABLE")
    assert error(invoke(client, {"instances": [ROW]}), 503, "SERVICE_UNAVAILABLE")


class TestVertex:
    @pytest.fixture
    def client(self, make_app: Callable[..., Flask]) -> FlaskClient:
        return make_app(AIP_PREDICT_ROUTE="/v1/models/iris:predict", AIP_HEALTH_ROUTE="/v1/models/iris").test_client()

    def test_its_routes_answer_as_well(self, client: FlaskClient) -> None:
        assert predictions(invoke(client, {"instances": [ROW]}, "/v1/models/iris:predict")) == ["setosa"]
        assert client.get("/v1/models/iris").status_code == 200
        assert predictions(invoke(client, {"instances": [ROW]})) == ["setosa"]

    def test_its_errors_are_in_the_same_shape(self, client: FlaskClient) -> None:
        assert error(invoke(client, {}, "/v1/models/iris:predict"))

    def test_one_route_may_do_for_both(self, make_app: Callable[..., Flask]) -> None:
        client = make_app(AIP_PREDICT_ROUTE="/iris", AIP_HEALTH_ROUTE="/iris").test_client()
        assert client.get("/iris").status_code == 200
        assert predictions(invoke(client, {"instances": [ROW]}, "/iris")) == ["setosa"]

    def test_its_routes_may_be_ours(self, make_app: Callable[..., Flask]) -> None:
        client = make_app(AIP_PREDICT_ROUTE="/invocations", AIP_HEALTH_ROUTE="/ping").test_client()
        assert client.get("/ping").status_code == 200


rows = st.lists(st.none() | st.floats() | st.lists(st.floats() | st.text(max_size=2), max_size=5), max_size=4)
documents = st.dictionaries(
    st.sampled_from(["dataframe_split", "dataframe_records", "instances", "inputs", "params"]),
    rows | st.dictionaries(st.sampled_from([*FLOWER, "columns", "data"]), rows | st.just([*FLOWER])) | st.text(),
    max_size=2,
)


@given(document=documents)
def test_no_document_is_a_fault_of_ours(steady_app: Flask, document: dict[str, Any]) -> None:
    assert invoke(steady_app.test_client(), document).status_code in {200, 400}
