"""``/model``: what answers, what it learnt from, and how far to trust it."""

import msgspec
from flask import render_template, request
from werkzeug.exceptions import NotFound

from iris_app.iris import SCHEMA
from iris_app.model_service import get_model
from iris_app.ui.blueprint import bp
from iris_app.web.response import Response


@bp.get("/model")
def model_card() -> str:
    """Show the card of the model that answers."""
    model = get_model()
    return render_template(
        "ui/model.html", model=model, manifest=model.manifest, classes=SCHEMA.classes, features=SCHEMA.features
    )


@bp.get("/model/manifest.json")
def manifest() -> Response:
    """Hand out the manifest of the model that answers."""
    model = get_model()
    document = msgspec.json.format(msgspec.json.encode(model.manifest))
    answer = Response(document, mimetype="application/json")
    answer.headers.set("Content-Disposition", "attachment", filename=f"model-{model.version}.json")
    return answer


@bp.get("/model/<version>/pairplot.svg")
def pairplot(version: str) -> Response:
    """Show the data that a version of the model was trained on; under its own digest, the picture never changes."""
    model = get_model()
    if version != model.version or model.pairplot is None:
        raise NotFound
    answer = Response(model.pairplot, mimetype="image/svg+xml")
    if request.args.get("v") == model.manifest.pairplot_sha256:
        answer.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    # As a page of its own, the picture may style itself as matplotlib does, and nothing else.
    answer.policy = "default-src 'none'; style-src 'unsafe-inline'"
    return answer
