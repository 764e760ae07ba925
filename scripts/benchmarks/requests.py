"""The rows that all servers classify, in the format of each endpoint."""

import csv
import io
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_iris

from iris_app.iris import SCHEMA

Floats = NDArray[np.float64]

JSON = "application/json"


class Request(NamedTuple):
    """A request; without a body, a GET."""

    path: str
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})

    @property
    def method(self) -> str:
        """The HTTP method."""
        return "POST" if self.body else "GET"


def flowers(rows: int) -> Floats:
    """Return rows of shape (rows, 4): the data set, repeated."""
    measurements: Floats = load_iris().data
    return measurements[np.arange(rows) % len(measurements)]


def post(path: str, document: object) -> Request:
    """Send a document as JSON."""
    return Request(path, msgspec.json.encode(document), {"Content-Type": JSON})


def objects(path: str, measurements: Floats) -> Request:
    """Send an object for a flower alone, and an array of objects for many."""
    rows = [dict(zip(SCHEMA.features_by_name, row, strict=True)) for row in measurements.tolist()]
    return post(path, rows if len(rows) > 1 else rows[0])


def lists(path: str, name: str, measurements: Floats) -> Request:
    """Send an object whose one member is an array of arrays."""
    return post(path, {name: measurements.tolist()})


def split(path: str, measurements: Floats) -> Request:
    """Send a data frame, as pandas writes it with ``orient="split"`` and MLflow's documentation sends it."""
    return post(path, {"dataframe_split": {"columns": list(SCHEMA.features_by_name), "data": measurements.tolist()}})


def table(path: str, measurements: Floats) -> Request:
    """Send CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows([list(SCHEMA.features_by_name), *measurements.tolist()])
    return Request(path, text.getvalue().encode(), {"Content-Type": "text/csv"})


def tensor(path: str, measurements: Floats) -> Request:
    """Send a tensor of the Open Inference Protocol as JSON."""
    return post(path, _inference(measurements, {"data": measurements.ravel().tolist()}, {}))


def binary_tensor(path: str, measurements: Floats) -> Request:
    """Send a tensor of the Open Inference Protocol as bytes, and want the answer so."""
    content = measurements.astype("<f8").tobytes()
    size = {"parameters": {"binary_data_size": len(content)}}
    head = msgspec.json.encode(_inference(measurements, size, {"parameters": {"binary_data": True}}))
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    return Request(path, head + content, headers)


def _inference(measurements: Floats, content: dict[str, Any], output: dict[str, Any]) -> dict[str, Any]:
    tensor = {"name": "flowers", "shape": measurements.shape, "datatype": "FP64"} | content
    return {"inputs": [tensor], "outputs": [{"name": "predict_proba"} | output]}
