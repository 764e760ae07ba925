"""The CPU time of a request, in this process and without a socket."""

import gc
from collections.abc import Callable, Mapping
from functools import partial
from time import process_time
from types import GenericAlias
from typing import Any

import msgspec
import numpy as np
from flask import Flask

from benchmarks.baselines import flask_app
from benchmarks.production import caller
from benchmarks.requests import Request, binary_tensor, flowers, objects
from benchmarks.rounds import Effort, alternate, ratio
from iris_app.iris import SCHEMA
from iris_app.model_service import get_service

SIZES = (1, 10, 100, 1000, 10_000, 100_000)

Work = Callable[[], object]


def classify(app: Flask, rows: int) -> Work:
    """Return a function that classifies so many rows in JSON."""
    return caller(app, objects("/api/classify", flowers(rows)))


def against_hello(app: Flask, effort: Effort) -> float:
    """Compare the request of one row with a minimal Flask application."""
    return _ratio(effort, classify(app, 1), caller(flask_app.app, Request("/")))


def against_parsing(app: Flask, effort: Effort, rows: int) -> float:
    """Compare a request in JSON with only decoding its body and encoding its response."""
    request = objects("/api/classify", flowers(rows))
    call = caller(app, request)
    return _ratio(effort, call, parsing(request.body, call()))


def against_numpy(app: Flask, effort: Effort, rows: int) -> float:
    """Compare a request of a binary tensor with only computing by the same affine map."""
    model, content = get_service(app).model, flowers(rows).to_numpy().tobytes()

    def compute() -> bytes:
        return model.predict_proba(np.frombuffer(content).reshape(rows, -1)).tobytes()

    return _ratio(effort, caller(app, binary_tensor("/v2/models/iris/infer", flowers(rows))), compute)


def cost_of_a_row(app: Flask, effort: Effort) -> dict[int, list[float]]:
    """Return the seconds per row by the rows of a request, a value per round."""
    taken = compare(effort, {str(rows): classify(app, rows) for rows in SIZES})
    return {rows: [seconds / rows for seconds in taken[str(rows)]] for rows in SIZES}


def compare(effort: Effort, works: Mapping[str, Work]) -> dict[str, list[float]]:
    """Measure pieces of work in turns.

    Returns
    -------
    dict of str to list of float
        The CPU seconds of each, a value per round.
    """
    rounds = {name: partial(_seconds, work, _times_in(work, effort.moment)) for name, work in works.items()}
    return alternate(effort.rounds, rounds)


def parsing(body: bytes, answer: bytes) -> Work:
    """Return a function that decodes a body to structs and encodes a prepared response."""
    flower = _struct("Flower", dict.fromkeys(SCHEMA.features_by_name, float))
    probabilities = _struct("Probabilities", dict.fromkeys(SCHEMA.class_names, float))
    prediction = _struct("Prediction", {"species": str, "probabilities": probabilities, "warnings": tuple})
    answers = _struct("Answers", {"model": str, "predictions": _list(prediction)})
    decode, encode = msgspec.json.Decoder(_list(flower)).decode, msgspec.json.Encoder().encode
    prepared = msgspec.json.decode(answer, type=answers)

    def work() -> bytes:
        decode(body)
        return encode(prepared)

    return work


def _struct(name: str, fields: Mapping[str, Any]) -> Any:
    return msgspec.defstruct(name, fields.items(), gc=False, forbid_unknown_fields=True)


def _list(of: Any) -> Any:
    return GenericAlias(list, (of,))


def _ratio(effort: Effort, work: Work, other: Work) -> float:
    taken = compare(effort, {"work": work, "other": other})
    return ratio(taken["work"], taken["other"])


def _times_in(work: Work, seconds: float) -> int:
    """Return the number of times that work runs within some seconds, at least once."""
    began, times = process_time(), 0
    while not times or process_time() - began < seconds:
        work()
        times += 1
    return times


def _seconds(work: Work, times: int) -> float:
    """Return the mean CPU seconds of work over several runs."""
    gc.collect()  # leave no garbage of the previous measure
    began = process_time()
    for _ in range(times):
        work()
    return (process_time() - began) / times
