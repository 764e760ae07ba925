"""How gunicorn serves ``wsgi:app``. Its own flags and GUNICORN_CMD_ARGS override every value here."""

import contextlib
import ctypes
import gc
import logging
import os
import resource
import shutil
import tempfile
from collections.abc import Iterator
from functools import partial
from pathlib import Path
from typing import Any

import gunicorn.util
import joblib
from gunicorn.glogging import Logger as GunicornLogger

# This machine only, until a proxy or --bind 0.0.0.0:8000 lets others in.
bind = f"127.0.0.1:{os.environ.get('PORT', '8000')}"

# One process for each processor that a container may use.
workers = os.environ.get("WEB_CONCURRENCY") or joblib.cpu_count()

# An answer is all computing, which Python does in one thread at a time; more of them only wait for clients. A client
# that sends slowly holds one, so a proxy that holds whole requests back belongs in front. MAX_CONCURRENT_REQUESTS in
# config.py is less than this, so that probes are answered while all others work.
worker_class = "gthread"
threads = 32

# Each connection is an open file, and each thread may need two more: a worker that runs out of them ends.
RESERVED_FILES = 64
files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
worker_connections = 1000
if files != resource.RLIM_INFINITY:
    worker_connections = max(min(worker_connections, files - 2 * threads - RESERVED_FILES), threads + 1)

# Longer than a proxy keeps its own connections (nginx: 60 s), so that it is never the one who is hung up on.
keepalive = 75

# A worker whose main thread, which stirs once a second, does not do so for so long is replaced. One that stops may
# finish what it has begun.
timeout = 30
graceful_timeout = 30
SHORTEST_TIMEOUT = 5

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

# gunicorn 27 waits for two seconds, in the thread that serves all connections, for each client that does not hang up
# when it is told to: a dozen of them stop a worker. A client that is still sending is given no such time.
gunicorn.util.close_graceful = partial(gunicorn.util.close_graceful, timeout=0.01)

# From malloc.h of glibc.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8


class Logger(GunicornLogger):
    """gunicorn's own, without its line for each request unless it is asked for: the app writes a better one.

    It is the first to be made with the final settings, so it checks them.
    """

    def __init__(self, cfg: Any) -> None:
        if problems := list(find_problems(cfg)):
            raise SystemExit("\n".join(f"gunicorn cannot serve iris_app: {problem}" for problem in problems))
        super().__init__(cfg)

    def access(self, *args: Any) -> None:
        """Write the line of a request."""
        if self.cfg.accesslog:
            super().access(*args)


def find_problems(cfg: Any) -> Iterator[str]:
    """Yield a sentence for each setting of gunicorn that cannot work here, or would be passed over in silence."""
    if cfg.worker_class_str not in {"gthread", "gunicorn.workers.gthread.ThreadWorker"}:
        yield f"--worker-class {cfg.worker_class_str}: only gthread can answer probes while requests are worked on."
    if cfg.threads < 1:
        yield "--threads 0: nobody would be answered. Leave it out, or give a number from 1 on."
    if cfg.workers < 1:
        yield "--workers 0: nobody would be answered. Leave it out, or give a number from 1 on."
    if 0 < cfg.timeout < SHORTEST_TIMEOUT:
        yield (
            f"--timeout {cfg.timeout}: idle workers would be killed, since they stir once a second. "
            f"Give at least {SHORTEST_TIMEOUT}, or 0 for no limit."
        )
    yield from _find_connection_problems(cfg)
    for name, is_wrong, why in (
        ("--reload", cfg.reload, "workers share the code that was loaded at start. Use: flask --app wsgi run --debug"),
        ("--reuse-port", cfg.reuse_port, "a reload would lose the requests that wait for a worker that stops."),
        ("--http-parser fast", cfg.http_parser == "fast", "that parser is not installed. Leave it out."),
        ("--error-logfile", cfg.errorlog != "-", "the log goes to standard output. Redirect that."),
        ("--log-config", cfg.logconfig or cfg.logconfig_json, "the log is JSON on standard output. Leave it out."),
        ("--log-syslog", cfg.syslog, "the log goes to standard output. Pipe that to logger."),
        ("--statsd-host", cfg.statsd_host, "what is counted is told by /metrics, for Prometheus."),
    ):
        if is_wrong:
            yield f"{name}: {why}"


def _find_connection_problems(cfg: Any) -> Iterator[str]:
    """Yield a sentence where connections are too few for the threads, or too many for the files that may be open."""
    if cfg.worker_connections <= cfg.threads:
        yield (
            f"--worker-connections {cfg.worker_connections}: there must be more of them than threads ({cfg.threads}), "
            f"or none could be kept."
        )
    needed = cfg.worker_connections + 2 * cfg.threads + RESERVED_FILES
    if needed > files != resource.RLIM_INFINITY:
        yield (
            f"--worker-connections {cfg.worker_connections} with --threads {cfg.threads} needs {needed} open files, "
            f"and only {files} are allowed. Give fewer connections, or raise the limit (ulimit -n {needed})."
        )


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
    from iris_app.access import get_limits
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
    get_limits(app).leave_threads(worker.cfg.threads)
    get_recorder(app).start()
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
