"""The cost of bad rows: CPU seconds by form, columns, share of bad rows and mode, beside polars and pandas.

    PYTHONPATH=scripts:. .venv/bin/python -m benchmarks.dirty_files --rows 100000

It needs a model in ``instance`` as the app does, and prints a row for each measurement.
"""

import argparse
import io
import sys
import tempfile
from collections.abc import Callable
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
import polars as pl

from benchmarks import file_work, files
from iris_app import create_app
from iris_app.bulk import classify_files, job
from iris_app.bulk.frames import classifier
from iris_app.iris import SCHEMA
from iris_app.model_service import get_service

FORMS = ("csv", "ndjson", "parquet")
COLUMNS = (5, 25)
SHARES = (0.0, 0.001, 0.01, 0.2, 0.5)
MODES = ("report", "skip", "null")


def make(path: Path, rows: int, columns: int, share: float) -> None:
    """Write a table whose last feature is missing in a share of the rows: as NA in CSV, else as null."""
    random = np.random.default_rng(0)
    more = {f"more_{at}": random.random(rows) for at in range(columns - 5)}
    bad = pl.Series(random.random(rows) < share)
    name = SCHEMA.features[-1].name
    frame = files.table(rows).with_columns(**more).with_columns(pl.when(~bad).then(pl.col(name)).alias(name))
    if path.suffix == ".csv":
        frame.write_csv(path, null_value="NA")
    else:
        (frame.write_ndjson if path.suffix == ".ndjson" else frame.write_parquet)(path)


def ours(source: Path, mode: job.BadRows) -> None:
    """Classify as ``flask classify`` does."""
    output = source.with_name(f"ours{source.suffix}")
    with create_app().app_context():
        classify_files([str(source)], str(output), bad_rows=mode, overwrite=True, check=False)


def with_polars(source: Path) -> None:
    """Read by polars, classify what a mask leaves, and write."""
    read = {".csv": pl.read_csv, ".ndjson": pl.read_ndjson, ".parquet": pl.read_parquet}[source.suffix]
    frame = read(source, null_values="NA") if source.suffix == ".csv" else read(source)  # type: ignore[operator]
    answers = classifier(get_service(create_app()).path)(frame.drop_nulls())
    getattr(answers, f"write_{source.suffix[1:]}")(source.with_name(f"polars{source.suffix}"))


def with_pandas(source: Path) -> None:
    """Do what most people would do, where that is CSV."""
    table = pd.read_csv(source).dropna()
    buffer = io.StringIO()
    table.to_csv(buffer, index=False)
    cleaned = source.with_name("cleaned.csv")
    cleaned.write_text(buffer.getvalue())
    file_work.pandas(str(cleaned), str(source.with_name("pandas.csv")))()


def main() -> None:
    """Measure all, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000, help="how many rows each file has (%(default)s)")
    parser.add_argument("--shares", type=float, nargs="+", default=SHARES, help="of bad rows (%(default)s)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for form in FORMS:
            for columns in COLUMNS:
                for share in options.shares:
                    _measure(Path(folder, f"table.{form}"), options.rows, columns, share)


def _measure(path: Path, rows: int, columns: int, share: float) -> None:
    make(path, rows, columns, share)
    works: dict[str, Callable[[], object]] = {mode: lambda mode=mode: ours(path, mode) for mode in MODES}  # type: ignore[misc]
    works["polars"] = lambda: with_polars(path)
    if path.suffix == ".csv":
        works["pandas"] = lambda: with_pandas(path)
    taken = []
    for name, work in works.items():
        began = process_time()
        work()
        taken.append(f"{name} {process_time() - began:.2f} s")
    sys.stdout.write(f"{path.suffix[1:]:<8} {columns:>2} columns {share:>6.1%} bad  {'  '.join(taken)}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
