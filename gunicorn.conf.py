"""How gunicorn serves ``wsgi:app``. Its own flags and GUNICORN_CMD_ARGS override every value here."""

import contextlib
import ctypes
import gc
import logging
import os
import shutil
import tempfile
from pathlib import Path
from typing import Any

from gunicorn.glogging import Logger as GunicornLogger

# This machine only, until a proxy or --bind 0.0.0.0:8000 lets others in.
bind = f"127.0.0.1:{os.environ.get('PORT', '8000')}"

# One process a processor, each with a few threads for long requests: iris_app.worker answers small ones without.
processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
workers = int(os.environ.get("WEB_CONCURRENCY", processors))
worker_class = "iris_app.worker.Worker"
threads = 4

# Longer than a proxy keeps its own connections (nginx: 60 s), so that it is never the one who is hung up on.
keepalive = 75

# A worker that does not stir for so long is replaced. One that is told to stop may finish what it has begun.
timeout = 30
graceful_timeout = 30

# Workers share what is imported before they part, and all of them start with one reading of the code.
preload_app = True

# Heartbeats are files; on a disk that is busy they would come late.
memory = Path("/dev/shm")  # noqa: S108 -- gunicorn makes files of its own there, with names of chance
worker_tmp_dir = str(memory) if memory.is_dir() else None

# Whether a proxy is believed is for the app to say, by PROXY_COUNT; gunicorn takes nobody's word, and so asks no names.
forwarded_allow_ips = "*"
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

# An address as long as nginx lets one be.
limit_request_line = 8190

# The parser that is there; "auto" looks for a faster one that no release of gunicorn 27 can install.
http_parser = "python"

# No socket to steer gunicorn by: nothing uses it, and it wants a writable home.
control_socket_disable = True

# From malloc.h of glibc.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8


class Logger(GunicornLogger):
    """gunicorn's own, less its line for each request unless that is asked for: the app writes a better one."""

    def access(self, *args: Any) -> None:
        """Write the line of a request."""
        if self.cfg.accesslog:
            super().access(*args)


# What no line of the log holds is not looked up for each.
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False

# Everything to standard output, a JSON object a line.
logger_class = Logger
logconfig_dict = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {"json": {"()": "iris_app.observability.logs.JsonFormatter"}},
    "handlers": {
        "stdout": {
            "class": "iris_app.observability.logs.LineHandler",
            "stream": "ext://sys.stdout",
            "formatter": "json",
        }
    },
    "root": {"level": "INFO", "handlers": ["stdout"]},
    "loggers": {"gunicorn.error": {"handlers": ["stdout"], "propagate": False}},
}


def on_starting(server: Any) -> None:
    """Import scikit-learn once, before the workers part: its threads start with the first work, which comes after."""
    import iris_app.model.classifier  # noqa: F401

    keep_memory()
    gc.collect()
    gc.freeze()  # or the first collection in each worker would touch, and so copy, all that they share
    server.counts = None
    try:
        server.counts = Path(tempfile.mkdtemp(prefix="iris_app-", dir=worker_tmp_dir))
    except OSError as error:
        server.log.error("/metrics is off, for there is no place to count in: %s", error)


def keep_memory() -> None:
    """Keep up to 64 MB of what is freed for the next batch, which else waits for the kernel to give it page by page."""
    with contextlib.suppress(AttributeError):  # not every C library has it
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)  # or each thread would keep as much
        mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024)
        mallopt(M_TRIM_THRESHOLD, 64 * 1024 * 1024)


def on_reload(server: Any) -> None:
    """Take new settings for the workers to come; with wrong ones, go on with the old."""
    from iris_app import create_app

    try:
        server.app.callable = create_app()
    except Exception as error:  # a fault here would end the server
        server.log.error("The settings stay as they were: %s", error)


def pre_fork(server: Any, worker: Any) -> None:
    """Give a worker files to count in that no living one has; those of a dead one are gone on with."""
    from iris_app.observability.metrics import preallocate_files

    taken = {other.slot for other in server.WORKERS.values()}
    worker.slot = min(set(range(len(taken) + 1)) - taken)
    worker.counts = server.counts
    if worker.counts:
        try:
            preallocate_files(worker.counts, worker.slot)
        except OSError as error:
            worker.counts = None
            server.log.error("/metrics is off in a worker, for there is no place to count in: %s", error)


def post_worker_init(worker: Any) -> None:
    """Load the model in each worker, so that no visitor waits for it, and keep up with what is published."""
    from iris_app.exceptions import ModelUnavailable
    from iris_app.model_service import get_service
    from iris_app.observability.metrics import enable_multiprocess
    from iris_app.observability.recorder import get_metrics, get_recorder

    app = worker.wsgi
    if worker.counts:
        enable_multiprocess(worker.counts, worker.slot)
    else:
        get_metrics(app).incomplete = True
    app.extensions["stopping"] = lambda: not worker.alive
    app.extensions["refusing"] = getattr(worker, "is_refusing", bool)
    get_recorder(app).keep_up()
    service = get_service(app)
    service.watch(app.config["MODEL_CHECK_SECONDS"])
    try:
        worker.log.info("Answering with model %s", service.model.version)
    except ModelUnavailable as error:
        worker.log.error("Answering without a model until there is one: %s", error)


def worker_exit(_server: Any, worker: Any) -> None:
    """Tell of the requests that still wait for it."""
    from iris_app.observability.recorder import get_recorder

    get_recorder(worker.wsgi).flush()


def on_exit(server: Any) -> None:
    """Throw the counts away."""
    if server.counts:
        shutil.rmtree(server.counts, ignore_errors=True)
