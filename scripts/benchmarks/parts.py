"""The parts of the benchmark: each returns the values that have bounds, and tables."""

import contextlib
import cProfile
import pstats
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from itertools import pairwise
from os import sched_getaffinity
from pathlib import Path
from statistics import median
from typing import NamedTuple

from benchmarks import contestants, files, in_process, models, operating, over_http, report
from benchmarks.bounds import BOUNDS, MEGABYTE
from benchmarks.over_http import Cores, Load
from benchmarks.production import production
from benchmarks.rounds import Effort, ratio
from benchmarks.servers import Contestant, Failed, ServedModel

Found = tuple[dict[str, float], list[str]]

SIZES = (1, 100, 10_000)


class Bench(NamedTuple):
    """The context of a part: the effort, the foreign servers, and the folders."""

    effort: Effort
    against: Sequence[str]
    environments: Path
    folder: Path


@contextlib.contextmanager
def bench(effort: Effort, against: Sequence[str], environments: Path) -> Iterator[Bench]:
    """Create the context of all parts."""
    with tempfile.TemporaryDirectory(prefix="iris_app-benchmark-") as folder:
        yield Bench(effort, against, environments, Path(folder))


def measure_over_http(bench: Bench) -> Found:
    """Measure the servers under load, with the example."""
    _need("taskset", "wrk")
    model = models.lay_out("example", bench.folder)
    own = [make(model, "--workers", "1") for make in (contestants.ours, contestants.silent)]
    compared = [*own, *contestants.baselines(model), *_foreign(bench, model)]
    figures = over_http.compare(compared, SIZES, bench.effort, cores())
    loads = figures.loads["JSON", 1]
    values = {name: over_http.speed(loads, name) for name in loads}
    values["observability"] = ratio(*([load.cpu for load in loads[one]] for one in ("ours", "silent")))
    values["p99"] = ratio(*([load.p99 for load in loads[one]] for one in ("ours", "floor")))
    for form, name in (("JSON", "mlserver"), ("CSV", "mlflow")):
        if name in (many := figures.loads[form, SIZES[-1]]):
            values[f"{name}_{form.lower()}"] = over_http.speed(many, name)
    bounded = {name: value for name, value in values.items() if name in BOUNDS}
    return bounded, [report.of_servers(figures), report.of_loads(figures)]


def measure_models(bench: Bench) -> Found:
    """Measure one row of each model beside the servers of other people, and beside the example served by ours."""
    _need("taskset", "wrk")
    example = models.lay_out("example", bench.folder)
    values: dict[str, float] = {}
    loads: dict[str, Mapping[str, list[Load]]] = {}
    for name, title in models.MODELS.items():
        model = models.lay_out(name, bench.folder)
        own = contestants.ours(model, "--workers", "1")
        compared = [own, contestants.naive(model), *_foreign(bench, model)]
        if name != "example":
            compared.append(replace(contestants.ours(example, "--workers", "1"), name="example"))
        loads[title] = over_http.compare(compared, [1], bench.effort, cores(), ["JSON"]).loads["JSON", 1]
        values |= {f"{name}_{other}": over_http.speed(loads[title], other) for other in loads[title]}
    return {name: value for name, value in values.items() if name in BOUNDS}, [report.of_models(loads)]


def _foreign(bench: Bench, model: ServedModel) -> list[Contestant]:
    return [contestants.foreign(name, model, bench.environments) for name in bench.against]


def measure_in_process(bench: Bench) -> Found:
    """Measure requests without a socket."""
    _log("in process")
    app, effort = production(), bench.effort
    cost = in_process.cost_of_a_row(app, effort)
    values = {
        "hello": in_process.against_hello(app, effort),
        "json_10000": in_process.against_parsing(app, effort, 10_000),
        "json_100000": in_process.against_parsing(app, effort, 100_000),
        "binary_10000": in_process.against_numpy(app, effort, 10_000),
        "rows": max(ratio(cost[more], cost[fewer]) for fewer, more in pairwise(cost)),
    }
    return values, [report.of_rows(cost)]


def measure_memory(bench: Bench) -> Found:
    """Measure the memory of another worker."""
    _need("taskset", "wrk")
    _log("memory of workers")
    values = {}
    for measure, name in (("worker", "example"), ("worker_500", "forest_500")):
        model = models.lay_out(name, bench.folder)
        added = operating.memory_of_a_worker(bench.effort, sorted(sched_getaffinity(0)), model)
        values[measure] = median(added) / MEGABYTE
    return values, []


def measure_start(bench: Bench) -> Found:
    """Measure the time of a start."""
    _need("taskset")
    _log("start")
    model = models.lay_out("example", bench.folder)
    taken = operating.start(bench.effort, sorted(sched_getaffinity(0)), model)
    return {"start": ratio(*taken.values())}, [report.of_seconds(taken)]


def measure_files(bench: Bench) -> Found:
    """Measure files."""
    _log("files")
    figures = files.compare(bench.effort, bench.folder)
    large, small = figures.large, figures.small
    peaks = {rows: [figures.peak(form, rows) for form in files.FORMS] for rows in (large, small)}
    values = {f"files_{form}": figures.ratio(form, "floor", large) for form in files.FORMS}
    values["files_pandas"] = figures.ratio("csv", "pandas", small)
    values["files_memory"] = max(peaks[large]) / MEGABYTE
    values["files_flat"] = max(ratio([one], [other]) for one, other in zip(peaks[large], peaks[small], strict=True))
    return values, [report.of_files(figures)]


PARTS: Mapping[str, Callable[[Bench], Found]] = {
    "in-process": measure_in_process,
    "http": measure_over_http,
    "models": measure_models,
    "memory": measure_memory,
    "start": measure_start,
    "files": measure_files,
}


def profile(rows: int) -> None:
    """Profile a request of so many rows."""
    call = in_process.classify(production(), rows)
    call()
    profiler = cProfile.Profile()
    profiler.enable()
    for _ in range(max(10, 5000 // rows)):
        call()
    profiler.disable()
    pstats.Stats(profiler).strip_dirs().sort_stats("tottime").print_stats(40)


def cores() -> Cores:
    """Return the cores of the server and of the client, which differ if there are two."""
    available = sorted(sched_getaffinity(0))
    return Cores(available[:1], available[-1:])


def _need(*tools: str) -> None:
    packages = {"taskset": "util-linux", "wrk": "wrk"}
    for tool in tools:
        if not shutil.which(tool):
            raise Failed(f"{tool} is needed: install it (on Debian: apt-get install {packages[tool]}).")


def _log(text: str) -> None:
    print(f"benchmark: {text}", file=sys.stderr)
