from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from iris_app.model_service import ModelService
from tests.models import ServedModel, for_every_model

pytestmark = for_every_model


def test_a_process_that_answers_is_alive(make_app: Callable[..., Flask]) -> None:
    answer = make_app(MODEL_PATH="/nowhere").test_client().get("/healthz")
    assert (answer.status_code, answer.get_json()) == (200, {"alive": True})


def test_a_worker_with_a_model_is_ready(client: FlaskClient, served: ServedModel) -> None:
    answer = client.get("/readyz")
    version = client.get("/api/model").get_json()["version"]
    described = {"model": version, "schema": served.schema.digest[:12], "path": "compiled"}
    expected = {"ready": True} | described | {"warnings": []}
    assert (answer.status_code, answer.get_json()) == (200, expected)
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_worker_without_a_model_is_not_ready(make_app: Callable[..., Flask]) -> None:
    answer = make_app(MODEL_PATH="/nowhere").test_client().get("/readyz")
    assert (answer.status_code, answer.get_json()) == (
        503,
        {"ready": False, "reasons": ["No model can be loaded: unreadable."]},
    )


def test_a_worker_that_stops_is_not_ready(app: Flask) -> None:
    app.extensions["stopping"] = lambda: True
    answer = app.test_client().get("/readyz")
    assert (answer.status_code, answer.get_json()["reasons"]) == (503, ["This worker is stopping."])


def test_a_refused_model_is_told(app: Flask, model_path: Path) -> None:
    service = app.extensions["model_service"] = ModelService(model_path)
    assert service.model
    model_path.write_bytes(b"")
    service._reload()
    answer = app.test_client().get("/readyz")
    assert answer.status_code == 200
    assert answer.get_json()["warnings"] == ["A model that was published since is refused: wrong size."]


@pytest.mark.parametrize("path", ["/healthz", "/readyz"])
def test_a_probe_needs_no_cookie(client: FlaskClient, path: str) -> None:
    assert "Set-Cookie" not in client.get(path).headers
