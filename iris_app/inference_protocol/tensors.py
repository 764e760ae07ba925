"""The values of input tensors, in JSON or binary."""

import math
import re
from collections.abc import Collection, Iterable
from itertools import chain
from typing import Any, TypeAlias

import msgspec
import numpy as np

from iris_app.codecs import json_errors
from iris_app.exceptions import MalformedDocument
from iris_app.formatting import truncate
from iris_app.schema import Feature, Floats, Schema

# The values of a tensor: numbers, NaN where they are missing, or texts.
Values: TypeAlias = Floats | list[str | None]

NUMBERS = {
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
    **{f"INT{bits}": f"<i{bits // 8}" for bits in (8, 16, 32, 64)},
    **{f"UINT{bits}": f"<u{bits // 8}" for bits in (8, 16, 32, 64)},
}

DTYPES = NUMBERS | {"BOOL": "u1"}

# The datatype of each kind of feature.
DATATYPES = {"number": "FP64", "integer": "INT64", "boolean": "BOOL", "category": "BYTES"}

# Bytes of the length before each text.
LENGTH_SIZE = 4

NESTED = re.compile(rb"\A\s*\[\s*\[")


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

    @property
    def binary_size(self) -> int | None:
        """The number of bytes after the JSON, or None if the values are in JSON."""
        return self.parameters.binary_data_size if self.parameters else None


class AcceptedDatatypes:
    """The datatypes that tensors may have; ``schema.derive(AcceptedDatatypes)`` makes them once.

    Attributes
    ----------
    of_features : list of tuple of str
        The datatypes of each feature's own tensor.
    of_matrix : tuple of str
        The datatypes of one tensor of all features; empty if one of them is a category.
    """

    def __init__(self, schema: Schema) -> None:
        self.of_features = [_accepted_datatypes(feature) for feature in schema.features]
        has_category = any(feature.kind == "category" for feature in schema.features)
        common = [name for name in DTYPES if all(name in names for names in self.of_features)]
        self.of_matrix = () if has_category else tuple(common)


def _accepted_datatypes(feature: Feature) -> tuple[str, ...]:
    match feature.kind:
        case "boolean":
            return tuple(DTYPES)
        case "category":
            return ("BYTES", *(NUMBERS if feature.whole_numbers else ()))
    return tuple(NUMBERS)


def read_values(tensor: Input, content: memoryview | None, accepted: Collection[str]) -> Values:
    """Return the values of a tensor.

    Parameters
    ----------
    tensor : Input
    content : memoryview or None
        The bytes of the tensor, or None if its values are in JSON.
    accepted : collection of str
        The datatypes that it may have.

    Raises
    ------
    MalformedDocument
        If it has another datatype, or if its values do not match its datatype and shape.
    """
    if tensor.datatype not in accepted:
        raise MalformedDocument(
            f"{tensor.title} cannot have the datatype {truncate(tensor.datatype)}; take one of {', '.join(accepted)}."
        )
    if content is None:
        return _from_json(tensor)
    return _texts(tensor, content) if tensor.datatype == "BYTES" else _numbers(tensor, content)


def encode(feature: Feature, values: Values) -> Floats:
    """Return the values of a feature's tensor as rows encode them."""
    if feature.kind != "category":
        return np.asarray(values, np.float64)
    sent = values if isinstance(values, list) else values.tolist()
    codes = {
        value: feature.read_text(value) if isinstance(value, str) else feature.encode(value) for value in set(sent)
    }
    return np.fromiter(map(codes.__getitem__, sent), np.float64, len(sent))


def _numbers(tensor: Input, content: memoryview) -> Floats:
    dtype = np.dtype(DTYPES[tensor.datatype])
    expected = math.prod(tensor.shape) * dtype.itemsize
    if len(content) != expected:
        raise MalformedDocument(
            f"{tensor.title} of shape {tensor.shape} and datatype {tensor.datatype} takes {expected} bytes, "
            f"and its binary_data_size is {len(content)}."
        )
    return np.frombuffer(content, dtype).astype(np.float64, copy=False)


def _texts(tensor: Input, content: memoryview) -> list[str | None]:
    """Return texts that each stand behind their length."""
    texts: list[str | None] = []
    start = 0
    for row in range(math.prod(tensor.shape)):
        text_start = start + LENGTH_SIZE
        end = text_start + int.from_bytes(content[start:text_start], "little")
        if end > len(content):
            break
        texts.append(_decode_text(tensor, row, content[text_start:end]))
        start = end
    if len(texts) < math.prod(tensor.shape) or start != len(content):
        raise MalformedDocument(
            f"{tensor.title} of shape {tensor.shape} does not hold {math.prod(tensor.shape)} texts, each behind its "
            f"length in {LENGTH_SIZE} bytes."
        )
    return texts


def _decode_text(tensor: Input, row: int, content: memoryview) -> str:
    try:
        return str(content, "utf-8")
    except UnicodeDecodeError as error:
        raise MalformedDocument(f"{tensor.title}, row {row}: this text is not UTF-8.") from error


def _decoders(element: Any) -> tuple[msgspec.json.Decoder[Any], msgspec.json.Decoder[Any]]:
    """Return decoders of a flat and of a nested list."""
    return msgspec.json.Decoder(list[element | None]), msgspec.json.Decoder(list[list[element | None]])


_number_decoders = _decoders(float)
_other_decoders = {"BOOL": _decoders(bool), "BYTES": _decoders(str)}


def _from_json(tensor: Input) -> Values:
    """Return the values of a tensor in JSON, flat or nested by its shape."""
    if not tensor.data:
        raise MalformedDocument(f"{tensor.title} has no data, as JSON or as bytes.")
    nested = NESTED.match(tensor.data) is not None
    rows = _decode(tensor, _other_decoders.get(tensor.datatype, _number_decoders)[nested])
    if nested and [len(rows), *set(map(len, rows))] != tensor.shape:
        raise MalformedDocument(f"{tensor.title} is not nested as its shape {tensor.shape} says.")
    values = _flatten(tensor, chain.from_iterable(rows) if nested else rows)
    elements = math.prod(tensor.shape)
    if len(values) != elements:
        raise MalformedDocument(f"{tensor.title} of shape {tensor.shape} has {len(values)} values, not {elements}.")
    return values


def _decode(tensor: Input, decoder: msgspec.json.Decoder[Any]) -> Any:
    try:
        return decoder.decode(tensor.data)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        try:
            if tensor.datatype in NUMBERS:  # perhaps beyond all bounds
                return msgspec.convert(json_errors.parse(bytes(tensor.data), tensor.title), decoder.type)
        except msgspec.ValidationError:
            pass
        raise MalformedDocument(f"{tensor.title} does not hold {tensor.datatype}: {error}.") from error


def _flatten(tensor: Input, elements: Iterable[Any]) -> Values:
    if tensor.datatype == "BYTES":
        return list(elements)
    values = np.fromiter(elements, np.float64)  # None becomes NaN
    whole = tensor.datatype in NUMBERS and not tensor.datatype.startswith("FP")
    if whole and not np.array_equal(values, np.floor(values), equal_nan=True):
        raise MalformedDocument(f"{tensor.title} does not hold {tensor.datatype} but fractions.")
    return values
