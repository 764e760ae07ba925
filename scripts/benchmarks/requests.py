"""The rows that all servers classify, in the format of each endpoint."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pandas as pd
from sklearn.datasets import load_iris

from iris_app.iris import SCHEMA

JSON = "application/json"

# The types of the Open Inference Protocol by the kinds of NumPy's, and how MLServer is told of them.
DATATYPES = {"f": ("FP64", "np"), "b": ("BOOL", "np"), "O": ("BYTES", "str")}


class Request(NamedTuple):
    """A request; without a body, a GET."""

    path: str
    body: bytes = b""
    headers: Mapping[str, str] = MappingProxyType({})

    @property
    def method(self) -> str:
        """The HTTP method."""
        return "POST" if self.body else "GET"


def flowers(rows: int) -> pd.DataFrame:
    """Return so many rows of the example: the data set, repeated."""
    measurements = load_iris().data
    return pd.DataFrame(measurements[np.arange(rows) % len(measurements)], columns=list(SCHEMA.features_by_name))


def post(path: str, document: object) -> Request:
    """Send a document as JSON."""
    return Request(path, msgspec.json.encode(document), {"Content-Type": JSON})


def objects(path: str, table: pd.DataFrame) -> Request:
    """Send an object for a row alone, and an array of objects for many."""
    rows = table.to_dict("records")
    return post(path, rows if len(rows) > 1 else rows[0])


def member(path: str, name: str, table: pd.DataFrame) -> Request:
    """Send an object whose one member is an array of rows: of objects, or of arrays if all are numbers."""
    is_numeric = set(table.dtypes) == {np.dtype(float)}
    return post(path, {name: table.to_numpy().tolist() if is_numeric else table.to_dict("records")})


def split(path: str, table: pd.DataFrame) -> Request:
    """Send a data frame, as pandas writes it with ``orient="split"`` and MLflow's documentation sends it."""
    return post(path, {"dataframe_split": table.to_dict("split", index=False)})


def csv(path: str, table: pd.DataFrame) -> Request:
    """Send CSV."""
    return Request(path, table.to_csv(index=False).encode(), {"Content-Type": "text/csv"})


def tensors(path: str, table: pd.DataFrame) -> Request:
    """Send one flat tensor of the Open Inference Protocol as JSON, or one for each column if some are no numbers."""
    outputs = [{"name": "predict_proba"}]
    if set(table.dtypes) == {np.dtype(float)}:
        tensor = {"name": "rows", "shape": table.shape, "datatype": "FP64", "data": table.to_numpy().ravel().tolist()}
        return post(path, {"inputs": [tensor], "outputs": outputs})
    inputs = [_column_tensor(name, table[name].to_numpy()) for name in table]
    return post(path, {"parameters": {"content_type": "pd"}, "inputs": inputs, "outputs": outputs})


def _column_tensor(name: str, values: Any) -> dict[str, Any]:
    datatype, content_type = DATATYPES[values.dtype.kind]
    about = {"name": name, "shape": [len(values), 1], "datatype": datatype, "data": values.tolist()}
    return about | {"parameters": {"content_type": content_type}}


def binary_tensor(path: str, table: pd.DataFrame) -> Request:
    """Send a tensor of the Open Inference Protocol as bytes, and want the answer so."""
    content = table.to_numpy().astype("<f8").tobytes()
    tensor = {"name": "rows", "shape": table.shape, "datatype": "FP64"}
    tensor |= {"parameters": {"binary_data_size": len(content)}}
    output = {"name": "predict_proba", "parameters": {"binary_data": True}}
    head = msgspec.json.encode({"inputs": [tensor], "outputs": [output]})
    headers = {"Content-Type": "application/octet-stream", "Inference-Header-Content-Length": str(len(head))}
    return Request(path, head + content, headers)
