"""One model through every door: the same rows get equal answers, to the last bit."""

import csv
import io
import json
import re
import struct
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from iris_app.bulk import classify_files
from iris_app.inference_protocol.tensors import DATATYPES
from iris_app.schema import UNKNOWN, Feature, Value
from tests.models import ServedModel, for_every_model

pytestmark = for_every_model

# How a value lies behind the JSON of a request.
PACK: dict[str, Callable[[Any], bytes]] = {
    "FP64": lambda value: struct.pack("<d", float("nan") if value is None else value),
    "INT64": lambda value: struct.pack("<q", value),
    "BOOL": lambda value: struct.pack("?", value),
    "BYTES": lambda text: struct.pack("<I", len(text.encode())) + text.encode(),
}


@pytest.fixture(scope="module")
def client(steady_app: Flask) -> FlaskClient:
    return steady_app.test_client()


@pytest.fixture(scope="module")
def answers(client: FlaskClient, served: ServedModel) -> list[dict[str, Any]]:
    """What the API answers to a JSON array."""
    answer = client.post("/api/classify", json=served.objects)
    assert answer.status_code == 200, answer.text
    predictions: list[dict[str, Any]] = answer.get_json()["predictions"]
    return predictions


@pytest.fixture(scope="module")
def probabilities(answers: list[dict[str, Any]]) -> list[list[float]]:
    return [list(one["probabilities"].values()) for one in answers]


@pytest.fixture(scope="module")
def names(answers: list[dict[str, Any]], served: ServedModel) -> list[str]:
    """The classes of the rows, by their names."""
    return [one[served.schema.answer_key] for one in answers]


@pytest.fixture(scope="module")
def labels(names: list[str], served: ServedModel) -> list[Value]:
    """The classes of the rows as the classifier predicts them, as /invocations has it."""
    outputs = {one.name: one.name if one.output is None else one.output for one in served.schema.classes}
    return [outputs[name] for name in names]


def table_of(served: ServedModel) -> str:
    lines = io.StringIO()
    writer = csv.DictWriter(lines, served.form)
    writer.writerows(map(served.to_form, served.rows))
    heading = io.StringIO()
    csv.writer(heading).writerow(served.row)
    return heading.getvalue() + lines.getvalue()


def read_table(served: ServedModel, text: str) -> tuple[list[list[float]], list[str]]:
    """Return the probabilities and the classes of a table of answers."""
    rows = list(csv.DictReader(io.StringIO(text)))
    odds = [[float(row[f"probability_{name}"]) for name in served.schema.class_names] for row in rows]
    return odds, [row[served.schema.answer_key] for row in rows]


def test_the_probabilities_are_those_of_the_classes(
    answers: list[dict[str, Any]], probabilities: list[list[float]], names: list[str], served: ServedModel
) -> None:
    assert {tuple(one["probabilities"]) for one in answers} == {tuple(served.schema.class_names)}
    assert names == [served.schema.class_names[index] for index in np.argmax(probabilities, axis=1)]


def test_one_object_after_the_other(client: FlaskClient, served: ServedModel, probabilities: list[list[float]]) -> None:
    found = [client.post("/api/classify", json=one).get_json() for one in served.objects]
    assert [list(one["probabilities"].values()) for one in found] == probabilities


def test_csv(client: FlaskClient, served: ServedModel, probabilities: list[list[float]], names: list[str]) -> None:
    answer = client.post("/api/classify", data=table_of(served), content_type="text/csv")
    assert read_table(served, answer.text) == (probabilities, names)


def test_lines(client: FlaskClient, served: ServedModel, probabilities: list[list[float]]) -> None:
    body = "\n".join(map(json.dumps, served.objects))
    lines = client.post("/api/classify", data=body, content_type="application/x-ndjson").text.splitlines()
    assert [list(json.loads(line)["probabilities"].values()) for line in lines] == probabilities


def tensors(served: ServedModel, *, binary: bool) -> tuple[list[dict[str, Any]], bytes]:
    """Return a tensor for each feature, and what lies behind the JSON."""
    columns = zip(*(one.values() for one in served.objects), strict=True)
    inputs = [tensor(*one, binary=binary) for one in zip(served.schema.features, columns, strict=True)]
    return [head for head, _ in inputs], b"".join(content for _, content in inputs)


def tensor(feature: Feature, values: Sequence[Value], *, binary: bool) -> tuple[dict[str, Any], bytes]:
    datatype = DATATYPES[feature.kind]
    sent = ["" if value is None else str(value) for value in values] if datatype == "BYTES" else list(values)
    head: dict[str, Any] = {"name": feature.name, "shape": [len(values), 1], "datatype": datatype}
    if not binary:
        return head | {"data": sent}, b""
    if None in sent and datatype != "FP64":  # only floats have a value for what is missing
        head["datatype"] = datatype = "FP64"
    content = b"".join(map(PACK[datatype], sent))
    return head | {"parameters": {"binary_data_size": len(content)}}, content


@pytest.mark.parametrize("binary", [True, False])
def test_tensors_of_each_feature(
    client: FlaskClient, served: ServedModel, probabilities: list[list[float]], binary: bool
) -> None:
    assert infer(client, served, *tensors(served, binary=binary)) == probabilities


@pytest.mark.parametrize("binary", [True, False])
def test_a_tensor_of_all_features(
    client: FlaskClient, served: ServedModel, probabilities: list[list[float]], binary: bool
) -> None:
    content = served.rows.tobytes() if binary else b""
    matrix: dict[str, Any] = {"name": "x", "shape": served.rows.shape, "datatype": "FP64"}
    matrix |= (
        {"parameters": {"binary_data_size": len(content)}} if binary else {"data": np.nan_to_num(served.rows).tolist()}
    )
    if served.schema.is_numeric:
        assert infer(client, served, [matrix], content) == probabilities
    else:
        assert send_tensors(client, served, [matrix], content).status_code == 400


def infer(client: FlaskClient, served: ServedModel, inputs: list[dict[str, Any]], content: bytes) -> object:
    answer = send_tensors(client, served, inputs, content)
    assert answer.status_code == 200, answer.text
    return np.reshape(answer.get_json()["outputs"][0]["data"], (len(served.rows), -1)).tolist()


def send_tensors(
    client: FlaskClient, served: ServedModel, inputs: list[dict[str, Any]], content: bytes
) -> TestResponse:
    head = json.dumps({"inputs": inputs, "outputs": [{"name": "predict_proba"}]}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    return client.post(served.infer_path, data=head + content, headers=headers)


INVOCATIONS: dict[str, Callable[[list[dict[str, Any]]], object]] = {
    "dataframe_split": lambda rows: {"columns": list(rows[0]), "data": [list(row.values()) for row in rows]},
    "dataframe_records": lambda rows: rows,
    "instances": lambda rows: [list(row.values()) for row in rows],
    "inputs": lambda rows: {name: [row[name] for row in rows] for name in rows[0]},
}


@pytest.mark.parametrize("member", INVOCATIONS)
def test_invocations(client: FlaskClient, served: ServedModel, labels: list[Value], member: str) -> None:
    answer = client.post("/invocations", json={member: INVOCATIONS[member](served.objects)})
    assert answer.get_json() == {"predictions": labels}


def test_invocations_with_a_table(client: FlaskClient, served: ServedModel, labels: list[Value]) -> None:
    answer = client.post("/invocations", data=table_of(served), content_type="text/csv")
    assert answer.get_json() == {"predictions": labels}


@pytest.mark.parametrize("form", ["csv", "ndjson"])
def test_files(
    served: ServedModel, probabilities: list[list[float]], names: list[str], tmp_path: Path, form: str
) -> None:
    source, output = tmp_path / f"rows.{form}", tmp_path / "answers.csv"
    source.write_text(table_of(served) if form == "csv" else "\n".join(map(json.dumps, served.objects)))
    classify_files(str(source), str(output), model=served.path)
    assert read_table(served, output.read_text()) == (probabilities, names)


def test_the_page(client: FlaskClient, served: ServedModel, probabilities: list[list[float]]) -> None:
    for row, expected in list(zip(served.rows, probabilities, strict=True))[::4]:
        page = client.get("/classify", query_string=served.to_form(row)).text
        widths = re.findall(r'class="bar-value" width="([^"]+)%"', page)
        assert [float(width) for width in widths] == [100 * probability for probability in expected]


def test_every_door_refuses_what_is_out_of_bounds(client: FlaskClient, served: ServedModel) -> None:
    row = served.row | served.outside
    lists = [list(row.values())]
    inputs = [tensor(feature, [row[feature.name]], binary=False)[0] for feature in served.schema.features]
    table = "\n".join(",".join(map(str, line)) for line in (row, row.values()))
    form = {feature.form_name: str(row[feature.name]) for feature in served.schema.features}
    statuses = [
        client.post("/api/classify", json=row).status_code,
        client.post("/api/classify", data=table, content_type="text/csv").status_code,
        client.post("/api/classify", data=json.dumps(row), content_type="application/x-ndjson").status_code,
        client.post(served.infer_path, json={"inputs": inputs}).status_code,
        client.post("/invocations", json={"instances": lists}).status_code,
        client.get("/classify", query_string=form).status_code,
    ]
    assert statuses == [422, 422, 422, 400, 400, 422]


def test_an_unknown_category_is_a_warning_in_every_answer(
    client: FlaskClient, served: ServedModel, answers: list[dict[str, Any]], tmp_path: Path
) -> None:
    unknown = (served.rows == UNKNOWN).any(axis=1).tolist()
    assert ["unknown_category" in {one["code"] for one in answer["warnings"]} for answer in answers] == unknown
    source, output = tmp_path / "rows.csv", tmp_path / "answers.csv"
    source.write_text(table_of(served))
    classify_files(str(source), str(output), model=served.path)
    for text in (
        client.post("/api/classify", data=source.read_bytes(), content_type="text/csv").text,
        output.read_text(),
    ):
        assert ["unknown_category" in row["warnings"] for row in csv.DictReader(io.StringIO(text))] == unknown


def test_warnings_are_counted_where_the_answer_has_no_place_for_them(client: FlaskClient, served: ServedModel) -> None:
    answers = client.post("/api/classify", json=served.objects).get_json()["predictions"]
    counts = Counter(warning["code"] for answer in answers for warning in answer["warnings"])
    assert counts
    sent = client.post("/invocations", json={"instances": served.objects})
    inferred = send_tensors(client, served, *tensors(served, binary=True))
    for answer in (sent, inferred):
        told = dict(part.split("=") for part in answer.headers["X-Model-Warnings"].split(", "))
        assert told == {code: str(count) for code, count in counts.items()}
    parameters = {f"warnings_{code}": count for code, count in counts.items()}
    assert inferred.get_json()["parameters"] == parameters


def test_nothing_is_counted_where_there_are_no_warnings(
    client: FlaskClient, served: ServedModel, answers: list[dict[str, Any]]
) -> None:
    row = next(row for row, answer in zip(served.objects, answers, strict=True) if not answer["warnings"])
    inputs = [tensor(feature, [row[feature.name]], binary=False)[0] for feature in served.schema.features]
    inferred = client.post(served.infer_path, json={"inputs": inputs})
    assert "parameters" not in inferred.get_json()
    for answer in (inferred, client.post("/invocations", json={"instances": [row]})):
        assert answer.status_code == 200
        assert "X-Model-Warnings" not in answer.headers


def test_a_category_may_have_another_case_at_every_door(
    client: FlaskClient, served: ServedModel, probabilities: list[list[float]], labels: list[Value], tmp_path: Path
) -> None:
    rows = [{name: _shout(value) for name, value in one.items()} for one in served.objects]
    lines = "\n".join(map(json.dumps, rows))
    answers = client.post("/api/classify", json=rows).get_json()["predictions"]
    assert [list(one["probabilities"].values()) for one in answers] == probabilities
    answers = client.post("/api/classify", data=lines, content_type="application/x-ndjson").text.splitlines()
    assert [list(json.loads(one)["probabilities"].values()) for one in answers] == probabilities
    inputs = [
        tensor(feature, [row[feature.name] for row in rows], binary=False)[0] for feature in served.schema.features
    ]
    assert infer(client, served, inputs, b"") == probabilities
    for member, make in INVOCATIONS.items():
        assert client.post("/invocations", json={member: make(rows)}).get_json() == {"predictions": labels}
    (tmp_path / "rows.ndjson").write_text(lines)
    classify_files(str(tmp_path / "rows.ndjson"), str(tmp_path / "answers.csv"), model=served.path)
    assert read_table(served, (tmp_path / "answers.csv").read_text())[0] == probabilities


def _shout(value: Value) -> Value:
    return f" {value.upper()}" if isinstance(value, str) else value
