"""What is told of every request: its id to the client, a line to the log, and counts to the metrics."""

import logging
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from operator import attrgetter
from threading import Lock, Thread
from time import monotonic, sleep
from typing import TYPE_CHECKING

import numpy as np
from flask import Flask, current_app
from numpy.typing import NDArray

from iris_app.exceptions import InvalidValue
from iris_app.iris import SCHEMA
from iris_app.json_types import Prediction
from iris_app.model.linear import highest
from iris_app.observability.drift import sample
from iris_app.observability.logs import LineHandler, fast_handler
from iris_app.observability.metrics import Metrics
from iris_app.schema import Feature
from iris_app.web.request import Flowers, RequestRecord, current_request
from iris_app.web.response import Response
from iris_app.web.view_flags import has_flag

if TYPE_CHECKING:
    from iris_app.model.classifier import Model

EXTENSION = "telling"

# How many requests may wait to be told of, and for how many seconds: so few that none is held up by the others.
MAX_BUFFERED = 64
SOON = 0.25

# Seconds: who comes so long after the last that was told of is told of at once.
PAUSE = 0.01

logger = logging.getLogger(__name__)

FEATURES_BY_INDEX = {str(place): feature for place, feature in enumerate(SCHEMA.features)}

Floats = NDArray[np.float64]


class RequestRecorder:
    """Count requests and write their lines: each at once, and many together, which costs far less, from ``keep_up`` on.

    Parameters
    ----------
    app : Flask
        Whose requests they are.
    """

    def __init__(self, app: Flask) -> None:
        self.metrics = Metrics(app.config["DRIFT_WINDOW_SECONDS"])
        self._app = app
        self._handler: LineHandler | None = None
        self._pause = 0.0
        self._waiting: deque[RequestRecord] = deque()
        self._telling = Lock()
        self._last_flush = 0.0

    def tell(self, response: Response) -> Response:
        """Tell of the current request, soon; it was answered with this response."""
        self._waiting.append(current_request().told(response.status_code))
        if len(self._waiting) >= MAX_BUFFERED or monotonic() >= self._last_flush + self._pause:
            self.flush()
        return response

    def flush(self) -> None:
        """Tell of the requests that wait for it."""
        with self._telling:
            self._last_flush = monotonic()
            requests = [self._waiting.popleft() for _ in range(len(self._waiting))]
            self.metrics.count_requests(requests)
            self._log([told for told in requests if not has_flag(self._app, told.rule, "is_probe")])

    def keep_up(self) -> None:
        """Gather requests and tell of them, and remember what was counted, from now until the process ends.

        Call it when logging is set up for good, and ``flush`` at the end.
        """
        self._handler = fast_handler(logger)
        self._pause = PAUSE
        Thread(target=self._keep_up, name="telling", daemon=True).start()

    def _keep_up(self) -> None:
        while True:
            # Where requests are many, they tell of each other; another thread at it would only be in their way.
            if self._waiting and monotonic() >= self._last_flush + SOON:
                self.flush()
            self.metrics.remember(monotonic())
            sleep(SOON)

    def _log(self, requests: Iterable[RequestRecord]) -> None:
        facts = ((told.at, f"{told.method} {told.path} {told.status}", _fields(told)) for told in requests)
        if self._handler:
            self._handler.say(logger.name, facts)
        else:
            for _, message, fields in facts:
                logger.info("%s", message, extra={"fields": fields})


def init_app(app: Flask) -> None:
    """Tell of every request of the app."""
    app.extensions[EXTENSION] = telling = RequestRecorder(app)
    app.after_request(telling.tell)


def get_recorder(app: Flask | None = None) -> RequestRecorder:
    """Return what tells of the requests of an app, or of the current one."""
    telling: RequestRecorder = (app or current_app).extensions[EXTENSION]
    return telling


def get_metrics(app: Flask | None = None) -> Metrics:
    """Return the metrics of an app, or of the current one."""
    return get_recorder(app).metrics


def record_predictions(model: "Model", measurements: Floats, predictions: Sequence[Prediction]) -> None:
    """Note what the current request was answered: measurements of shape (n, 4), and a prediction for each."""
    species = (
        {predictions[0].predicted_class: 1}
        if len(predictions) == 1
        else Counter(map(attrgetter("predicted_class"), predictions))
    )
    _note(model, measurements, species)
    if codes := [caution.code for one in predictions if one.warnings for caution in one.warnings]:
        get_metrics().count_warnings(Counter(codes))


def record_probabilities(model: "Model", measurements: Floats, probabilities: Floats) -> None:
    """Note what the current request was answered: measurements of shape (n, 4), and each species' probability."""
    places = highest(probabilities.T)
    counts = {name: int(np.count_nonzero(places == place)) for place, name in enumerate(SCHEMA.class_names)}
    _note(model, measurements, counts)


def record_errors(errors: Iterable[InvalidValue]) -> None:
    """Note which values of the current request were refused."""
    for error in errors:
        record_wrong_value(_feature(error))


def record_wrong_value(feature: Feature | None) -> None:
    """Note that a value of a feature was refused, or one of no feature."""
    get_metrics().count_invalid(feature.name if feature else "other")


def _feature(error: InvalidValue) -> Feature | None:
    """Find the feature that an error is about: by its column, its name in an object, or its place in a list."""
    place = error.column or (error.pointer or "").rpartition("/")[2]
    return FEATURES_BY_INDEX.get(place) or SCHEMA.features_by_name.get(place) or SCHEMA.match_feature(place)


def _note(model: "Model", measurements: Floats, species: Mapping[str, int]) -> None:
    current_request().flowers = Flowers(len(measurements), model.manifest, species, sample(measurements))


def _fields(told: RequestRecord) -> dict[str, object]:
    """Return what the log says of a request beside its sentence; never what was measured."""
    fields: dict[str, object] = {"request_id": told.request_id}
    if told.traceparent:
        fields["traceparent"] = told.traceparent
    fields["client"] = told.client
    fields["method"] = told.method
    if told.rule:
        fields["route"] = told.route
    fields["status"] = told.status
    fields["seconds"] = round(told.seconds, 6)
    if told.flowers:
        fields["rows"], fields["model"] = told.flowers.rows, told.flowers.manifest.version
    if told.key:
        fields["key"] = told.key
    return fields
