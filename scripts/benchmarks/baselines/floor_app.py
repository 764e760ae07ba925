"""A lower bound: a bare WSGI function that decodes JSON, computes and encodes JSON."""

import math
import os
from collections.abc import Callable, Iterable, Sequence
from itertools import chain
from operator import mul
from pathlib import Path
from types import GenericAlias
from typing import Any

import msgspec
import numpy as np

MODEL_DATA: dict[str, Any] = msgspec.json.decode((Path(os.environ["BENCHMARK_MODEL"]) / "model.json").read_bytes())
WEIGHTS = list(zip(MODEL_DATA["weights"], MODEL_DATA["intercepts"], strict=True))
TRANSPOSED, INTERCEPTS = np.array(MODEL_DATA["weights"]).T, np.array(MODEL_DATA["intercepts"])
CLASSES = MODEL_DATA["classes"]

Flower: Any = msgspec.defstruct("Flower", [(name, float) for name in MODEL_DATA["kinds"]], gc=False)
Probabilities = msgspec.defstruct("Probabilities", [(name, float) for name in CLASSES], gc=False)
Answer = msgspec.defstruct("Answer", [("species", str), ("probabilities", Probabilities)], gc=False)

decode = msgspec.json.Decoder(Flower | GenericAlias(list, (Flower,))).decode
encode = msgspec.json.Encoder().encode


def app(environ: dict[str, Any], start_response: Callable[..., object]) -> Iterable[bytes]:
    """Classify one flower or many."""
    flowers = decode(environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])))
    body = encode(_many(flowers) if isinstance(flowers, list) else _one(flowers))
    start_response("200 OK", [("Content-Type", "application/json"), ("Content-Length", str(len(body)))])
    return [body]


def _one(flower: Any) -> Any:
    values = msgspec.structs.astuple(flower)
    scores = [sum(map(mul, row, values), intercept) for row, intercept in WEIGHTS]
    odds = list(map(math.exp, scores))
    total = sum(odds)
    return Answer(CLASSES[odds.index(max(odds))], Probabilities(*(odd / total for odd in odds)))


def _many(flowers: Sequence[Any]) -> list[Any]:
    values = np.fromiter(
        chain.from_iterable(map(msgspec.structs.astuple, flowers)), float, TRANSPOSED.shape[0] * len(flowers)
    )
    scores = values.reshape(len(flowers), -1) @ TRANSPOSED + INTERCEPTS
    odds = np.exp(scores - scores.max(axis=1, keepdims=True))
    probabilities = odds / odds.sum(axis=1, keepdims=True)
    species = map(CLASSES.__getitem__, probabilities.argmax(axis=1).tolist())
    return list(map(Answer, species, map(Probabilities, *probabilities.T.tolist())))
