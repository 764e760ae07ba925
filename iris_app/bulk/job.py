"""The job of one file: read, classify, write."""

import os
import stat
from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import PurePath
from typing import Any, BinaryIO, Literal, NamedTuple

import joblib

from iris_app.bulk.outcomes import Summary, summarize
from iris_app.bulk.rows import Reader, Rows, predict_columns
from iris_app.bulk.storage.addresses import STANDARD, display, is_address, open_output, remove, translate_read_errors
from iris_app.bulk.storage.sources import Form, Source
from iris_app.bulk.writers import WRITERS, AddedColumns, Writer
from iris_app.bulk.writers.recognize import holds_rejected
from iris_app.bulk.writers.rejected import RejectedWriter
from iris_app.exceptions import InputError
from iris_app.files import FileStamp
from iris_app.model.classifier import Model

BadRows = Literal["report", "skip", "null"]

# Called with the rows classified since the last call, and the fraction of the file that was read.
OnProgress = Callable[[int, float], None]

# More threads need more memory and are not faster.
MAX_THREADS = 8

# Files of fewer bytes are classified faster in one thread.
INLINE_SIZE = 64 * 1024

# The bytes between two syncs of the output.
SYNC_INTERVAL = 64 * 1024 * 1024


class MaxBad(NamedTuple):
    """The limit of bad rows of a file: a number of rows, or a share from 0 to 1."""

    limit: float
    is_share: bool


class RefusedRows(InputError):
    """A file has more bad rows than it may; ``summary`` names the first."""

    def __init__(self, summary: "Summary", reason: str = "") -> None:
        self.summary = summary
        super().__init__(f"{summary.rejected:,} of {summary.read:,} rows cannot be classified{reason}.")


@dataclass(frozen=True, slots=True)
class Job:
    """A file to be classified, its output, and the handling of its bad rows.

    Bad rows are reported, and nothing is written; or they are skipped, or kept with empty predictions, and written to
    ``rejected`` with their errors.
    """

    source: Source
    output: str
    form: Form
    bad_rows: BadRows = "report"
    rejected: str | None = None
    max_bad: MaxBad | None = None


class Result(NamedTuple):
    """The result of a job: the file's counts, its stamp when it was opened, and the guesses of its reader."""

    summary: Summary
    stamp: FileStamp | None
    guesses: tuple[str, ...] = ()


def count_threads() -> int:
    """Return the number of threads that classify."""
    return min(int(joblib.cpu_count()), MAX_THREADS)


def make_pool() -> ThreadPoolExecutor:
    """Make the thread pool of ``run_job``."""
    return ThreadPoolExecutor(count_threads(), thread_name_prefix="classify")


def run_job(job: Job, model: Model, progress: OnProgress, pool: ThreadPoolExecutor, stack: ExitStack) -> Result:
    """Classify a file; its output is completed when ``stack`` is closed without an error.

    Raises
    ------
    RefusedRows
        If too many rows cannot be classified.
    InputError
        If the file cannot be read.
    OutputFailed
        If the output cannot be written.
    """
    typed = job.form == "parquet" or (job.form == "csv" and job.source.form == "ndjson")
    with (
        translate_read_errors(job.source.location),
        job.source.open(model.schema, keep=job.bad_rows == "null", typed=typed) as (reader, stamp),
        ExitStack() as outputs,
    ):
        added = AddedColumns(reader, job.source.partitions)
        heading = not (job.source.rows and job.source.rows[0])
        writer = WRITERS[job.form](reader, added, display(job.output), heading=heading)
        summary = Summary()
        rejected = RejectedWriter(outputs, job.source.title, None if job.bad_rows == "report" else job.rejected)
        outputs.enter_context(_no_stale_rejected(job, rejected))
        hold = job.bad_rows == "report" or job.max_bad is not None
        stream = outputs.enter_context(open_output(job.output, hold=hold))
        is_small = stamp is not None and stamp.size < INLINE_SIZE
        done = _classify(reader, writer, model, None if is_small else pool)
        keep_on = job.bad_rows != "report"
        encoded = _count(done, summary, rejected, lambda rows: progress(rows, reader.done()), keep_on=keep_on)
        writer.write(stream, _synced(stream, encoded, pool))
        if not job.source.rows:  # all rows of a part may be bad
            check_rejected(job, summary)
        job.source.check(stamp)
        stack.push(outputs.pop_all())
        return Result(summary, stamp, tuple(getattr(reader, "guesses", ())))


def check_rejected(job: Job, summary: Summary) -> None:
    """Refuse too many bad rows; without a limit of the user, refuse a file of nothing else."""
    if job.bad_rows == "report":
        if summary.rejected:
            raise RefusedRows(summary)
    elif job.max_bad is None:
        if summary.rejected and summary.rejected == summary.read:
            raise RefusedRows(summary, ", which are all of them")
    elif summary.rejected > job.max_bad.limit * (summary.read if job.max_bad.is_share else 1):
        limit = f"{100 * job.max_bad.limit:g} %" if job.max_bad.is_share else f"{job.max_bad.limit:,.0f}"
        raise RefusedRows(summary, f", and {limit} may be bad")


@contextmanager
def _no_stale_rejected(job: Job, rejected: RejectedWriter) -> Iterator[None]:
    yield
    if not rejected.is_used:
        remove_stale_rejected(job)


def remove_stale_rejected(job: Job) -> None:
    """Remove rejected rows of an earlier run: those beside the output, or this input's in a file that is named."""
    if job.rejected is None:
        return
    is_beside = job.rejected == rejected_path(job.output)
    if holds_rejected(job.rejected, None if is_beside else PurePath(job.source.title).name):
        remove(job.rejected)


def rejected_path(output: str) -> str | None:
    """Return the usual path of the rejected rows, beside an output."""
    if output == STANDARD:
        return None
    path, mark, query = output.partition("?") if is_address(output) else (output, "", "")
    return f"{path}.rejected{mark}{query}"


Encoded = tuple[Any, Summary, Rows]


def _classify(reader: Reader, writer: Writer, model: Model, pool: ThreadPoolExecutor | None) -> Iterator[Encoded]:
    """Yield the predictions of each chunk, in their order, with one more in flight than there are threads."""

    def work(chunk: object) -> Encoded:
        rows = reader.read(chunk)
        answers = predict_columns(model, rows.values, rows.known)
        return writer.encode(rows, answers), summarize(rows, answers, model.manifest), rows

    waiting: deque[Future[Encoded]] = deque()
    threads = count_threads()
    try:
        for chunk in reader.chunks():
            if pool is None:
                yield work(chunk)
                continue
            waiting.append(pool.submit(work, chunk))
            if len(waiting) > threads:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()
    finally:
        for future in waiting:
            future.cancel()


def _count(
    done: Iterator[Encoded],
    summary: Summary,
    rejected: RejectedWriter,
    progress: Callable[[int], None],
    *,
    keep_on: bool,
) -> Iterator[Any]:
    """Add each chunk to the summary, and yield what to write, until a bad row prevents it."""
    for encoded, part, rows in done:
        summary.add(part)
        rejected.add(rows.rejects)
        progress(part.read)
        if keep_on or not summary.rejected:
            yield encoded


def _synced(stream: BinaryIO, encoded: Iterator[Any], pool: ThreadPoolExecutor) -> Iterator[Any]:
    """Sync the output in another thread from time to time, so that the last sync is short."""
    synced, syncing = 0, None
    for block in encoded:
        yield block
        written = stream.tell() if stream.seekable() else 0
        if written - synced > SYNC_INTERVAL and stat.S_ISREG(os.fstat(stream.fileno()).st_mode):
            if syncing:
                syncing.result()
            syncing, synced = pool.submit(os.fsync, stream.fileno()), written
    if syncing:
        syncing.result()
