"""BentoML, as its documentation has it: a class that is a service."""

import os
from pathlib import Path

import bentoml
import joblib
import numpy as np


@bentoml.service(workers=1)
class Iris:
    """Classify flowers."""

    def __init__(self) -> None:
        self.pipeline = joblib.load(Path(os.environ["BENCHMARK_MODEL"]) / "model.joblib")

    @bentoml.api
    def classify(self, measurements: np.ndarray) -> np.ndarray:
        """Classify flowers, a row each."""
        return self.pipeline.predict_proba(measurements)
