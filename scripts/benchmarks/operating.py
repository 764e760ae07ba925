"""The memory of another worker, and the time of a start."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial

from benchmarks import processes, wrk
from benchmarks.contestants import ours
from benchmarks.requests import Request
from benchmarks.rounds import Effort, alternate
from benchmarks.servers import TIMEOUT, Failed, ServedModel, Server, running

READY = Request("/readyz")

# The requests that each worker answers before its memory is measured.
ANSWERED = 1000

# Enough connections to reach every worker.
CONNECTIONS = 16

MOST_WORKERS = 3

IMPORTS = "import sklearn.pipeline, sklearn.linear_model, sklearn.preprocessing"


def memory_of_a_worker(effort: Effort, cores: Sequence[int], model: ServedModel) -> list[float]:
    """Return the bytes (PSS) of each further worker, from one to three, a value per round."""
    added = []
    for _ in range(effort.rounds):
        with running(ours(model, "--workers", "1"), READY, cores) as server:
            held = [_with_workers(server, count, cores, model) for count in range(1, MOST_WORKERS + 1)]
        added.append((held[-1] - held[0]) / (MOST_WORKERS - 1))
    return added


def start(effort: Effort, cores: Sequence[int], model: ServedModel) -> dict[str, list[float]]:
    """Return the seconds from ``gunicorn wsgi:app`` to its first 200, and those of importing scikit-learn."""
    measures: dict[str, Callable[[], float]] = {
        "gunicorn wsgi:app": partial(_start, cores, model),
        "import of scikit-learn": _import,
    }
    alternate(1, measures)  # warm the file cache
    return alternate(effort.rounds, measures)


def _start(cores: Sequence[int], model: ServedModel) -> float:
    with running(ours(model), READY, cores) as server:
        return server.started


def _import() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    return time.perf_counter() - began


def _with_workers(server: Server, count: int, cores: Sequence[int], model: ServedModel) -> float:
    """Add a worker, unless it is the first, put load on all, and return the bytes that gunicorn holds."""
    deadline = time.monotonic() + TIMEOUT
    if count > 1:
        os.kill(server.pid, signal.SIGTTIN)
    while server.log.read_text().count("Answering with model") < count:
        if time.monotonic() > deadline:
            raise Failed(f"gunicorn has no {count} workers; see {server.log}")
        time.sleep(0.05)
    _work(server, cores, model)
    return server.memory()


def _work(server: Server, cores: Sequence[int], model: ServedModel) -> None:
    """Send requests until every worker has answered enough, estimated by its share of the CPU time."""
    workers = processes.family(server.pid)[1:]
    request = server.contestant.forms["JSON"](model.rows(1))
    script = wrk.write_script(model.folder / "work.lua", request)
    before, requests = list(map(processes.cpu_seconds, workers)), 0
    for _ in range(TIMEOUT):
        requests += wrk.drive(server, request.path, script, 1, cores, CONNECTIONS).requests
        spent = [now - then for now, then in zip(map(processes.cpu_seconds, workers), before, strict=True)]
        if min(spent) / sum(spent) * requests >= ANSWERED:
            return
    raise Failed(f"A worker gets no requests; see {server.log}")
