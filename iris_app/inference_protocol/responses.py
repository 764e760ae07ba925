"""Write the tensors of an inference response, in JSON or binary."""

import struct
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from iris_app.exceptions import MalformedDocument
from iris_app.inference_protocol.requests import InferenceRequest, RequestedOutput
from iris_app.model.predictions import PredictionBatch
from iris_app.schema import Schema

INT64 = np.iinfo(np.int64)


class Output(NamedTuple):
    """An output tensor: its datatype, its width, and functions that return its JSON values and its bytes."""

    datatype: str
    width: int
    values: Callable[[PredictionBatch], list[Any]]
    content: Callable[[PredictionBatch], bytes | memoryview]


def make_outputs(schema: Schema) -> Mapping[str, Output]:
    """Return the output tensors by their names; ``schema.derive(make_outputs)`` makes them once."""
    numbers = _class_numbers(schema)
    texts = {name: _length_prefixed(name.encode()) for name in schema.class_names}
    return {
        "predict": Output(
            "INT64",
            1,
            lambda batch: numbers[batch.classes].tolist(),
            lambda batch: _bytes(numbers[batch.classes], "<i8"),
        ),
        "predict_proba": Output(
            "FP64",
            len(schema.classes),
            lambda batch: batch.probabilities.T.ravel().tolist(),
            lambda batch: _bytes(batch.probabilities.T, "<f8"),
        ),
        "label": Output(
            "BYTES", 1, lambda batch: batch.labels(), lambda batch: b"".join(map(texts.__getitem__, batch.labels()))
        ),
    }


def _class_numbers(schema: Schema) -> NDArray[np.int64]:
    """Return the values of the classes where they are all integers or booleans, or else their indices."""
    values = [class_.value for class_ in schema.classes]
    if all(isinstance(value, int) and INT64.min <= value <= INT64.max for value in values):
        return np.array(values, np.int64)
    return np.arange(len(values), dtype=np.int64)


def _length_prefixed(text: bytes) -> bytes:
    return struct.pack("<I", len(text)) + text


def _bytes(values: NDArray[Any], dtype: str) -> memoryview:
    return values.astype(dtype, "C").ravel().view(np.uint8).data


def select_outputs(schema: Schema, request: InferenceRequest) -> list[RequestedOutput]:
    """Return the requested outputs, by default the class, or raise ``MalformedDocument``."""
    outputs = request.outputs or [RequestedOutput("predict")]
    names = [output.name for output in outputs]
    known = schema.derive(make_outputs)
    if not known.keys() >= set(names) or len(set(names)) < len(names):
        raise MalformedDocument(f"The outputs are {', '.join(known)}; ask for each of them once at most.")
    for output in outputs:
        _check_parameters(output)
    return outputs


def _check_parameters(output: RequestedOutput) -> None:
    """Raise ``MalformedDocument`` for a parameter that is not supported."""
    if output.parameters and output.parameters.classification:
        raise MalformedDocument(
            f"Output {output.name}: the parameter classification is not supported; ask for predict_proba and label."
        )
    if output.parameters and output.parameters.shared_memory_region is not None:
        raise MalformedDocument(f"Output {output.name}: the parameter shared_memory_region is not supported.")


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
    known = batch.schema.derive(make_outputs)
    tensors: list[dict[str, Any]] = []
    contents: list[bytes | memoryview] = []
    for output in outputs:
        spec = known[output.name]
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
