"""FastAPI, as its documentation has it: a pydantic model in, a dict out, and ``def`` for what computes."""

import json
import os
from pathlib import Path

import joblib
from fastapi import FastAPI
from pydantic import create_model

MODEL = Path(os.environ["BENCHMARK_MODEL"])
TOLD = json.loads((MODEL / "folded.json").read_text())

Flower = create_model("Flower", **dict.fromkeys(TOLD["features"], (float, ...)))
pipeline = joblib.load(MODEL / "model.joblib")
app = FastAPI()


@app.post("/classify")
def classify(flower: Flower) -> dict:
    """Classify one flower."""
    return _classify([flower])[0]


@app.post("/classify/many")
def classify_many(flowers: list[Flower]) -> list:
    """Classify many flowers."""
    return _classify(flowers)


def _classify(flowers: list[Flower]) -> list[dict]:
    probabilities = pipeline.predict_proba([[getattr(one, name) for name in TOLD["features"]] for one in flowers])
    return [
        {
            "species": TOLD["species"][row.argmax()],
            "probabilities": dict(zip(TOLD["species"], row.tolist(), strict=True)),
        }
        for row in probabilities
    ]
