"""The app as gunicorn has it in a worker, in this process and without a socket."""

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

from benchmarks.flowers import Request
from benchmarks.servers import CHECKOUT, Failed
from iris_app import create_app, model_service
from iris_app.web.response import Response

Call = Callable[[], bytes]

# Whose hooks write metrics, logs and headers.
TELLERS = {"iris_app.observability.recorder", "iris_app.web.static_files"}

# What shows that headers are still written.
HEADERS = {"X-Request-ID", "Content-Security-Policy"}


def production() -> Flask:
    """Return the app after all that ``gunicorn.conf.py`` does to it, with its log written to where it is forgotten."""
    settings = runpy.run_path(str(CHECKOUT / "gunicorn.conf.py"))
    with contextlib.redirect_stdout(open(os.devnull, "w")):  # noqa: PTH123 -- it stays open for the log
        logging.config.dictConfig(settings["logconfig_dict"])
    app = create_app()
    log = logging.getLogger("gunicorn.error")
    server = SimpleNamespace(log=log, WORKERS={}, app=SimpleNamespace(callable=app))
    worker = SimpleNamespace(log=log, alive=True, wsgi=app)
    for hook, told in HOOKS.items():
        settings.get(hook, _nothing)(*told(server, worker))
    atexit.register(settings.get("on_exit", _nothing), server)
    return app


# What gunicorn calls until a worker answers, in its order.
HOOKS: dict[str, Callable[[Any, Any], tuple[Any, ...]]] = {
    "on_starting": lambda server, _worker: (server,),
    "when_ready": lambda server, _worker: (server,),
    "pre_fork": lambda server, worker: (server, worker),
    "post_fork": lambda server, worker: (server, worker),
    "post_worker_init": lambda _server, worker: (worker,),
}


def without_telling() -> Flask:
    """Return the app without what tells of a request by metrics and logs; see ``nothing_told`` for the rest.

    Raises
    ------
    Failed
        Where there is nothing to take away, so that nothing would be measured.
    """
    app = create_app()
    hooks: list[Any] = app.after_request_funcs[None]
    app.after_request_funcs[None] = [hook for hook in hooks if _origin(hook) not in TELLERS]
    with nothing_told():
        headers = app.test_client().get("/api/model").headers
    if "iris_app.observability.recorder" not in map(_origin, hooks) or HEADERS & set(headers.keys()):
        raise Failed("What tells of a request is no longer where the benchmark takes it away.")
    return app


@contextlib.contextmanager
def nothing_told() -> Iterator[None]:
    """Have no view note what it answered, nothing logged, and no header added."""
    logging.disable()
    try:
        with (
            mock.patch.object(model_service, "record_predictions", _nothing),
            mock.patch.object(model_service, "_note", _nothing),
            mock.patch.object(Response, "get_wsgi_response", flask.Response.get_wsgi_response),
        ):
            yield
    finally:
        logging.disable(logging.NOTSET)


def _origin(hook: Any) -> str:
    """Name the module of a function, or of the one that is called by it with some arguments."""
    return str(getattr(hook, "func", hook).__module__)


def caller(app: Flask, request: Request) -> Call:
    """Return what sends a request to an app as gunicorn does, with an environ that is new each time."""
    template = create_environ(request.path, method=request.method, headers=request.headers)
    template |= {"CONTENT_LENGTH": str(len(request.body)), "wsgi.input_terminated": True}

    def call() -> bytes:
        answer = app(template | {"wsgi.input": io.BytesIO(request.body)}, _start_response)
        try:
            return b"".join(answer)
        finally:
            getattr(answer, "close", _nothing)()

    return call


def _start_response(status: str, _headers: list[tuple[str, str]], _error: Any = None) -> Callable[[bytes], object]:
    if not status.startswith("200"):
        raise Failed(f"In process, the answer is {status}.")
    return _nothing


def _nothing(*_arguments: Any) -> None:
    pass
