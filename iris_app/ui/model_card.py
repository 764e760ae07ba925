"""``/model``: the model card."""

import msgspec
from flask import render_template, request
from werkzeug.exceptions import NotFound

from iris_app.iris import SCHEMA
from iris_app.model_service import get_model
from iris_app.ui.blueprint import bp
from iris_app.web.response import Response


@bp.get("/model")
def model_card() -> str:
    """Show the card of the current model."""
    model = get_model()
    return render_template(
        "ui/model.html", model=model, manifest=model.manifest, classes=SCHEMA.classes, features=SCHEMA.features
    )


@bp.get("/model/manifest.json")
def manifest() -> Response:
    """Return the manifest of the current model."""
    model = get_model()
    document = msgspec.json.format(msgspec.json.encode(model.manifest))
    response = Response(document, mimetype="application/json")
    response.headers.set("Content-Disposition", "attachment", filename=f"model-{model.version}.json")
    return response


@bp.get("/model/<version>/pairplot.svg")
def pairplot(version: str) -> Response:
    """Return the picture of the data that a version of the model was trained on."""
    model = get_model()
    if version != model.version or model.pairplot is None:
        raise NotFound
    response = Response(model.pairplot, mimetype="image/svg+xml")
    if request.args.get("v") == model.manifest.pairplot_sha256:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    # matplotlib writes inline styles, which apply when the picture is opened as a page of its own.
    response.policy = "default-src 'none'; style-src 'unsafe-inline'"
    return response
