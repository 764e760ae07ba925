"""A naive Flask view over ``predict_proba``."""

import json
import os
from pathlib import Path

import joblib
from flask import Flask, Response, jsonify, request

MODEL = Path(os.environ["BENCHMARK_MODEL"])
MODEL_DATA = json.loads((MODEL / "folded.json").read_text())

app = Flask(__name__)
pipeline = joblib.load(MODEL / "model.joblib")


@app.post("/classify")
def classify() -> Response:
    """Classify one flower or many."""
    document = request.get_json()
    flowers = document if isinstance(document, list) else [document]
    probabilities = pipeline.predict_proba([[flower[name] for name in MODEL_DATA["features"]] for flower in flowers])
    answers = [
        {
            "species": MODEL_DATA["species"][row.argmax()],
            "probabilities": dict(zip(MODEL_DATA["species"], row.tolist(), strict=True)),
        }
        for row in probabilities
    ]
    return jsonify(answers if isinstance(document, list) else answers[0])
