"""Error handlers: translate every error to HTTP, and render it as the blueprint of the request does."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from flask import Flask, current_app
from flask.globals import request_ctx
from werkzeug.exceptions import HTTPException, NotAcceptable, NotFound
from werkzeug.http import HTTP_STATUS_CODES  # http.HTTPStatus changed its phrases in Python 3.13

from iris_app.exceptions import (
    InputError,
    InvalidValues,
    MalformedDocument,
    ModelUnavailable,
    Overloaded,
    TooManyRows,
    release_frames,
)
from iris_app.model_service import get_service, join_changes
from iris_app.observability.recorder import record_errors
from iris_app.web.negotiation import wants_json
from iris_app.web.problem import Problem
from iris_app.web.request import request
from iris_app.web.response import Response

STATUSES: dict[type[InputError], HTTPStatus] = {
    MalformedDocument: HTTPStatus.BAD_REQUEST,
    TooManyRows: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    InvalidValues: HTTPStatus.UNPROCESSABLE_ENTITY,
}


Renderer = Callable[[Problem], Response]


def init_app(app: Flask, renderers: Mapping[str, Renderer], *, pages: Renderer, programs: Renderer) -> None:
    """Register the error handler of an application.

    Parameters
    ----------
    app : Flask
    renderers : mapping of str to callable
        The renderers of problems by URL prefix.
    pages : callable
        The renderer for all other URLs.
    programs : callable
        The renderer where a page is impossible: without a valid host, no URL can be built.
    """

    def handle(error: Exception) -> Response:
        # Without a valid host there is no URL adapter to build links with.
        render = _select_renderer(renderers, programs if wants_json(request) else pages)
        response = _respond(error, (render if request_ctx.url_adapter else programs)(_describe(error)))
        if render in {pages, programs}:
            response.vary.add("Accept")
        release_frames(error)
        return response

    app.register_error_handler(Exception, handle)


def _respond(error: Exception, response: Response) -> Response:
    """Add the headers of an error to its response."""
    if isinstance(error, NotAcceptable):
        response.vary.add("Accept")
    if isinstance(error, HTTPException):
        response.headers.extend((name, value) for name, value in error.get_headers() if name != "Content-Type")
    if isinstance(error, ModelUnavailable | Overloaded):
        response.headers["Retry-After"] = str(current_app.config["RETRY_AFTER_SECONDS"])
    return response


def _select_renderer(renderers: Mapping[str, Renderer], default: Renderer) -> Renderer:
    """Return the renderer for the path of the current request, with or without a matching view."""
    path = f"{request.path}/"
    return next((render for prefix, render in renderers.items() if path.startswith(f"{prefix}/")), default)


def _describe(error: Exception) -> Problem:
    """Translate an error to a problem; log server errors in full, and hide their cause from the client."""
    match error:
        case InvalidValues():
            record_errors(error.errors)
            detail = f"{error}{_schema_changes()}"
            return _problem(STATUSES[type(error)], detail, errors=error.errors, errors_omitted=error.omitted)
        case InputError():
            return _problem(STATUSES[type(error)], f"{error}{_schema_changes()}")
        case HTTPException(code=HTTPStatus.REQUEST_ENTITY_TOO_LARGE as status):
            return _problem(status, f"The body is larger than {request.max_content_length:,} bytes.")
        case NotFound(description=NotFound.description):
            return _problem(HTTPStatus.NOT_FOUND, "There is nothing at this address.")
        case HTTPException():
            return _problem(error.code or 500, error.description)
        case ModelUnavailable():
            current_app.logger.error("Request %s found no model: %s", request.id, error)
            detail = "There is no model to answer with at the moment. Please try again soon."
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, detail)
        case Overloaded():
            return _problem(HTTPStatus.SERVICE_UNAVAILABLE, "Too many requests at once. Please try again soon.")
    current_app.logger.error("Request %s failed: %s %s", request.id, request.method, request.path, exc_info=error)
    return _problem(HTTPStatus.INTERNAL_SERVER_ERROR, "This is a fault of ours; it was logged.")


def _schema_changes() -> str:
    """Return a sentence about the changes of the schema since the model before, if there are any."""
    changes = get_service().changes if request.model else []
    if not changes:
        return ""
    return f" The model was replaced, and takes other rows since: {join_changes(changes)}."


def _problem(status: int, detail: str | None, **more: Any) -> Problem:
    title = HTTP_STATUS_CODES[status]
    return Problem(type="about:blank", title=title, status=status, detail=detail or "", request_id=request.id, **more)
