"""BentoML, as its documentation has it: a class that is a service."""

import json
import os
from pathlib import Path

import bentoml
import joblib
import numpy as np
import pandas as pd

MODEL = Path(os.environ["BENCHMARK_MODEL"])
Rows = pd.DataFrame if json.loads((MODEL / "model.json").read_text())["is_frame"] else np.ndarray


@bentoml.service(workers=1)
class Classifier:
    """Classify rows."""

    def __init__(self) -> None:
        self.pipeline = joblib.load(MODEL / "model.joblib")

    @bentoml.api
    def classify(self, rows: Rows) -> np.ndarray:
        """Return the probabilities of rows."""
        return self.pipeline.predict_proba(rows)
