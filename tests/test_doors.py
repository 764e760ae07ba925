"""One model through every door: Fisher's 150 flowers get equal answers."""

import csv
import io
import json
import re

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sklearn.datasets import load_iris

from iris_app.iris import SCHEMA
from tests.support import FLOWER, FORM

FLOWERS: list[list[float]] = load_iris().data.tolist()
OBJECTS = [dict(zip(FLOWER, row, strict=True)) for row in FLOWERS]
TABLE = "\n".join([",".join(FLOWER), *(",".join(map(repr, row)) for row in FLOWERS)])


@pytest.fixture(scope="module")
def client(steady_app: Flask) -> FlaskClient:
    return steady_app.test_client()


@pytest.fixture(scope="module")
def probabilities(client: FlaskClient) -> list[list[float]]:
    """What the API answers to a JSON array."""
    predictions = client.post("/api/classify", json=OBJECTS).get_json()["predictions"]
    return [list(one["probabilities"].values()) for one in predictions]


@pytest.fixture(scope="module")
def species(probabilities: list[list[float]]) -> list[str]:
    return [SCHEMA.class_names[index] for index in np.argmax(probabilities, axis=1)]


def test_one_object_after_the_other(client: FlaskClient, probabilities: list[list[float]]) -> None:
    answers = [client.post("/api/classify", json=flower).get_json() for flower in OBJECTS]
    assert [list(one["probabilities"].values()) for one in answers] == probabilities


def test_csv(client: FlaskClient, probabilities: list[list[float]], species: list[str]) -> None:
    answer = client.post("/api/classify", data=TABLE, content_type="text/csv").text
    rows = list(csv.DictReader(io.StringIO(answer)))
    assert [[float(row[f"probability_{name}"]) for name in SCHEMA.class_names] for row in rows] == probabilities
    assert [row["species"] for row in rows] == species


def test_lines(client: FlaskClient, probabilities: list[list[float]]) -> None:
    body = "\n".join(map(json.dumps, OBJECTS))
    lines = client.post("/api/classify", data=body, content_type="application/x-ndjson").text.splitlines()
    assert [list(json.loads(line)["probabilities"].values()) for line in lines] == probabilities


@pytest.mark.parametrize("binary", [True, False])
def test_the_inference_protocol(client: FlaskClient, probabilities: list[list[float]], binary: bool) -> None:
    tensor: dict[str, object] = {"name": "x", "shape": [150, 4], "datatype": "FP64"}
    content = np.array(FLOWERS).tobytes() if binary else b""
    tensor |= {"parameters": {"binary_data_size": len(content)}} if binary else {"data": FLOWERS}
    head = json.dumps({"inputs": [tensor], "outputs": [{"name": "predict_proba"}]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    answer = client.post("/v2/models/iris/infer", data=head + content, headers=headers).get_json()
    assert np.reshape(answer["outputs"][0]["data"], (150, 3)).tolist() == probabilities


@pytest.mark.parametrize(
    "document", [{"instances": FLOWERS}, {"dataframe_records": OBJECTS}], ids=lambda one: next(iter(one))
)
def test_invocations(client: FlaskClient, species: list[str], document: dict[str, object]) -> None:
    assert client.post("/invocations", json=document).get_json()["predictions"] == species


def test_the_page(client: FlaskClient, probabilities: list[list[float]]) -> None:
    for row, expected in zip(FLOWERS, probabilities, strict=True):
        page = client.get("/classify", query_string=dict(zip(FORM, map(repr, row), strict=True))).text
        widths = re.findall(r'class="bar-value" width="([^"]+)"', page)
        assert [float(width) for width in widths] == [100 * probability for probability in expected]


def test_every_door_refuses_what_is_out_of_bounds(client: FlaskClient) -> None:
    outside = [31.0] * len(SCHEMA.features)
    document = dict(zip(FLOWER, outside, strict=True))
    tensor = {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": outside}
    statuses = [
        client.post("/api/classify", json=document).status_code,
        client.post("/api/classify", data=f"{','.join(FLOWER)}\n31,31,31,31", content_type="text/csv").status_code,
        client.post("/api/classify", data=json.dumps(document), content_type="application/x-ndjson").status_code,
        client.post("/v2/models/iris/infer", json={"inputs": [tensor]}).status_code,
        client.post("/invocations", json={"instances": [outside]}).status_code,
        client.get("/classify", query_string=dict.fromkeys(FORM, "31")).status_code,
    ]
    assert statuses == [422, 422, 422, 400, 400, 422]
