"""Record every request: count it, log it, and sample its rows."""

import logging
from collections import deque
from collections.abc import Iterable
from threading import Lock, Thread
from time import monotonic, sleep

from flask import Flask, current_app, has_request_context

from iris_app.exceptions import InvalidValue
from iris_app.formatting import parse_int
from iris_app.model.predictions import PredictionBatch
from iris_app.observability.drift import sample
from iris_app.observability.logs import LineHandler, fast_handler
from iris_app.observability.metrics import Metrics, check_directory
from iris_app.observability.records import RequestRecord, make_record
from iris_app.schema import Feature, Schema
from iris_app.web.request import PredictionStats, request
from iris_app.web.response import Response
from iris_app.web.view_flags import has_flag

EXTENSION = "request_recorder"

# The maximum number of buffered records, and the seconds between flushes: a flush of them delays no request noticeably.
MAX_BUFFERED = 64
FLUSH_INTERVAL = 0.25

# Seconds since the last flush after which a record is flushed at once.
IDLE_THRESHOLD = 0.01

logger = logging.getLogger(__name__)


class RequestRecorder:
    """Count and log requests: each at once, or in batches after ``start``, which costs much less.

    Parameters
    ----------
    app : Flask
        The application whose requests are recorded.
    """

    def __init__(self, app: Flask) -> None:
        self.metrics = Metrics(app.config["DRIFT_WINDOW_SECONDS"])
        self._app = app
        self._handler: LineHandler | None = None
        self._idle_threshold = 0.0
        self._buffer: deque[RequestRecord] = deque()
        self._lock = Lock()
        self._last_flush = 0.0

    def record(self, response: Response) -> Response:
        """Record the current request and its response."""
        self._buffer.append(make_record(request, response.status_code))
        if len(self._buffer) >= MAX_BUFFERED or monotonic() >= self._last_flush + self._idle_threshold:
            self.flush()
        return response

    def flush(self) -> None:
        """Count and log the records in the buffer."""
        with self._lock:
            self._last_flush = monotonic()
            records = [self._buffer.popleft() for _ in range(len(self._buffer))]
            self.metrics.count_requests(records)
            self._log([record for record in records if not has_flag(self._app, record.rule, "is_probe")])

    def start(self) -> None:
        """Buffer records, and start a thread that flushes them and takes snapshots for the drift.

        Call it after logging is configured, and call ``flush`` at the end.
        """
        self._handler = fast_handler(logger)
        self._idle_threshold = IDLE_THRESHOLD
        Thread(target=self._run, name="request-recorder", daemon=True).start()

    def _run(self) -> None:
        while True:
            # Under load, requests flush the buffer themselves.
            if self._buffer and monotonic() >= self._last_flush + FLUSH_INTERVAL:
                self.flush()
            self.metrics.take_snapshot(monotonic())
            sleep(FLUSH_INTERVAL)

    def _log(self, records: Iterable[RequestRecord]) -> None:
        if self._handler:
            self._handler.emit_many(
                logger.name, ((record.at, record.message, record.log_fields()) for record in records)
            )
        else:
            for record in records:
                logger.info("%s", record.message, extra={"fields": record.log_fields()})


def init_app(app: Flask) -> None:
    """Record every request of an application."""
    check_directory()
    app.extensions[EXTENSION] = recorder = RequestRecorder(app)
    app.after_request(recorder.record)


def get_recorder(app: Flask | None = None) -> RequestRecorder:
    """Return the recorder of an application, or of the current one."""
    recorder: RequestRecorder = (app or current_app).extensions[EXTENSION]
    return recorder


def get_metrics(app: Flask | None = None) -> Metrics:
    """Return the metrics of an application, or of the current one."""
    return get_recorder(app).metrics


def record_predictions(batch: PredictionBatch) -> None:
    """Record the predictions for the current request, if there is one and it is no preview."""
    if not has_request_context() or request.is_preview:
        return
    request.stats = PredictionStats(len(batch), batch.manifest, batch.class_counts(), sample(batch.rows))
    if counts := batch.warning_counts():
        get_metrics().count_warnings(counts)


def record_errors(errors: Iterable[InvalidValue]) -> None:
    """Count the invalid values of the current request."""
    schema = request.model.schema if request.model else None
    for error in errors:
        record_invalid_value(_feature(schema, error) if schema else None)


def record_invalid_value(feature: Feature | None) -> None:
    """Count an invalid value of the current request by its feature, if it has one, unless it is a preview."""
    if not request.is_preview:
        get_metrics().count_invalid(feature.name if feature else "other")


def _feature(schema: Schema, error: InvalidValue) -> Feature | None:
    """Find the feature of an error: by its column, its name in an object, or its index in a list."""
    name = error.column or (error.pointer or "").rpartition("/")[2].replace("~1", "/").replace("~0", "~")
    if feature := schema.match_feature(name):
        return feature
    index = parse_int(name)
    return schema.features[index] if index is not None and 0 <= index < len(schema.features) else None
