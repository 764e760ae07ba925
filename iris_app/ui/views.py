"""``/home``, the form, and ``/classify``, the page of its result."""

from http import HTTPStatus

from flask import current_app, redirect, render_template, url_for
from werkzeug.datastructures import MultiDict
from werkzeug.exceptions import NotFound
from werkzeug.wrappers import Response as WerkzeugResponse

from iris_app.formatting import format_number
from iris_app.model.outlier_detection.repairs import Repair
from iris_app.model_service import get_model
from iris_app.observability.recorder import record_invalid_value
from iris_app.ui.blueprint import LIVE, bp, filled_url, status
from iris_app.ui.forms import RowForm, make_row_form
from iris_app.ui.result.history import describe_answer
from iris_app.ui.result.page import make_result
from iris_app.web.request import request

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
    """Redirect to the answer for the typical row of a class, or show the form with it if that has no address."""
    schema = get_model().schema
    rows = [class_.typical for class_ in schema.classes]
    if index >= len(rows) or not rows[index]:
        raise NotFound
    texts = [feature.format(value) for feature, value in zip(schema.features, schema.encode(rows[index]), strict=True)]
    filled = dict(zip([feature.form_name for feature in schema.features], texts, strict=True))
    address = filled_url(".show", filled)
    return redirect(address) if address else _form_page(_make_form(MultiDict(filled)))


@bp.post("/classify")
def classify() -> Page:
    """Classify the row in the form."""
    settings = current_app.config
    request.max_content_length = min(settings["MAX_CONTENT_LENGTH"], settings["MAX_FORM_MEMORY_SIZE"])
    form = _make_form(request.form)
    form.validate()
    if form.is_expired and not (form.is_outdated or request.is_preview):  # no other site can send the header
        return _form_page(form, status(400), expired=True)
    if refusal := _refuse(form):
        return refusal
    address = None if request.is_preview else filled_url(".show", form.texts)
    return redirect(address, HTTPStatus.SEE_OTHER) if address else _result_page(form)


@bp.get("/classify")
def show() -> Page:
    """Classify the row in the query string, so that a result can be linked and reloaded."""
    if not request.args:
        return redirect(url_for(".home"))
    form = _make_form(request.args)
    form.validate_values()
    return _refuse(form) or _result_page(form)


def _make_form(sent: MultiDict[str, str]) -> RowForm:
    """Return the form of the current model, with the values that were sent: by a script, they may still be edited."""
    request.is_preview = LIVE in request.headers
    return get_model().schema.derive(make_row_form)(sent)


def _refuse(form: RowForm) -> Page | None:
    """Return the page of a form whose values cannot be classified, and count those that are wrong."""
    if form.is_outdated:
        form.clear_wrong_fields()
        return _form_page(form, status(422), changed=True)
    if not form.wrong_fields:
        return None
    for field in form.wrong_fields:
        record_invalid_value(field.feature)
    return _form_page(form, status(422))


def _result_page(form: RowForm) -> Page:
    result = make_result(get_model(), form)
    return render_template(
        "ui/result.html",
        form=form,
        ranges=_ranges(),
        repairs=_find_repairs(form) if result["prediction"].warnings else [],
        answer=describe_answer(form, result["prediction"], is_unlike=result["verdict"].kind == "unlike"),
        **result,
    )


def _form_page(form: RowForm, code: int = 200, *, expired: bool = False, changed: bool = False) -> Page:
    page = render_template(
        "ui/home.html",
        form=form,
        ranges=_ranges(),
        expired=expired,
        changed=changed,
        repairs=_find_repairs(form) if form.wrong_fields else [],
    )
    return page, code


def _find_repairs(form: RowForm) -> list[tuple[Repair, dict[str, str]]]:
    """Return the corrections of a row, each with the texts of its fields, as far as an address has room for them."""
    found = get_model().detector.find_repairs(form.rows[0].tolist()) if form.is_readable else []
    repairs = [(repair, form.texts_of(repair.row)) for repair in found]
    return [(repair, texts) for repair, texts in repairs if filled_url(".show", texts)]


def _ranges() -> dict[str, str]:
    """Return the range of each number in the training."""
    manifest = get_model().manifest
    return {
        feature.name: feature.with_unit(f"{format_number(summary.minimum)} to {format_number(summary.maximum)}")
        for feature, summary in zip(manifest.schema.features, manifest.features, strict=True)
        if feature.is_numeric and summary.minimum is not None and summary.maximum is not None
    }
