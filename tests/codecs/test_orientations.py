"""Rows of JSON in orientations that are wrong: each is named with what to send."""

import json
from typing import Any

import msgspec
import pytest
from flask.testing import FlaskClient

from iris_app.codecs import json_errors
from iris_app.codecs.json_rows import JsonRows
from iris_app.exceptions import InvalidValues, MalformedDocument
from tests.schemas import MIXED
from tests.support import FLOWER

NAMES = list(FLOWER)


def send(client: FlaskClient, document: Any) -> tuple[int, Any]:
    answer = client.post("/api/classify", json=document)
    return answer.status_code, answer.get_json()


@pytest.mark.parametrize("count", [1, 3, 5])
def test_a_list_of_another_number_of_values_is_no_row(client: FlaskClient, count: int) -> None:
    status, problem = send(client, [1.5] * count)
    assert status == 400
    assert problem["detail"].startswith("Send a list of rows, each an object or a list of 4 values: ")
    assert problem["detail"].endswith(f"This is a list of {count} values.")


def test_a_table_of_objects_as_pandas_writes_it_is_read(client: FlaskClient) -> None:
    document = {"schema": {"fields": []}, "data": [{"index": 0} | FLOWER, {"index": 1} | FLOWER]}
    status, answer = send(client, document)
    assert (status, len(answer["predictions"])) == (200, 2)


def test_a_wrong_value_of_a_table_is_named_with_its_place(client: FlaskClient) -> None:
    status, problem = send(client, {"schema": {}, "data": [FLOWER, FLOWER | {"petal_width": "x"}]})
    assert status == 422
    assert [error["pointer"] for error in problem["errors"]] == ["/data/1/petal_width"]


def test_columns_of_other_labels_are_named(client: FlaskClient) -> None:
    document = {name: {"0": 1.5} for name in NAMES} | {"petal_width": {"1": 0.2}}
    status, problem = send(client, document)
    assert (status, problem["detail"]) == (400, "The columns have not the same labels of rows.")


@pytest.mark.parametrize("columns", [5, "x", {"a": 1}, [[1]]])
def test_names_of_columns_that_are_none_are_refused(client: FlaskClient, columns: object) -> None:
    status, problem = send(client, {"columns": columns, "data": [list(FLOWER.values())]})
    assert status in {400, 422}
    assert problem["detail"]


def test_an_object_without_any_feature_is_refused_where_all_are_optional() -> None:
    features = tuple(msgspec.structs.replace(feature, optional=True) for feature in MIXED.features)
    schema = msgspec.structs.replace(MIXED, features=features)
    with pytest.raises(InvalidValues) as refused:
        schema.derive(JsonRows).read_any(json.dumps([{"height": 1}]).encode(), 10)
    assert refused.value.errors[0].detail.startswith("None of the fields is one of ")


def test_more_names_than_are_looked_at_are_refused() -> None:
    text = json.dumps(dict.fromkeys(map(str, range(json_errors.MAX_NAMES + 1)))).encode()
    with pytest.raises(MalformedDocument, match="fields beside those that are read"):
        json_errors.find_repeated(text, 0)


def test_a_header_that_is_declared_may_not_name_the_features(client: FlaskClient) -> None:
    answer = client.post("/api/classify", data="1,2,3,4\n5,3,1,1\n", content_type="text/csv; header=present")
    assert answer.status_code == 422
    assert answer.get_json()["errors"]


@pytest.mark.parametrize(
    ("body", "suggestion"),
    [
        (f"{json.dumps(FLOWER)}\n{json.dumps(FLOWER)}\n", "is NDJSON: send it as application/x-ndjson."),
        ("sepal_length,sepal_width\n5.1,3.5\n", "looks like CSV: send it as text/csv."),
        ("5,1;3,5;1,4;0,2", "looks like CSV: send it as text/csv."),
        ("5.1\t3.5", "looks like CSV: send it as text/csv."),
        ('{"sepal_length": 5.1', "(char 20)."),
        ("setosa", "(char 0)."),
    ],
)
@pytest.mark.parametrize("path", ["/api/classify", "/invocations"])
def test_a_body_of_another_form_is_told_how_to_be_sent(
    client: FlaskClient, path: str, body: str, suggestion: str
) -> None:
    answer = client.post(path, data=body, content_type="application/json")
    assert answer.status_code == 400
    document = answer.get_json()
    assert document.get("detail", document.get("message")).endswith(suggestion)
