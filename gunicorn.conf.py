"""How gunicorn serves ``wsgi:app``. Its own flags and GUNICORN_CMD_ARGS override every value here."""

import os
from pathlib import Path
from typing import Any

# This machine only, until a proxy or --bind 0.0.0.0:8000 lets others in.
bind = f"127.0.0.1:{os.environ.get('PORT', '8000')}"

# One process a processor, each with a few threads: an answer is all computing, and threads only wait for slow clients.
processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
workers = int(os.environ.get("WEB_CONCURRENCY", processors))
worker_class = "gthread"
threads = 4

# Longer than a proxy keeps its own connections (nginx: 60 s), so that it is never the one who is hung up on.
keepalive = 75

# A worker that does not stir for so long is replaced, but a client that sends slowly holds a thread for as long as it
# likes: let a proxy that reads requests whole stand in front. A worker told to stop may finish what it has begun.
timeout = 30
graceful_timeout = 30

# Workers share what is imported before they part, and all of them start with one reading of the code.
preload_app = True

# Heartbeats are files; on a disk that is busy they would come late.
memory = Path("/dev/shm")  # noqa: S108 -- gunicorn makes files of its own there, with names of chance
worker_tmp_dir = str(memory) if memory.is_dir() else None

# The parser that is there; "auto" looks for a faster one that no release of gunicorn 27 can install.
http_parser = "python"

# No socket to steer gunicorn by: nothing uses it, and it wants a writable home.
control_socket_disable = True

# Requests to standard output, all else to standard error.
accesslog = "-"
errorlog = "-"


def on_starting(_server: Any) -> None:
    """Import scikit-learn once, before the workers part: its threads start with the first work, which comes after."""
    import iris_app.model  # noqa: F401


def post_worker_init(worker: Any) -> None:
    """Load the model in each worker, so that no visitor waits for it, and keep up with what is published."""
    from iris_app.exceptions import ModelUnavailable
    from iris_app.model_service import get_service

    with worker.wsgi.app_context():
        service = get_service()
    worker.wsgi.extensions["stopping"] = lambda: not worker.alive
    service.watch(worker.wsgi.config["MODEL_CHECK_SECONDS"])
    try:
        worker.log.info("Answering with model %s", service.model.version)
    except ModelUnavailable as error:
        worker.log.error("Answering without a model until there is one: %s", error)
