"""Access control: API keys, limits on concurrent requests, and the origins of other sites."""

import hashlib
import hmac
from functools import partial

from flask import Flask, current_app
from werkzeug.datastructures import WWWAuthenticate
from werkzeug.exceptions import Unauthorized

from iris_app.observability.recorder import get_metrics
from iris_app.web.concurrency import Limits, limit_concurrency
from iris_app.web.request import request
from iris_app.web.response import Response
from iris_app.web.view_flags import has_flag

# Browsers send no key for the pages of these blueprints.
PAGE_BLUEPRINTS = frozenset({"ui", "swagger", "bootstrap"})

# The blueprints whose answers are for programs; pages are read by no other site.
PROGRAM_BLUEPRINTS = frozenset({"api", "inference_protocol", "invocations", "operations"})

EXPOSED_HEADERS = (
    "Inference-Header-Content-Length, Retry-After, X-Model-Schema, X-Model-Version, X-Model-Warnings, X-Request-ID"
)

# Seconds for which a browser may remember a preflight.
PREFLIGHT_SECONDS = 600

EXTENSION = "limits"


def init_app(app: Flask) -> None:
    """Check the origin, the limits and the key before each request of an application."""
    if app.config["CORS_ORIGINS"]:  # before the key, which no preflight has
        app.before_request(_answer_preflight)
        app.after_request(_allow_origin)
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


def _answer_preflight() -> Response | None:
    if request.method != "OPTIONS" or "Access-Control-Request-Method" not in request.headers or not _is_for_programs():
        return None
    response = Response(status=204)
    if _is_allowed_origin():
        methods = request.url_rule.methods if request.url_rule else None
        response.headers["Access-Control-Allow-Methods"] = ", ".join(sorted(methods or ()))
        if asked := request.headers.get("Access-Control-Request-Headers"):  # what is not known is not read
            response.headers["Access-Control-Allow-Headers"] = asked
        response.headers["Access-Control-Max-Age"] = str(PREFLIGHT_SECONDS)
    return response


def _allow_origin(response: Response) -> Response:
    if _is_for_programs():
        response.vary.add("Origin")
        if _is_allowed_origin():
            response.headers["Access-Control-Allow-Origin"] = request.headers["Origin"]
            response.headers["Access-Control-Expose-Headers"] = EXPOSED_HEADERS
    return response


def _is_for_programs() -> bool:
    return request.blueprint in PROGRAM_BLUEPRINTS or request.blueprint is None


def _is_allowed_origin() -> bool:
    origins, origin = current_app.config["CORS_ORIGINS"], request.headers.get("Origin")
    return origin is not None and ("*" in origins or origin in origins)
