"""Tensors of every kind of feature."""

import json
import struct
from typing import Any

import msgspec
import numpy as np
import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from iris_app.schema import MISSING, UNKNOWN, Class, Schema
from tests.echo import EchoModel, serve_echo
from tests.models import WIDE
from tests.schemas import MIXED, MIXED_CODES, MIXED_ROW, NAMES, ONE, plain

INFER = "/v2/models/visits/infer"
DATATYPES = {"number": "FP64", "integer": "INT64", "boolean": "BOOL", "category": "BYTES"}
COLUMNS = {name: index for index, name in enumerate(MIXED_ROW)}


@pytest.fixture
def model(app: Flask) -> EchoModel:
    return serve_echo(app, MIXED)


def column(name: str, *values: object, datatype: str | None = None) -> dict[str, Any]:
    own = DATATYPES[MIXED.features_by_name[name].kind]
    return {"name": name, "shape": [len(values)], "datatype": datatype or own, "data": list(values)}


def columns(**changes: dict[str, Any] | None) -> list[dict[str, Any]]:
    """Return tensors of the example row; None leaves one out."""
    row = {
        name: column(name, str(value) if MIXED.features_by_name[name].kind == "category" else value)
        for name, value in MIXED_ROW.items()
    }
    return [tensor for tensor in (row | changes).values() if tensor is not None]


def infer(client: FlaskClient, inputs: list[dict[str, Any]], path: str = INFER, **members: object) -> TestResponse:
    return client.post(path, data=json.dumps({"inputs": inputs} | members))


def error(answer: TestResponse) -> str:
    assert answer.status_code == 400
    return str(answer.get_json()["error"])


@pytest.mark.usefixtures("model")
def test_the_metadata_has_a_tensor_of_its_datatype_for_each_feature(client: FlaskClient) -> None:
    assert client.get("/v2/models/visits").get_json()["inputs"] == [
        {"name": feature.name, "datatype": DATATYPES[feature.kind], "shape": [-1, 1]} for feature in MIXED.features
    ]


def test_each_kind_is_read_from_json(client: FlaskClient, model: EchoModel) -> None:
    assert infer(client, columns()).status_code == 200
    assert np.array_equal(model.rows, [MIXED_CODES])


def test_each_kind_is_read_from_bytes(client: FlaskClient, model: EchoModel) -> None:
    inputs, contents = [], []
    for tensor in columns():
        (value,) = tensor.pop("data")
        packed = {
            "BYTES": lambda value: struct.pack("<I", len(value.encode())) + value.encode(),
            "BOOL": lambda value: struct.pack("?", value),
            "INT64": lambda value: struct.pack("<q", value),
            "FP64": lambda value: struct.pack("<d", value),
        }[tensor["datatype"]](value)
        contents.append(packed)
        inputs.append(tensor | {"shape": [1, 1], "parameters": {"binary_data_size": len(packed)}})
    head = json.dumps({"inputs": inputs}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    assert client.post(INFER, data=head + b"".join(contents), headers=headers).status_code == 200
    assert np.array_equal(model.rows, [MIXED_CODES])


@pytest.mark.parametrize(
    "changes",
    [
        {"bmi": None, "vaccinated": None, "sex": None, "zip": None},
        {name: column(name, None) for name in ("bmi", "vaccinated", "sex", "zip")},
        {
            "bmi": column("bmi", float("nan")),
            "vaccinated": column("vaccinated", float("nan"), datatype="FP64"),
            "sex": column("sex", ""),
            "zip": column("zip", "nan"),
        },
    ],
    ids=["absent", "null", "NaN and empty"],
)
def test_an_optional_value_may_be_missing(
    client: FlaskClient, model: EchoModel, changes: dict[str, dict[str, Any] | None]
) -> None:
    assert infer(client, columns(**changes)).status_code == 200
    expected = np.array([MIXED_CODES])
    expected[0, [COLUMNS[name] for name in changes]] = MISSING
    assert np.array_equal(model.rows, expected, equal_nan=True)


@pytest.mark.parametrize(
    ("tensor", "code"),
    [
        (column("ward", 10, datatype="INT32"), 2.0),
        (column("ward", 10.0, datatype="FP32"), 2.0),
        (column("ward", "10"), 2.0),
        (column("ward", "10.0"), 2.0),
        (column("zip", "010"), 1.0),
        (column("zip", "10"), UNKNOWN),
        (column("región", "este: costa"), 2.0),
        (column("región", "Atlantis"), UNKNOWN),
        (column("smoker", 1, datatype="UINT8"), 1.0),
        (column("bmi", 20, datatype="INT16"), 20.0),
        (column("age", 41.0, datatype="FP64"), 41.0),
    ],
    ids=lambda value: f"{value['name']} {value['datatype']} {value['data']}" if isinstance(value, dict) else "",
)
def test_a_value_of_another_datatype_is_read_where_it_is_the_same(
    client: FlaskClient, model: EchoModel, tensor: dict[str, Any], code: float
) -> None:
    assert infer(client, columns(**{tensor["name"]: tensor})).status_code == 200
    assert model.rows is not None
    assert model.rows[0, COLUMNS[tensor["name"]]] == code


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("tensor", "sentence"),
    [
        (column("bmi", "20", datatype="BYTES"), "Tensor bmi cannot have the datatype BYTES; take one of FP16, FP32"),
        (column("smoker", "yes", datatype="BYTES"), "Tensor smoker cannot have the datatype BYTES; take one of FP16"),
        (column("bmi", True, datatype="BOOL"), "Tensor bmi cannot have the datatype BOOL; take one of FP16"),
        (column("sex", 1, datatype="INT64"), "Tensor sex cannot have the datatype INT64; take one of BYTES."),
        (column("ward", True, datatype="BOOL"), "Tensor ward cannot have the datatype BOOL; take one of BYTES, FP16"),
        (column("ward", 2, datatype="BYTES"), "Tensor ward does not hold BYTES: Expected `str | null`, got `int`"),
        (column("smoker", 1), "Tensor smoker does not hold BOOL: Expected `bool | null`, got `int`"),
        (column("age", 41.5), "Tensor age does not hold INT64 but fractions."),
        (column("age", 41.5, datatype="FP64"), "Tensor age, row 0: Age must be a whole number in years, not 41.5."),
        (column("age", None), "Tensor age, row 0: Age must be a whole number in years, and is missing: null or NaN."),
        (column("age", 121), "Tensor age, row 0: Age must be at least 0 and at most 120 years, not 121."),
        (column("smoker", 2, datatype="INT8"), "Tensor smoker, row 0: Smoker must be true or false, not a number."),
        (column("smoker", None), "Tensor smoker, row 0: Smoker must be true or false, and is missing: null or NaN."),
        (
            column("sex", "mail"),
            'Tensor sex, row 0: Sex must be one of female or male, not "mail". Did you mean "male"?',
        ),
        (column("ward", 7, datatype="INT64"), 'Tensor ward, row 0: Ward must be one of 1, 2 or 10, not "7".'),
        (column("ward", ""), "Tensor ward, row 0: Ward is missing."),
        (
            column("región", None),
            "Tensor región, row 0: Región must be one of norte, sur, este: costa or oeste, and is",
        ),
    ],
    ids=lambda value: f"{value['name']} {value['datatype']} {value['data']}" if isinstance(value, dict) else "",
)
def test_a_wrong_value_is_named_by_its_tensor_and_row(
    client: FlaskClient, tensor: dict[str, Any], sentence: str
) -> None:
    assert sentence in error(infer(client, columns(**{tensor["name"]: tensor})))


@pytest.mark.usefixtures("model")
def test_all_wrong_values_are_named_at_once(client: FlaskClient) -> None:
    tensors = [tensor | {"shape": [2], "data": tensor["data"] * 2} for tensor in columns()]
    tensors[COLUMNS["age"]]["data"][1] = -1
    tensors[COLUMNS["sex"]]["data"] = ["x", "y"]
    sentence = error(infer(client, tensors))
    assert sentence.startswith("3 values cannot be used. Tensor sex, row 0: ")
    assert "Tensor age, row 1: " in sentence
    assert "Tensor sex, row 1: " in sentence


@pytest.mark.usefixtures("model")
def test_all_tensors_of_a_wrong_datatype_are_named_at_once(client: FlaskClient) -> None:
    wrong = {"bmi": column("bmi", "20", datatype="BYTES"), "sex": column("sex", 1, datatype="INT64")}
    sentence = error(infer(client, columns(**wrong)))
    assert sentence.startswith("Tensor bmi cannot have the datatype BYTES; take one of FP16")
    assert sentence.endswith(" Tensor sex cannot have the datatype INT64; take one of BYTES.")


def test_the_first_of_many_wrong_tensors_are_named_and_the_others_counted(app: Flask, client: FlaskClient) -> None:
    serve_echo(app, WIDE)
    names = [feature.name for feature in WIDE.features]
    wrong = [{"name": name, "shape": [1], "datatype": "BYTES", "data": ["1"]} for name in names]
    sentence = error(infer(client, wrong, "/v2/models/signals/infer"))
    assert sentence.count("cannot have the datatype") == 10
    assert sentence.endswith(" 190 more tensors are wrong.")


@pytest.mark.usefixtures("model")
@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (b"", "Tensor sex of shape [1] does not hold 1 texts, each behind its length in 4 bytes."),
        (b"\1\0\0", "does not hold 1 texts"),
        (b"\4\0\0\0mal", "does not hold 1 texts"),
        (b"\4\0\0\0male\0", "does not hold 1 texts"),
        (b"\xff\xff\xff\xffmale", "does not hold 1 texts"),
        (b"\1\0\0\0\xff", "Tensor sex, row 0: this text is not UTF-8."),
    ],
)
def test_bytes_that_hold_no_texts_are_a_400(client: FlaskClient, content: bytes, sentence: str) -> None:
    sex = {"name": "sex", "shape": [1], "datatype": "BYTES", "parameters": {"binary_data_size": len(content)}}
    head = json.dumps({"inputs": columns(sex=sex)}).encode()
    headers = {"Inference-Header-Content-Length": str(len(head))}
    assert sentence in error(client.post(INFER, data=head + content, headers=headers))


@pytest.mark.usefixtures("model")
def test_a_required_tensor_that_is_absent_is_named(client: FlaskClient) -> None:
    assert error(infer(client, columns(age=None, ward=None))) == (
        "There is no tensor age, ward. Send one tensor of shape [n] or [n, 1] for each of age, bmi, temperature "
        "change, smoker, vaccinated, sex, región, ward, zip."
    )


@pytest.mark.usefixtures("model")
def test_no_matrix_is_taken_where_a_feature_is_a_category(client: FlaskClient) -> None:
    matrix = {"name": "rows", "shape": [1, 9], "datatype": "FP64", "data": MIXED_CODES}
    assert error(infer(client, [matrix])).startswith("Send one tensor of shape [n] or [n, 1] for each of age, bmi")


def changed(schema: Schema, **members: Any) -> Schema:
    """Return a schema whose features have other members."""
    features = tuple(msgspec.structs.replace(feature, **members) for feature in schema.features)
    return msgspec.structs.replace(schema, features=features)


class TestMatrix:
    """One tensor of all features, where all are numbers or booleans."""

    def test_booleans_are_zero_or_one_in_a_matrix(self, app: Flask) -> None:
        model = serve_echo(app, changed(plain("a", "b"), kind="boolean", example=True))
        for datatype, data in (("BOOL", [True, False]), ("INT8", [1, 0]), ("FP64", [1.0, 0.0])):
            matrix = {"name": "x", "shape": [1, 2], "datatype": datatype, "data": data}
            assert infer(app.test_client(), [matrix], "/v2/models/plain/infer").status_code == 200
            assert np.array_equal(model.rows, [[1.0, 0.0]])

    def test_a_missing_value_of_a_matrix_is_nan_or_null(self, app: Flask) -> None:
        model = serve_echo(app, changed(plain("a", "b"), optional=True))
        matrix = {"name": "x", "shape": [2, 2], "datatype": "FP64", "data": [float("nan"), 1, None, 2]}
        assert infer(app.test_client(), [matrix], "/v2/models/plain/infer").status_code == 200
        assert np.array_equal(model.rows, [[MISSING, 1], [MISSING, 2]], equal_nan=True)

    def test_rows_without_any_tensor_of_a_feature_are_refused(self, app: Flask) -> None:
        serve_echo(app, changed(plain("a", "b"), optional=True))
        tensor = {"name": "c", "shape": [1], "datatype": "FP64", "data": [1]}
        assert error(infer(app.test_client(), [tensor], "/v2/models/plain/infer")) == (
            "Send one tensor of shape [n, 2], or one of shape [n] or [n, 1] for each of a, b."
        )

    @pytest.mark.parametrize("name", ["x", "rows"])
    @pytest.mark.parametrize("shape", [[2], [2, 1]])
    def test_the_tensor_of_one_feature_is_a_matrix_too(self, app: Flask, name: str, shape: list[int]) -> None:
        model = serve_echo(app, ONE)
        tensor = {"name": name, "shape": shape, "datatype": "FP64", "data": [1, 2]}
        answer = infer(app.test_client(), [tensor], "/v2/models/plain/infer")
        if name == "rows" and shape == [2]:
            assert error(answer) == "Send one tensor of shape [n, 1], or one of shape [n] or [n, 1] for each of x."
        else:
            assert answer.status_code == 200
            assert np.array_equal(model.rows, [[1.0], [2.0]])

    def test_tensors_have_any_names(self, app: Flask) -> None:
        model = serve_echo(app, NAMES)
        tensors = [
            {"name": feature.name, "shape": [1], "datatype": "FP64", "data": [index]}
            for index, feature in enumerate(NAMES.features)
        ]
        assert infer(app.test_client(), tensors, "/v2/models/plain/infer").status_code == 200
        assert np.array_equal(model.rows, [np.arange(len(NAMES.features))])


def classes_of(*values: str | int | bool) -> Schema:
    classes = tuple(Class(name=str(value), label=str(value), value=value) for value in values)
    return Schema(name="plain", features=ONE.features, classes=classes)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ((3, 7), [3, 7]),
        ((False, True), [0, 1]),
        ((-1, 1), [-1, 1]),
        (("no", "yes"), [0, 1]),
        (("3", "7"), [0, 1]),
        ((1, "yes"), [0, 1]),
        ((0, 2**63), [0, 1]),
    ],
)
def test_the_class_is_its_value_or_else_its_index(app: Flask, values: tuple[Any, ...], expected: list[int]) -> None:
    serve_echo(app, classes_of(*values))
    tensor = {"name": "x", "shape": [2], "datatype": "FP64", "data": [1, 2]}
    wanted = [{"name": "predict"}, {"name": "label"}]
    answer = infer(app.test_client(), [tensor], "/v2/models/plain/infer", outputs=wanted).get_json()
    assert [output["data"] for output in answer["outputs"]] == [expected, [str(value) for value in values]]


def test_a_label_is_as_long_as_its_bytes(app: Flask) -> None:
    serve_echo(app, classes_of("größer", "kleiner"))
    tensor = {"name": "x", "shape": [1], "datatype": "FP64", "data": [1]}
    wanted = [{"name": "label", "parameters": {"binary_data": True}}]
    answer = infer(app.test_client(), [tensor], "/v2/models/plain/infer", outputs=wanted)
    assert answer.data.endswith(b"}" + struct.pack("<I", 8) + "größer".encode())


@pytest.mark.usefixtures("model")
def test_the_model_has_the_name_of_its_schema(client: FlaskClient) -> None:
    assert client.get("/v2/models/visits/ready").status_code == 200
    answer = client.get("/v2/models/iris")
    assert (answer.status_code, answer.get_json()["error"]) == (404, "There is no model iris; there is visits.")


values = st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(["", "male", "1", "nan"])
tensors = st.fixed_dictionaries(
    {
        "name": st.sampled_from([*MIXED_ROW, "x"]),
        "shape": st.sampled_from([[1], [1, 1], [2], [0], [1, 9]]),
        "datatype": st.sampled_from(["FP64", "INT8", "BOOL", "BYTES"]),
    },
    optional={
        "data": st.lists(values, max_size=2),
        "parameters": st.fixed_dictionaries({"binary_data_size": st.integers(0, 9)}),
    },
)


@given(changed=st.lists(tensors, max_size=3), content=st.binary(max_size=9))
def test_no_request_is_a_fault_of_ours(steady_app: Flask, changed: list[dict[str, Any]], content: bytes) -> None:
    service = steady_app.extensions["model_service"]
    try:
        serve_echo(steady_app, MIXED)
        inputs = columns(**{tensor["name"]: tensor for tensor in changed})
        head = json.dumps({"inputs": inputs}).encode()
        headers = {"Inference-Header-Content-Length": str(len(head))}
        answer = steady_app.test_client().post(INFER, data=head + content, headers=headers)
        assert answer.status_code in {200, 400}
    finally:
        steady_app.extensions["model_service"] = service
