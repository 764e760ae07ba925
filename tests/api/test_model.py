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
    assert described["version"] == described["digest"][:12]
    assert described["name"] == SCHEMA.name
    assert datetime.fromisoformat(described["created"]).tzinfo is not None
    assert set(described["versions"]) == {"python", "numpy", "scikit-learn", "joblib"}
    assert described["classes"] == SCHEMA.class_names
    assert described["answer_key"] == SCHEMA.answer_key == "species"
    assert described["scores"]["held_out_accuracy"] == 0.9736842105263158


def test_its_features_are_described_with_unit_and_range(client: FlaskClient) -> None:
    described = client.get("/api/model").get_json()
    units = [(one["name"], one["unit"]) for one in described["schema"]["features"]]
    assert units == [(one.name, one.unit) for one in SCHEMA.features]
    first = described["features"][0]
    assert (first["name"], first["minimum"], first["maximum"]) == (SCHEMA.features[0].name, 4.3, 7.9)


def test_a_setting_gives_the_model_another_name(make_app: Callable[..., Flask]) -> None:
    assert make_app(MODEL_NAME="other").test_client().get("/api/model").get_json()["name"] == "other"


def test_without_a_model_there_is_nothing_to_describe(make_app: Callable[..., Flask]) -> None:
    answer = make_app(MODEL_PATH="/nowhere").test_client().get("/api/model")
    assert (answer.status_code, answer.content_type) == (503, "application/problem+json")
