"""What files cost: rows a second and memory, beside polars without a classifier, and beside pandas."""

import os
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from statistics import median
from typing import NamedTuple

import msgspec
import numpy as np
import polars as pl
from polars.testing import assert_frame_equal

from benchmarks.rounds import Effort, alternate, ratio
from benchmarks.servers import Failed
from iris_app.iris import SCHEMA
from iris_app.training import load_data

SCRIPTS = Path(__file__).parents[1]

FORMS = ("csv", "parquet")

# The folded map and the pipeline round differently.
TOLERANCE = 1e-12


class Cost(NamedTuple):
    """What work on a file took: seconds, and the most bytes of memory."""

    seconds: float
    peak: float


class Figures(NamedTuple):
    """What was measured, a value a round, by the file's form, who worked on it, and its rows: many, or a tenth."""

    large: int
    small: int
    costs: Mapping[tuple[str, str, int], list[Cost]]

    def ratio(self, form: str, other: str, rows: int) -> float:
        """Return how many times as fast as another ours is."""
        theirs, ours = ([cost.seconds for cost in self.costs[form, name, rows]] for name in (other, "ours"))
        return ratio(theirs, ours)

    def peak(self, form: str, rows: int) -> float:
        """Return the most memory that ours took, in bytes."""
        return median(cost.peak for cost in self.costs[form, "ours", rows])


def compare(effort: Effort, folder: Path) -> Figures:
    """Measure files of ``effort.flowers`` rows, and of a tenth of them."""
    large, small = effort.flowers, effort.flowers // 10
    for rows in (large, small):
        _make(folder, rows)
    costs: dict[tuple[str, str, int], list[Cost]] = {}
    for form in FORMS:
        works = [("ours", large), ("floor", large), ("ours", small), *([("pandas", small)] if form == "csv" else [])]
        taken = alternate(
            effort.rounds, {f"{name} {rows}": partial(_work, name, folder, rows, form) for name, rows in works}
        )
        costs |= {(form, name, rows): taken[f"{name} {rows}"] for name, rows in works}
    _check_equal(folder, small)
    return Figures(large, small, costs)


def table(rows: int) -> pl.DataFrame:
    """Make flowers like those of the data, with a number each, as they were measured: to a millimetre."""
    random = np.random.default_rng(0)
    measurements, _ = load_data()
    scattered = measurements[random.integers(0, len(measurements), rows)] + random.normal(0, 0.15, (rows, 4))
    columns = dict(zip(SCHEMA.features_by_name, np.round(scattered.clip(0.1, 30), 1).T, strict=True))
    return pl.DataFrame({"flower": np.arange(rows), **columns})


def _make(folder: Path, rows: int) -> None:
    frame = table(rows)
    frame.write_csv(folder / f"{rows}.csv")
    frame.write_parquet(folder / f"{rows}.parquet", row_group_size=250_000)


def _work(name: str, folder: Path, rows: int, form: str) -> Cost:
    files = [str(folder / f"{rows}.{form}"), str(folder / f"{name}-{rows}.{form}")]
    environment = os.environ | {"PYTHONPATH": str(SCRIPTS)}
    command = [sys.executable, "-m", "benchmarks.file_work", name, *files]
    run = subprocess.run(command, env=environment, capture_output=True, check=False)
    if run.returncode:
        raise Failed(f"{' '.join(command)}: {run.stderr.decode()}")
    return msgspec.json.decode(run.stdout, type=Cost)


def _check_equal(folder: Path, rows: int) -> None:
    """Refuse to compare with pandas where the answers differ."""
    ours, theirs = (pl.read_csv(folder / f"{name}-{rows}.csv") for name in ("ours", "pandas"))
    try:
        assert_frame_equal(ours.drop("warnings"), theirs, rel_tol=0, abs_tol=TOLERANCE)
    except AssertionError as error:
        raise Failed(f"Our answers and those by pandas differ: {error}") from error
