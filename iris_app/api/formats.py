"""The forms in which measurements come and answers go, by their media types."""

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

import msgspec
import numpy as np
from numpy.typing import NDArray

from iris_app.codecs import csv_rows, json_rows
from iris_app.codecs.csv_rows import Table
from iris_app.json_types import Prediction
from iris_app.web.api_response import JSON, encoder

CSV = "text/csv"
NDJSON = "application/x-ndjson"

Blocks = Iterable[list[Prediction]]


class Batch(NamedTuple):
    """Measurements of shape (n, 4), whether they came as a single object, and the table that they came in."""

    measurements: NDArray[np.float64]
    one: bool = False
    table: Table | None = None


class PredictionResponse(Prediction, frozen=True, gc=False, kw_only=True):
    """The answer to one measurement: a prediction, and the version of the model that made it."""

    model: str


class BatchResponse(msgspec.Struct, frozen=True):
    """The answers to an array of measurements, in its order, and the version of the model that made them."""

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
    """Yield the text of ``Answers``, block by block, each without its brackets."""
    if batch.one:
        ((prediction,),) = blocks
        yield encoder.encode(_to_response(prediction, model))
        return
    none = encoder.encode(BatchResponse(model, []))
    yield none[:-2]
    for number, block in enumerate(blocks):
        if number:
            yield b","
        yield encoder.encode(block)[1:-1]
    yield none[-2:]


def _write_csv(batch: Batch, blocks: Blocks, _model: str) -> Iterator[bytes]:
    table = batch.table or csv_rows.table_of(batch.measurements)
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
