"""Write the tensors of an inference response, in JSON or binary."""

import struct
from collections.abc import Callable
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from iris_app.exceptions import MalformedDocument
from iris_app.inference_protocol.requests import InferenceRequest, RequestedOutput
from iris_app.iris import SCHEMA
from iris_app.model.predictions import PredictionBatch


class Output(NamedTuple):
    """An output tensor: its datatype, its width, and functions that return its JSON values and its bytes."""

    datatype: str
    width: int
    values: Callable[[PredictionBatch], list[Any]]
    content: Callable[[PredictionBatch], bytes | memoryview]


def _bytes(values: NDArray[Any], dtype: str) -> memoryview:
    return values.astype(dtype, "C").ravel().view(np.uint8).data


_BYTES = {name: struct.pack("<I", len(name)) + name.encode() for name in SCHEMA.class_names}

OUTPUTS = {
    "predict": Output("INT64", 1, lambda batch: batch.classes.tolist(), lambda batch: _bytes(batch.classes, "<i8")),
    "predict_proba": Output(
        "FP64",
        len(SCHEMA.class_names),
        lambda batch: batch.probabilities.T.ravel().tolist(),
        lambda batch: _bytes(batch.probabilities.T, "<f8"),
    ),
    "label": Output(
        "BYTES", 1, PredictionBatch.labels, lambda batch: b"".join(map(_BYTES.__getitem__, batch.labels()))
    ),
}


def select_outputs(request: InferenceRequest) -> list[RequestedOutput]:
    """Return the requested outputs, by default the class, or raise ``MalformedDocument``."""
    outputs = request.outputs or [RequestedOutput("predict")]
    names = [output.name for output in outputs]
    if not set(names) <= set(OUTPUTS) or len(set(names)) < len(names):
        raise MalformedDocument(f"The outputs are {', '.join(OUTPUTS)}; ask for each of them once at most.")
    return outputs


def write(
    request: InferenceRequest, outputs: list[RequestedOutput], head: dict[str, Any], batch: PredictionBatch
) -> tuple[bytes, int | None]:
    """Write a response.

    Parameters
    ----------
    request : InferenceRequest
        The request; its parameters are the default for outputs.
    outputs : list of RequestedOutput
        The outputs, in order.
    head : dict
        The members of the response before its outputs.
    batch : PredictionBatch

    Returns
    -------
    body : bytes
    header_length : int or None
        The length of the JSON, if binary tensors follow.
    """
    binary_by_default = bool(request.parameters and request.parameters.binary_data_output)
    tensors: list[dict[str, Any]] = []
    contents: list[bytes | memoryview] = []
    for output in outputs:
        spec = OUTPUTS[output.name]
        tensor = {"name": output.name, "shape": [len(batch), spec.width], "datatype": spec.datatype}
        binary = output.parameters.binary_data if output.parameters else None
        if binary_by_default if binary is None else binary:
            content = spec.content(batch)
            tensors.append(tensor | {"parameters": {"binary_data_size": len(content)}})
            contents.append(content)
        else:
            tensors.append(tensor | {"data": spec.values(batch)})
    document = msgspec.json.encode(head | {"outputs": tensors})
    return b"".join([document, *contents]), len(document) if contents else None
