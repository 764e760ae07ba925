"""LitServe, as its documentation has it: an API with its four steps."""

import json
import os
import sys
from pathlib import Path

import joblib
import litserve
import pandas as pd

MODEL = Path(os.environ["BENCHMARK_MODEL"])


class Classifier(litserve.LitAPI):
    """Classify rows."""

    def setup(self, device: str) -> None:  # noqa: ARG002 -- the processor is the only one
        """Load the model."""
        self.is_frame = json.loads((MODEL / "model.json").read_text())["is_frame"]
        self.pipeline = joblib.load(MODEL / "model.joblib")

    def decode_request(self, request: dict) -> list:
        """Take the rows out of the document."""
        return request["rows"]

    def predict(self, rows: list) -> list:
        """Classify them."""
        return self.pipeline.predict_proba(pd.DataFrame(rows) if self.is_frame else rows).tolist()

    def encode_response(self, probabilities: list) -> dict:
        """Put the answer into a document."""
        return {"probabilities": probabilities}


if __name__ == "__main__":
    server = litserve.LitServer(Classifier(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False)
