"""``/healthz`` and ``/readyz`` for load balancers and orchestrators, and ``/metrics`` for Prometheus."""

import hashlib
from typing import Any

from flask import Blueprint, current_app
from werkzeug.exceptions import ServiceUnavailable

from iris_app.access import check_token
from iris_app.exceptions import ModelUnavailable
from iris_app.model_service import get_service
from iris_app.observability.recorder import get_metrics, get_recorder
from iris_app.web.api_response import json_response
from iris_app.web.request import request
from iris_app.web.response import Response
from iris_app.web.view_flags import probe

bp = Blueprint("operations", __name__)


@bp.get("/healthz")
@probe
def healthz() -> Response:
    """Report that the process is alive."""
    return _json({"alive": True})


@bp.get("/readyz")
@probe
def readyz() -> Response:
    """Report the readiness of this worker: it has a verified model and is not stopping."""
    service = get_service()
    if current_app.extensions.get("stopping", bool)():
        return _json({"ready": False, "reasons": ["This worker is stopping."]}, 503)
    try:
        model = service.model
    except ModelUnavailable as error:
        return _json({"ready": False, "reasons": [f"No model can be loaded: {error.reason}."]}, 503)
    warnings = (
        [f"A model that was published since is refused: {refused.reason}."] if (refused := service.refused) else []
    )
    described = {"model": model.version, "schema": model.schema.digest[:12], "path": model.path_name}
    return _json({"ready": True} | described | {"warnings": warnings})


@bp.get("/metrics")
@probe
def metrics() -> Response:
    """Expose the metrics of all workers."""
    if token := current_app.config["METRICS_TOKEN"]:
        check_token({"metrics": hashlib.sha256(token.encode()).hexdigest()})
    model, metrics = get_service().loaded, get_metrics()
    if metrics.incomplete:
        raise ServiceUnavailable("The counts of all workers cannot be told; the log says why.")
    get_recorder().flush()
    text, media_type = metrics.expose(request.headers.get("Accept", ""), model.manifest if model else None)
    return Response(text, content_type=media_type, headers={"Cache-Control": "no-store", "Vary": "Accept"})


def _json(document: dict[str, Any], status: int = 200) -> Response:
    response = json_response(document, status)
    response.headers["Cache-Control"] = "no-store"
    return response
