"""What is told of every request: its id to the client, a line to the log, and counts to the metrics."""

import logging
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from operator import attrgetter
from time import perf_counter
from typing import TYPE_CHECKING

import numpy as np
from flask import Flask, current_app
from numpy.typing import NDArray

from iris_app.exceptions import InvalidValue
from iris_app.iris import FEATURES, FEATURES_BY_NAME, SPECIES_NAMES, Feature, Prediction, feature_spelt
from iris_app.linear import highest
from iris_app.logs import about, sole_handler
from iris_app.marks import is_marked
from iris_app.metrics import Metrics
from iris_app.request import Request, current_request
from iris_app.response import Response

if TYPE_CHECKING:
    from iris_app.model import Model

EXTENSION = "metrics"
HANDLER = "request_lines"

logger = logging.getLogger(__name__)

FEATURES_BY_PLACE = {str(place): feature for place, feature in enumerate(FEATURES)}

Floats = NDArray[np.float64]


def init_app(app: Flask) -> None:
    """Tell of every request of the app."""
    app.extensions[EXTENSION] = metrics = Metrics(app.config["DRIFT_WINDOW_SECONDS"])
    app.extensions[HANDLER] = None
    app.after_request(partial(_tell, app, metrics))


def find_handler(app: Flask) -> None:
    """Find what writes the lines about the requests of an app, now that logging is set up for good."""
    app.extensions[HANDLER] = sole_handler(logger)


def get_metrics(app: Flask | None = None) -> Metrics:
    """Return the metrics of an app, or of the current one."""
    metrics: Metrics = (app or current_app).extensions[EXTENSION]
    return metrics


def note_predictions(model: "Model", measurements: Floats, predictions: Sequence[Prediction]) -> None:
    """Note what the current request was answered: measurements of shape (n, 4), and a prediction for each."""
    metrics = get_metrics()
    species = {predictions[0].species: 1} if len(predictions) == 1 else Counter(map(attrgetter("species"), predictions))
    _note(metrics, model, measurements, species)
    if codes := [caution.code for one in predictions if one.warnings for caution in one.warnings]:
        metrics.count_warnings(Counter(codes))


def note_probabilities(model: "Model", measurements: Floats, probabilities: Floats) -> None:
    """Note what the current request was answered: measurements of shape (n, 4), and each species' probability."""
    places = highest(probabilities.T)
    counts = {name: int(np.count_nonzero(places == place)) for place, name in enumerate(SPECIES_NAMES)}
    _note(get_metrics(), model, measurements, counts)


def note_errors(errors: Iterable[InvalidValue]) -> None:
    """Note which values of the current request were refused."""
    for error in errors:
        note_wrong(_feature(error))


def note_wrong(feature: Feature | None) -> None:
    """Note that a value of a feature was refused, or one of no feature."""
    get_metrics().count_invalid(feature.name if feature else "other")


def _feature(error: InvalidValue) -> Feature | None:
    """Find the feature that an error is about: by its column, its name in an object, or its place in a list."""
    place = error.column or (error.pointer or "").rpartition("/")[2]
    return FEATURES_BY_PLACE.get(place) or FEATURES_BY_NAME.get(place) or feature_spelt(place)


def _note(metrics: Metrics, model: "Model", measurements: Floats, species: Mapping[str, int]) -> None:
    request = current_request()
    request.model, request.rows = model.version, len(measurements)
    door = (request.endpoint or "").partition(".")[0]
    metrics.count_flowers(door, species, model.manifest, measurements)


def _tell(app: Flask, metrics: Metrics, response: Response) -> Response:
    request = current_request()
    seconds = perf_counter() - request.began
    metrics.count_request(request.method, request.route, response.status_code, seconds)
    if not is_marked(app, request, "is_probe"):
        message = f"{request.method} {request.path} {response.status_code}"
        fields = _fields(request, response.status_code, seconds)
        if handler := app.extensions[HANDLER]:
            handler.say(logger.name, message, fields)
        else:
            logger.info("%s", message, extra={"fields": fields})
    return response


def _fields(request: Request, status: int, seconds: float) -> dict[str, object]:
    """Return what the log says of a request beside its sentence; never what was measured."""
    fields = about(request)
    fields["client"] = request.remote_addr
    fields["method"] = request.method
    if request.url_rule:
        fields["route"] = request.route
    fields["status"] = status
    fields["seconds"] = round(seconds, 6)
    if request.model:
        fields["rows"], fields["model"] = request.rows, request.model
    if request.key:
        fields["key"] = request.key
    return fields
