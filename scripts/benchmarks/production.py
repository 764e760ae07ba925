"""The application as in a worker of gunicorn, but in this process and without a socket."""

import atexit
import contextlib
import io
import logging.config
import os
import runpy
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any
from unittest import mock

import flask
from flask import Flask
from werkzeug.test import create_environ

from benchmarks.requests import Request
from benchmarks.servers import CHECKOUT, Failed
from iris_app import create_app, model_service
from iris_app.web.response import Response

Call = Callable[[], bytes]

# The modules whose hooks record requests.
RECORDING_MODULES = {"iris_app.observability.recorder", "iris_app.web.static_files"}

# Headers that are removed.
HEADERS = {"X-Request-ID", "Content-Security-Policy"}


def production() -> Flask:
    """Return the application after the hooks of ``gunicorn.conf.py``, with its log discarded."""
    settings = runpy.run_path(str(CHECKOUT / "gunicorn.conf.py"))
    with contextlib.redirect_stdout(open(os.devnull, "w")):  # noqa: PTH123 -- it stays open for the log
        logging.config.dictConfig(settings["logconfig_dict"])
    app = create_app()
    log = logging.getLogger("gunicorn.error")
    server = SimpleNamespace(log=log, WORKERS={}, app=SimpleNamespace(callable=app), cfg=SimpleNamespace(timeout=30))
    worker = SimpleNamespace(log=log, alive=True, wsgi=app, cfg=SimpleNamespace(threads=settings["threads"]))
    for hook, arguments in HOOKS.items():
        settings.get(hook, _nothing)(*arguments(server, worker))
    atexit.register(settings.get("on_exit", _nothing), server)
    return app


# The hooks of gunicorn until a worker is ready, in order, with their arguments.
HOOKS: dict[str, Callable[[Any, Any], tuple[Any, ...]]] = {
    "on_starting": lambda server, _worker: (server,),
    "when_ready": lambda server, _worker: (server,),
    "pre_fork": lambda server, worker: (server, worker),
    "post_fork": lambda server, worker: (server, worker),
    "post_worker_init": lambda _server, worker: (worker,),
}


def without_recording() -> Flask:
    """Return the application without metrics and access log; see ``recording_disabled`` for the rest.

    Raises
    ------
    Failed
        If there was nothing to remove.
    """
    app = create_app()
    hooks: list[Any] = app.after_request_funcs[None]
    app.after_request_funcs[None] = [hook for hook in hooks if _origin(hook) not in RECORDING_MODULES]
    with recording_disabled():
        headers = app.test_client().get("/api/model").headers
    if "iris_app.observability.recorder" not in map(_origin, hooks) or HEADERS & set(headers.keys()):
        raise Failed("The recording of requests is no longer where the benchmark removes it.")
    return app


@contextlib.contextmanager
def recording_disabled() -> Iterator[None]:
    """Disable the recording of predictions, logging and common headers."""
    logging.disable()
    try:
        with (
            mock.patch.object(model_service, "record_predictions", _nothing),
            mock.patch.object(Response, "get_wsgi_response", flask.Response.get_wsgi_response),
        ):
            yield
    finally:
        logging.disable(logging.NOTSET)


def _origin(hook: Any) -> str:
    """Return the name of the module of a function or a partial."""
    return str(getattr(hook, "func", hook).__module__)


def caller(app: Flask, request: Request) -> Call:
    """Return a function that calls an application as gunicorn does, with a new environ each time."""
    template = create_environ(request.path, method=request.method, headers=request.headers)
    template |= {"CONTENT_LENGTH": str(len(request.body)), "wsgi.input_terminated": True}

    def call() -> bytes:
        response = app(template | {"wsgi.input": io.BytesIO(request.body)}, _start_response)
        try:
            return b"".join(response)
        finally:
            getattr(response, "close", _nothing)()

    return call


def _start_response(status: str, _headers: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], object]:
    if not status.startswith("200"):
        raise Failed(f"In process, the answer is {status}.")
    return _nothing


def _nothing(*_arguments: Any) -> None:
    pass
