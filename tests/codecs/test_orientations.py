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


@pytest.mark.parametrize("rows", [1, 2000])
def test_the_index_of_a_frame_may_hold_times(client: FlaskClient, rows: int) -> None:
    index = ["2026-11-27T05:00:00.000"] * rows
    frame = {"columns": NAMES, "index": index, "data": [list(FLOWER.values())] * rows}
    for document in (frame, {"dataframe_split": frame}, {"dataframe_split": frame, "params": index}):
        status, answer = send(client, document)
        assert (status, len(answer["predictions"])) == (200, rows)


def test_the_schema_of_a_frame_may_describe_many_fields(client: FlaskClient) -> None:
    fields = [{"name": f"x{number}", "type": "number"} for number in range(1000)]
    status, answer = send(client, {"schema": {"fields": fields}, "data": [FLOWER]})
    assert (status, len(answer["predictions"])) == (200, 1)


@pytest.mark.parametrize("name", ["index", "data", "inputs"])
def test_a_further_column_may_be_named_as_a_part_of_a_frame_is(client: FlaskClient, name: str) -> None:
    labels = list(map(str, range(2000)))
    columns = {key: dict.fromkeys(labels, value) for key, value in ({name: 1.0} | FLOWER).items()}
    status, answer = send(client, columns)
    assert (status, len(answer["predictions"])) == (200, len(labels))


def test_a_wrong_value_of_a_table_is_named_with_its_place(client: FlaskClient) -> None:
    status, problem = send(client, {"schema": {}, "data": [FLOWER, FLOWER | {"petal_width": "x"}]})
    assert status == 422
    assert [error["pointer"] for error in problem["errors"]] == ["/data/1/petal_width"]


def test_columns_of_other_labels_are_named(client: FlaskClient) -> None:
    document = {name: {"0": 1.5} for name in NAMES} | {"petal_width": {"1": 0.2}}
    status, problem = send(client, document)
    assert (status, problem["detail"]) == (400, "The columns have not the same labels of rows.")


ROW = list(FLOWER.values())
ONE = {name: [value] for name, value in FLOWER.items()}

# Documents of one row, and the pointer to its value 1.4; in the last, it is a further one.
PLACES = [
    (FLOWER, "/petal_length"),
    (ROW, "/2"),
    ([ROW], "/0/2"),
    ([FLOWER], "/0/petal_length"),
    ({"instances": ROW}, "/instances/2"),
    ({"instances": FLOWER}, "/instances/petal_length"),
    ({"instances": [ROW]}, "/instances/0/2"),
    ({"inputs": ONE}, "/inputs/petal_length/0"),
    ({"data": ROW}, "/data/2"),
    ({"data": [ROW]}, "/data/0/2"),
    ({"schema": {}, "data": [FLOWER]}, "/data/0/petal_length"),
    ({"dataframe_split": {"columns": ["id", *NAMES], "data": [["a", *ROW]]}}, "/dataframe_split/data/0/3"),
    ({name: {"a/b": value} for name, value in FLOWER.items()}, "/petal_length/a~1b"),
    ({"x": FLOWER}, "/x/petal_length"),
    ({"columns": ["id", *NAMES], "data": [[1.4, 5.1, 3.5, 1.3, 0.2]]}, None),
    ({"id": [1.4]} | ONE | {"petal_length": [1.3]}, None),
]


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "-Infinity", "1e999"])
@pytest.mark.parametrize(("document", "pointer"), PLACES)
def test_what_is_no_number_is_named_by_its_place(
    client: FlaskClient, document: Any, pointer: str | None, constant: str
) -> None:
    body = json.dumps(document).replace("1.4", constant)
    answer = client.post("/api/classify", data=body, content_type="application/json")
    problem = answer.get_json()
    assert [error["pointer"] for error in problem.get("errors", [])] == ([] if pointer is None else [pointer])
    assert ("NaN is read as null." in problem.get("detail", "")) == (constant == "NaN" and pointer is not None)


@pytest.mark.parametrize("constant", ["NaN", "Infinity", "1e999"])
def test_what_is_no_number_is_named_by_its_line(client: FlaskClient, constant: str) -> None:
    row = json.dumps(FLOWER)
    body = f"{row}\n{row.replace('1.4', constant)}\n"
    problem = client.post("/api/classify", data=body, content_type="application/x-ndjson").get_json()
    assert [(error["line"], error["pointer"]) for error in problem["errors"]] == [(2, "/petal_length")]
    message = client.post("/invocations", data=body, content_type="application/x-ndjson").get_json()["message"]
    assert "Line 2: Petal length must be" in message


@pytest.mark.parametrize("columns", [None, []])
def test_a_frame_without_columns_holds_rows_of_any_form(client: FlaskClient, columns: object) -> None:
    for data in ([ROW, FLOWER], ROW):
        status, answer = send(client, {"columns": columns, "data": data})
        assert (status, answer["predictions"][0]["species"]) == (200, "setosa")


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
    assert refused.value.errors[0].detail.startswith("None of the fields “height” is one of age")


def test_more_names_than_are_looked_at_are_refused() -> None:
    text = json.dumps(dict.fromkeys(map(str, range(json_errors.MAX_NAMES + 1)))).encode()
    with pytest.raises(MalformedDocument, match="fields beside those that are read"):
        json_errors.find_repeated(text, 0)


def test_a_header_that_is_declared_may_not_name_the_features(client: FlaskClient) -> None:
    answer = client.post("/api/classify", data="1,2,3,4\n5,3,1,1\n", content_type="text/csv; header=present")
    assert answer.status_code == 422
    assert answer.get_json()["errors"]


@pytest.mark.parametrize("path", ["/api/classify", "/invocations"])
def test_a_list_of_rows_on_one_line_and_csv_are_no_lines_of_json(client: FlaskClient, path: str) -> None:
    for body, suggestion in (
        (json.dumps([FLOWER, FLOWER]), "This is a list of rows; send each of them by itself."),
        (json.dumps([ROW] * 4), "This is a list of rows; send each of them by itself."),
        (",".join(NAMES), "It looks like CSV: send it as text/csv."),
    ):
        assert suggestion in client.post(path, data=body, content_type="application/x-ndjson").text


@pytest.mark.parametrize(
    ("body", "suggestion"),
    [
        (f"{json.dumps(FLOWER)}\n{json.dumps(FLOWER)}\n", "is NDJSON: send it as application/x-ndjson."),
        ("sepal_length,sepal_width\n5.1,3.5\n", "looks like CSV: send it as text/csv."),
        ("5,1;3,5;1,4;0,2", "looks like CSV: send it as text/csv."),
        ("5.1\t3.5", "looks like CSV: send it as text/csv."),
        ('{"sepal_length": 5.1', "column 21."),
        ("setosa", "column 1."),
        ("NaN NaN", "NaN is not a JSON value."),
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


@pytest.mark.parametrize("path", ["/api/classify", "/invocations"])
@pytest.mark.parametrize("by_columns", [False, True])
def test_a_wrong_row_is_named_by_its_label(client: FlaskClient, path: str, by_columns: bool) -> None:
    rows = {"7": FLOWER, "a b": FLOWER | {"petal_width": None}}
    columns = {name: {label: row[name] for label, row in rows.items()} for name in FLOWER}
    answer = client.post(path, json=columns if by_columns else rows)
    assert "Row a b: Petal width must be a number in cm, not null." in answer.text
