"""The readers of rows and the writers of predictions, by media type."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec

from iris_app.codecs import csv_rows, json_rows
from iris_app.codecs.csv_rows import Table
from iris_app.json_types import Prediction
from iris_app.schema import Floats
from iris_app.web.api_response import JSON, encoder

CSV = "text/csv"
NDJSON = "application/x-ndjson"

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


class PredictionResponse(Prediction, frozen=True, gc=False, kw_only=True):
    """The prediction for one row, and the version of the model."""

    model: str


class BatchResponse(msgspec.Struct, frozen=True):
    """The predictions for an array of rows, in its order, and the version of the model."""

    model: str
    predictions: list[Prediction]


def _read_json(body: bytes, max_rows: int) -> Batch:
    return Batch(*json_rows.read(body, max_rows))


def _read_csv(body: bytes, max_rows: int) -> Batch:
    table = csv_rows.read(body, max_rows)
    return Batch(table.measurements, table=table)


def _read_ndjson(body: bytes, max_rows: int) -> Batch:
    return Batch(json_rows.read_lines(body, max_rows))


def _write_json(batch: Batch, blocks: Blocks, model: str) -> Iterator[bytes]:
    """Yield a ``PredictionResponse`` or, block by block, a ``BatchResponse``."""
    if batch.is_single:
        ((prediction,),) = blocks
        yield encoder.encode(_to_response(prediction, model))
        return
    empty = encoder.encode(BatchResponse(model, []))
    yield empty[:-2]
    for index, block in enumerate(blocks):
        if index:
            yield b","
        yield encoder.encode(block)[1:-1]
    yield empty[-2:]


def _write_csv(batch: Batch, blocks: Blocks, _model: str) -> Iterator[bytes]:
    table = batch.table or csv_rows.table_of(batch.rows)
    return map(str.encode, csv_rows.write(table, blocks))


def _write_ndjson(_batch: Batch, blocks: Blocks, model: str) -> Iterator[bytes]:
    return (encoder.encode_lines([_to_response(prediction, model) for prediction in block]) for block in blocks)


def _to_response(prediction: Prediction, model: str) -> PredictionResponse:
    return PredictionResponse(
        prediction.predicted_class, prediction.probabilities, prediction.warnings, prediction.explanation, model=model
    )


READERS: dict[str, Callable[[bytes, int], Batch]] = {JSON: _read_json, CSV: _read_csv, NDJSON: _read_ndjson}
WRITERS: dict[str, Callable[[Batch, Blocks, str], Iterator[bytes]]] = {
    JSON: _write_json,
    CSV: _write_csv,
    NDJSON: _write_ndjson,
}
