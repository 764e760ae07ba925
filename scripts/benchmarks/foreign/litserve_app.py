"""LitServe, as its documentation has it: an API with its four steps."""

import os
import sys
from pathlib import Path

import joblib
import litserve


class Iris(litserve.LitAPI):
    """Classify flowers."""

    def setup(self, device: str) -> None:  # noqa: ARG002 -- the processor is the only one
        """Load the model."""
        self.pipeline = joblib.load(Path(os.environ["BENCHMARK_MODEL"]) / "model.joblib")

    def decode_request(self, request: dict) -> list:
        """Take the flowers out of the document."""
        return request["measurements"]

    def predict(self, measurements: list) -> list:
        """Classify them."""
        return self.pipeline.predict_proba(measurements).tolist()

    def encode_response(self, probabilities: list) -> dict:
        """Put the answer into a document."""
        return {"probabilities": probabilities}


if __name__ == "__main__":
    server = litserve.LitServer(Iris(), accelerator="cpu", workers_per_device=1)
    server.run(host="127.0.0.1", port=int(sys.argv[1]), num_api_servers=1, generate_client_file=False)
