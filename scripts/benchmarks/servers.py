"""Servers that the benchmark starts."""

import contextlib
import http.client
import math
import os
import random
import re
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from benchmarks import processes
from benchmarks.requests import Request

CHECKOUT = Path(__file__).parent.parent.parent

# Prefixes of variables that would configure gunicorn and the metrics.
REMOVED_VARIABLES = ("GUNICORN", "WEB_", "PORT", "PROMETHEUS_")

# Seconds for a server to start or answer.
TIMEOUT = 60


class Failed(Exception):
    """A server cannot be measured."""


class ServedModel(NamedTuple):
    """A model in a folder, for all servers: ``model.joblib``, its manifest, and ``model.json`` for the others.

    Attributes
    ----------
    folder : Path
    rows : callable
        Returns a table of so many rows.
    probability : float
        The probability of the most likely class of the first row.
    """

    folder: Path
    rows: Callable[[int], pd.DataFrame]
    probability: float

    @property
    def path(self) -> Path:
        """The path of the artifact."""
        return self.folder / "model.joblib"


@dataclass(frozen=True)
class Contestant:
    """A server to start.

    ``command`` and ``settings`` (of the environment) name ports as ``{0}``, on which it answers, ``{1}`` and ``{2}``.
    ``forms`` maps names of formats to functions that build the request of some rows.
    """

    name: str
    model: ServedModel
    command: Sequence[str]
    forms: Mapping[str, Callable[[pd.DataFrame], Request]]
    settings: Mapping[str, str] = field(default_factory=dict)
    folder: Path = CHECKOUT
    described: str = ""


@dataclass(frozen=True)
class Server:
    """A running server, and the seconds until its first response."""

    contestant: Contestant
    pid: int
    port: int
    log: Path
    started: float

    def cpu_seconds(self) -> float:
        """Return the CPU seconds of all its processes."""
        return processes.cpu_seconds(*processes.family(self.pid))

    def memory(self) -> float:
        """Return the memory of all its processes in bytes (PSS)."""
        return processes.memory(*processes.family(self.pid))


@contextlib.contextmanager
def running(contestant: Contestant, first: Request, cores: Sequence[int]) -> Iterator[Server]:
    """Run a server on some cores, with its log beside its model, and wait for its first response."""
    ports = _free_ports(3)
    log = contestant.model.folder / f"{contestant.name}.log"
    command = ["taskset", "--cpu-list", ",".join(map(str, cores))]
    command += [part.format(*ports) for part in contestant.command]
    began = time.perf_counter()
    with log.open("wb") as file:
        process = subprocess.Popen(
            command,
            cwd=contestant.folder,
            env=_environment(contestant, ports),
            stdout=file,
            stderr=file,
            start_new_session=True,
        )
    try:
        _wait(process, ports[0], first, log)
        yield Server(contestant, process.pid, ports[0], log, time.perf_counter() - began)
    finally:
        _stop(process)


def ask(port: int, request: Request) -> tuple[int, bytes]:
    """Return the status and the body of a response."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    with contextlib.closing(connection):
        connection.request(request.method, request.path, request.body or None, request.headers)
        response = connection.getresponse()
        return response.status, response.read()


def check(server: Server, request: Request, probability: float | None) -> None:
    """Raise ``Failed`` unless a server answers 200, with the probability in its response if one is given."""
    status, body = ask(server.port, request)
    numbers = map(float, re.findall(r"\d\.\d+(?:e-?\d+)?", body.decode(errors="replace")))
    right = probability is None or any(math.isclose(number, probability, rel_tol=1e-9) for number in numbers)
    if status != http.HTTPStatus.OK or not right:
        raise Failed(f"{server.contestant.name} answers {status} to {request.path}: {body[:300]!r}; see {server.log}")


def _environment(contestant: Contestant, ports: Sequence[int]) -> dict[str, str]:
    own = {name: text for name, text in os.environ.items() if not name.startswith(REMOVED_VARIABLES)}
    return own | {name: text.format(*ports) for name, text in contestant.settings.items()}


def _free_ports(count: int) -> list[int]:
    """Return ports that nobody listens at, of those that no connection is given before a server takes them."""
    ports: set[int] = set()
    while len(ports) < count:
        port = random.randrange(10_000, 32_000)  # noqa: S311 -- no secret
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            ports.add(port)
    return list(ports)


def _wait(process: subprocess.Popen[bytes], port: int, first: Request, log: Path) -> None:
    """Wait until a server answers with 200."""
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline:
        with contextlib.suppress(OSError, http.client.HTTPException):
            if ask(port, first)[0] == http.HTTPStatus.OK:
                return
        if process.poll() is not None:
            break
        time.sleep(0.005)
    raise Failed(f"It did not start. The end of {log}:\n{log.read_text(errors='replace')[-2000:]}")


def _stop(process: subprocess.Popen[bytes]) -> None:
    """Stop a server by SIGTERM, and kill it after ten seconds."""
    process.send_signal(signal.SIGTERM)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(10)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
