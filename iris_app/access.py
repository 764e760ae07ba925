"""Access control: API keys, and limits on concurrent requests."""

import hashlib
import hmac
from functools import partial

from flask import Flask
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from iris_app.observability.recorder import get_metrics
from iris_app.web.concurrency import Limits, limit_concurrency
from iris_app.web.request import request
from iris_app.web.view_flags import has_flag

# Browsers send no key for the pages of these blueprints.
PAGE_BLUEPRINTS = frozenset({"ui", "swagger", "bootstrap"})

EXTENSION = "limits"


def init_app(app: Flask) -> None:
    """Check the limits and the key before each request of an application."""
    size = max(app.config["MAX_CONCURRENT_BYTES"], app.config["MAX_CONTENT_LENGTH"])
    app.extensions[EXTENSION] = limits = Limits(app.config["MAX_CONCURRENT_REQUESTS"], size)
    app.wsgi_app = limit_concurrency(app.wsgi_app, limits)  # type: ignore[assignment, method-assign]
    app.before_request(partial(_enforce_limits, app))
    if app.config["API_KEYS"]:
        app.before_request(partial(_check_key, app))


def get_limits(app: Flask) -> Limits:
    """Return the limits of an application."""
    limits: Limits = app.extensions[EXTENSION]
    return limits


def check_token(digests: dict[str, str]) -> str:
    """Return the name whose sha256 the bearer token of the current request has, or raise ``Unauthorized``."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    given = hashlib.sha256(token.strip().encode()).hexdigest()
    names = [name for name, digest in digests.items() if hmac.compare_digest(given, digest)]
    if scheme.lower() == "bearer" and names:
        return names[0]
    reason = {"error": "invalid_token"} if token else {}
    raise Unauthorized(
        "Send a key that is known here, as Authorization: Bearer <key>.",
        www_authenticate=WWWAuthenticate("bearer", {"realm": "iris_app", **reason}),
    )


def _enforce_limits(app: Flask) -> None:
    if not has_flag(app, request.url_rule, "is_probe"):
        request.enforce_limits(app.config["MAX_CONTENT_LENGTH"])


def _check_key(app: Flask) -> None:
    endpoint = request.endpoint or ""
    if (
        endpoint.partition(".")[0] in PAGE_BLUEPRINTS
        or endpoint.endswith(".static")
        or has_flag(app, request.url_rule, "is_public")
    ):
        return
    request.key = check_token(app.config["API_KEYS"])
    get_metrics().count_key(request.key)
