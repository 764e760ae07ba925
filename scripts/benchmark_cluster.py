#!/usr/bin/env -S sh -c 'exec "$(dirname "$0")/../.venv/bin/python" "$0" "$@"'
"""Measure how much faster two Dask workers are than one, each on a processor of its own, and fail below the bound."""

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path

from benchmarks.files import table
from benchmarks.rounds import alternate
from iris_app import create_app
from iris_app.bulk.cluster import run_on_cluster
from iris_app.bulk.console import Progress
from iris_app.bulk.plan import plan
from iris_app.model.artifact import pack
from iris_app.model.manifest import Manifest
from iris_app.model_service import get_service

BOUND = 1.5

PARTS = 16


def main() -> None:
    """Run the command."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=4_000_000, help="how many flowers  [default: %(default)s]")
    parser.add_argument("--rounds", type=int, default=5, help="how often each is measured  [default: %(default)s]")
    arguments = parser.parse_args()
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        make(folder, arguments.rows)
        stack.enter_context(create_app().app_context())
        clusters = {name: start(stack, folder / name, count) for name, count in (("one", 1), ("two", 2))}
        low = False
        for what in ("a folder of CSV", "a Parquet file"):
            source = folder / ("csv" if what.endswith("CSV") else "large.parquet")
            works = {name: partial(work, engine, source, folder) for name, engine in clusters.items()}
            for warm_up in works.values():
                warm_up()
            taken = alternate(arguments.rounds, works)
            best = {
                name: min(seconds) for name, seconds in taken.items()
            }  # the other rounds shared processors with others
            times = best["one"] / best["two"]
            low |= times < BOUND
            seconds = ", ".join(f"{name} {value:.2f} s" for name, value in best.items())
            print(f"{what}, {arguments.rows:,} rows: two workers are {times:.2f} times as fast as one ({seconds})")
    sys.exit(low)


def make(folder: Path, rows: int) -> None:
    """Write flowers like those of the data, as one file and as many."""
    frame = table(rows)
    frame.write_parquet(folder / "large.parquet", row_group_size=100_000)
    (folder / "csv").mkdir()
    for number, part in enumerate(frame.iter_slices(-(-rows // PARTS))):
        part.write_csv(folder / "csv" / f"{number}.csv")


def start(stack: ExitStack, folder: Path, workers: int) -> str:
    """Start a scheduler and workers on loopback, and return what the command calls them."""
    folder.mkdir()
    found = run(
        stack, folder / "log", "scheduler", ["--port", "0", "--dashboard-address", "127.0.0.1:0"], "at: +(tcp:.*)"
    )
    for core, _ in zip(sorted(os.sched_getaffinity(0)), range(workers), strict=False):
        options = [found, "--nthreads", "1", "--no-nanny", "--local-directory", str(folder)]
        run(stack, folder / f"log-{core}", "worker", options, "(Registered to)", core)
    return found.replace("tcp:", "dask:")


def run(stack: ExitStack, log: Path, what: str, options: Sequence[str], sign: str, core: int | None = None) -> str:
    """Run a process until all is over, and return what it says when it is ready."""
    command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--host", "127.0.0.1", "--no-dashboard", *options]
    with log.open("wb") as stream:
        process = subprocess.Popen(command, stdout=stream, stderr=stream)  # noqa: S603 -- the real thing
    stack.callback(process.wait)
    stack.callback(process.terminate)
    if core is not None:
        os.sched_setaffinity(process.pid, {core})
    while not (said := re.search(sign, log.read_text())):
        process.poll()
        if process.returncode is not None:
            sys.exit(f"{what}: {log.read_text()}")
        time.sleep(0.05)
    return said[1]


def work(engine: str, source: Path, folder: Path) -> float:
    """Return the seconds that files take."""
    service = get_service()
    manifest: Manifest = service.model.manifest
    packed = pack(service.path, manifest)
    jobs = plan([str(source)], str(folder / ("answers" if source.is_dir() else "answers.csv"))).jobs
    began = time.perf_counter()
    for _ in run_on_cluster(engine, jobs, packed, Progress(len(jobs), quiet=True)):
        pass
    return time.perf_counter() - began


if __name__ == "__main__":
    main()
