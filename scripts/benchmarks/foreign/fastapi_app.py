"""FastAPI, as its documentation has it: a pydantic model in, a dict out, and ``def`` for what computes."""

import json
import os
from pathlib import Path

import joblib
import pandas as pd
from fastapi import FastAPI
from pydantic import create_model

MODEL = Path(os.environ["BENCHMARK_MODEL"])
MODEL_DATA = json.loads((MODEL / "model.json").read_text())
TYPES = {"number": float, "integer": int, "boolean": bool, "category": str}

Row = create_model("Row", **{name: (TYPES[kind], ...) for name, kind in MODEL_DATA["kinds"].items()})
pipeline = joblib.load(MODEL / "model.joblib")
app = FastAPI()


@app.post("/classify")
def classify(row: Row) -> dict:
    """Classify one row."""
    return _classify([row])[0]


@app.post("/classify/many")
def classify_many(rows: list[Row]) -> list:
    """Classify many rows."""
    return _classify(rows)


def _classify(rows: list[Row]) -> list[dict]:
    if MODEL_DATA["is_frame"]:
        table = pd.DataFrame([row.model_dump() for row in rows])
    else:
        table = [[getattr(row, name) for name in MODEL_DATA["kinds"]] for row in rows]
    return [
        {
            "class": MODEL_DATA["classes"][probabilities.argmax()],
            "probabilities": dict(zip(MODEL_DATA["classes"], probabilities.tolist(), strict=True)),
        }
        for probabilities in pipeline.predict_proba(table)
    ]
