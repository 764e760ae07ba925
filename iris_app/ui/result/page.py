"""The context of the template of a prediction."""

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import urljoin

from iris_app import model_service
from iris_app.model.explanations.misreadings import find_misreadings
from iris_app.model.explanations.profiles import find_changes, make_profiles
from iris_app.schema import Value
from iris_app.ui import charts
from iris_app.ui.blueprint import filled_url
from iris_app.ui.forms import FeatureField, RowForm
from iris_app.ui.result.changes import MAX_FEATURES, describe_changes, describe_misreadings
from iris_app.ui.result.code import make_snippets
from iris_app.ui.result.curves import draw_curves
from iris_app.ui.result.verdict import make_verdict
from iris_app.web.request import request

if TYPE_CHECKING:
    from iris_app.model.classifier import Model


def make_result(model: "Model", form: RowForm) -> dict[str, Any]:
    """Classify the row of a form, and return what the template shows of the answer."""
    schema, rows, training = form.schema, form.rows, model.manifest
    (row,) = rows
    batch = model_service.predict(model, rows)
    ((prediction,),) = batch.to_predictions(explain=True)
    panels = charts.panels(row, training, lambda rows: model.predict(rows).classes, prediction)
    profiles = make_profiles(training, row, model.predict)
    changeable = [profile for profile in profiles if not schema.features[profile.index].locked]
    errors = {index: field.reading_error for index, field in enumerate(form.fields) if field.reading_error}
    predicted = schema.class_names.index(prediction.predicted_class)
    texts = {field.name: field.formatted for field in form.fields}
    ids = {field.feature.name: field.id for field in form.fields}
    names, link = list(texts), filled_url(".show", texts)
    unlike = bool(prediction.warnings) and batch.detector.is_unlike(row)
    curves = draw_curves(schema, profiles, row, charts.sort_by_contribution(prediction, range(len(row))))
    return {
        "prediction": prediction,
        "verdict": make_verdict(training, prediction, unlike=unlike),
        "odds": charts.odds(schema, prediction),
        "bars": charts.bars(schema, prediction),
        "panels": panels,
        "shown": set[int]().union(*(chart.classes for chart in panels)),
        "max_classes": charts.MAX_CLASSES,
        "max_bars": charts.MAX_BARS + 1,
        "changes": describe_changes(
            schema,
            find_changes(changeable, row, predicted, model.predict),
            lambda index, text: filled_url(".show", texts | {names[index]: text}),
            lambda index, value: not unlike and model.detector.is_unlike([*row[:index], value, *row[index + 1 :]]),
        ),
        "max_changes": MAX_FEATURES,
        "warning_ids": [ids.get(warning.field or "", "") for warning in prediction.warnings],
        "misreadings": describe_misreadings(schema, find_misreadings(training, row, errors, model.predict)),
        "has_errors": bool(errors),
        "curves": curves,
        "drawn": set[int]().union(*(chart.classes for chart in curves)),
        "snippets": make_snippets({field.feature.name: _to_value(field) for field in form.fields}),
        "version": model.version,
        "answered": datetime.now(UTC),
        "retry": filled_url(".home", form.texts),
        "link": link,
        "address": urljoin(request.host_url, link) if link else None,
    }


def _to_value(field: FeatureField) -> Value:
    """Return what was entered as JSON has it; a category that is not known is its text."""
    return field.feature.decode(field.value) if field.is_known else field.text
