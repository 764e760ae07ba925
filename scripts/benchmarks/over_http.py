"""Servers under load: all run, and are measured in turns."""

import contextlib
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import NamedTuple

from benchmarks import wrk
from benchmarks.rounds import Effort, alternate, ratio
from benchmarks.servers import Contestant, Server, check, running

FORMS = ("JSON", "CSV", "binary")


class Load(NamedTuple):
    """The load of a round: requests per second, latencies in milliseconds, CPU in microseconds per request."""

    rate: float
    p50: float
    p99: float
    cpu: float


class Cores(NamedTuple):
    """The cores of the servers and of the client."""

    server: Sequence[int]
    client: Sequence[int]


class Figures(NamedTuple):
    """The results: loads by form and rows and then by server, and the servers with their memory in bytes."""

    loads: dict[tuple[str, int], dict[str, list[Load]]]
    servers: dict[str, tuple[Server, float]]


def compare(
    contestants: Iterable[Contestant],
    sizes: Sequence[int],
    effort: Effort,
    cores: Cores,
    forms: Sequence[str] = FORMS,
) -> Figures:
    """Start all servers and measure them in turns, by form and size.

    The probability of the first row must be in each response to it, so that all serve the same model.
    """
    with contextlib.ExitStack() as stack:
        servers = [_start(stack, contestant, cores) for contestant in contestants]
        loads = {}
        for form in forms:
            for rows in sizes:
                print(f"over HTTP: {rows:,} rows as {form}", file=sys.stderr)
                rounds = _rounds(servers, form, rows, effort.seconds, cores)
                loads[form, rows] = alternate(effort.rounds, rounds)
        return Figures(loads, {server.contestant.name: (server, server.memory()) for server in servers})


def speed(loads: Mapping[str, Sequence[Load]], name: str) -> float:
    """Return how many times the requests per second of another server ours answers."""
    return ratio(*([load.rate for load in loads[one]] for one in ("ours", name)))


def _start(stack: contextlib.ExitStack, contestant: Contestant, cores: Cores) -> Server:
    print(f"over HTTP: starting {contestant.name}", file=sys.stderr)
    request = contestant.forms["JSON"](contestant.model.rows(1))
    server = stack.enter_context(running(contestant, request, cores.server))
    check(server, request, contestant.model.probability if request.body else None)
    return server


def _rounds(
    servers: Iterable[Server], form: str, rows: int, seconds: int, cores: Cores
) -> Mapping[str, Callable[[], Load]]:
    """Return a round for each server that supports the form, after a warm-up."""
    rounds = {}
    for server in servers:
        if make := server.contestant.forms.get(form):
            request = make(server.contestant.model.rows(rows))
            if not request.body and rows > 1:  # it takes no rows, and was measured already
                continue
            check(server, request, None)
            script = wrk.write_script(server.log.with_suffix(f".{form}-{rows}.lua"), request)
            rounds[server.contestant.name] = partial(_drive, server, request.path, script, seconds, cores)
            rounds[server.contestant.name]()
    return rounds


def _drive(server: Server, path: str, script: Path, seconds: int, cores: Cores) -> Load:
    before = server.cpu_seconds()
    report = wrk.drive(server, path, script, seconds, cores.client)
    cpu = (server.cpu_seconds() - before) / report.requests
    return Load(report.requests / report.seconds, report.p50, report.p99, cpu * 1e6)
