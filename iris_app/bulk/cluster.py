"""Classification on a Dask cluster: its workers classify files or parts of them, which are merged here."""

import os
import platform
import shutil
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from itertools import chain, pairwise
from pathlib import Path
from typing import Any
from uuid import uuid4

import pyarrow as pa
from distributed import Client, Future, KilledWorker, as_completed
from pyarrow import parquet

from iris_app.bulk.console import Progress
from iris_app.bulk.frames import load_packed
from iris_app.bulk.job import (
    Job,
    RefusedRows,
    Result,
    check_rejected,
    make_pool,
    remove_stale_rejected,
    run_job,
)
from iris_app.bulk.outcomes import Summary
from iris_app.bulk.plan import WrongUsage
from iris_app.bulk.storage.addresses import STANDARD, display, is_address, make_parent, open_output, open_source
from iris_app.bulk.storage.compression import compression_of
from iris_app.bulk.storage.sources import Source
from iris_app.bulk.writers import ParquetWriter
from iris_app.exceptions import ClusterFailed, InputError, IrisError, OutputFailed
from iris_app.files import lock_file, sync_folder, translate_write_errors
from iris_app.model.artifact import Packed

DASK = "dask://"

# Seconds to wait for a scheduler, and for its first worker.
TIMEOUT = 8

# The retries of a task that failed; one whose worker was lost is retried anyway.
RETRIES = 3

# The minimum rows of a part of a Parquet file: some seconds of work.
MIN_PART_ROWS = 500_000

# The prefix of a run's scratch folder, and the file in it that is locked while the run lives.
PREFIX, LOCK = ".classify-", "lock"


@dataclass(frozen=True, slots=True)
class Part:
    """A part that was classified: its result, and the files of its predictions and rejected rows."""

    result: Result
    output: str
    rejected: str


def run_on_cluster(
    address: str, todo: Sequence[Job], packed: Packed, progress: Progress
) -> Generator[tuple[Job, Result | IrisError]]:
    """Run jobs on a cluster, and yield each with its result.

    Raises
    ------
    ClusterFailed
        If the cluster cannot be reached, or fails.
    ModelUnavailable
        If a worker refuses the model.
    """
    if not address.startswith(DASK):
        raise WrongUsage(f"--engine {address}: it is local or dask://HOST:PORT.")
    if any(STANDARD in {job.source.path, job.output} or is_address(job.output) for job in todo):
        raise WrongUsage("A cluster reads and writes files that its workers share, and no standard input or output.")
    if not todo:
        return
    with scratch_directory([job.output for job in todo]) as folder, _connect(address) as client:
        files = [_File(job) for job in todo]
        model = client.submit(_keep, packed, pure=False)
        tasks = {
            client.submit(run_part, part, str(folder), model, retries=RETRIES, pure=False): (file, index)
            for file in files
            for index, part in enumerate(file.parts)
        }
        share = 0.0
        for future in as_completed(list(tasks), loop=client.loop):  # type: ignore[no-untyped-call]
            file, index = tasks.pop(future)
            part = _result(future)
            file.results[index] = part
            share += 1 / len(file.parts)
            rows = part.result.summary.read if isinstance(part, Part) else 0
            progress.update(rows, share)
            if len(file.results) == len(file.parts):
                yield file.job, _merge(file)
                share -= 1
                progress.next_file(share)


class _File:
    """A job, its parts, and their results so far."""

    def __init__(self, job: Job) -> None:
        self.job = job
        here = replace(job.source, folder=str(Path.cwd()))
        self.parts = [replace(job, source=source, output=str(Path(job.output).absolute())) for source in split(here)]
        self.results: dict[int, Part | InputError | OutputFailed] = {}


def _keep(packed: Packed) -> Packed:
    """Return the model, so that the cluster holds it and each worker fetches it once."""
    return packed


def _result(future: "Future[Any]") -> Part | InputError | OutputFailed:
    """Return the result of a part, or raise an error that concerns all parts."""
    with _translate_cluster_errors():
        part: Part | IrisError = future.result()
    if isinstance(part, Part | InputError | OutputFailed):
        return part
    raise part


@contextmanager
def _connect(address: str) -> Iterator["Client"]:
    """Connect to a scheduler, and wait for a worker."""
    try:
        client: Any = Client(f"tcp://{address.removeprefix(DASK)}", timeout=TIMEOUT, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ClusterFailed(f"There is no Dask scheduler to be reached at {address}.") from error
    with client:
        with _translate_cluster_errors():
            client.wait_for_workers(1, timeout=TIMEOUT)
        yield client


@contextmanager
def _translate_cluster_errors() -> Iterator[None]:
    """Raise ``ClusterFailed`` for errors of the cluster."""
    try:
        yield
    except TimeoutError as error:
        raise ClusterFailed("The cluster has no worker.") from error
    except KilledWorker as error:
        raise ClusterFailed("The cluster gave up: too many workers were lost over the same task.") from error
    except CancelledError as error:
        raise ClusterFailed("The cluster was lost.") from error
    except Exception as error:  # a worker with other versions can raise anything
        sentence = " ".join(str(error).split())
        raise ClusterFailed(f"The cluster failed; is the same installed there as here? {sentence}") from error


def split(source: Source) -> list[Source]:
    """Split a Parquet file at the ends of row groups; any other file is one part."""
    if source.form != "parquet":
        return [source]
    try:
        with ExitStack() as stack:
            metadata = parquet.read_metadata(open_source(source.location, stack))
    except (OSError, pa.ArrowException, InputError):  # reported when it is read
        return [source]
    ends, row = [0], 0
    for group in range(metadata.num_row_groups):
        row += metadata.row_group(group).num_rows
        if row - ends[-1] >= MIN_PART_ROWS or (row == metadata.num_rows > ends[-1]):
            ends.append(row)
    parts = [replace(source, rows=rows) for rows in pairwise(ends)]
    return parts if len(parts) > 1 else [source]


def run_part(job: Job, folder: str, packed: Packed) -> Part | IrisError:
    """Classify a part on a worker, into files of its own for each attempt.

    Errors are returned and not raised, since another attempt would not help.
    """
    name = str(Path(folder, uuid4().hex))
    attempt = replace(job, output=f"{name}{compression_of(job.output)}", rejected=f"{name}.rejected")
    try:
        if not Path(folder).is_dir():
            raise OutputFailed(f"{folder} is not there on {platform.node()}; all must share where predictions go.")
        with ExitStack() as stack, make_pool() as pool:
            result = run_job(attempt, load_packed(packed), lambda _rows, _share: None, pool, stack)
        return Part(result, attempt.output, f"{name}.rejected")
    except IrisError as error:
        return error


def _merge(file: _File) -> Result | InputError | OutputFailed:
    try:
        return merge_parts(file.job, [file.results[index] for index in range(len(file.parts))])
    except OutputFailed as error:
        return error


def merge_parts(job: Job, parts: Sequence[Part | InputError | OutputFailed]) -> Result | InputError | OutputFailed:
    """Merge the parts of a file in their order, and return the result of the job.

    Raises
    ------
    OutputFailed
        If the output cannot be written.
    """
    total = Summary()
    for part in parts:
        if isinstance(part, Part):
            total.add(part.result.summary)
        elif isinstance(part, RefusedRows):
            total.add(part.summary)
        else:
            return part
    done = [part for part in parts if isinstance(part, Part)]
    stamp = done[0].result.stamp if done else None
    if any(part.result.stamp != stamp for part in done):
        return InputError("It changed while it was read; classify it again.")
    try:
        check_rejected(job, total)
    except RefusedRows as error:
        return error
    make_parent(job.output)
    if job.bad_rows != "report":
        _merge_rejected(job, [Path(part.rejected) for part in done])
    _merge_predictions(job, [Path(part.output) for part in done])
    return Result(total, stamp, done[0].result.guesses)


def _merge_rejected(job: Job, parts: Sequence[Path]) -> None:
    """Merge the files of rejected rows, if there are any, below one header."""
    found = [part for part in parts if part.exists()]
    if not found:
        remove_stale_rejected(job)
        return
    make_parent(str(job.rejected))
    with open_output(str(job.rejected)) as stream:
        for number, part in enumerate(found):
            with part.open("rb") as rows:
                if number:
                    rows.readline()
                shutil.copyfileobj(rows, stream)


def _merge_predictions(job: Job, parts: Sequence[Path]) -> None:
    path = Path(job.output)
    if len(parts) == 1 and not os.path.lexists(path):
        with translate_write_errors(display(job.output)):
            parts[0].replace(path)
            sync_folder(path.parent)
        return
    with open_output(job.output) as stream:
        if job.form == "parquet":
            ParquetWriter.write(stream, _tables(parts))
        else:
            for part in parts:
                with part.open("rb") as rows:
                    shutil.copyfileobj(rows, stream)


def _tables(parts: Sequence[Path]) -> Iterator[pa.Table]:
    """Yield the tables of parts, beginning with an empty one."""
    schema = parquet.read_schema(parts[0])
    batches = chain.from_iterable(parquet.ParquetFile(part).iter_batches() for part in parts)
    return chain([schema.empty_table()], (pa.Table.from_batches([batch]) for batch in batches))


@contextmanager
def scratch_directory(outputs: Sequence[str]) -> Iterator[Path]:
    """Make a folder in the common folder of all outputs, and remove it at the end; also those of killed runs.

    Raises
    ------
    OutputFailed
        If it cannot be made.
    """
    top = Path(os.path.commonpath([Path(output).absolute().parent for output in outputs]))
    folder = top / f"{PREFIX}{uuid4().hex}"
    with ExitStack() as stack:
        with translate_write_errors(display(str(folder))):
            top.mkdir(parents=True, exist_ok=True)
            for lock in top.glob(f"{PREFIX}*/{LOCK}"):
                with suppress(BlockingIOError, FileNotFoundError), lock_file(lock, wait=False):
                    _remove_folder(lock.parent)
            folder.mkdir()
            stack.enter_context(lock_file(folder / LOCK))
        stack.callback(_remove_folder, folder)
        yield folder


def _remove_folder(folder: Path) -> None:
    """Rename a folder, so that nothing more is written to it, and remove it."""
    gone = folder.with_name(f"{PREFIX}gone-{uuid4().hex}")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
