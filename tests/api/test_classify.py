import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import example, given
from hypothesis import strategies as st
from sklearn.datasets import load_iris
from werkzeug.test import TestResponse

from iris_app.iris import SCHEMA
from iris_app.model_service import get_model
from tests.support import FLOWER, FORM

NAMES = list(FLOWER)
accepted_values = st.floats(min_value=0, max_value=30, exclude_min=True)


def post(client: FlaskClient, body: bytes | str, content_type: str | None = "application/json") -> TestResponse:
    return client.post("/api/classify", data=body, content_type=content_type)


def errors(answer: TestResponse) -> dict[str, str]:
    assert answer.status_code == 422
    assert answer.content_type == "application/problem+json"
    return {error.get("pointer", ""): error["detail"] for error in json.loads(answer.text)["errors"]}


def test_one_flower_gets_one_answer(client: FlaskClient) -> None:
    answer = client.post("/api/classify", json=FLOWER)
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    document = answer.get_json()
    assert list(document) == ["species", "probabilities", "warnings", "model"]
    assert document["species"] == "setosa"
    assert list(document["probabilities"]) == ["setosa", "versicolor", "virginica"]
    assert document["probabilities"]["setosa"] == pytest.approx(0.98, abs=0.005)
    assert document["warnings"] == []


def test_the_answer_names_the_model_and_its_schema(app: Flask, client: FlaskClient) -> None:
    with app.app_context():
        manifest = get_model().manifest
    answer = client.post("/api/classify", json=FLOWER)
    assert answer.get_json()["model"] == answer.headers["X-Model-Version"] == manifest.digest[:12]
    assert answer.headers["X-Model-Schema"] == SCHEMA.digest[:12]


def test_a_list_of_flowers_gets_a_list_of_answers_in_its_order(client: FlaskClient) -> None:
    big = dict(zip(NAMES, [6.5, 3.0, 5.6, 2.0], strict=True))
    document = client.post("/api/classify", json=[FLOWER, big, FLOWER]).get_json()
    assert list(document) == ["model", "predictions"]
    assert [one["species"] for one in document["predictions"]] == ["setosa", "virginica", "setosa"]
    assert list(document["predictions"][0]) == ["species", "probabilities", "warnings"]


def test_an_empty_list_gets_an_empty_list(client: FlaskClient) -> None:
    assert client.post("/api/classify", json=[]).get_json()["predictions"] == []


def test_a_warning_has_a_code_a_detail_and_where_one_is_meant_a_field(client: FlaskClient) -> None:
    (outside,) = client.post("/api/classify", json=FLOWER | {"petal_width": 2.6}).get_json()["warnings"]
    assert outside["code"] == "out_of_range"
    assert outside["field"] == "petal_width"
    assert "0.1 to 2.5 cm" in outside["detail"]
    unlike = dict(zip(NAMES, [5.8, 2.0, 6.9, 0.1], strict=True))
    (unlike,) = client.post("/api/classify", json=unlike).get_json()["warnings"]
    assert unlike["code"] == "unlike_training"
    assert set(unlike) == {"code", "detail"}


def test_whole_numbers_are_numbers(client: FlaskClient) -> None:
    assert client.post("/api/classify", json=dict.fromkeys(NAMES, 3)).status_code == 200


def test_a_charset_beside_the_content_type_is_fine(client: FlaskClient) -> None:
    assert post(client, json.dumps(FLOWER), "application/json; charset=utf-8").status_code == 200


def test_no_cookie_is_needed_and_none_is_set(client: FlaskClient) -> None:
    assert "Set-Cookie" not in client.post("/api/classify", json=FLOWER).headers


@given(values=st.lists(accepted_values, min_size=4, max_size=4))
def test_a_flower_gets_the_same_bits_through_page_object_and_array(steady_app: Flask, values: list[float]) -> None:
    client = steady_app.test_client()
    flower = dict(zip(NAMES, values, strict=True))
    alone = client.post("/api/classify", json=flower).get_json()
    _, among = client.post("/api/classify", json=[FLOWER, flower]).get_json()["predictions"]
    assert among == {name: alone[name] for name in among}
    page = client.get("/classify", query_string=dict(zip(FORM, map(repr, values), strict=True))).text
    widths = [float(part.partition("%")[0]) for part in page.split('class="bar-value" width="')[1:]]
    assert widths == [100 * probability for probability in alone["probabilities"].values()]


def test_fisher_s_flowers_get_the_species_that_scikit_learn_predicts(app: Flask, trained_path: Path) -> None:
    data = load_iris()
    rows = [dict(zip(NAMES, row, strict=True)) for row in data.data.tolist()]
    predictions = app.test_client().post("/api/classify", json=rows).get_json()["predictions"]
    expected = data.target_names[joblib.load(trained_path).predict(data.data)]
    assert [one["species"] for one in predictions] == expected.tolist()


@pytest.mark.parametrize(
    "flower",
    [
        '{"sepal_length": 99, "sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}',
        '[{"sepal_length": "x", "sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}]',
    ],
)
def test_a_field_that_is_given_twice_and_wrong_once_is_named(client: FlaskClient, flower: str) -> None:
    (sentence,) = errors(post(client, flower)).values()
    assert sentence == "sepal_length is given more than once."


@pytest.mark.parametrize(
    "body",
    [
        b"not JSON",
        b'{"sepal_length": 5.1',
        b"",
        b"[" * 100_000,
        b"[" * 100_000 + b"]" * 100_000,
        b'{"sepal_length":' * 100_000,
        b'{"\xff": 1}',
        b'"\xc3\x28"',
        b"\xff\xfe{\x00}\x00{\x00",
        b"\xff\xfe{\x00}",
        b"[] []",
        b"{'sepal_length': 5.1}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_not_json_is_a_400(client: FlaskClient, body: bytes) -> None:
    answer = post(client, body)
    assert (answer.status_code, answer.content_type) == (400, "application/problem+json")
    assert json.loads(answer.text)["detail"].startswith(("The body is n", "This is not text in utf-16"))


@pytest.mark.parametrize("number", ["Infinity", "-Infinity"])
def test_an_infinite_number_is_named_by_its_place(client: FlaskClient, number: str) -> None:
    row = json.dumps(FLOWER)
    for body, pointer in ((row, "/sepal_length"), (f"[{row}]", "/0/sepal_length"), ("[5.1,1,1,1]", "/0")):
        answer = post(client, body.replace("5.1", number))
        (error,) = answer.get_json()["errors"]
        assert (answer.status_code, error["pointer"]) == (422, pointer)
        assert error["detail"].endswith("at most 30 cm, not a number that is too large.")


def test_nan_is_null(client: FlaskClient) -> None:
    for body in (json.dumps(FLOWER), f"[{json.dumps(FLOWER)}]"):
        answer = post(client, body.replace("5.1", "NaN"))
        assert list(errors(answer).values()) == ["Sepal length must be a number in cm, not null."]
        assert "NaN is read as null." in answer.text


@pytest.mark.parametrize("body", ["5.1", '"setosa"', "null", "true", "NaN"])
def test_what_is_no_row_is_told_what_one_is(client: FlaskClient, body: str) -> None:
    sentence = (
        "A row is an object with the fields sepal_length, sepal_width, petal_length, petal_width, or a list of them in "
        "this order."
    )
    assert errors(post(client, body)) == {"": sentence}


def test_a_missing_field_is_named(client: FlaskClient) -> None:
    assert errors(post(client, '{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4}')) == {
        "/petal_width": "Petal width is missing."
    }


def test_every_missing_field_is_named(client: FlaskClient) -> None:
    assert list(errors(post(client, "{}"))) == [f"/{name}" for name in NAMES]


@pytest.mark.parametrize("name", ["colour", "a/b~c", "\ud800", "x" * 1000, "", "species"])
def test_a_further_field_is_passed_over(client: FlaskClient, name: str) -> None:
    for row in (FLOWER | {name: 1}, FLOWER | {name: {"a": [None]}}, {name: "a: b"} | FLOWER):
        answer = post(client, json.dumps(row))
        assert (answer.status_code, answer.get_json()["species"]) == (200, "setosa")
        assert post(client, json.dumps([row, row])).status_code == 200


@pytest.mark.parametrize("name", ["sepalLength", "Sepal_Length", "sepal length", "sepal.length", "sepal_len"])
def test_a_field_may_have_another_spelling(client: FlaskClient, name: str) -> None:
    row = {name: 5.1} | {key: value for key, value in FLOWER.items() if key != "sepal_length"}
    expected = client.post("/api/classify", json=FLOWER).get_json()
    assert client.post("/api/classify", json=row).get_json() == expected
    assert list(errors(client.post("/api/classify", json=[row | {name: "wide"}]))) == [f"/0/{name}"]


@pytest.mark.parametrize("name", ["sepal_lenght", "sepal_lengths", "seplal_length"])
def test_a_misspelt_field_is_named_with_the_right_name(client: FlaskClient, name: str) -> None:
    row = {name: 5.1} | {key: value for key, value in FLOWER.items() if key != "sepal_length"}
    assert errors(client.post("/api/classify", json=row)) == {
        "/sepal_length": "Sepal length is missing.",
        f"/{name}": f'There is no field "{name}". Did you mean "sepal_length"?',
    }


@pytest.mark.parametrize("value", ['"5.1"', "true", "false", "null", "[5.1]", '{"cm": 5.1}', '""'])
def test_what_is_no_number_is_named(client: FlaskClient, value: str) -> None:
    sentences = errors(post(client, json.dumps(FLOWER).replace("5.1", value)))
    assert list(sentences) == ["/sepal_length"]
    assert sentences["/sepal_length"].startswith("Sepal length must be a number in cm, not ")


@pytest.mark.parametrize(
    "value", ["0", "-0.0", "-1", "30.000000000000004", "31", "1e400", "-1e400", "1" * 400, "1" * 5000, "1e-400"]
)
def test_a_number_out_of_bounds_is_named(client: FlaskClient, value: str) -> None:
    sentences = errors(post(client, json.dumps(FLOWER).replace("5.1", value)))
    assert list(sentences) == ["/sepal_length"]
    assert sentences["/sepal_length"].startswith("Sepal length must be greater than 0 and at most 30 cm, not ")


def test_every_wrong_field_of_every_wrong_row_is_named_at_once(client: FlaskClient) -> None:
    rows = [FLOWER | {"petal_width": 0, "sepal_length": "wide"}, FLOWER, {}, FLOWER | {"petal_length": None}]
    named = ["/0/sepal_length", "/0/petal_width", *(f"/2/{name}" for name in NAMES), "/3/petal_length"]
    answer = client.post("/api/classify", json=rows)
    assert list(errors(answer)) == named
    assert json.loads(answer.text)["detail"] == "7 values cannot be used."


def test_one_bad_row_among_ten_thousand_is_pointed_at(client: FlaskClient) -> None:
    rows = [FLOWER] * 10_000
    rows[6543] = FLOWER | {"petal_width": -0.2}
    answer = client.post("/api/classify", json=rows)
    assert list(errors(answer)) == ["/6543/petal_width"]
    assert json.loads(answer.text)["detail"] == "One value cannot be used."


def test_the_first_hundred_errors_are_named_and_the_rest_counted(client: FlaskClient) -> None:
    answer = client.post("/api/classify", json=[{}] * 50)
    assert len(errors(answer)) == 100
    problem = json.loads(answer.text)
    assert problem["errors_omitted"] == 100
    assert problem["detail"] == "200 values cannot be used."


def test_a_problem_with_few_errors_omits_none(client: FlaskClient) -> None:
    answer = post(client, "{}")
    assert set(json.loads(answer.text)) == {"type", "title", "status", "detail", "request_id", "errors"}


def test_many_unknown_fields_are_told_without_delay(client: FlaskClient) -> None:
    rest = {name: value for name, value in FLOWER.items() if name != "sepal_length"}
    answer = client.post("/api/classify", json=rest | {f"sepal_length_{number}": 1 for number in range(900)})
    assert len(errors(answer)) == 100


def test_many_different_fields_of_rows_are_refused(client: FlaskClient) -> None:
    answer = client.post("/api/classify", json=[{f"sepal_length_{number}": 1} for number in range(1001)])
    assert answer.status_code == 400
    assert "The rows have more than 1,000 different fields that are no features." in answer.text


def test_more_fields_than_an_object_may_have_are_refused(client: FlaskClient) -> None:
    answer = client.post("/api/classify", json=FLOWER | {f"sepal_length_{number}": 1 for number in range(1000)})
    assert answer.status_code == 400
    assert "The body has more than the 1,000 fields that an object may have." in answer.text


def test_as_many_rows_as_allowed_are_answered(make_app: Callable[..., Flask]) -> None:
    client = make_app(MAX_BATCH_ROWS=3).test_client()
    assert client.post("/api/classify", json=[FLOWER] * 3).status_code == 200


@pytest.mark.parametrize("row", [FLOWER, {}], ids=["right", "wrong"])
def test_more_rows_than_allowed_are_a_413(make_app: Callable[..., Flask], row: dict[str, float]) -> None:
    answer = make_app(MAX_BATCH_ROWS=3).test_client().post("/api/classify", json=[row] * 4)
    assert (answer.status_code, answer.content_type) == (413, "application/problem+json")
    assert json.loads(answer.text)["detail"] == "4 rows are more than the 3 that one request may hold."


def test_a_body_above_the_limit_is_a_413(make_app: Callable[..., Flask]) -> None:
    answer = make_app(MAX_CONTENT_LENGTH=1000).test_client().post("/api/classify", json=[FLOWER] * 100)
    assert (answer.status_code, answer.content_type) == (413, "application/problem+json")
    assert json.loads(answer.text)["detail"] == "The body is larger than 1,000 bytes."


@pytest.mark.parametrize(
    "content_type", [None, "", "text/plain", "application/x-www-form-urlencoded", "text/jsonish", "application/xml"]
)
def test_another_content_type_is_a_415(client: FlaskClient, content_type: str | None) -> None:
    answer = post(client, json.dumps(FLOWER), content_type)
    assert (answer.status_code, answer.content_type) == (415, "application/problem+json")
    assert "application/json" in json.loads(answer.text)["detail"]


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
def test_another_method_is_a_405_with_the_right_one(client: FlaskClient, method: str) -> None:
    answer = client.open("/api/classify", method=method)
    assert (answer.status_code, answer.content_type) == (405, "application/problem+json")
    assert "POST" in answer.headers["Allow"]


json_documents = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text() | st.just(5.1),
    lambda inner: st.lists(inner) | st.dictionaries(st.sampled_from(NAMES) | st.text(), inner),
)


@given(body=st.binary())
@example(body=b'{"sepal_length":\xed\xa0\x80}')
def test_no_bytes_are_a_fault_of_ours(steady_app: Flask, body: bytes) -> None:
    assert post(steady_app.test_client(), body).status_code in {200, 400, 422}


@given(document=json_documents)
def test_no_document_is_a_fault_of_ours(steady_app: Flask, document: Any) -> None:
    answer = post(steady_app.test_client(), json.dumps(document))
    assert answer.status_code in {200, 400, 422}
    if answer.status_code == 422:
        assert errors(answer)


@given(values=st.dictionaries(st.sampled_from([*NAMES, "other"]), st.floats() | st.integers() | st.text(), max_size=5))
def test_a_document_is_answered_where_every_field_is_right_and_else_each_wrong_one_is_named(
    steady_app: Flask, values: dict[str, Any]
) -> None:
    wrong = {f"/{one.name}" for one in SCHEMA.features if one.validate(values.get(one.name))}
    body = json.dumps(values)
    answer = post(steady_app.test_client(), body)
    if values and not values.keys() & set(NAMES):
        assert set(errors(answer)) == {""}
    elif wrong:
        assert set(errors(answer)) == wrong
    else:
        assert answer.status_code == 200
