"""Read an inference request, and the rows in its tensors."""

from collections.abc import Callable, Sequence
from functools import partial

import msgspec
import numpy as np

from iris_app.codecs import bounds, json_constants, json_errors
from iris_app.codecs.names import check_size, find_features, list_features, list_names, match_names
from iris_app.exceptions import InvalidValue, InvalidValues, MalformedDocument, TooManyRows
from iris_app.inference_protocol.tensors import AcceptedDatatypes, Input, Values, encode, read_values
from iris_app.schema import MISSING, Feature, Floats, Schema

# The wrong tensors that an error names.
TENSORS_NAMED = 10

# Return the place of a value for an error message, and the value as it was sent, by its row and column.
Locate = Callable[[int, int], tuple[str, object]]


class OutputParameters(msgspec.Struct, frozen=True):
    """The parameters of a requested output: binary after the JSON, or in JSON; the others are not supported."""

    binary_data: bool | None = None
    classification: int | None = None
    shared_memory_region: str | None = None


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


_decoder = msgspec.json.Decoder(InferenceRequest)


def read(schema: Schema, body: bytes, header_length: int | None, max_rows: int) -> tuple[InferenceRequest, Floats]:
    """Read a request and the rows in its tensors.

    Parameters
    ----------
    schema : Schema
        The schema of the model.
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
        If a value is missing, unknown or out of bounds.
    """
    if header_length is not None and header_length > len(body):
        raise MalformedDocument(f"The JSON is said to have {header_length} bytes, and the body has {len(body)}.")
    document = body[:header_length]
    bounds.check_json(schema, document, max_rows)
    request, document = json_constants.decode(_decoder, document, "inference request")
    known = _count_members(request)
    if document.count(b":") != known and (name := json_errors.find_repeated(document, known)):
        raise MalformedDocument(f"{name} is given more than once.")
    contents = _contents(request.inputs, memoryview(body)[len(body) if header_length is None else header_length :])
    return request, _read_rows(schema, request.inputs, contents, max_rows)


def _count_members(request: InferenceRequest) -> int:
    """Count the known members of a request, each once."""
    objects: list[InferenceRequest | Input | RequestedOutput] = [request, *request.inputs, *(request.outputs or ())]
    with_parameters = [*objects, *(item.parameters for item in objects if item.parameters)]
    return sum(
        value is not None and not (isinstance(value, msgspec.Raw) and not value)
        for item in with_parameters
        for value in msgspec.structs.astuple(item)
    )


def _contents(inputs: Sequence[Input], binary: memoryview) -> list[memoryview | None]:
    """Return the bytes of each tensor, which follow each other in ``binary``, or None for one in JSON."""
    contents: list[memoryview | None] = []
    start = 0
    for tensor in inputs:
        size = tensor.binary_size
        content = None if size is None else binary[start : start + max(size, 0)]
        if content is not None and len(content) != size:
            raise MalformedDocument(f"{tensor.title} is said to have {size} bytes, and {len(content)} came.")
        contents.append(content)
        start += size or 0
    if start != len(binary):
        raise MalformedDocument(f"The tensors take {start} bytes behind the JSON, and there are {len(binary)}.")
    return contents


def _read_rows(schema: Schema, inputs: Sequence[Input], contents: Sequence[memoryview | None], max_rows: int) -> Floats:
    """Return the rows in one tensor of all features, or in one per feature; other tensors are passed over."""
    names = [tensor.name if _is_column(tensor) else "" for tensor in inputs]
    check_size(names, "tensor")
    match = match_names(schema, names)
    found = match.indices
    is_named = bool(match.misspelt) or any(index is not None for index in found)
    if not is_named and (matrix := _find_matrix(schema, inputs)) is not None:
        _count_rows([inputs[matrix]], max_rows)
        return _read_matrix(schema, inputs[matrix], contents[matrix])
    if match.repeated or match.misspelt:
        found = find_features(schema, names, "tensor")  # which says so
    _check_found(schema, found)
    count = _count_rows([inputs[index] for index in found if index is not None], max_rows)
    columns = [None if index is None else (inputs[index], contents[index]) for index in found]
    return _read_columns(schema, columns, count)


def _is_column(tensor: Input) -> bool:
    """Check whether a tensor has the shape [n] or [n, 1]."""
    return len(tensor.shape) > 0 and tensor.shape[0] >= 0 and tensor.shape[1:] in ([], [1])


def _find_matrix(schema: Schema, inputs: Sequence[Input]) -> int | None:
    """Return the index of the only tensor of shape [n, features], if the model takes one."""
    width = len(schema.features)
    shaped = [
        index
        for index, tensor in enumerate(inputs)
        if len(tensor.shape) == 2 and tensor.shape[0] >= 0 and tensor.shape[1] == width
    ]
    return shaped[0] if len(shaped) == 1 and schema.derive(AcceptedDatatypes).of_matrix else None


def _check_found(schema: Schema, found: Sequence[int | None]) -> None:
    """Raise ``MalformedDocument`` if a required feature has no tensor, or if none has."""
    absent = [
        feature.name
        for feature, index in zip(schema.features, found, strict=True)
        if index is None and not feature.optional
    ]
    is_found = any(index is not None for index in found)
    if is_found and not absent:
        return
    missing = f"There is no tensor {list_names(absent)}. " if is_found else ""
    matrix = f"of shape [n, {len(found)}], or one " if schema.derive(AcceptedDatatypes).of_matrix else ""
    raise MalformedDocument(
        f"{missing}Send one tensor {matrix}of shape [n] or [n, 1] for each of {list_features(schema)}."
    )


def _count_rows(tensors: Sequence[Input], max_rows: int) -> int:
    """Return the first size of tensors, which must have the same."""
    counts = {tensor.shape[0] for tensor in tensors}
    if max(counts) > max_rows:
        raise TooManyRows(f"There are more rows than the {max_rows:,} that one request may hold.")
    if len(counts) > 1:
        numbers = list_names(list(map(str, sorted(counts))))
        raise MalformedDocument(f"The tensors of the features have different numbers of rows: {numbers}.")
    return counts.pop()


def _read_matrix(schema: Schema, tensor: Input, content: memoryview | None) -> Floats:
    values = read_values(tensor, content, schema.derive(AcceptedDatatypes).of_matrix)
    rows: Floats = np.asarray(values, np.float64).reshape(-1, len(schema.features))
    _check_rows(schema, rows, lambda row, column: (f"Row {row}", float(rows[row, column])))
    return rows


def _read_columns(schema: Schema, columns: Sequence[tuple[Input, memoryview | None] | None], count: int) -> Floats:
    """Return the rows in tensors, one per feature, or None if all of its values are missing."""
    sent = _read_each(schema, columns, count)
    titles = ["" if column is None else column[0].title for column in columns]
    rows = np.column_stack([encode(feature, values) for feature, values in zip(schema.features, sent, strict=True)])
    _check_rows(schema, rows, lambda row, column: (f"{titles[column]}, row {row}", _plain(sent[column][row])))
    return rows


def _read_each(schema: Schema, columns: Sequence[tuple[Input, memoryview | None] | None], count: int) -> list[Values]:
    """Return the values of each tensor, or raise ``MalformedDocument`` with what is wrong with any of them."""
    sent: list[Values] = []
    errors: list[str] = []
    for column, datatypes in zip(columns, schema.derive(AcceptedDatatypes).of_features, strict=True):
        try:
            sent.append(np.full(count, MISSING) if column is None else read_values(*column, datatypes))
        except MalformedDocument as error:
            errors.append(str(error))
    if errors:
        more = f" {len(errors) - TENSORS_NAMED} more tensors are wrong." if len(errors) > TENSORS_NAMED else ""
        raise MalformedDocument(" ".join(errors[:TENSORS_NAMED]) + more)
    return sent


def _plain(value: str | float | None) -> object:
    return float(value) if isinstance(value, float) else value  # NumPy's numbers are floats


def _check_rows(schema: Schema, rows: Floats, locate: Locate) -> None:
    """Raise ``InvalidValues`` if values are not accepted."""
    if invalid := schema.find_out_of_bounds(rows):
        factories = (partial(_invalid_value, schema.features[column], locate, row, column) for row, column in invalid)
        raise InvalidValues(factories, len(invalid))


def _invalid_value(feature: Feature, locate: Locate, row: int, column: int) -> InvalidValue:
    place, value = locate(row, column)
    return InvalidValue(f"{place}: {_describe_error(feature, value)}", column=feature.name)


def _describe_error(feature: Feature, value: object) -> str | None:
    if value is None or value != value:
        return f"{feature.label} must be {feature.expected}, and is missing: null or NaN."
    return feature.validate_text(value) if isinstance(value, str) else feature.validate(value)
