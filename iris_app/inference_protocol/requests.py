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

from iris_app.codecs import bounds, json_errors
from iris_app.exceptions import InvalidValue, InvalidValues, MalformedDocument, TooManyRows
from iris_app.formatting import truncate
from iris_app.iris import SCHEMA

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

    @property
    def title(self) -> str:
        """Name the tensor as an error repeats it."""
        return f"Tensor {truncate(self.name)}"


class OutputParameters(msgspec.Struct, frozen=True):
    """How a tensor shall go: as bytes after the JSON, or as JSON."""

    binary_data: bool | None = None


class RequestedOutput(msgspec.Struct, frozen=True):
    """A tensor that shall go."""

    name: str
    parameters: OutputParameters | None = None


class RequestParameters(msgspec.Struct, frozen=True):
    """How the tensors shall go that do not say it for themselves."""

    binary_data_output: bool | None = None


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
        ``SCHEMA.features`` in their order and units.

    Raises
    ------
    MalformedDocument
        Where it is no inference request, or its tensors are not what they say or not what the model takes.
    TooManyRows
        Where there are more rows than ``max_rows``.
    InvalidValues
        Where a value is out of bounds.
    """
    if header_length is not None and header_length > len(body):
        raise MalformedDocument(f"The JSON is said to have {header_length} bytes, and the body has {len(body)}.")
    document = body[:header_length]
    bounds.check_json(document, max_rows)
    request = _decode(document)
    known = _count_members(request)
    if document.count(b":") != known and (name := json_errors.find_repeated(document, known)):
        raise MalformedDocument(f"{name} is given more than once.")
    rows = _count_rows(request.inputs, max_rows)
    contents = _contents(request.inputs, memoryview(body)[len(body) if header_length is None else header_length :])
    measurements = _measurements(request.inputs, contents, rows)
    if wrong := SCHEMA.find_out_of_bounds(measurements):
        raise InvalidValues(partial(_wrong_value, measurements, row, column) for row, column in wrong)
    return request, measurements


def _decode(document: bytes) -> InferenceRequest:
    try:
        return _decoder.decode(document)
    except RecursionError as error:
        raise MalformedDocument("The request is nested too deeply to be read.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedDocument(f"This is no inference request: {error}.") from error


def _count_members(request: InferenceRequest) -> int:
    """Count the members of a request that the protocol knows, each once."""
    tensors: list[InferenceRequest | Input | RequestedOutput] = [request, *request.inputs, *(request.outputs or ())]
    given = [*tensors, *(one.parameters for one in tensors if one.parameters)]
    return sum(
        value is not None and not (isinstance(value, msgspec.Raw) and not value)
        for one in given
        for value in msgspec.structs.astuple(one)
    )


def _contents(inputs: Sequence[Input], binary: memoryview) -> list[Floats]:
    """Return the values of each tensor; where they are not JSON, they follow each other in ``binary``."""
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
    expected = math.prod(tensor.shape) * dtype.itemsize
    if size != expected:
        raise MalformedDocument(
            f"{tensor.title} of shape {tensor.shape} and datatype {tensor.datatype} takes {expected} bytes, "
            f"and its binary_data_size is {size}."
        )
    if len(content) != size:
        raise MalformedDocument(f"{tensor.title} is said to have {size} bytes, and {len(content)} came.")
    return np.frombuffer(content, dtype).astype(np.float64, copy=False)


def _from_json(tensor: Input) -> Floats:
    """Read data that are flat, or nested as the shape is."""
    integers, elements = not _dtype(tensor).startswith("<f"), math.prod(tensor.shape)
    if not tensor.data:
        raise MalformedDocument(f"{tensor.title} has no data, as JSON or as bytes.")
    nested = NESTED.match(tensor.data) is not None
    try:
        rows: list[Any] = msgspec.json.decode(tensor.data, type=list[list[float]] if nested else list[float])
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedDocument(f"{tensor.title} does not hold {tensor.datatype}: {error}.") from error
    if nested and [len(rows), *set(map(len, rows))] != tensor.shape:
        raise MalformedDocument(f"{tensor.title} is not nested as its shape {tensor.shape} says.")
    values: Floats = np.fromiter(chain.from_iterable(rows) if nested else rows, np.float64)
    if len(values) != elements:
        raise MalformedDocument(f"{tensor.title} of shape {tensor.shape} has {len(values)} values, not {elements}.")
    if integers and not np.array_equal(values, np.floor(values)):
        raise MalformedDocument(f"{tensor.title} does not hold {tensor.datatype} but fractions.")
    return values


def _dtype(tensor: Input) -> str:
    if tensor.datatype not in DTYPES:
        known = ", ".join(DTYPES)
        raise MalformedDocument(
            f"{tensor.title} cannot have the datatype {truncate(tensor.datatype)}; take one of {known}."
        )
    return DTYPES[tensor.datatype]


def _count_rows(inputs: Sequence[Input], max_rows: int) -> int:
    """Return n, where the tensors are one of shape [n, features] or one for each feature, of shape [n] or [n, 1]."""
    shapes = [tensor.shape for tensor in inputs]
    named = sorted(tensor.name for tensor in inputs) == sorted(SCHEMA.features_by_name)
    rows = {shape[0] for shape in shapes if shape}
    matrix = len(inputs) == 1 and shapes[0][1:] == [len(SCHEMA.features)]
    columns = named and all(shape[1:] in ([], [1]) for shape in shapes)
    if len(rows) != 1 or min(rows) < 0 or not all(shapes) or not (matrix or columns):
        raise MalformedDocument(
            f"Send one tensor of shape [n, {len(SCHEMA.features)}], or {len(SCHEMA.features)} of shape [n] or [n, 1] "
            f"that are named {', '.join(SCHEMA.features_by_name)}."
        )
    (count,) = rows
    if count > max_rows:
        raise TooManyRows(f"There are more rows than the {max_rows:,} that one request may hold.")
    return count


def _measurements(inputs: Sequence[Input], contents: Sequence[Floats], rows: int) -> Floats:
    """Make one array of shape (n, features) of tensors that were counted."""
    if len(inputs) == 1:
        return contents[0].reshape(rows, len(SCHEMA.features))
    columns = {tensor.name: content for tensor, content in zip(inputs, contents, strict=True)}
    return np.column_stack([columns[name].reshape(rows) for name in SCHEMA.features_by_name])


def _wrong_value(measurements: Floats, row: int, column: int) -> InvalidValue:
    return InvalidValue(f"Row {row}: {SCHEMA.features[column].validate(float(measurements[row, column]))}")
