"""``/home``, the form, and ``/classify``, the page of its result."""

from collections.abc import Iterable
from typing import Any

from flask import current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from iris_app import model_service
from iris_app.exceptions import ModelUnavailable
from iris_app.formatting import format_number
from iris_app.iris import SCHEMA
from iris_app.model.manifest import FeatureSummary
from iris_app.model_service import get_model
from iris_app.observability.recorder import record_invalid_value
from iris_app.ui import charts
from iris_app.ui.blueprint import bp, status
from iris_app.ui.forms import RowForm

Page = str | tuple[str, int] | WerkzeugResponse


@bp.get("/")
def index() -> WerkzeugResponse:
    """Redirect to the form."""
    return redirect(url_for(".home"))


@bp.get("/home")
def home() -> Page:
    """Show the form, filled from the query string."""
    return _form_page(RowForm(request.args))


@bp.post("/classify")
def classify() -> Page:
    """Classify the row in the form."""
    settings = current_app.config
    request.max_content_length = min(settings["MAX_CONTENT_LENGTH"], settings["MAX_FORM_MEMORY_SIZE"])
    form = RowForm(request.form)
    form.validate()
    return _form_page(form, 400, expired=True) if form.is_expired else _result_page(form)


@bp.get("/classify")
def show() -> Page:
    """Classify the row in the query string, so that a result can be linked and reloaded."""
    if not request.args:
        return redirect(url_for(".home"))
    form = RowForm(request.args)
    form.validate()
    return _result_page(form)


def _result_page(form: RowForm) -> Page:
    if form.wrong_fields:
        for field in form.wrong_fields:
            record_invalid_value(field.feature)
        return _form_page(form, status(422))
    model = get_model()
    rows = form.rows
    ((prediction,),) = model_service.predict(model, rows).to_predictions(explain=True)
    return render_template(
        "ui/result.html",
        form=form,
        ranges=_ranges(model.manifest.features),
        prediction=prediction,
        classes=SCHEMA.classes,
        verdict=charts.verdict(prediction),
        bars=charts.bars(prediction),
        panels=charts.panels(rows[0].tolist(), model.manifest.training_rows, model.predict_proba),
        link=_url(".show", *rows.tolist()),
        examples=_examples(),
    )


def _form_page(form: RowForm, code: int = 200, *, expired: bool = False) -> Page:
    try:
        ranges = _ranges(get_model().manifest.features)
    except ModelUnavailable:  # the form works without the ranges
        ranges = {}
    page = render_template(
        "ui/home.html", form=form, ranges=ranges, examples=_examples(), features=SCHEMA.features, expired=expired
    )
    return page, code


def _examples() -> dict[str, str]:
    """Return the URLs of the form filled with a typical row of each class."""
    return {class_.name: _url(".home", class_.typical) for class_ in SCHEMA.classes}


def _ranges(features: Iterable[FeatureSummary]) -> dict[str, str]:
    """Return the range of each feature in the training."""
    return {
        summary.name: f"{format_number(summary.minimum)} to {format_number(summary.maximum)} {summary.unit}"
        for summary in features
    }


def _url(endpoint: str, row: Iterable[float]) -> str:
    """Return the URL of a page for a row."""
    values: dict[str, Any] = {
        feature.form_name: format_number(value) for feature, value in zip(SCHEMA.features, row, strict=True)
    }
    return url_for(endpoint, **values)
