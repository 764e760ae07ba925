"""Work on one file, in a process of its own: says as JSON how long it took, imports aside, and the memory it needed."""

import json
import sys
from collections.abc import Callable
from contextlib import ExitStack
from time import perf_counter

import pandas as pd
import polars as pl

from benchmarks import processes
from iris_app import create_app
from iris_app.bulk.job import Job, make_pool, run_job
from iris_app.bulk.storage.sources import find, form_of
from iris_app.codecs.csv_rows import answer_columns
from iris_app.iris import SCHEMA
from iris_app.model import artifact
from iris_app.model_service import get_service, model_path

Work = Callable[[], object]


def ours(source: str, output: str) -> Work:
    """Classify as ``flask classify`` does."""
    form = form_of(output)
    if form is None:
        raise ValueError(output)
    model = get_service(create_app()).model
    task = Job(find([source])[0][0], output, form)

    def work() -> None:
        with make_pool() as pool, ExitStack() as stack:
            run_job(task, model, lambda _rows, _share: None, pool, stack)

    return work


def floor(source: str, output: str) -> Work:
    """Read, and write as many columns, with what an answer may be in all rows: all but the classifying."""
    answers = [SCHEMA.classes[1].name, 0.012345678901234567, 0.9123456789012345, 0.0753086419753086, ""]
    columns = {name: pl.lit(one) for name, one in zip(answer_columns(SCHEMA, []), answers, strict=True)}
    scan = pl.scan_csv(source) if source.endswith(".csv") else pl.scan_parquet(source)
    answered = scan.with_columns(**columns)
    return lambda: (answered.sink_csv if output.endswith(".csv") else answered.sink_parquet)(output)


def pandas(source: str, output: str) -> Work:
    """Do what most people would do: without warnings or any check."""
    app = create_app()
    classifier, _, _ = artifact.load(model_path(app), app.config["MODEL_SHA256"])

    def work() -> None:
        table = pd.read_csv(source)
        probabilities = classifier.predict_proba(table[list(SCHEMA.features_by_name)].to_numpy())
        table["species"] = pd.Series(SCHEMA.class_names).take(probabilities.argmax(axis=1)).to_numpy()
        table[[f"probability_{name}" for name in SCHEMA.class_names]] = probabilities
        table.to_csv(output, index=False)

    return work


WORKS = {"ours": ours, "floor": floor, "pandas": pandas}

if __name__ == "__main__":
    name, source, output = sys.argv[1:]
    work = WORKS[name](source, output)
    began = perf_counter()
    work()
    seconds = perf_counter() - began
    print(json.dumps([seconds, processes.peak_memory()]))
