"""Read an inference request: tensors as JSON or as bytes, into measurements."""

import math
import re
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Any

import msgspec
import numpy as np
from numpy.typing import NDArray

from iris_app.exceptions import InvalidMeasurements, InvalidValue, MalformedDocument, TooManyRows
from iris_app.iris import FEATURES, FEATURES_BY_NAME, wrong_values

Floats = NDArray[np.float64]

DTYPES = {
    "FP32": "<f4",
    "FP64": "<f8",
    **{f"INT{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
}


class InputParameters(msgspec.Struct, frozen=True):
    """How a tensor comes: in this many bytes after the JSON, or as JSON."""

    binary_data_size: int | None = None


class Input(msgspec.Struct, frozen=True):
    """A tensor that comes."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = msgspec.Raw()
    parameters: InputParameters | None = None


class OutputParameters(msgspec.Struct, frozen=True):
    """How a tensor shall go: as bytes after the JSON, or as JSON."""

    binary_data: bool | None = None


class RequestedOutput(msgspec.Struct, frozen=True):
    """A tensor that shall go."""

    name: str
    parameters: OutputParameters | None = None


class RequestParameters(msgspec.Struct, frozen=True):
    """How the tensors shall go that do not say it for themselves."""

    binary_data_output: bool = False


class InferenceRequest(msgspec.Struct, frozen=True):
    """What is asked; members that the protocol does not know are passed over."""

    inputs: list[Input]
    id: str | None = None
    outputs: list[RequestedOutput] | None = None
    parameters: RequestParameters | None = None


NESTED = re.compile(rb"\s*\[\s*\[")

_decoder = msgspec.json.Decoder(InferenceRequest)


def read(body: bytes, header_length: int | None, max_rows: int) -> tuple[InferenceRequest, Floats]:
    """Read a request and the measurements in its tensors.

    Parameters
    ----------
    body : bytes
        JSON, and behind it the bytes of the tensors that say how many they are.
    header_length : int, optional
        The length of the JSON, where bytes follow.
    max_rows : int
        How many rows the tensors may have.

    Returns
    -------
    request : InferenceRequest
    measurements : ndarray of shape (n, 4), float64
        ``FEATURES`` in their order and units.

    Raises
    ------
    MalformedDocument
        Where it is no inference request, or its tensors are not what they say or not what the model takes.
    TooManyRows
        Where there are more rows than ``max_rows``.
    InvalidMeasurements
        Where a value is out of bounds.
    """
    if header_length is not None and header_length > len(body):
        raise MalformedDocument(f"The JSON is said to have {header_length} bytes, and the body has {len(body)}.")
    request = _decode(body[:header_length])
    contents = _contents(request.inputs, memoryview(body)[len(body) if header_length is None else header_length :])
    measurements = _measurements(request.inputs, contents)
    if len(measurements) > max_rows:
        raise TooManyRows(f"{len(measurements):,} rows are more than the {max_rows:,} that one request may hold.")
    if wrong := wrong_values(measurements):
        raise InvalidMeasurements(partial(_wrong_value, measurements, row, column) for row, column in wrong)
    return request, measurements


def _decode(document: bytes) -> InferenceRequest:
    try:
        return _decoder.decode(document)
    except RecursionError as error:
        raise MalformedDocument("The request is nested too deeply to be read.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedDocument(f"This is no inference request: {error}.") from error


def _contents(inputs: Sequence[Input], binary: memoryview) -> list[Floats]:
    """Return the values of each tensor, in its shape; where they are not JSON, they follow each other in ``binary``."""
    contents, start = [], 0
    for tensor in inputs:
        size = tensor.parameters.binary_data_size if tensor.parameters else None
        if size is None:
            contents.append(_from_json(tensor))
        else:
            contents.append(_from_bytes(tensor, size, binary[start : start + max(size, 0)]))
            start += size
    if start != len(binary):
        raise MalformedDocument(f"The tensors take {start} bytes behind the JSON, and there are {len(binary)}.")
    return contents


def _from_bytes(tensor: Input, size: int, content: memoryview) -> Floats:
    dtype = np.dtype(_dtype(tensor))
    expected = _elements(tensor) * dtype.itemsize
    if size != expected:
        raise MalformedDocument(
            f"Tensor {tensor.name} of shape {tensor.shape} and datatype {tensor.datatype} takes {expected} bytes, "
            f"and its binary_data_size is {size}."
        )
    if len(content) != size:
        raise MalformedDocument(f"Tensor {tensor.name} is said to have {size} bytes, and {len(content)} came.")
    return np.frombuffer(content, dtype).astype(np.float64).reshape(tensor.shape)


def _from_json(tensor: Input) -> Floats:
    """Read data that are flat, or nested as the shape is."""
    integers, elements = not _dtype(tensor).startswith("<f"), _elements(tensor)
    nested = NESTED.match(tensor.data) is not None
    try:
        rows: list[Any] = msgspec.json.decode(tensor.data, type=list[list[float]] if nested else list[float])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedDocument(f"The data of tensor {tensor.name} are not {tensor.datatype}: {error}.") from error
    if nested and [len(rows), *set(map(len, rows))] != tensor.shape:
        raise MalformedDocument(f"The data of tensor {tensor.name} are not nested as its shape {tensor.shape} says.")
    values: Floats = np.fromiter(chain.from_iterable(rows) if nested else rows, np.float64)
    if len(values) != elements:
        raise MalformedDocument(
            f"Tensor {tensor.name} of shape {tensor.shape} has {len(values)} values, not {elements}."
        )
    if integers and not np.array_equal(values, np.floor(values)):
        raise MalformedDocument(f"The data of tensor {tensor.name} are not {tensor.datatype}: they have fractions.")
    return values.reshape(tensor.shape)


def _dtype(tensor: Input) -> str:
    if tensor.datatype not in DTYPES:
        known = ", ".join(DTYPES)
        raise MalformedDocument(
            f"Tensor {tensor.name} cannot have the datatype {tensor.datatype}; take one of {known}."
        )
    return DTYPES[tensor.datatype]


def _elements(tensor: Input) -> int:
    if len(tensor.shape) not in {1, 2} or min(tensor.shape) < 0:
        raise MalformedDocument(f"Tensor {tensor.name} cannot have the shape {tensor.shape}.")
    return math.prod(tensor.shape)


def _measurements(inputs: Sequence[Input], contents: Sequence[Floats]) -> Floats:
    """Make one array of shape (n, 4) of the one tensor of that shape, or of a tensor for each feature."""
    if len(inputs) == 1:
        (matrix,) = contents
        if matrix.shape[1:] == (len(FEATURES),):
            return matrix
    elif sorted(tensor.name for tensor in inputs) == sorted(FEATURES_BY_NAME):
        columns = {tensor.name: content for tensor, content in zip(inputs, contents, strict=True)}
        if all(content.size == len(content) for content in contents) and len(set(map(len, contents))) == 1:
            return np.column_stack([columns[name] for name in FEATURES_BY_NAME])
    sent = ", ".join(f"{tensor.name} {tensor.shape}" for tensor in inputs) or "nothing"
    raise MalformedDocument(
        f"Send one tensor of shape [n, {len(FEATURES)}], or {len(FEATURES)} of shape [n] or [n, 1] that are named "
        f"{', '.join(FEATURES_BY_NAME)}; this was {sent}."
    )


def _wrong_value(measurements: Floats, row: int, column: int) -> InvalidValue:
    return InvalidValue(f"Row {row}: {FEATURES[column].complaint(float(measurements[row, column]))}")
