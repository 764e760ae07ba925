"""One file, read, classified and written."""

import os
import shutil
import sys
import tempfile
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

from iris_app.bulk.rejected import RejectedRows
from iris_app.bulk.rows import Reader, Rows, answer
from iris_app.bulk.sources import STANDARD, Form, Source, telling_what_is_unreadable
from iris_app.bulk.summary import Summary, summarize
from iris_app.bulk.target import target
from iris_app.bulk.writers import WRITERS, Writer
from iris_app.exceptions import InputError
from iris_app.model.classifier import Model

BadRows = Literal["report", "skip", "null"]

# RequestRecord how many rows were classified since it was last told, and which share of the file was read.
Progress = Callable[[int, float], None]


class RefusedRows(InputError):
    """Refuse a file for rows that cannot be classified; ``summary`` names the first of them."""

    def __init__(self, summary: Summary) -> None:
        self.summary = summary
        super().__init__(f"{summary.rejected:,} of {summary.read:,} rows cannot be classified.")


@dataclass(frozen=True, slots=True)
class Job:
    """A file to be classified, where its answers go, and what becomes of rows that cannot be classified.

    These are reported, and nothing is written; or skipped, or kept with empty answers, and in both cases written to
    ``rejected`` with what is wrong with them.
    """

    source: Source
    output: str
    form: Form
    bad_rows: BadRows
    rejected: str


def run(job: Job, model: Model, progress: Progress) -> Summary:
    """Classify a file.

    Raises
    ------
    RefusedRows
        Where rows cannot be classified and are to be reported.
    InputError
        Where the file cannot be read.
    OutputFailed
        Where its answers cannot be written.
    """
    typed = job.form == "parquet" or (job.form == "csv" and job.source.form == "ndjson")
    with job.source.open(keep=job.bad_rows == "null", typed=typed) as reader:
        writer = WRITERS[job.form](reader, job.output)
        summary = Summary()
        with _output(job) as stream, _rejected(job) as rejected:
            done = _classified(reader, writer, model)
            writer.write(stream, _counted(done, summary, rejected, lambda rows: progress(rows, reader.done())))
            if summary.rejected and job.bad_rows == "report":
                raise RefusedRows(summary)
    return summary


Done = tuple[Any, Summary, Rows]


def _classified(reader: Reader, writer: Writer, model: Model) -> Iterator[Done]:
    """Yield what comes of each piece, in their order, computed by as many threads as keep all processors at work."""

    def work(piece: object) -> Done:
        rows = reader.read(piece)
        answers = answer(model, rows.measurements)
        return writer.encode(rows, answers), summarize(rows, answers, model.manifest), rows

    threads = len(os.sched_getaffinity(0)) + 1
    waiting: deque[Future[Done]] = deque()
    pool = ThreadPoolExecutor(threads, thread_name_prefix="classify")
    try:
        with telling_what_is_unreadable():
            for piece in reader.pieces():
                waiting.append(pool.submit(work, piece))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _counted(
    done: Iterator[Done], summary: Summary, rejected: RejectedRows, progress: Callable[[int], None]
) -> Iterator[Any]:
    """Yield what is to be written, and count; nothing more from the first row on that keeps it from being written."""
    for encoded, part, rows in done:
        summary.add(part)
        rejected.add(rows.rejects)
        progress(part.read)
        if not summary.rejected or rejected.are_kept:
            yield encoded


def _rejected(job: Job) -> RejectedRows:
    return RejectedRows(job.source.path, None if job.bad_rows == "report" else Path(job.rejected))


@contextmanager
def _output(job: Job) -> Iterator[BinaryIO]:
    """Open where answers go."""
    if job.output != STANDARD:
        with target(Path(job.output)) as stream:
            yield stream
    elif job.bad_rows != "report":
        yield sys.stdout.buffer
    else:  # nothing may be written before all rows were read
        with tempfile.TemporaryFile() as held:
            yield held
            held.seek(0)
            shutil.copyfileobj(held, sys.stdout.buffer)
