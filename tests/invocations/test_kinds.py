"""Invocations with every kind of feature, in each orientation."""

import json
import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from iris_app.schema import MISSING, UNKNOWN, Class, Schema
from tests.echo import EchoModel, serve_echo
from tests.schemas import MIXED, MIXED_CODES, MIXED_ROW, NAMES, ONE

NAN = math.nan
OPTIONAL = [feature.name for feature in MIXED.features if feature.optional]
COLUMNS = {name: index for index, name in enumerate(MIXED_ROW)}


@pytest.fixture
def model(app: Flask) -> EchoModel:
    return serve_echo(app, MIXED)


def invoke(client: FlaskClient, document: object) -> TestResponse:
    return client.post("/invocations", data=json.dumps(document), content_type="application/json")


def error(answer: TestResponse) -> str:
    assert answer.status_code == 400
    return str(answer.get_json()["message"])


def orientations(rows: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Return a document in each orientation; a value that a row lacks is null where a row cannot lack it."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    lists = [[row.get(name) for name in names] for row in rows]
    return {
        "split": {"dataframe_split": {"columns": names, "data": lists}},
        "records": {"dataframe_records": rows},
        "instances": {"instances": rows},
        "inputs": {"inputs": {name: [row.get(name) for row in rows] for name in names}},
    }


ORIENTATIONS = list(orientations([MIXED_ROW]))


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("further", [{}, {"outcome": "fraud: no", "Id": 7}], ids=["alone", "further columns"])
def test_each_kind_is_read(client: FlaskClient, model: EchoModel, orientation: str, further: dict[str, object]) -> None:
    answer = invoke(client, orientations([MIXED_ROW | further] * 2)[orientation])
    assert answer.get_json() == {"predictions": ["no_fraud", "fraud"]}
    assert np.array_equal(model.rows, [MIXED_CODES] * 2)


def test_lists_are_read_in_the_order_of_the_features(client: FlaskClient, model: EchoModel) -> None:
    values = list(MIXED_ROW.values())
    for document in ({"instances": [values]}, {"inputs": [values]}, {"dataframe_split": {"data": [values]}}):
        assert invoke(client, document).status_code == 200
        assert np.array_equal(model.rows, [MIXED_CODES])


MISSING_ROWS = {
    "null": MIXED_ROW | dict.fromkeys(OPTIONAL),
    "NaN": MIXED_ROW | dict.fromkeys(OPTIONAL, NAN),
    "absent": {name: value for name, value in MIXED_ROW.items() if name not in OPTIONAL},
}


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize("missing", MISSING_ROWS)
@pytest.mark.parametrize("further", [{}, {"outcome": "fraud"}], ids=["alone", "a further column"])
def test_an_optional_value_may_be_missing(
    client: FlaskClient, model: EchoModel, orientation: str, missing: str, further: dict[str, object]
) -> None:
    rows = [MISSING_ROWS[missing] | further] * 2
    assert invoke(client, orientations(rows)[orientation]).status_code == 200
    expected = np.array([MIXED_CODES] * 2)
    expected[:, [COLUMNS[name] for name in OPTIONAL]] = MISSING
    assert np.array_equal(model.rows, expected, equal_nan=True)


def test_a_data_frame_of_pandas_is_read(client: FlaskClient, model: EchoModel) -> None:
    frame = pd.DataFrame([MIXED_ROW, MIXED_ROW | {"bmi": None, "sex": None, "región": "Atlantis"}])
    frame["outcome"] = "fraud"
    expected = np.array([MIXED_CODES] * 2)
    expected[1, [COLUMNS["bmi"], COLUMNS["sex"], COLUMNS["región"]]] = MISSING, MISSING, UNKNOWN
    for body in (
        f'{{"dataframe_split": {frame.to_json(orient="split")}}}',
        f'{{"dataframe_records": {frame.to_json(orient="records")}}}',
        json.dumps({"dataframe_split": frame.to_dict(orient="split")}),  # as MLflow's client writes it, with NaN
        json.dumps({"inputs": frame.to_dict(orient="list")}),
    ):
        assert client.post("/invocations", data=body, content_type="application/json").status_code == 200
        assert np.array_equal(model.rows, expected, equal_nan=True)
    answer = client.post("/invocations", data=frame.to_csv(index=False), content_type="text/csv")
    assert answer.status_code == 200
    assert np.array_equal(model.rows, expected, equal_nan=True)


@pytest.mark.parametrize("orientation", ORIENTATIONS)
@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        ({"age": 41.5}, "Row 1: Age must be a whole number in years, not 41.5."),
        (
            {"age": NAN},
            "One value cannot be used. NaN is read as null. Row 1: Age must be a whole number in years, not",
        ),
        ({"smoker": 1}, "Row 1: Smoker must be true or false, not a number."),
        ({"sex": "mail"}, 'Row 1: Sex must be one of female or male, not "mail". Did you mean "male"?'),
        ({"ward": 7}, 'Row 1: Ward must be one of 1, 2 or 10, not "7".'),
        ({"ward": None}, "Row 1: Ward must be one of 1, 2 or 10, not null."),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
@pytest.mark.parametrize("further", [{}, {"outcome": "fraud"}], ids=["alone", "a further column"])
@pytest.mark.usefixtures("model")
def test_a_wrong_value_is_named_by_its_row(
    client: FlaskClient, orientation: str, value: dict[str, object], sentence: str, further: dict[str, object]
) -> None:
    rows = [MIXED_ROW | further, MIXED_ROW | further | value]
    assert sentence in error(invoke(client, orientations(rows)[orientation]))


@pytest.mark.usefixtures("model")
def test_a_value_that_is_absent_is_named_with_all_others(client: FlaskClient) -> None:
    rows = [{"age": 200}, MIXED_ROW | {"outcome": "fraud"}]
    sentence = error(invoke(client, {"instances": rows}))
    assert sentence.startswith("5 values cannot be used. Row 0: Age must be at least 0")
    assert "Row 0: Temperature change is missing." in sentence


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize("document", [{"inputs": {"x": [1]}}, {"dataframe_split": {"columns": ["x"], "data": [[1]]}}])
def test_rows_without_any_feature_are_refused(client: FlaskClient, document: dict[str, object]) -> None:
    assert "There is no column age, bmi, temperature change" in error(invoke(client, document))


def test_fields_have_any_names(app: Flask) -> None:
    model = serve_echo(app, NAMES)
    row = {feature.name: float(index) for index, feature in enumerate(NAMES.features)}
    for document in orientations([row, row | {"é": "}: {"}]).values():
        assert invoke(app.test_client(), document).status_code == 200
        assert np.array_equal(model.rows, [list(row.values())] * 2)


def test_numbers_of_one_feature_are_lists_or_objects(app: Flask) -> None:
    model = serve_echo(app, ONE)
    for rows in ([[1], [2]], [{"x": 1}, {"x": 2}], [{"X ": 1}, [2]]):
        assert invoke(app.test_client(), {"instances": rows}).status_code == 200
        assert np.array_equal(model.rows, [[1.0], [2.0]])
    sentence = error(invoke(app.test_client(), {"instances": [1, 2]}))
    assert sentence == "Send a list of rows, each an object or a list of 1 values: x. This is a list of 2 values."


@pytest.mark.parametrize(
    ("values", "predictions", "lines"),
    [
        ((3, 7), [3, 7], "3\n7\n"),
        ((False, True), [False, True], "False\nTrue\n"),
        (("no", "yes, or no"), ["no", "yes, or no"], 'no\n"yes, or no"\n'),
    ],
)
def test_predictions_are_what_the_classifier_predicts(
    app: Flask, values: tuple[Any, ...], predictions: list[object], lines: str
) -> None:
    classes = tuple(Class(name=str(value), label=str(value), value=value) for value in values)
    serve_echo(app, Schema(name="plain", features=ONE.features, classes=classes))
    client = app.test_client()
    assert invoke(client, {"instances": [[1], [2]]}).get_json() == {"predictions": predictions}
    answer = client.post("/invocations", json={"instances": [[1], [2]]}, headers={"Accept": "text/csv"})
    assert answer.text == lines


values = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "male", "1", "nan"])
rows = st.lists(
    st.dictionaries(st.sampled_from([*MIXED_ROW, "Age", "x"]), values).map(lambda row: MIXED_ROW | row)
    | st.dictionaries(st.sampled_from([*MIXED_ROW, "Age", "x"]), values)
    | values,
    max_size=3,
)


@given(rows=rows, name=st.sampled_from(["dataframe_records", "instances", "inputs"]))
def test_no_document_is_a_fault_of_ours(steady_app: Flask, rows: list[Any], name: str) -> None:
    service = steady_app.extensions["model_service"]
    try:
        serve_echo(steady_app, MIXED)
        assert invoke(steady_app.test_client(), {name: rows}).status_code in {200, 400}
    finally:
        steady_app.extensions["model_service"] = service
