"""What a worker more and a start cost whoever operates the app."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from benchmarks import processes, wrk
from benchmarks.contestants import ours
from benchmarks.flowers import Request, flowers
from benchmarks.rounds import Effort, alternate
from benchmarks.servers import PATIENCE, Failed, Server, running

READY = Request("/readyz")

# What each worker answers before its memory is looked at.
ANSWERED = 1000

# Enough for every worker to get some of them.
CONNECTIONS = 16

MOST_WORKERS = 3

IMPORTS = "import sklearn.pipeline, sklearn.linear_model, sklearn.preprocessing"


def memory_of_a_worker(effort: Effort, cores: Sequence[int], folder: Path) -> list[float]:
    """Return the bytes (PSS) that a worker more takes, from one to three, a value a round."""
    added = []
    for _ in range(effort.rounds):
        with running(ours("--workers", "1"), READY, cores, folder) as server:
            held = [_with_workers(server, count, cores, folder) for count in range(1, MOST_WORKERS + 1)]
        added.append((held[-1] - held[0]) / (MOST_WORKERS - 1))
    return added


def start(effort: Effort, cores: Sequence[int], folder: Path) -> dict[str, list[float]]:
    """Return the seconds from ``gunicorn wsgi:app`` to its first 200, and those of importing scikit-learn."""
    measures: dict[str, Callable[[], float]] = {
        "gunicorn wsgi:app": partial(_start, cores, folder),
        "import of scikit-learn": _import,
    }
    alternate(1, measures)  # from now on, all files have been read
    return alternate(effort.rounds, measures)


def _start(cores: Sequence[int], folder: Path) -> float:
    with running(ours(), READY, cores, folder) as server:
        return server.started


def _import() -> float:
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", IMPORTS], check=True)
    return time.perf_counter() - began


def _with_workers(server: Server, count: int, cores: Sequence[int], folder: Path) -> float:
    """Return the bytes that gunicorn holds when it has so many workers, one more than before, and all have worked."""
    deadline = time.monotonic() + PATIENCE
    if count > 1:
        os.kill(server.pid, signal.SIGTTIN)
    while server.log.read_text().count("Answering with model") < count:
        if time.monotonic() > deadline:
            raise Failed(f"gunicorn has no {count} workers; see {server.log}")
        time.sleep(0.05)
    _work(server, cores, folder)
    return server.memory()


def _work(server: Server, cores: Sequence[int], folder: Path) -> None:
    """Ask until every worker has answered enough, which its share of the processor's time tells."""
    workers = processes.family(server.pid)[1:]
    request = server.contestant.forms["JSON"](flowers(1))
    script = wrk.write_script(folder / "work.lua", request)
    before, requests = list(map(processes.cpu_seconds, workers)), 0
    for _ in range(PATIENCE):
        requests += wrk.drive(server, request.path, script, 1, cores, CONNECTIONS).requests
        spent = [now - then for now, then in zip(map(processes.cpu_seconds, workers), before, strict=True)]
        if min(spent) / sum(spent) * requests >= ANSWERED:
            return
    raise Failed(f"A worker gets no requests; see {server.log}")
