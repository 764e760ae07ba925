"""The configuration of gunicorn. Its flags and GUNICORN_CMD_ARGS override every value here."""

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

# Only this machine can connect, unless a proxy or --bind 0.0.0.0:8000 admits others, or Vertex AI names the port.
bind = f"127.0.0.1:{os.environ.get('PORT', '8000')}"
if "AIP_HTTP_PORT" in os.environ:
    bind = f"0.0.0.0:{os.environ['AIP_HTTP_PORT']}"

# gunicorn refuses what is not below SCRIPT_NAME, such as probes; the application answers there and at its own paths.
if "SCRIPT_NAME" in os.environ:
    os.environ["IRIS_APPLICATION_ROOT"] = os.environ.pop("SCRIPT_NAME") or "/"

# Each worker counts in files of its own folder.
os.environ.pop("PROMETHEUS_MULTIPROC_DIR", None)

# One process per available core.
workers = os.environ.get("WEB_CONCURRENCY") or joblib.cpu_count()

# Predicting is bound by the CPU, so threads only help to wait for clients. A slow client occupies one, so production
# needs a proxy that buffers requests. MAX_CONCURRENT_REQUESTS in config.py is less, so that probes are answered.
worker_class = "gthread"
threads = 32

# Each connection is an open file, and each thread may need two more; a worker without free descriptors exits.
RESERVED_FILES = 64
files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
worker_connections = 1000
if files != resource.RLIM_INFINITY:
    worker_connections = max(min(worker_connections, files - 2 * threads - RESERVED_FILES), threads + 1)

# Some classifiers start a thread per core for each prediction, and threads of all workers would wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

# Longer than the idle timeout of a proxy (nginx: 60 s), so that the proxy closes idle connections first.
keepalive = 75

# Seconds without a heartbeat, sent once a second, until a worker is killed; seconds for a stopping worker to finish.
timeout = 30
graceful_timeout = 30
MIN_TIMEOUT = 5

# Import the application before the fork, so that workers share its memory.
preload_app = True

# Heartbeats are files, which a busy disk would delay.
memory = Path("/dev/shm")  # noqa: S108 -- gunicorn creates its files by mkstemp
worker_tmp_dir = str(memory) if memory.is_dir() else None

# PROXY_COUNT decides which proxies the application trusts, so gunicorn ignores all forwarded headers.
forwarded_allow_ips = "*"
secure_scheme_headers: dict[str, str] = {}
forwarder_headers = ""

# The limit of nginx.
limit_request_line = 8190

# "auto" looks for a faster parser, which no release of gunicorn 27 can install.
http_parser = "python"

# Nothing uses the control socket, which needs a writable home.
control_socket_disable = True

# gunicorn 27 waits up to two seconds for a client to close, in the thread that accepts connections: a dozen such
# clients block a worker. Do not wait.
gunicorn.util.close_graceful = partial(gunicorn.util.close_graceful, timeout=0.01)

# From malloc.h of glibc.
M_TRIM_THRESHOLD, M_MMAP_THRESHOLD, M_ARENA_MAX = -1, -3, -8


class Logger(GunicornLogger):
    """gunicorn's logger, without its access log unless that is configured: the application has its own.

    gunicorn creates it first with the final settings, so it checks them.
    """

    def __init__(self, cfg: Any) -> None:
        if problems := list(find_problems(cfg)):
            raise SystemExit("\n".join(f"gunicorn cannot serve iris_app: {problem}" for problem in problems))
        super().__init__(cfg)

    def access(self, *args: Any) -> None:
        """Write a line of gunicorn's access log."""
        if self.cfg.accesslog:
            super().access(*args)


def find_problems(cfg: Any) -> Iterator[str]:
    """Yield a sentence for each setting of gunicorn that cannot work here or would be ignored."""
    if cfg.worker_class_str not in {"gthread", "gunicorn.workers.gthread.ThreadWorker"}:
        yield f"--worker-class {cfg.worker_class_str}: only gthread can answer probes while requests are worked on."
    if cfg.threads < 1:
        yield "--threads 0: nobody would be answered. Leave it out, or give a number from 1 on."
    if cfg.workers < 1:
        yield "--workers 0: nobody would be answered. Leave it out, or give a number from 1 on."
    if 0 < cfg.timeout < MIN_TIMEOUT:
        yield (
            f"--timeout {cfg.timeout}: idle workers would be killed, since they stir once a second. "
            f"Give at least {MIN_TIMEOUT}, or 0 for no limit."
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
    """Yield a sentence if connections are too few for the threads, or too many for the limit of open files."""
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


# No line of the log shows these, so do not look them up.
logging.logThreads = logging.logProcesses = logging.logMultiprocessing = False

# Log to standard output, a JSON object per line.
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
    """Load the model before the fork, so that workers share its memory."""
    configure_malloc()
    share_model(server)
    server.counts = None
    try:
        server.counts = Path(tempfile.mkdtemp(prefix="iris_app-", dir=worker_tmp_dir))
    except OSError as error:
        server.log.error("/metrics is off, for there is no place to count in: %s", error)


def share_model(server: Any) -> None:
    """Import scikit-learn and load the model, so that the workers that are forked next share both."""
    import iris_app.model.classifier  # noqa: F401
    from iris_app.model_service import get_service

    gc.unfreeze()
    gc.collect()  # the model that was loaded before a reload
    get_service(server.app.callable).load_before_fork(server.cfg.timeout or None)
    gc.collect()
    gc.freeze()  # or each worker's first collection would copy the shared pages


def configure_malloc() -> None:
    """Keep up to 64 MB of freed memory for the next batch, to save page faults."""
    with contextlib.suppress(AttributeError):  # not in every C library
        mallopt = ctypes.CDLL(None).mallopt
        mallopt(M_ARENA_MAX, 1)  # or each thread would keep that much
        mallopt(M_MMAP_THRESHOLD, 32 * 1024 * 1024)
        mallopt(M_TRIM_THRESHOLD, 64 * 1024 * 1024)


def on_reload(server: Any) -> None:
    """Load the new settings for the next workers, or keep the old ones if they are wrong."""
    from iris_app import create_app

    try:
        server.app.callable = create_app()
        share_model(server)
    except Exception as error:  # or the server would exit
        server.log.error("The settings stay as they were: %s", error)


def pre_fork(server: Any, worker: Any) -> None:
    """Assign a worker the first free slot, and create the files of its counts."""
    from iris_app.observability.metrics import preallocate_files

    used = {other.slot for other in server.WORKERS.values()}
    worker.slot = min(set(range(len(used) + 1)) - used)
    worker.counts = server.counts
    if worker.counts:
        try:
            preallocate_files(worker.counts, worker.slot)
        except OSError as error:
            worker.counts = None
            server.log.error("/metrics is off in a worker, for there is no place to count in: %s", error)


def post_worker_init(worker: Any) -> None:
    """Load the model in each worker that does not share one, watch for a new one, and start recording."""
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
    get_limits(app).reserve_threads(worker.cfg.threads)
    get_recorder(app).start()
    service = get_service(app)
    service.adopt()
    service.watch(app.config["MODEL_CHECK_SECONDS"])
    try:
        worker.log.info("Answering with model %s", service.model.version)
    except ModelUnavailable as error:
        worker.log.error("Answering without a model until there is one: %s", error)


def worker_exit(_server: Any, worker: Any) -> None:
    """Flush the records of the worker's last requests."""
    from iris_app.observability.recorder import get_recorder

    get_recorder(worker.wsgi).flush()


def on_exit(server: Any) -> None:
    """Remove the files of the counts."""
    if server.counts:
        shutil.rmtree(server.counts, ignore_errors=True)
