"""``/healthz`` and ``/readyz``: what a load balancer or an orchestrator asks."""

from typing import Any

from flask import Blueprint, Response, current_app

from iris_app.answers import json_answer
from iris_app.exceptions import ModelUnavailable
from iris_app.model_service import get_service

bp = Blueprint("operations", __name__)


@bp.get("/healthz")
def healthz() -> Response:
    """Say that the process answers."""
    return _json({"alive": True})


@bp.get("/readyz")
def readyz() -> Response:
    """Say whether this worker holds a verified model and is not about to stop; the log says more."""
    service = get_service()
    if current_app.extensions.get("stopping", bool)():
        return _json({"ready": False, "reasons": ["This worker is stopping."]}, 503)
    try:
        model = service.model
    except ModelUnavailable:
        return _json({"ready": False, "reasons": ["No model can be loaded."]}, 503)
    warnings = ["A model that was published since is refused."] if service.refused else []
    return _json({"ready": True, "model": model.version, "warnings": warnings})


def _json(document: dict[str, Any], status: int = 200) -> Response:
    response = json_answer(document, status)
    response.headers["Cache-Control"] = "no-store"
    return response
