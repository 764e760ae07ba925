from collections.abc import Callable
from datetime import datetime
from hashlib import sha256
from pathlib import Path

from flask import Flask
from flask.testing import FlaskClient

from iris_app.iris import SCHEMA


def test_the_model_that_answers_is_described(client: FlaskClient, trained_path: Path) -> None:
    described = client.get("/api/model").get_json()
    assert described["sha256"] == sha256(trained_path.read_bytes()).hexdigest()
    assert described["version"] == described["sha256"][:12]
    assert datetime.fromisoformat(described["created"]).tzinfo is not None
    assert set(described["versions"]) == {"python", "numpy", "scikit-learn", "joblib"}
    assert described["species"] == SCHEMA.class_names
    assert described["scores"]["held_out_accuracy"] == 0.9736842105263158


def test_its_features_are_described_with_unit_and_range(client: FlaskClient) -> None:
    features = client.get("/api/model").get_json()["features"]
    assert [(one["name"], one["unit"]) for one in features] == [(one.name, one.unit) for one in SCHEMA.features]
    assert (features[0]["minimum"], features[0]["maximum"]) == (4.3, 7.9)


def test_without_a_model_there_is_nothing_to_describe(make_app: Callable[..., Flask]) -> None:
    answer = make_app(MODEL_PATH="/nowhere").test_client().get("/api/model")
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
