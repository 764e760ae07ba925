"""The form at ``/home`` and the page that answers it at ``/classify``."""

from collections.abc import Iterable
from typing import Any

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from werkzeug.wrappers import Response as WerkzeugResponse

from iris_app.iris import FEATURES, SPECIES, number
from iris_app.model_service import get_model
from iris_app.ui.forms import MeasurementForm

bp = Blueprint("ui", __name__, static_folder="static", static_url_path="/static", template_folder="templates")

Page = str | tuple[str, int] | WerkzeugResponse


@bp.get("/")
def index() -> WerkzeugResponse:
    """Lead to the form."""
    return redirect(url_for(".home"))


@bp.get("/home")
def home() -> Page:
    """Show the form, filled with what the address holds."""
    return _form_page(MeasurementForm(request.args))


@bp.post("/classify")
def classify() -> Page:
    """Answer the form that was sent."""
    settings = current_app.config
    request.max_content_length = min(settings["MAX_CONTENT_LENGTH"], settings["MAX_FORM_MEMORY_SIZE"])
    form = MeasurementForm(request.form)
    form.validate()
    return _form_page(form, 400, expired=True) if form.csrf_token.errors else _answer(form)


@bp.get("/classify")
def show() -> Page:
    """Answer the measurements in the address, so that an answer can be shared and comes back on reload."""
    if not request.args:
        return redirect(url_for(".home"))
    form = MeasurementForm(request.args)
    form.validate()
    return _answer(form)


def _answer(form: MeasurementForm) -> Page:
    if form.wrong_fields:
        return _form_page(form, 422)
    (prediction,) = get_model().classify(form.measurement)
    link = _address(".show", *form.measurement.tolist())
    return render_template("ui/result.html", form=form, prediction=prediction, species=SPECIES, link=link)


def _form_page(form: MeasurementForm, status: int = 200, *, expired: bool = False) -> Page:
    examples = {species.name: _address(".home", species.typical) for species in SPECIES}
    return render_template("ui/home.html", form=form, examples=examples, features=FEATURES, expired=expired), status


def _address(endpoint: str, measurement: Iterable[float]) -> str:
    """Return the address of a page with a measurement in it."""
    values: dict[str, Any] = {
        feature.form_name: number(value) for feature, value in zip(FEATURES, measurement, strict=True)
    }
    return url_for(endpoint, **values)


bp.add_app_template_filter(number)


@bp.app_template_filter()
def percent(probability: float) -> str:
    """Write a probability as a person reads it, never rounded to a certainty."""
    if probability < 0.001:
        return "< 0.1 %"
    if probability > 0.999:
        return "> 99.9 %"
    return f"{probability:.1%}".replace("%", " %")
