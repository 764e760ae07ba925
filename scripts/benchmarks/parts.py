"""The parts of the benchmark: each returns the values that have bounds, and tables."""

import contextlib
import cProfile
import pstats
import shutil
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import pairwise
from os import sched_getaffinity
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec

from benchmarks import contestants, files, in_process, operating, over_http, report
from benchmarks.bounds import BOUNDS, MEGABYTE
from benchmarks.flowers import flowers
from benchmarks.over_http import Cores
from benchmarks.production import production
from benchmarks.rounds import Effort, ratio
from benchmarks.servers import Failed
from iris_app import create_app
from iris_app.iris import SCHEMA
from iris_app.model import artifact
from iris_app.model.compiled import CompiledClassifier
from iris_app.model_service import model_path

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
    """Measure the servers under load."""
    _need("taskset", "wrk")
    probability = lay_out_model(bench.folder)
    others = [contestants.foreign(name, bench.folder, bench.environments) for name in bench.against]
    own = [contestants.ours("--workers", "1"), contestants.silent("--workers", "1")]
    compared = [*own, *contestants.baselines(bench.folder), *others]
    figures = over_http.compare(compared, SIZES, bench.effort, cores(), bench.folder, probability)
    loads = figures.loads["JSON", 1]
    values = {name: ratio(*([load.rate for load in loads[one]] for one in ("ours", name))) for name in loads}
    values["observability"] = ratio(*([load.cpu for load in loads[one]] for one in ("ours", "silent")))
    values["p99"] = ratio(*([load.p99 for load in loads[one]] for one in ("ours", "floor")))
    bounded = {name: value for name, value in values.items() if name in BOUNDS}
    return bounded, [report.of_servers(figures), report.of_loads(figures)]


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
    added = operating.memory_of_a_worker(bench.effort, sorted(sched_getaffinity(0)), bench.folder)
    return {"worker": median(added) / MEGABYTE}, []


def measure_start(bench: Bench) -> Found:
    """Measure the time of a start."""
    _need("taskset")
    _log("start")
    taken = operating.start(bench.effort, sorted(sched_getaffinity(0)), bench.folder)
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


def lay_out_model(folder: Path) -> float:
    """Export the model to a folder for the other servers, and return its probability for the first row."""
    app = create_app()
    path = model_path(app)
    classifier, manifest, _ = artifact.load(path, app.config["MODEL_SHA256"])
    folded = CompiledClassifier(classifier, manifest.schema, manifest.inputs).affine
    if folded is None:
        raise Failed("The model does not fold to an affine map, which is all that the floor knows.")
    weights, intercepts = (part.tolist() for part in folded)
    model_data = {
        "features": list(SCHEMA.features_by_name),
        "species": SCHEMA.class_names,
        "weights": weights,
        "intercepts": intercepts,
    }
    (folder / "folded.json").write_bytes(msgspec.json.encode(model_data))
    shutil.copy(path, folder / "model.joblib")
    return float(classifier.predict_proba(flowers(1)).max())


def _need(*tools: str) -> None:
    packages = {"taskset": "util-linux", "wrk": "wrk"}
    for tool in tools:
        if not shutil.which(tool):
            raise Failed(f"{tool} is needed: install it (on Debian: apt-get install {packages[tool]}).")


def _log(text: str) -> None:
    print(f"benchmark: {text}", file=sys.stderr)
