"""The protocol as clients speak it that we did not write, with the real server."""

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray
from open_inference.openapi.client import OpenInferenceClient
from open_inference.openapi.core.api_error import ApiError
from open_inference.openapi.errors import BadRequestError
from open_inference.openapi.types import InferenceRequest, RequestInput, RequestOutput, TensorData
from sklearn.datasets import load_iris
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.http.aio import InferenceServerClient as AsyncClient
from tritonclient.utils import InferenceServerException, np_to_triton_dtype

from iris_app.inference_protocol.tensors import DATATYPES
from iris_app.iris import SCHEMA
from iris_app.schema import Feature
from tests.bulk.mixed import VISITS, random_rows
from tests.models import package
from tests.schemas import MIXED_ROW
from tests.support import Server, running

MEASUREMENTS: NDArray[np.float64] = load_iris().data
NAMES = [feature.name for feature in SCHEMA.features]


@pytest.fixture(scope="module")
def expected(server: Server) -> list[dict[str, Any]]:
    """What ``/api/classify`` answers."""
    rows = [dict(zip(NAMES, row, strict=True)) for row in MEASUREMENTS.tolist()]
    predictions: list[dict[str, Any]] = httpx.post(f"{server.url}/api/classify", json=rows).json()["predictions"]
    return predictions


@pytest.fixture(scope="module")
def probabilities(expected: list[dict[str, Any]]) -> list[list[float]]:
    return [list(one["probabilities"].values()) for one in expected]


@pytest.fixture(scope="module")
def classes(expected: list[dict[str, Any]]) -> list[list[int]]:
    return [[SCHEMA.class_names.index(one["species"])] for one in expected]


@pytest.fixture(scope="module")
def triton(server: Server) -> Iterator[InferenceServerClient]:
    with InferenceServerClient(f"127.0.0.1:{server.port}") as client:
        yield client


def matrix(*, binary: bool = True, measurements: NDArray[np.float64] = MEASUREMENTS) -> list[InferInput]:
    tensor = InferInput("x", list(measurements.shape), "FP64")
    tensor.set_data_from_numpy(measurements, binary_data=binary)
    return [tensor]


def columns(width: list[int]) -> list[InferInput]:
    tensors = []
    for name, column in reversed(list(zip(NAMES, MEASUREMENTS.T, strict=True))):
        tensor = InferInput(name, [len(column), *width], "FP64")
        tensor.set_data_from_numpy(np.ascontiguousarray(column).reshape(len(column), *width))
        tensors.append(tensor)
    return tensors


class TestTritonClient:
    def test_server_and_model_are_live_and_ready(self, triton: InferenceServerClient) -> None:
        assert triton.is_server_live()
        assert triton.is_server_ready()
        assert triton.is_model_ready("iris")
        assert not triton.is_model_ready("rose")

    def test_metadata(self, triton: InferenceServerClient) -> None:
        assert triton.get_server_metadata()["extensions"] == ["binary_tensor_data"]
        metadata = triton.get_model_metadata("iris")
        assert metadata["inputs"][0]["shape"] == [-1, 4]
        assert [tensor["name"] for tensor in metadata["inputs"][1:]] == NAMES
        (version,) = metadata["versions"]
        assert triton.get_model_metadata("iris", version) == metadata
        assert triton.is_model_ready("iris", version)

    def test_defaults_are_binary_both_ways(self, triton: InferenceServerClient, classes: list[list[int]]) -> None:
        answer = triton.infer("iris", matrix())
        assert answer.as_numpy("predict").tolist() == classes
        assert "data" not in answer.get_output("predict")

    @pytest.mark.parametrize("binary_in", [True, False])
    @pytest.mark.parametrize("binary_out", [True, False])
    def test_every_output_either_way(
        self,
        triton: InferenceServerClient,
        classes: list[list[int]],
        probabilities: list[list[float]],
        binary_in: bool,
        binary_out: bool,
    ) -> None:
        outputs = [InferRequestedOutput(name, binary_data=binary_out) for name in ("predict", "predict_proba", "label")]
        answer = triton.infer("iris", matrix(binary=binary_in), outputs=outputs, request_id="mine")
        assert answer.as_numpy("predict").tolist() == classes
        assert answer.as_numpy("predict_proba").tolist() == probabilities
        labels = [one.decode() if isinstance(one, bytes) else one for one in answer.as_numpy("label").ravel()]
        assert labels == [SCHEMA.class_names[index] for (index,) in classes]
        assert answer.get_response()["id"] == "mine"

    @pytest.mark.parametrize("width", [[], [1]], ids=["[n]", "[n, 1]"])
    def test_four_named_inputs(
        self, triton: InferenceServerClient, probabilities: list[list[float]], width: list[int]
    ) -> None:
        answer = triton.infer("iris", columns(width), outputs=[InferRequestedOutput("predict_proba")])
        assert answer.as_numpy("predict_proba").tolist() == probabilities

    def test_asynchronously(self, triton: InferenceServerClient, classes: list[list[int]]) -> None:
        answers = [triton.async_infer("iris", matrix()) for _ in range(4)]
        assert [answer.get_result().as_numpy("predict").tolist() for answer in answers] == [classes] * 4

    def test_with_asyncio(self, server: Server, classes: list[list[int]]) -> None:
        async def infer() -> list[list[int]]:
            async with AsyncClient(f"127.0.0.1:{server.port}") as client:
                assert await client.is_model_ready("iris")
                answer = await client.infer("iris", matrix())
                return answer.as_numpy("predict").tolist()  # type: ignore[no-any-return]

        with ThreadPoolExecutor(1) as thread:  # this one may have a loop already, a browser's
            assert thread.submit(asyncio.run, infer()).result() == classes

    @pytest.mark.parametrize("request_algorithm", [None, "gzip", "deflate"])
    @pytest.mark.parametrize("response_algorithm", [None, "gzip", "deflate"])
    @pytest.mark.parametrize("binary", [True, False])
    def test_compressed(
        self,
        triton: InferenceServerClient,
        probabilities: list[list[float]],
        request_algorithm: str | None,
        response_algorithm: str | None,
        binary: bool,
    ) -> None:
        answer = triton.infer(
            "iris",
            matrix(),
            outputs=[InferRequestedOutput("predict_proba", binary_data=binary)],
            request_compression_algorithm=request_algorithm,
            response_compression_algorithm=response_algorithm,
        )
        assert answer.as_numpy("predict_proba").tolist() == probabilities

    def test_an_error_is_our_sentence(self, triton: InferenceServerClient) -> None:
        with pytest.raises(InferenceServerException) as refused:
            triton.infer("iris", matrix(measurements=MEASUREMENTS[:1] * 0))
        assert refused.value.message().startswith("4 values cannot be used. Row 0: Sepal length must be greater than 0")

    def test_an_unknown_model_is_our_sentence(self, triton: InferenceServerClient) -> None:
        with pytest.raises(InferenceServerException) as refused:
            triton.infer("rose", matrix())
        assert refused.value.message() == "There is no model rose; there is iris."


class TestGeneratedClient:
    @pytest.fixture
    def client(self, server: Server) -> Iterator[OpenInferenceClient]:
        with httpx.Client() as transport:
            yield OpenInferenceClient(base_url=server.url, httpx_client=transport)

    def test_health(self, client: OpenInferenceClient) -> None:
        client.check_server_liveness()
        client.check_server_readiness()
        client.check_model_readiness("iris")

    def test_health_of_a_version(self, client: OpenInferenceClient) -> None:
        (version,) = client.read_model_metadata("iris").versions or []
        client.check_model_version_readiness("iris", version)

    def test_metadata(self, client: OpenInferenceClient) -> None:
        assert client.read_server_metadata().name == "iris_app"
        metadata = client.read_model_metadata("iris")
        (version,) = metadata.versions or []
        assert client.read_model_version_metadata("iris", version) == metadata
        assert [output.name for output in metadata.outputs] == ["predict", "predict_proba", "label"]

    def test_inference(self, client: OpenInferenceClient, probabilities: list[list[float]]) -> None:
        request = InferenceRequest(
            id="mine", inputs=[tensor(MEASUREMENTS)], outputs=[RequestOutput(name="predict_proba")]
        )
        (version,) = client.read_model_metadata("iris").versions or []
        for answer in (
            client.model_infer("iris", request=request),
            client.model_version_infer("iris", version, request=request),
        ):
            assert np.reshape(answer.outputs[0].data.__root__, (150, 3)).tolist() == probabilities
            assert answer.id == "mine"

    def test_errors(self, client: OpenInferenceClient) -> None:
        with pytest.raises(BadRequestError) as refused:
            client.model_infer("iris", request=InferenceRequest(inputs=[tensor(MEASUREMENTS[:, :3])]))
        assert "Send one tensor of shape [n, 4]" in str(refused.value.body)
        with pytest.raises(ApiError) as missing:
            client.read_model_metadata("rose")
        assert missing.value.status_code == 404
        assert "There is no model rose" in str(missing.value.body)


VISIT_ROWS = random_rows(50)


@pytest.fixture(scope="module")
def visits(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of a model with every kind of feature."""
    folder = tmp_path_factory.mktemp("visits")
    package(folder / "model.joblib", VISITS)
    with running(folder / "log", "--workers=1", IRIS_MODEL_PATH=str(folder / "model.joblib")) as server:
        yield server


class TestEveryKind:
    """Numbers, booleans and categories, of which some are missing."""

    @pytest.mark.parametrize("binary", [True, False])
    def test_a_tensor_for_each_feature(self, visits: Server, binary: bool) -> None:
        rows = [dict(zip(VISITS.features_by_name, VISITS.decode(row), strict=True)) for row in VISIT_ROWS.tolist()]
        predictions = httpx.post(f"{visits.url}/api/classify", json=rows).json()["predictions"]
        expected = [list(one["probabilities"].values()) for one in predictions]
        tensors = [
            self.tensor(feature, column, binary)
            for feature, column in zip(VISITS.features, VISIT_ROWS.T.tolist(), strict=True)
        ]
        with InferenceServerClient(f"127.0.0.1:{visits.port}") as client:
            described = {one["name"]: one["datatype"] for one in client.get_model_metadata("visits")["inputs"]}
            outputs = [InferRequestedOutput(name, binary_data=binary) for name in ("predict_proba", "label")]
            answer = client.infer("visits", tensors, outputs=outputs)
        assert described == {feature.name: DATATYPES[feature.kind] for feature in VISITS.features}
        assert answer.as_numpy("predict_proba").tolist() == expected
        labels = [one.decode() if isinstance(one, bytes) else one for one in answer.as_numpy("label").ravel()]
        assert labels == [VISITS.class_names[int(np.argmax(row))] for row in expected]

    def tensor(self, feature: Feature, column: list[float], binary: bool) -> InferInput:
        """Return a feature's tensor as a client makes it; booleans that are missing are numbers, and texts empty."""
        values = [feature.decode(value) for value in column]
        match feature.kind:
            case "category":
                array = np.array(["" if value is None else str(value) for value in values], object)
            case "integer":
                array = np.array(values, np.int64)
            case "boolean" if None not in values:
                array = np.array(values, bool)
            case _:
                array = np.array(values, np.float64)
        tensor = InferInput(feature.name, [len(array)], np_to_triton_dtype(array.dtype))
        tensor.set_data_from_numpy(array, binary_data=binary)
        return tensor

    def test_an_error_names_the_tensor_and_the_row(self, visits: Server) -> None:
        columns = np.array([VISITS.encode(MIXED_ROW.values())]).T.tolist()
        tensors = [self.tensor(feature, column, True) for feature, column in zip(VISITS.features, columns, strict=True)]
        tensors[5] = InferInput("sex", [1], "BYTES")
        tensors[5].set_data_from_numpy(np.array(["mail"], object))
        with (
            InferenceServerClient(f"127.0.0.1:{visits.port}") as client,
            pytest.raises(InferenceServerException) as refused,
        ):
            client.infer("visits", tensors)
        assert refused.value.message() == (
            'One value cannot be used. Tensor sex, row 0: Sex must be one of female or male, not "mail". '
            'Did you mean "male"?'
        )


def tensor(measurements: NDArray[np.float64]) -> RequestInput:
    data = TensorData.parse_obj(measurements.tolist())
    return RequestInput(name="x", shape=list(measurements.shape), datatype="FP64", data=data)
