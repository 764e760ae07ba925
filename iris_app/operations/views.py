"""``/healthz`` and ``/readyz``, which load balancers and orchestrators ask, and ``/metrics``, which Prometheus does."""

import hashlib
from typing import Any

from flask import Blueprint, Response, current_app

from iris_app.access import check_token
from iris_app.answers import json_answer
from iris_app.exceptions import ModelUnavailable
from iris_app.marks import probe
from iris_app.model_service import get_service
from iris_app.request import request
from iris_app.telemetry import get_metrics

bp = Blueprint("operations", __name__)


@bp.get("/healthz")
@probe
def healthz() -> Response:
    """Say that the process answers."""
    return _json({"alive": True})


@bp.get("/readyz")
@probe
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


@bp.get("/metrics")
@probe
def metrics() -> Response:
    """Tell Prometheus what all workers counted."""
    if token := current_app.config["METRICS_TOKEN"]:
        check_token({"metrics": hashlib.sha256(token.encode()).hexdigest()})
    model = get_service().loaded
    text, media_type = get_metrics().expose(request.headers.get("Accept", ""), model.manifest if model else None)
    return Response(text, content_type=media_type, headers={"Cache-Control": "no-store"})


def _json(document: dict[str, Any], status: int = 200) -> Response:
    response = json_answer(document, status)
    response.headers["Cache-Control"] = "no-store"
    return response
