"""Run the cases of a fuzzer on a server of one worker, and watch that nobody else notices."""

import os
import re
import time
from collections import Counter
from collections.abc import Iterable
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median

from tests.fuzz.case import Case, Ending
from tests.fuzz.cases import kind_of, make_case
from tests.fuzz.client import LONGEST_WAIT, Client, open_session, probe, send_workbook
from tests.fuzz.content import SMALL
from tests.fuzz.worst import worst
from tests.support import Server
from tests.test_faults import workers

# Another client is answered within a second, or within many times what it waits when nobody does anything: a machine
# that is busy with something else makes both longer.
SECOND = 1.0
PATIENCE = 50

# How often a case that was too slow is run again alone before it has failed, and how many may fail before the run ends.
TRIES = 2
MOST_FAILURES = 50

# Bytes that a case may cost a worker while it lasts, and all cases for good, after those that warm it up: the allocator
# keeps up to 64 MiB of what was freed.
MOST_MEMORY = 200_000_000
MOST_GROWTH = 80_000_000
WARM = 100

FAULT = re.compile(
    r'^.*(?:Traceback|"exception"|"level": ?"(?:ERROR|CRITICAL)"|"status": ?50[0124]|WORKER TIMEOUT).*$', re.MULTILINE
)
# Answers that nothing that a client sends may have; gunicorn itself answers 501 to a coding that it does not know, and
# one of many that come at once may be too many.
FAULTS = {500, 502, 503, 504}
OVERLOAD = 503


def memory(pid: int, name: str = "Rss") -> int:
    """Return the bytes that a process holds now, or (``Hwm``) held at most since ``forget_peak``."""
    status = Path(f"/proc/{pid}/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith(f"Vm{name.upper()}:"))


def work(pid: int) -> float:
    """Return the seconds for which a process has had a processor."""
    user, system = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[11:13]
    return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")


def forget_peak(pid: int) -> None:
    Path(f"/proc/{pid}/clear_refs").write_text("5")


@dataclass
class Outcome:
    """What came of a case: statuses for each connection, what another client waited, what the worker took."""

    statuses: list[list[int]] = field(default_factory=list)
    waited: float = 0.0
    worked: float = 0.0
    peak: int = 0
    failures: list[str] = field(default_factory=list)


@dataclass
class Result:
    """What came of all cases."""

    kinds: Counter[str] = field(default_factory=Counter)
    statuses: Counter[int] = field(default_factory=Counter)
    peaks: dict[str, tuple[int, str]] = field(default_factory=dict)
    slowest: tuple[float, str] = (0.0, "")
    failures: list[str] = field(default_factory=list)
    settled: int = 0
    grown: int = 0

    def add(self, kind: str, name: str, outcome: Outcome) -> None:
        self.kinds[kind] += 1
        self.statuses.update(status for statuses in outcome.statuses for status in statuses)
        self.peaks[kind] = max(self.peaks.get(kind, (0, "")), (outcome.peak, name))
        self.slowest = max(self.slowest, (outcome.waited, name))


class Fuzzer:
    """Run cases on a server of one worker, and remember what it was like before."""

    def __init__(self, server: Server, seed: int) -> None:
        self.server = server
        self.seed = seed
        self.session = open_session(server)
        send_workbook(server, self.session)  # what the worker imports for the first one is no growth
        self._pids = workers(server)
        self._read = server.log_path.stat().st_size
        self.usual = [probe(server) for _ in range(20)]

    @property
    def pid(self) -> int:
        return workers(self.server)[0]

    def run(self, numbers: Iterable[int], seconds: float) -> Result:
        """Run the cases of some numbers, until the time is over or too much went wrong."""
        result, deadline, warm = Result(), time.monotonic() + seconds, memory(self.pid)
        for count, number in enumerate(numbers):
            if time.monotonic() > deadline or len(result.failures) >= MOST_FAILURES:
                break
            kind, case = kind_of(number).__name__, make_case(self.seed, number, self.session)
            outcome = self.run_case(case)
            name = f"FUZZ_SEED={self.seed} FUZZ_CASES={number} ({kind}: {case.name})"
            result.add(kind, name, outcome)
            if outcome.failures:
                result.failures.append("\n    ".join([name, *outcome.failures]))
            if count == WARM:
                result.settled, warm = WARM, memory(self.pid)
        result.grown = memory(self.pid) - warm
        return result

    @property
    def small(self) -> list[str]:
        """Name the worst requests that are small, and so can be many."""
        return [name for name, make in worst(self.session).items() if len(make().encode()) < SMALL]

    def weigh(self, name: str, count: int = 1) -> Outcome:
        """Send a worst request, or many at once."""
        data = worst(self.session)[name]().encode()
        return self.run_case(Case(name, [data], connections=count, heavy=True))

    def run_case(self, case: Case) -> Outcome:
        """Run a case, and again where another client waited too long and the machine may be to blame."""
        outcome = self._run_once(case)
        for _ in range(TRIES):
            if outcome.failures or outcome.waited <= max(SECOND, PATIENCE * median(self.usual)):
                return outcome
            self._settle()
            outcome = self._run_once(case)
        limit = max(SECOND, PATIENCE * max(self.usual))
        if outcome.waited > limit:
            outcome.failures.append(f"another client waited {outcome.waited:.2f} s, not {limit:.2f} at most")
        return outcome

    def _settle(self) -> None:
        """Measure anew what another client waits when nothing else is done here."""
        self.usual = [probe(self.server) for _ in range(20)][-10:]

    def _run_once(self, case: Case) -> Outcome:
        outcome, pid = Outcome(), self.pid
        before, worked = memory(pid), work(pid)
        forget_peak(pid)
        try:
            self._play(case, outcome)
        except (TimeoutError, OSError, AssertionError) as error:
            outcome.failures.append(f"{type(error).__name__}: {error}")
        if case.heavy and self._pids == workers(self.server):
            self._await_idle(pid)
        if workers(self.server) != self._pids:
            outcome.failures.append("the worker ended")
            self._pids = self._await_worker()
        else:
            outcome.peak, outcome.worked = memory(pid, "Hwm") - before, work(pid) - worked
        outcome.failures += self._complaints(case, outcome) + self._log_faults()
        return outcome

    def _play(self, case: Case, outcome: Outcome) -> None:
        with ExitStack() as stack:
            clients = [stack.enter_context(closing(Client(self.server, case))) for _ in range(case.connections)]
            for client in clients:
                client.send(case.chunks)
            watches = case.heavy and case.ending is Ending.HALF_CLOSE
            outcome.waited = self._watch(clients) if watches else probe(self.server)
            for client in clients:
                client.send([case.held] if case.held else [])
                outcome.statuses.append(client.finish())
                if client.was_left:
                    outcome.failures.append(f"it was neither answered nor hung up on for {LONGEST_WAIT} s")

    def _await_idle(self, pid: int) -> None:
        """Wait until the worker is done with what clients left, which is none of the next case."""
        deadline, worked = time.monotonic() + LONGEST_WAIT, -1.0
        while worked < (worked := work(pid)) and time.monotonic() < deadline:
            time.sleep(0.05)

    def _watch(self, clients: list[Client]) -> float:
        """Ask as another client until those of the case are answered, and return the longest wait."""
        deadline, waited = time.monotonic() + LONGEST_WAIT, probe(self.server)
        while not all(client.is_answered for client in clients) and time.monotonic() < deadline:
            waited = max(waited, probe(self.server))
        return waited

    def _await_worker(self) -> list[int]:
        deadline = time.monotonic() + LONGEST_WAIT
        while time.monotonic() < deadline:
            with suppress(OSError, AssertionError):
                probe(self.server)
                return workers(self.server)
        return workers(self.server)

    def _complaints(self, case: Case, outcome: Outcome) -> list[str]:
        complaints = []
        for statuses in outcome.statuses:
            if (FAULTS - {OVERLOAD} if case.connections > 1 else FAULTS) & set(statuses):
                complaints.append(f"it was answered {statuses}")
            if case.statuses is not None and tuple(statuses) != case.statuses:
                complaints.append(f"it was answered {statuses}, not {list(case.statuses)}")
            if case.refused and any(status < 400 for status in statuses):
                complaints.append(f"it was answered {statuses}, and should be refused")
        if outcome.peak > MOST_MEMORY:
            complaints.append(f"the worker held {outcome.peak / 1e6:.0f} MB more")
        return complaints

    def _log_faults(self) -> list[str]:
        """Return the lines that came to the log since and that should not be there."""
        with self.server.log_path.open("rb") as log:
            log.seek(self._read)
            text = log.read()
        self._read += len(text)
        return [f"the log says {line[:2000]}" for line in FAULT.findall(text.decode(errors="replace"))]
