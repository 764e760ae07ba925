"""The readers of rows and the writers of predictions, by media type."""

import dataclasses
from collections.abc import Callable, Iterable, Iterator
from types import GenericAlias
from typing import Any, NamedTuple

from iris_app.codecs import csv_rows, orientations
from iris_app.codecs.csv_rows import Table
from iris_app.codecs.json_rows import JsonRows
from iris_app.json_types import JsonTypes, Prediction, define
from iris_app.schema import Floats, Schema
from iris_app.web.api_response import encoder
from iris_app.web.negotiation import CSV, FORMATS, JSON, NDJSON, TSV

Blocks = Iterable[list[Prediction]]


class Batch(NamedTuple):
    """The rows of a body.

    Attributes
    ----------
    rows : ndarray of shape (n, features), float64
    is_single : bool
        Whether the body was a single JSON object.
    table : Table, optional
        The table of a CSV body.
    """

    rows: Floats
    is_single: bool = False
    table: Table | None = None


class ResponseTypes:
    """The types of a schema's JSON answers; ``schema.derive(ResponseTypes)`` makes them once.

    Attributes
    ----------
    PredictionResponse, BatchResponse : type
        Structs for one row and for an array of rows, with the version of the model.
    """

    def __init__(self, schema: Schema) -> None:
        types = schema.derive(JsonTypes)
        self.PredictionResponse = types.define_prediction(
            "PredictionResponse", "The prediction for one row, and the version of the model.", [("model", str)]
        )
        self.BatchResponse = define(
            "BatchResponse",
            [("model", str), ("predictions", GenericAlias(list, (types.Prediction,)))],
            "The predictions for an array of rows, in its order, and the version of the model.",
            {},
        )

    def with_model(self, prediction: Prediction, version: str) -> Any:
        """Return a prediction as a response."""
        return self.PredictionResponse(
            prediction.predicted_class, prediction.probabilities, prediction.warnings, version, prediction.explanation
        )


def _read_json(schema: Schema, body: bytes, max_rows: int, _header: bool | None = None) -> Batch:
    return Batch(*orientations.read(schema, body, max_rows))


def _read_csv(schema: Schema, body: bytes, max_rows: int, header: bool | None = None) -> Batch:
    table = csv_rows.read(schema, body, max_rows, header=header)
    return Batch(table.values, table=table)


def _read_ndjson(schema: Schema, body: bytes, max_rows: int, _header: bool | None = None) -> Batch:
    return Batch(schema.derive(JsonRows).read_lines(body, max_rows))


def write(media_type: str, schema: Schema, batch: Batch, blocks: Blocks, version: str) -> Iterator[bytes]:
    """Yield the parts of an answer of any media type in ``FORMATS``."""
    if media_type == TSV:
        table = batch.table or csv_rows.table_of(schema, batch.rows)
        batch = Batch(batch.rows, batch.is_single, dataclasses.replace(table, delimiter="\t"))
    return WRITERS[FORMATS[media_type]](schema, batch, blocks, version)


def _write_json(schema: Schema, batch: Batch, blocks: Blocks, version: str) -> Iterator[bytes]:
    """Yield a ``PredictionResponse`` or, block by block, a ``BatchResponse``."""
    types = schema.derive(ResponseTypes)
    if batch.is_single:
        ((prediction,),) = blocks
        yield encoder.encode(types.with_model(prediction, version))
        return
    empty = encoder.encode(types.BatchResponse(version, []))
    yield empty[:-2]
    for index, block in enumerate(blocks):
        if index:
            yield b","
        yield encoder.encode(block)[1:-1]
    yield empty[-2:]


def _write_csv(schema: Schema, batch: Batch, blocks: Blocks, _version: str) -> Iterator[bytes]:
    table = batch.table or csv_rows.table_of(schema, batch.rows)
    return map(str.encode, csv_rows.write(schema, table, blocks))


def _write_ndjson(schema: Schema, _batch: Batch, blocks: Blocks, version: str) -> Iterator[bytes]:
    types = schema.derive(ResponseTypes)
    return (encoder.encode_lines([types.with_model(prediction, version) for prediction in block]) for block in blocks)


READERS: dict[str, Callable[..., Batch]] = {JSON: _read_json, CSV: _read_csv, NDJSON: _read_ndjson}
WRITERS: dict[str, Callable[[Schema, Batch, Blocks, str], Iterator[bytes]]] = {
    JSON: _write_json,
    CSV: _write_csv,
    NDJSON: _write_ndjson,
}
