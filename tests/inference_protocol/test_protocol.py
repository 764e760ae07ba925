"""The Open Inference Protocol, call by call."""

import json
import struct
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from tests.support import FLOWER

ROW = list(FLOWER.values())
INFER = "/v2/models/iris/infer"


def tensor(**changes: object) -> dict[str, object]:
    return {"name": "x", "shape": [1, 4], "datatype": "FP64", "data": ROW} | changes


def infer(client: FlaskClient, *inputs: dict[str, object], **members: object) -> TestResponse:
    return client.post(INFER, data=json.dumps({"inputs": inputs} | members))


def binary(client: FlaskClient, document: dict[str, Any], content: bytes = b"", **headers: str) -> TestResponse:
    body = json.dumps(document).encode()
    header = {"Inference-Header-Content-Length": str(len(body))} | {
        name.replace("_", "-"): value for name, value in headers.items()
    }
    return client.post(INFER, data=body + content, headers=header)


def outputs(answer: TestResponse) -> dict[str, Any]:
    assert (answer.status_code, answer.content_type) == (200, "application/json")
    return {output["name"]: output["data"] for output in answer.get_json()["outputs"]}


def error(answer: TestResponse, status: int = 400) -> str:
    assert (answer.status_code, answer.content_type) == (status, "application/json")
    document = answer.get_json()
    assert set(document) == {"error"}
    return str(document["error"])


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_the_server_is_described(client: FlaskClient, path: str) -> None:
    described = client.get(path).get_json()
    assert described == {"name": "iris_app", "version": "0.1.0", "extensions": ["binary_tensor_data"]}


def test_the_server_is_live_and_ready(client: FlaskClient) -> None:
    assert client.get("/v2/health/live").get_json() == {"live": True}
    assert client.get("/v2/health/ready").get_json() == {"live": True, "ready": True}


def test_without_a_model_the_server_is_live_and_not_ready(make_app: Callable[..., Flask]) -> None:
    client = make_app(MODEL_PATH="/nowhere").test_client()
    assert client.get("/v2/health/live").status_code == 200
    for path in ("/v2/health/ready", "/v2/models/iris/ready", "/v2/models/iris"):
        assert "no model" in error(client.get(path), 503)
    assert "no model" in error(infer(client, tensor()), 503)


def test_the_model_is_described(client: FlaskClient) -> None:
    version = client.get("/api/model").get_json()["version"]
    described = client.get("/v2/models/iris").get_json()
    assert described == {
        "name": "iris",
        "versions": [version],
        "platform": "scikit-learn",
        "inputs": [
            {"name": "rows", "datatype": "FP64", "shape": [-1, 4]},
            *({"name": name, "datatype": "FP64", "shape": [-1, 1]} for name in FLOWER),
        ],
        "outputs": [
            {"name": "predict", "datatype": "INT64", "shape": [-1, 1]},
            {"name": "predict_proba", "datatype": "FP64", "shape": [-1, 3]},
            {"name": "label", "datatype": "BYTES", "shape": [-1, 1]},
        ],
    }
    assert client.get(f"/v2/models/iris/versions/{version}").get_json() == described


def test_the_model_is_ready(client: FlaskClient) -> None:
    version = client.get("/api/model").get_json()["version"]
    for path in ("/v2/models/iris/ready", f"/v2/models/iris/versions/{version}/ready"):
        assert client.get(path).get_json() == {"name": "iris", "ready": True}


@pytest.mark.parametrize("call", ["", "/ready", "/infer"])
@pytest.mark.parametrize("model", ["rose", "iris/versions/1"])
def test_an_unknown_model_or_version_is_a_404(client: FlaskClient, model: str, call: str) -> None:
    method = "POST" if call == "/infer" else "GET"
    sentence = error(client.open(f"/v2/models/{model}{call}", method=method), 404)
    assert sentence.startswith(
        "There is no model rose; there is iris." if model == "rose" else "Model iris has no version 1"
    )


def test_the_name_of_the_model_is_configured(make_app: Callable[..., Flask]) -> None:
    client = make_app(MODEL_NAME="flowers").test_client()
    assert client.get("/v2/models/flowers/ready").status_code == 200
    assert client.get("/v2/models/iris/ready").status_code == 404


def test_an_unknown_call_is_a_404_and_a_wrong_method_a_405(client: FlaskClient) -> None:
    assert error(client.get("/v2/repository"), 404)
    assert error(client.get(INFER), 405)


def test_one_tensor_of_any_name_gets_the_class(client: FlaskClient) -> None:
    answer = infer(client, tensor())
    assert outputs(answer) == {"predict": [0]}
    document = answer.get_json()
    assert (document["model_name"], document["outputs"][0]["shape"]) == ("iris", [1, 1])
    assert document["model_version"] == client.get("/api/model").get_json()["version"]


def test_the_id_is_echoed_or_made(client: FlaskClient) -> None:
    assert infer(client, tensor(), id="mine").get_json()["id"] == "mine"
    assert infer(client, tensor(), id="").get_json()["id"] == ""
    assert len(infer(client, tensor()).get_json()["id"]) == 32


def test_the_outputs_that_are_asked_for_are_given_in_their_order(client: FlaskClient) -> None:
    names = ["label", "predict_proba", "predict"]
    answer = infer(client, tensor(), outputs=[{"name": name} for name in names])
    assert list(outputs(answer)) == names
    probabilities = client.post("/api/classify", json=FLOWER).get_json()["probabilities"]
    assert outputs(answer) == {"label": ["setosa"], "predict_proba": list(probabilities.values()), "predict": [0]}


def test_no_outputs_are_the_class_alone(client: FlaskClient) -> None:
    assert outputs(infer(client, tensor(), outputs=[])) == {"predict": [0]}


@pytest.mark.parametrize("data", [[5.1, 3.5, 1.4, 0.2, 6.5, 3, 5.6, 2], [[5.1, 3.5, 1.4, 0.2], [6.5, 3, 5.6, 2]]])
def test_data_are_flat_or_nested(client: FlaskClient, data: list[object]) -> None:
    assert outputs(infer(client, tensor(shape=[2, 4], data=data))) == {"predict": [0, 2]}


@pytest.mark.parametrize("shape", [[1], [1, 1]])
def test_four_tensors_are_named_as_the_features_in_any_order(client: FlaskClient, shape: list[int]) -> None:
    inputs = [tensor(name=name, shape=shape, data=[value]) for name, value in reversed(FLOWER.items())]
    assert outputs(infer(client, *inputs)) == {"predict": [0]}


@pytest.mark.parametrize(
    "datatype", ["FP16", "FP32", "FP64", "INT8", "INT16", "INT32", "INT64", "UINT8", "UINT16", "UINT32", "UINT64"]
)
def test_the_datatypes_that_hold_numbers_are_taken(client: FlaskClient, datatype: str) -> None:
    assert outputs(infer(client, tensor(datatype=datatype, data=[5, 3, 1, 1]))) == {"predict": [0]}
    dtype = {"F": "f", "I": "i", "U": "u"}[datatype[0]] + str(int(datatype.lstrip("FPINTU")) // 8)
    content = np.array([5, 3, 1, 1], f"<{dtype}").tobytes()
    document = {"inputs": [tensor(datatype=datatype, parameters={"binary_data_size": len(content)}) | {"data": []}]}
    assert outputs(binary(client, document, content)) == {"predict": [0]}


def test_a_float32_is_taken_as_it_arrives(client: FlaskClient) -> None:
    data = np.array(ROW, np.float32).astype(float).tolist()
    assert data[0] == 5.099999904632568
    assert outputs(infer(client, tensor(datatype="FP32", data=data))) == {"predict": [0]}


def test_no_rows_get_no_answers(client: FlaskClient) -> None:
    assert outputs(infer(client, tensor(shape=[0, 4], data=[]))) == {"predict": []}


def test_unknown_members_are_passed_over(client: FlaskClient) -> None:
    answer = infer(
        client,
        tensor(parameters={"content_type": "np"}),
        model_name="iris",
        parameters={"headers": {}, "binary_data_output": None},
    )
    assert answer.status_code == 200


@pytest.mark.parametrize("content_type", [None, "application/octet-stream", "text/plain"])
def test_no_content_type_is_needed(client: FlaskClient, content_type: str | None) -> None:
    body = json.dumps({"inputs": [tensor()]})
    assert client.post(INFER, data=body, content_type=content_type).status_code == 200


def test_tensors_come_as_bytes_behind_each_other(client: FlaskClient) -> None:
    inputs = [
        {"name": name, "shape": [1], "datatype": "FP64", "parameters": {"binary_data_size": 8}} for name in FLOWER
    ]
    inputs[1] = {"name": "sepal_width", "shape": [1], "datatype": "FP64", "data": [3.5]}
    content = struct.pack("<3d", 5.1, 1.4, 0.2)
    assert outputs(binary(client, {"inputs": inputs}, content)) == {"predict": [0]}


def parts(answer: TestResponse) -> tuple[dict[str, Any], bytes]:
    assert (answer.status_code, answer.content_type) == (200, "application/octet-stream")
    length = int(answer.headers["Inference-Header-Content-Length"])
    return json.loads(answer.data[:length]), answer.data[length:]


def test_tensors_go_as_bytes_behind_each_other(client: FlaskClient) -> None:
    wanted = [{"name": name} for name in ("predict", "predict_proba", "label")]
    answer = infer(client, tensor(), outputs=wanted, parameters={"binary_data_output": True})
    document, content = parts(answer)
    sizes = [output["parameters"]["binary_data_size"] for output in document["outputs"]]
    assert sizes == [8, 24, 10]
    assert all("data" not in output for output in document["outputs"])
    probabilities = client.post("/api/classify", json=FLOWER).get_json()["probabilities"]
    assert struct.unpack("<q3dI6s", content) == (0, *probabilities.values(), 6, b"setosa")


def test_an_output_says_for_itself_how_it_goes(client: FlaskClient) -> None:
    wanted = [
        {"name": "predict", "parameters": {"binary_data": False}},
        {"name": "label", "parameters": {"binary_data": True}},
    ]
    document, content = parts(infer(client, tensor(), outputs=wanted, parameters={"binary_data_output": True}))
    assert document["outputs"][0]["data"] == [0]
    assert content == b"\6\0\0\0setosa"


WRONG_TENSORS = {
    "another width": (
        tensor(shape=[1, 3], data=ROW[:3]),
        "Send one tensor of shape [n, 4], or one of shape [n] or [n, 1] for each of sepal_length, ",
    ),
    "one dimension": (tensor(shape=[4]), "Send one tensor of shape [n, 4]"),
    "three dimensions": (tensor(shape=[1, 1, 4]), "Send one tensor of shape [n, 4]"),
    "no dimension": (tensor(shape=[]), "Send one tensor of shape [n, 4]"),
    "a negative size": (tensor(shape=[-1, 4]), "Send one tensor of shape [n, 4]"),
    "nothing of much": (tensor(shape=[0, 10**30], data=[]), "Send one tensor of shape [n, 4]"),
    "numbers without end": (tensor(shape=[10**4200, 10**4200]), "Send one tensor of shape [n, 4]"),
    "too few values": (tensor(data=ROW[:3]), "Tensor x of shape [1, 4] has 3 values, not 4."),
    "too many values": (tensor(data=[*ROW, 1]), "Tensor x of shape [1, 4] has 5 values, not 4."),
    "ragged": (
        tensor(shape=[2, 4], data=[ROW, ROW[:3]]),
        "Tensor x is not nested as its shape [2, 4] says.",
    ),
    "nested otherwise": (tensor(data=[[value] for value in ROW]), "is not nested as its shape [1, 4] says."),
    "nested deeper": (tensor(data=[[ROW]]), "Tensor x does not hold FP64: "),
    "text": (tensor(data=["5.1", "3.5", "1.4", "0.2"]), "Tensor x does not hold FP64: "),
    "true": (tensor(data=[True, 1, 1, 1]), "Tensor x does not hold FP64: "),
    "null": (tensor(data=None), "Tensor x does not hold FP64: "),
    "no data": ({"name": "x", "shape": [1, 4], "datatype": "FP64"}, "Tensor x has no data, as JSON or as bytes."),
    "fractions": (tensor(datatype="INT32"), "Tensor x does not hold INT32 but fractions."),
    "strings": (
        tensor(datatype="BYTES", data=["a"] * 4),
        "Tensor x cannot have the datatype BYTES; take one of FP16, FP32",
    ),
    "an unknown datatype": (
        tensor(datatype="FP128"),
        "Tensor x cannot have the datatype FP128; take one of FP16, FP32",
    ),
    "no name": ({"shape": [1, 4], "datatype": "FP64", "data": ROW}, "This is no inference request: "),
    "no shape": ({"name": "x", "datatype": "FP64", "data": ROW}, "This is no inference request: "),
    "out of bounds": (tensor(data=[0, 3.5, 1.4, 31]), "2 values cannot be used. Row 0: Sepal length must be greater"),
    "beyond floats": (tensor(data=[1, 1, 1, 10**400]), "One value cannot be used. Row 0: Petal width must be"),
    "beyond floats, and text": (tensor(data=[1, 1, "a", 10**400]), "Tensor x does not hold FP64: "),
}


@pytest.mark.parametrize(("sent", "sentence"), WRONG_TENSORS.values(), ids=WRONG_TENSORS)
def test_a_wrong_tensor_is_a_400_that_says_why(client: FlaskClient, sent: dict[str, object], sentence: str) -> None:
    assert sentence in error(infer(client, sent))


OTHER_TENSORS = {
    "none": ([], "Send one tensor of shape [n, 4], or one of shape [n] or [n, 1] for each of sepal_length, "),
    "two": ([tensor(), tensor()], "Send one tensor of shape [n, 4], or one of"),
    "three": (
        [tensor(name=name, shape=[1], data=[1]) for name in [*FLOWER][:3]],
        "There is no tensor petal_width. Send one tensor of shape [n, 4]",
    ),
    "a wrong name": (
        [tensor(name=name, shape=[1], data=[1]) for name in [*[*FLOWER][:2], "petal", "x"]],
        "There is no tensor petal_length, petal_width. Send one tensor",
    ),
    "other lengths": (
        [tensor(name=name, shape=[size], data=[1] * size) for name, size in zip(FLOWER, [1, 1, 1, 2], strict=True)],
        "The tensors of the features have different numbers of rows: 1, 2.",
    ),
    "two columns": (
        [tensor(name=name, shape=[1, 2], data=[1, 1]) for name in FLOWER],
        "Send one tensor of shape [n, 4]",
    ),
    "a feature twice": (
        [tensor(name=name, shape=[1], data=[1]) for name in [*FLOWER, "sepal_length"]],
        "One value cannot be used. The tensors sepal_length and sepal_length are each sepal length; there must be one.",
    ),
}


@pytest.mark.parametrize(("inputs", "sentence"), OTHER_TENSORS.values(), ids=OTHER_TENSORS)
def test_other_tensors_than_the_model_takes_are_a_400(
    client: FlaskClient, inputs: list[dict[str, object]], sentence: str
) -> None:
    assert error(infer(client, *inputs)).startswith(sentence)


SKLEARN_NAMES = ["sepal length (cm)", "sepal width (cm)", "petal length (cm)", "petal width (cm)"]


def test_tensors_may_be_spelt_otherwise_among_others(client: FlaskClient) -> None:
    inputs = [tensor(name=name, shape=[1], data=[value]) for name, value in zip(SKLEARN_NAMES, ROW, strict=True)]
    other = {"name": "species", "shape": [1], "datatype": "BYTES", "data": ["a: b"]}
    assert outputs(infer(client, other, *inputs)) == {"predict": [0]}
    assert outputs(infer(client, tensor(), other)) == {"predict": [0]}


def test_an_exact_name_goes_before_another_spelling(client: FlaskClient) -> None:
    inputs = [tensor(name=name, shape=[1], data=[value]) for name, value in FLOWER.items()]
    others = [tensor(name=name, shape=[1], data=[30]) for name in SKLEARN_NAMES]
    assert outputs(infer(client, *others, *inputs)) == {"predict": [0]}
    sentence = error(infer(client, *inputs[1:], others[0], others[0]))
    assert "The tensors sepal length (cm) and sepal length (cm) are each sepal length" in sentence


def test_a_tensor_that_is_passed_over_may_be_binary(client: FlaskClient) -> None:
    inputs = [{"name": "id", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": 5}}, BINARY]
    inputs[1] = BINARY | {"parameters": {"binary_data_size": 32}}
    assert outputs(binary(client, {"inputs": inputs}, b"\1\0\0\0a" + CONTENT)) == {"predict": [0]}


def test_a_wrong_value_of_a_named_tensor_is_named_by_it(client: FlaskClient) -> None:
    inputs = [tensor(name=name, shape=[2], data=[1, 99]) for name in SKLEARN_NAMES]
    sentence = error(infer(client, *inputs))
    assert sentence.startswith("4 values cannot be used. Tensor sepal length (cm), row 1: Sepal length must be greater")


@pytest.mark.parametrize("data", ["[NaN, 3.5, 1.4, 0.2]", "[null, 3.5, 1.4, 0.2]"])
def test_a_missing_number_is_named_by_its_row(client: FlaskClient, data: str) -> None:
    body = json.dumps({"inputs": [tensor(name="NaN", data="here")]}).replace('"here"', data)
    sentence = error(client.post(INFER, data=body))
    assert sentence == (
        "One value cannot be used. Row 0: Sepal length must be a number in cm, and is missing: null or NaN."
    )


def test_an_infinite_number_in_json_is_named_by_its_place(client: FlaskClient) -> None:
    body = json.dumps({"inputs": [tensor(data=[1, 1, 1, float("-inf")])]})
    assert error(client.post(INFER, data=body)).startswith("One value cannot be used. Row 0: Petal width must be")


@pytest.mark.parametrize(
    ("parameters", "sentence"),
    [
        ({"classification": 2}, "Output label: the parameter classification is not supported; ask for predict_proba"),
        ({"shared_memory_region": "x"}, "Output label: the parameter shared_memory_region is not supported."),
    ],
)
def test_a_parameter_that_is_not_supported_is_a_400(
    client: FlaskClient, parameters: dict[str, object], sentence: str
) -> None:
    assert error(infer(client, tensor(), outputs=[{"name": "label", "parameters": parameters}])).startswith(sentence)


def test_a_classification_of_no_classes_is_none(client: FlaskClient) -> None:
    wanted = [{"name": "label", "parameters": {"classification": 0}}]
    assert outputs(infer(client, tensor(), outputs=wanted)) == {"label": ["setosa"]}


def test_the_answer_names_the_model_and_its_schema(client: FlaskClient) -> None:
    headers = infer(client, tensor()).headers
    described = client.get("/api/model").get_json()
    assert headers["X-Model-Version"] == described["version"]
    assert len(headers["X-Model-Schema"]) == 12


@pytest.mark.parametrize("names", [["odds", "predict"], ["predict", "predict"]], ids=["unknown", "twice"])
def test_an_output_that_is_unknown_or_wanted_twice_is_a_400(client: FlaskClient, names: list[str]) -> None:
    sentence = error(infer(client, tensor(), outputs=[{"name": name} for name in names]))
    assert sentence == "The outputs are predict, predict_proba, label; ask for each of them once at most."


@pytest.mark.parametrize("rows", [2**61, 2**64, 10**400])
def test_a_tensor_beyond_all_bounds_is_a_413(client: FlaskClient, rows: int) -> None:
    for sent in (tensor(shape=[rows, 4]), tensor(shape=[rows, 4], parameters={"binary_data_size": 0})):
        assert "more rows than the 100,000" in error(infer(client, sent), 413)


def test_four_tensors_of_nothing_get_no_answers(client: FlaskClient) -> None:
    assert outputs(infer(client, *(tensor(name=name, shape=[0], data=[]) for name in FLOWER))) == {"predict": []}
    for size in (5, 10**20):
        assert error(infer(client, *(tensor(name=name, shape=[0, size], data=[]) for name in FLOWER)))


def test_a_long_name_is_not_repeated_whole(client: FlaskClient) -> None:
    assert len(error(infer(client, tensor(name="x" * 100_000, datatype="x" * 100_000)))) < 500
    assert len(error(client.get("/v2/models/" + "x" * 100_000), 404)) < 500


BINARY = {"name": "x", "shape": [1, 4], "datatype": "FP64"}
CONTENT = struct.pack("<4d", *ROW)
WRONG_SIZES = {
    "too few bytes": (32, CONTENT[:-1], "Tensor x is said to have 32 bytes, and 31 came."),
    "too many bytes": (32, CONTENT + b"x", "The tensors take 32 bytes behind the JSON, and there are 33."),
    "another size": (24, CONTENT[:24], "takes 32 bytes, and its binary_data_size is 24."),
    "a negative size": (-32, CONTENT, "Tensor x is said to have -32 bytes, and 0 came."),
    "a size beyond all": (2**63 - 1, CONTENT, "Tensor x is said to have 9223372036854775807 bytes, and 32 came."),
}


@pytest.mark.parametrize(("size", "content", "sentence"), WRONG_SIZES.values(), ids=WRONG_SIZES)
def test_sizes_that_do_not_match_are_a_400(client: FlaskClient, size: int, content: bytes, sentence: str) -> None:
    document = {"inputs": [BINARY | {"parameters": {"binary_data_size": size}}]}
    assert sentence in error(binary(client, document, content))


def test_bytes_that_no_tensor_takes_are_a_400(client: FlaskClient) -> None:
    assert "The tensors take 0 bytes behind the JSON, and there are 3." in error(
        binary(client, {"inputs": [tensor()]}, b"abc")
    )


@pytest.mark.parametrize("value", [float("inf"), -1.0, 31.0])
def test_a_binary_value_out_of_bounds_is_a_400(client: FlaskClient, value: float) -> None:
    document = {"inputs": [BINARY | {"parameters": {"binary_data_size": 32}}]}
    sentence = error(binary(client, document, struct.pack("<4d", value, *ROW[1:])))
    assert sentence.startswith(
        "One value cannot be used. Row 0: Sepal length must be greater than 0 and at most 30 cm, not"
    )


def test_a_binary_nan_is_a_400(client: FlaskClient) -> None:
    document = {"inputs": [BINARY | {"parameters": {"binary_data_size": 32}}]}
    sentence = error(binary(client, document, struct.pack("<4d", float("nan"), *ROW[1:])))
    assert sentence == (
        "One value cannot be used. Row 0: Sepal length must be a number in cm, and is missing: null or NaN."
    )


def test_the_first_wrong_values_are_named_and_all_are_counted(client: FlaskClient) -> None:
    sentence = error(infer(client, tensor(shape=[100, 4], data=[0] * 400)))
    assert sentence.startswith("400 values cannot be used. Row 0: ")
    assert sentence.count("Row ") == 10


@pytest.mark.parametrize("length", ["-1", "x", "", "1.5", "9" * 30, "²"])
def test_a_header_length_that_is_none_is_a_400(client: FlaskClient, length: str) -> None:
    answer = client.post(INFER, data=b"{}", headers={"Inference-Header-Content-Length": length})
    assert "Inference-Header-Content-Length must be a number of bytes" in error(answer)


def test_a_header_length_beyond_the_body_is_a_400(client: FlaskClient) -> None:
    answer = client.post(INFER, data=b"{}", headers={"Inference-Header-Content-Length": "3"})
    assert error(answer) == "The JSON is said to have 3 bytes, and the body has 2."


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b"[]", b"{}", b"\xff", b"[" * 100_000, b'{"inputs": [{"data":' + b"[" * 100_000]
)
def test_what_is_no_request_is_a_400(client: FlaskClient, body: bytes) -> None:
    assert error(client.post(INFER, data=body))


def test_more_rows_than_allowed_are_a_413(make_app: Callable[..., Flask]) -> None:
    client = make_app(MAX_BATCH_ROWS=2).test_client()
    assert "There are more rows than the 2" in error(infer(client, tensor(shape=[3, 4], data=ROW * 3)), 413)


def test_an_unknown_encoding_is_a_400(client: FlaskClient) -> None:
    assert "gzip or deflate" in error(client.post(INFER, data=b"{}", headers={"Content-Encoding": "br"}))


@given(body=st.binary(), length=st.none() | st.integers(-5, 300))
def test_no_bytes_are_a_fault_of_ours(steady_app: Flask, body: bytes, length: int | None) -> None:
    headers = {} if length is None else {"Inference-Header-Content-Length": str(length)}
    assert steady_app.test_client().post(INFER, data=body, headers=headers).status_code == 400


values = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3)
tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from(["x", *FLOWER]) | values,
        "shape": st.lists(st.integers(-2, 5) | st.sampled_from([0, 1, 4]) | st.integers(), max_size=3) | values,
        "datatype": st.sampled_from(["FP64", "FP32", "INT64", "UINT8", "BYTES"]) | values,
        "data": st.lists(values | st.lists(values, max_size=4), max_size=8),
        "parameters": st.fixed_dictionaries({}, optional={"binary_data_size": st.integers(-9, 99) | values}) | values,
    },
)


@given(inputs=st.lists(tensors, max_size=4), content=st.binary(max_size=99))
def test_no_request_is_a_fault_of_ours(steady_app: Flask, inputs: list[dict[str, Any]], content: bytes) -> None:
    assert binary(steady_app.test_client(), {"inputs": inputs}, content).status_code in {200, 400, 413}
