"""FastAPI, as its documentation has it: a pydantic model in, a dict out, and ``def`` for what computes."""

import json
import os
from pathlib import Path

import joblib
from fastapi import FastAPI
from pydantic import create_model

MODEL = Path(os.environ["BENCHMARK_MODEL"])
MODEL_DATA = json.loads((MODEL / "folded.json").read_text())

Flower = create_model("Flower", **dict.fromkeys(MODEL_DATA["features"], (float, ...)))
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
    probabilities = pipeline.predict_proba([[getattr(one, name) for name in MODEL_DATA["features"]] for one in flowers])
    return [
        {
            "species": MODEL_DATA["species"][row.argmax()],
            "probabilities": dict(zip(MODEL_DATA["species"], row.tolist(), strict=True)),
        }
        for row in probabilities
    ]
