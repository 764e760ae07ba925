"""A naive Flask view over ``predict_proba``."""

import json
import os
from pathlib import Path

import joblib
import pandas as pd
from flask import Flask, Response, jsonify, request

MODEL = Path(os.environ["BENCHMARK_MODEL"])
MODEL_DATA = json.loads((MODEL / "model.json").read_text())
NAMES = list(MODEL_DATA["kinds"])

app = Flask(__name__)
pipeline = joblib.load(MODEL / "model.joblib")


@app.post("/classify")
def classify() -> Response:
    """Classify one row or many."""
    document = request.get_json()
    rows = document if isinstance(document, list) else [document]
    table = pd.DataFrame(rows) if MODEL_DATA["is_frame"] else [[row[name] for name in NAMES] for row in rows]
    answers = [
        {
            "class": MODEL_DATA["classes"][probabilities.argmax()],
            "probabilities": dict(zip(MODEL_DATA["classes"], probabilities.tolist(), strict=True)),
        }
        for probabilities in pipeline.predict_proba(table)
    ]
    return jsonify(answers if isinstance(document, list) else answers[0])
