"""A fuzzer of one real worker: whatever one client sends, another is answered, and memory stays flat.

``scripts/test`` runs some hundreds of its cases, ``scripts/soak`` ten thousand and every worst request alone. A case
depends on a seed and its number: FUZZ_SEED=1 FUZZ_CASES=137 runs one again, FUZZ_CASES=0-500 some, and
FUZZ_KINDS=heads,hosts those of some kinds.
"""

import os
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from tests.fuzz.cases import kind_of
from tests.fuzz.client import probe
from tests.fuzz.run import MOST_GROWTH, MOST_MEMORY, Fuzzer, Result
from tests.fuzz.worst import worst
from tests.support import Server, running
from tests.test_faults import SOAK, full, report

SEED = int(os.environ.get("FUZZ_SEED", "1"))
CHOSEN = os.environ.get("FUZZ_CASES")
KINDS = os.environ.get("FUZZ_KINDS")
COUNT = 10_000
MOST_WORK = full(5, 20)  # seconds; scripts/test counts the lines that the worker runs
STEP = 23  # prime, so that every kind has its turn

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is read from /proc")


@pytest.fixture(scope="module")
def one_worker(trained_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log_path = tmp_path_factory.mktemp("fuzz") / "log"
    with running(log_path, "--workers=1", IRIS_MODEL_PATH=str(trained_path)) as server:
        yield server


@pytest.fixture(scope="module")
def fuzzer(one_worker: Server) -> Fuzzer:
    return Fuzzer(one_worker, SEED)


def numbers() -> list[int]:
    first, _, last = (CHOSEN or f"0-{COUNT - 1}").partition("-")
    every = range(int(first), int(last or first) + 1, 1 if SOAK or CHOSEN else STEP)
    return [number for number in every if not KINDS or kind_of(number).__name__ in KINDS.split(",")]


def test_whatever_one_client_sends_another_is_answered(fuzzer: Fuzzer) -> None:
    result = fuzzer.run(numbers(), seconds=full(3600, 120))
    tell(result)
    assert not result.failures, "\n".join(result.failures)
    assert result.grown < MOST_GROWTH


def tell(result: Result) -> None:
    waited, slowest = result.slowest
    report(f"{result.kinds.total():,} cases of seed {SEED}: {dict(result.kinds)}")
    report(f"statuses: {dict(sorted(result.statuses.items()))}")
    report(f"another client waited {waited:.2f} s at most: {slowest}")
    report(f"the worker grew by {result.grown / 1e6:.1f} MB after the first {result.settled} cases")
    for kind, (peak, name) in sorted(result.peaks.items(), key=lambda one: one[1], reverse=True)[:5]:
        report(f"{kind} took {peak / 1e6:.1f} MB at most: {name}")


def test_each_worst_request_takes_little(fuzzer: Fuzzer) -> None:
    chosen = list(worst(fuzzer.session))[:: full(1, 20)]
    outcomes = {name: fuzzer.weigh(name) for name in chosen}
    for name, outcome in sorted(outcomes.items(), key=lambda one: -one[1].peak)[: full(len(chosen), 5)]:
        took = f"{outcome.peak / 1e6:6.1f} MB, {outcome.worked:.2f} s of work, another waited {outcome.waited:.2f} s"
        report(f"{took}: {name}")
    assert {name: outcome.failures for name, outcome in outcomes.items() if outcome.failures} == {}
    assert {name: outcome.worked for name, outcome in outcomes.items() if outcome.worked > MOST_WORK} == {}


@pytest.mark.skipif(not SOAK, reason="it takes minutes")
def test_a_hundred_worst_requests_at_once_grow_a_worker_by_little(fuzzer: Fuzzer) -> None:
    outcomes = {name: fuzzer.weigh(name, 100) for name in fuzzer.small}
    for name, outcome in sorted(outcomes.items(), key=lambda one: -one[1].peak)[:20]:
        report(f"100 at once: {outcome.peak / 1e6:6.1f} MB, another waited {outcome.waited:.2f} s: {name}")
    assert {name: outcome.peak for name, outcome in outcomes.items() if outcome.peak > MOST_MEMORY} == {}


def test_clients_that_stay_after_their_last_answer_delay_nobody(one_worker: Server) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(one_worker.connect()).sendall(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert probe(one_worker) < 1
