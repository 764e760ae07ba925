"""The record of a request that was answered."""

from time import perf_counter, time

import msgspec
from werkzeug.routing import Rule

from iris_app.web.request import PredictionStats, Request


class RequestRecord(msgspec.Struct, gc=False):
    """A request and its response, buffered until it is counted and logged.

    Attributes
    ----------
    at : float
        The time of the response, in seconds since the epoch.
    seconds : float
        The duration of the request.
    rule : Rule, optional
        The URL rule that matched.
    """

    at: float
    seconds: float
    status: int
    request_id: str
    traceparent: str | None
    client: str | None
    method: str
    path: str
    rule: Rule | None
    stats: PredictionStats | None
    key: str | None

    @property
    def route(self) -> str | None:
        """The pattern of the URL rule."""
        return self.rule.rule if self.rule else None

    @property
    def message(self) -> str:
        """The message of the access log."""
        return f"{self.method} {self.path} {self.status}"

    def log_fields(self) -> dict[str, object]:
        """Return the fields of the access log, without the values of rows."""
        fields: dict[str, object] = {"request_id": self.request_id}
        if self.traceparent:
            fields["traceparent"] = self.traceparent
        fields["client"] = self.client
        fields["method"] = self.method
        if self.rule:
            fields["route"] = self.route
        fields["status"] = self.status
        fields["seconds"] = round(self.seconds, 6)
        if self.stats:
            fields["rows"], fields["model"] = self.stats.rows, self.stats.manifest.version
        if self.key:
            fields["key"] = self.key
        return fields


def make_record(request: Request, status: int) -> RequestRecord:
    """Create the record of a request that was answered with ``status``."""
    return RequestRecord(
        time(),
        perf_counter() - request.started,
        status,
        request.id,
        request.traceparent,
        request.remote_addr,
        request.method,
        request.path,
        request.url_rule,
        request.stats,
        request.key,
    )
