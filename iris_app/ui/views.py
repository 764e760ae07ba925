"""``/home``, the form, and ``/classify``, the page of its result."""

from pathlib import Path

from flask import current_app, redirect, render_template, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as WerkzeugResponse

from iris_app import model_service
from iris_app.formatting import format_number
from iris_app.model_service import get_model
from iris_app.observability.recorder import record_invalid_value
from iris_app.ui import charts
from iris_app.ui.blueprint import bp, filled_url, status
from iris_app.ui.forms import RowForm, make_row_form
from iris_app.web.request import request

DRAWINGS = {path.stem for path in (Path(__file__).parent / "templates" / "ui" / "drawings").iterdir()}

Page = str | tuple[str, int] | WerkzeugResponse


@bp.get("/")
def index() -> WerkzeugResponse:
    """Redirect to the form."""
    return redirect(url_for(".home"))


@bp.get("/home")
def home() -> Page:
    """Show the form, filled from the query string."""
    return _form_page(_make_form(request.args))


@bp.get("/typical/<int:index>")
def typical(index: int) -> Page:
    """Show the form, filled with the typical row of a class."""
    schema = get_model().schema
    rows = [class_.typical for class_ in schema.classes]
    if index >= len(rows) or not rows[index]:
        raise NotFound
    texts = [feature.format(value) for feature, value in zip(schema.features, schema.encode(rows[index]), strict=True)]
    names = [feature.form_name for feature in schema.features]
    return _form_page(_make_form(MultiDict(zip(names, texts, strict=True))))


@bp.post("/classify")
def classify() -> Page:
    """Classify the row in the form."""
    settings = current_app.config
    request.max_content_length = min(settings["MAX_CONTENT_LENGTH"], settings["MAX_FORM_MEMORY_SIZE"])
    form = _make_form(request.form)
    form.validate()
    if form.is_expired and not form.is_outdated:
        return _form_page(form, status(400), expired=True)
    return _result_page(form)


@bp.get("/classify")
def show() -> Page:
    """Classify the row in the query string, so that a result can be linked and reloaded."""
    if not request.args:
        return redirect(url_for(".home"))
    form = _make_form(request.args)
    form.validate()
    return _result_page(form)


def _make_form(sent: MultiDict[str, str]) -> RowForm:
    """Return the form of the current model, with the values that were sent."""
    return get_model().schema.derive(make_row_form)(sent)


def _result_page(form: RowForm) -> Page:
    if form.is_outdated:
        form.clear_wrong_fields()
        return _form_page(form, status(422), changed=True)
    if form.wrong_fields:
        for field in form.wrong_fields:
            record_invalid_value(field.feature)
        return _form_page(form, status(422))
    model, schema, rows = get_model(), form.schema, form.rows
    ((prediction,),) = model_service.predict(model, rows).to_predictions(explain=True)
    panels = charts.panels(rows[0], model.manifest, lambda rows: model.predict(rows).classes, prediction)
    return render_template(
        "ui/result.html",
        form=form,
        ranges=_ranges(),
        prediction=prediction,
        verdict=charts.verdict(schema, prediction),
        odds=charts.odds(schema, prediction),
        bars=charts.bars(schema, prediction),
        panels=panels,
        shown=set[int]().union(*(panel.classes for panel in panels)),
        max_classes=charts.MAX_CLASSES,
        max_bars=charts.MAX_BARS + 1,
        retry=filled_url(".home", {field.name: field.text for field in form.fields}),
        link=filled_url(".show", {field.name: field.formatted for field in form.fields}),
    )


def _form_page(form: RowForm, code: int = 200, *, expired: bool = False, changed: bool = False) -> Page:
    page = render_template(
        "ui/home.html", form=form, ranges=_ranges(), drawings=DRAWINGS, expired=expired, changed=changed
    )
    return page, code


def _ranges() -> dict[str, str]:
    """Return the range of each number in the training."""
    manifest = get_model().manifest
    return {
        feature.name: feature.with_unit(f"{format_number(summary.minimum)} to {format_number(summary.maximum)}")
        for feature, summary in zip(manifest.schema.features, manifest.features, strict=True)
        if feature.is_numeric and summary.minimum is not None and summary.maximum is not None
    }
