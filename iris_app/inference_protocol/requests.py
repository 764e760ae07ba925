"""Read the tensors of an inference request, in JSON or binary, as rows."""

import math
import re
from collections.abc import Sequence
from functools import partial
from itertools import chain
from typing import Any

import msgspec
import numpy as np

from iris_app.codecs import bounds, json_errors
from iris_app.exceptions import InvalidValue, InvalidValues, MalformedDocument, TooManyRows
from iris_app.formatting import truncate
from iris_app.iris import SCHEMA
from iris_app.schema import Floats

DTYPES = {
    "FP32": "<f4",
    "FP64": "<f8",
    **{f"INT{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
}


class InputParameters(msgspec.Struct, frozen=True):
    """The parameters of an input tensor: its number of bytes after the JSON, unless it is in JSON."""

    binary_data_size: int | None = None


class Input(msgspec.Struct, frozen=True):
    """An input tensor."""

    name: str
    shape: list[int]
    datatype: str
    data: msgspec.Raw = msgspec.Raw()
    parameters: InputParameters | None = None

    @property
    def title(self) -> str:
        """The name of the tensor for an error message."""
        return f"Tensor {truncate(self.name)}"


class OutputParameters(msgspec.Struct, frozen=True):
    """The parameters of a requested output: binary after the JSON, or in JSON."""

    binary_data: bool | None = None


class RequestedOutput(msgspec.Struct, frozen=True):
    """A requested output tensor."""

    name: str
    parameters: OutputParameters | None = None


class RequestParameters(msgspec.Struct, frozen=True):
    """The parameters of a request: the default of ``binary_data`` for its outputs."""

    binary_data_output: bool | None = None


class InferenceRequest(msgspec.Struct, frozen=True):
    """A request for inference; unknown members are ignored."""

    inputs: list[Input]
    id: str | None = None
    outputs: list[RequestedOutput] | None = None
    parameters: RequestParameters | None = None


NESTED = re.compile(rb"\A\s*\[\s*\[")

_decoder = msgspec.json.Decoder(InferenceRequest)


def read(body: bytes, header_length: int | None, max_rows: int) -> tuple[InferenceRequest, Floats]:
    """Read a request and the rows in its tensors.

    Parameters
    ----------
    body : bytes
        JSON, followed by the bytes of binary tensors.
    header_length : int, optional
        The length of the JSON, if binary tensors follow.
    max_rows : int
        The maximum number of rows.

    Returns
    -------
    request : InferenceRequest
    rows : ndarray of shape (n, features), float64
        The schema's features, in their order and units.

    Raises
    ------
    MalformedDocument
        If it is not an inference request, or its tensors do not match their shapes or the model's inputs.
    TooManyRows
        If there are more rows than ``max_rows``.
    InvalidValues
        If a value is out of bounds.
    """
    if header_length is not None and header_length > len(body):
        raise MalformedDocument(f"The JSON is said to have {header_length} bytes, and the body has {len(body)}.")
    document = body[:header_length]
    bounds.check_json(document, max_rows)
    request = _decode(document)
    known = _count_members(request)
    if document.count(b":") != known and (name := json_errors.find_repeated(document, known)):
        raise MalformedDocument(f"{name} is given more than once.")
    count = _count_rows(request.inputs, max_rows)
    contents = _contents(request.inputs, memoryview(body)[len(body) if header_length is None else header_length :])
    rows = _to_rows(request.inputs, contents, count)
    if invalid := SCHEMA.find_out_of_bounds(rows):
        raise InvalidValues(partial(_invalid_value, rows, row, column) for row, column in invalid)
    return request, rows


def _decode(document: bytes) -> InferenceRequest:
    try:
        return _decoder.decode(document)
    except RecursionError as error:
        raise MalformedDocument("The request is nested too deeply to be read.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise MalformedDocument(f"This is no inference request: {error}.") from error


def _count_members(request: InferenceRequest) -> int:
    """Count the known members of a request, each once."""
    objects: list[InferenceRequest | Input | RequestedOutput] = [request, *request.inputs, *(request.outputs or ())]
    with_parameters = [*objects, *(item.parameters for item in objects if item.parameters)]
    return sum(
        value is not None and not (isinstance(value, msgspec.Raw) and not value)
        for item in with_parameters
        for value in msgspec.structs.astuple(item)
    )


def _contents(inputs: Sequence[Input], binary: memoryview) -> list[Floats]:
    """Return the values of each tensor; those that are not in JSON follow each other in ``binary``."""
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
    """Return the values of a tensor in JSON, flat or nested by its shape."""
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
    """Return n of one tensor of shape [n, features], or of one per feature of shape [n] or [n, 1]."""
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


def _to_rows(inputs: Sequence[Input], contents: Sequence[Floats], count: int) -> Floats:
    """Return the values of the tensors as an array of shape (count, features)."""
    if len(inputs) == 1:
        return contents[0].reshape(count, len(SCHEMA.features))
    columns = {tensor.name: content for tensor, content in zip(inputs, contents, strict=True)}
    return np.column_stack([columns[name].reshape(count) for name in SCHEMA.features_by_name])


def _invalid_value(rows: Floats, row: int, column: int) -> InvalidValue:
    return InvalidValue(f"Row {row}: {SCHEMA.features[column].validate(float(rows[row, column]))}")
