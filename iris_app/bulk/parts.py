"""A file done in parts, by whoever is free and wherever that is, and put together here."""

import platform
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from itertools import chain, pairwise
from pathlib import Path
from typing import BinaryIO
from uuid import uuid4

import polars as pl
import pyarrow as pa
from pyarrow import parquet

from iris_app.bulk import job as jobs
from iris_app.bulk.compressed import compression_of
from iris_app.bulk.frame_file import ROWS
from iris_app.bulk.job import Job, RefusedRows
from iris_app.bulk.sources import Source
from iris_app.bulk.summary import Summary
from iris_app.bulk.target import put, target, telling_of
from iris_app.bulk.writers import ParquetWriter
from iris_app.exceptions import InputError, IrisError, OutputFailed
from iris_app.model.artifact import Packed, unpack
from iris_app.model.classifier import Model

# How many rows a part of a Parquet file has at least: some seconds of work.
PART = 500_000


@dataclass(frozen=True, slots=True)
class Done:
    """A part that was done: what came of it, and where its answers and the rows without answers lie."""

    summary: Summary
    output: str
    rejected: str


def split(source: Source) -> list[Source]:
    """Part a Parquet file where its groups of rows end; whatever else there is stays whole."""
    if source.form != "parquet":
        return [source]
    try:
        metadata = parquet.read_metadata(source.place)
    except (OSError, pa.ArrowException):  # whoever reads it says what is wrong with it
        return [source]
    ends = [0]
    row = 0
    for group in range(metadata.num_row_groups):
        row += metadata.row_group(group).num_rows
        if row - ends[-1] >= PART or (row == metadata.num_rows > ends[-1]):
            ends.append(row)
    parts = [replace(source, rows=rows) for rows in pairwise(ends)]
    return parts if len(parts) > 1 else [source]


def work(job: Job, folder: str, packed: Packed) -> Done | IrisError:
    """Do a job where this is called, so that nothing in ``folder`` is in the way of who does it again.

    What goes wrong is returned, since it comes of the job, and to do it again would not help.
    """
    name = str(Path(folder, uuid4().hex))
    attempt = replace(job, output=f"{name}{compression_of(job.output)}", rejected=f"{name}.rejected")
    try:
        if not Path(folder).is_dir():
            raise OutputFailed(f"{folder} is not there on {platform.node()}; all must share where answers go.")
        return Done(jobs.run(attempt, _model(packed), _tell_nobody), attempt.output, attempt.rejected)
    except IrisError as error:
        return error


@lru_cache(maxsize=1)
def _model(packed: Packed) -> Model:
    return Model(*unpack(packed))


def _tell_nobody(_rows: int, _share: float) -> None:
    """Pass over how far it is, which nobody here waits for."""


def joined(job: Job, parts: Sequence[Done | InputError]) -> Summary | InputError:
    """Put the parts of a file together in their order, and say what came of it; see ``iris_app.bulk.job.run``.

    Raises
    ------
    OutputFailed
        Where its answers cannot be written.
    """
    total = Summary()
    for part in parts:
        if isinstance(part, Done | RefusedRows):
            total.add(part.summary)
        else:
            return part
    if total.rejected and job.bad_rows == "report":
        return RefusedRows(total)
    done = [part for part in parts if isinstance(part, Done)]
    if job.bad_rows != "report":
        _put_rejected(job, [Path(part.rejected) for part in done])
    _put_answers(job, [Path(part.output) for part in done])
    return total


def _put_rejected(job: Job, parts: Sequence[Path]) -> None:
    """Put the tables of bad rows together, where there are any, below the names of the first's columns."""
    found, path = [part for part in parts if part.exists()], Path(job.rejected)
    if not found:
        path.unlink(missing_ok=True)  # what an earlier run could not classify
        return
    with target(path) as stream:
        for number, part in enumerate(found):
            with part.open("rb") as rows:
                if number:
                    rows.readline()
                shutil.copyfileobj(rows, stream)
            part.unlink()


def _put_answers(job: Job, parts: Sequence[Path]) -> None:
    path = Path(job.output)
    if len(parts) == 1 and (path.is_file() or not path.exists()):
        put(parts[0], path)
        return
    with target(path) as stream:
        if job.form == "parquet" and len(parts) > 1:
            ParquetWriter.write(stream, _frames(parts))
        else:
            _copy(parts, stream)
    with telling_of(path):
        for part in parts:
            part.unlink()


def _frames(parts: Sequence[Path]) -> Iterator[pl.DataFrame]:
    """Yield the columns of parts, even where none has a row."""
    scan = pl.scan_parquet(list(parts))
    return chain([scan.clear().collect()], scan.collect_batches(chunk_size=ROWS))


def _copy(parts: Sequence[Path], stream: BinaryIO) -> None:
    for part in parts:
        with part.open("rb") as rows:
            shutil.copyfileobj(rows, stream)
