"""Classification of files, as a function and for the command."""

import logging
import signal
import sys
from collections.abc import Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing, contextmanager, nullcontext
from pathlib import Path
from typing import Any, NamedTuple, Unpack

import click
from flask import has_app_context

from iris_app.bulk.console import Emit, Progress, print_error, reserve_descriptors
from iris_app.bulk.job import BadRows, Job, MaxBad, RefusedRows, Result, make_pool, run_job
from iris_app.bulk.journal import Journal
from iris_app.bulk.outcomes import Outcomes, Summary, explain
from iris_app.bulk.plan import Plan, PlanOptions, WrongUsage, plan, refuse_foreign
from iris_app.bulk.report import check_report, write_report
from iris_app.bulk.storage.addresses import (
    STANDARD,
    STDOUT,
    OutputClosed,
    UnknownAddress,
    discard_stream,
    display,
    make_parent,
)
from iris_app.bulk.storage.sources import NoSuchInput
from iris_app.exceptions import ClusterFailed, InputError, IrisError, ModelUnavailable, OutputFailed
from iris_app.model.artifact import pack
from iris_app.model.classifier import Model, load
from iris_app.model_service import get_model, get_service
from iris_app.schema import Schema

# Exit codes, beside 0 for success and 2 for wrong usage.
REFUSED, NO_MODEL, NOT_WRITTEN, NO_CLUSTER, INTERRUPTED, BROKEN_PIPE = 1, 3, 4, 5, 130, 141

# Files, or rows of files, that are completed together, which takes the disk little longer than for one.
FILES_AT_ONCE, ROWS_AT_ONCE, WRITERS = 64, 100_000, 16

# The skipped files that are named for each reason.
MAX_SKIPPED_NAMED = 3

logger = logging.getLogger(__name__)

# A job, and its result.
Outcome = tuple[Job, Result | IrisError]


class _Loaded(NamedTuple):
    model: Model
    path: Path


def classify_files(
    inputs: str | Sequence[str],
    output: str,
    *,
    model: str | Path | None = None,
    engine: str = "local",
    redo: bool = False,
    overwrite: bool = False,
    check: bool = True,
    **options: Unpack[PlanOptions],
) -> Outcomes:
    """Classify files of any size, as ``flask classify`` does.

    Parameters
    ----------
    inputs : str or sequence of str
        Files, folders, patterns and addresses.
    output : str
        A file for one input, a folder for several.
    model : path, optional
        The path of the artifact; by default the model of the current application.
    form, input_form : str, optional
        ``csv``, ``ndjson`` or ``parquet``, and for inputs ``arrow``; by default the suffixes decide.
    bad_rows : {"report", "skip", "null"}
        Whether bad rows prevent the output, are skipped, or are kept without a prediction.
    max_bad : MaxBad, optional
        The limit of bad rows of a file; by default not all.
    rejected : str, optional
        The file of bad rows and their errors; by default ``output`` with ``.rejected`` appended.
    options : ReadOptions, optional
        The options for reading; by default detected.
    engine : str
        ``local`` or ``dask://HOST:PORT``.
    redo, overwrite : bool
        Whether to repeat the jobs of an earlier run, and to replace files that this command did not write.
    check : bool
        Whether to raise the first error at the end; else ``errors`` holds all.

    Returns
    -------
    Outcomes
        The counts of all rows, and of each file.

    Raises
    ------
    InputError
        If a file cannot be read, or too many of its rows are bad.
    ModelUnavailable
        If the model cannot be loaded.
    OutputFailed
        If an output cannot be written.
    ClusterFailed
        If the cluster cannot be reached, or fails.
    """
    planned = plan([inputs] if isinstance(inputs, str) else list(inputs), str(output), **options)
    loaded = _load(model)
    outcomes = _run_jobs(planned, loaded, engine, redo=redo, overwrite=overwrite, quiet=True, emit=logger.warning)
    if check and outcomes.errors:
        raise outcomes.errors[0]
    return outcomes


def _load(path: str | Path | None) -> _Loaded:
    if path is None:
        if not has_app_context():
            raise WrongUsage("No application is here that has a model: say model=, with the path of the artifact.")
        return _Loaded(get_model(), get_service().path)
    return _Loaded(load(Path(path)), Path(path))


def run_command(
    inputs: Sequence[str],
    output: str,
    *,
    model: str | None,
    engine: str,
    report: str | None,
    redo: bool,
    overwrite: bool,
    quiet: bool,
    bad_rows: BadRows,
    max_bad: tuple[float, bool] | None,
    **options: Any,
) -> None:
    """Classify files, print the counts, and exit with the codes of the command's help."""
    reserve_descriptors()
    with _exit_codes():
        planned = plan(
            inputs, output, bad_rows=bad_rows, max_bad=MaxBad(*max_bad) if max_bad else None, report=report, **options
        )
        if report is not None:
            check_report(report)
            if not overwrite:
                refuse_foreign([], report)
        loaded = _load(model)
        outcomes = _run_jobs(planned, loaded, engine, redo=redo, overwrite=overwrite, quiet=quiet, emit=print_error)
        if outcomes.total.read or not outcomes.refused:
            _print(_format_summary(loaded.model.schema, outcomes.total), err=output == STANDARD)
        _report_skipped(planned)
        if report is not None:
            write_report(report, outcomes, loaded.model, bad_rows)
        if outcomes.errors:
            failed = any(isinstance(error, OutputFailed) for error in outcomes.errors)
            raise SystemExit(NOT_WRITTEN if failed else REFUSED)


@contextmanager
def _exit_codes() -> Iterator[None]:
    """Turn exceptions into messages and exit codes."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except (NoSuchInput, UnknownAddress, WrongUsage) as error:
        raise click.UsageError(str(error)) from error
    except OutputClosed:
        raise SystemExit(BROKEN_PIPE) from None
    except KeyboardInterrupt:
        _end(INTERRUPTED, "Interrupted; what was not done whole was not written.")
    except IrisError as error:
        codes = {ModelUnavailable: NO_MODEL, OutputFailed: NOT_WRITTEN, ClusterFailed: NO_CLUSTER}
        _end(codes.get(type(error), REFUSED), str(error))
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(code: int, sentence: str) -> None:
    print_error(f"classify: {sentence}")
    raise SystemExit(code)


def _print(text: str, *, err: bool) -> None:
    """Write to standard output, or to standard error if standard output holds the predictions."""
    if err:
        print_error(text)
        return
    try:
        click.echo(text)
    except OSError as error:
        discard_stream(sys.stdout)
        if isinstance(error, BrokenPipeError):
            raise OutputClosed(STDOUT) from error
        raise OutputFailed(f"{STDOUT} cannot be written: {error.strerror}.") from error


def _report_skipped(planned: Plan) -> None:
    """Print the files that were skipped, with the reasons."""
    reasons: dict[str, list[str]] = {}
    for path, reason in planned.skipped:
        reasons.setdefault(reason, []).append(display(path))
    for reason, paths in reasons.items():
        more = f" and {len(paths) - MAX_SKIPPED_NAMED:,} more" if len(paths) > MAX_SKIPPED_NAMED else ""
        print_error(f"classify: not read: {', '.join(paths[:MAX_SKIPPED_NAMED])}{more}: {reason}.")


def _run_jobs(
    planned: Plan, loaded: _Loaded, engine: str, *, redo: bool, overwrite: bool, quiet: bool, emit: Emit
) -> Outcomes:
    """Run the jobs that no earlier run did, and return the outcomes of all."""
    outcomes, todo = Outcomes(planned.jobs), planned.jobs
    with Journal(planned.folder, loaded.model.manifest.digest) if planned.folder else nullcontext() as journal:
        if journal and not redo:
            done = {job.output: summary for job in todo if (summary := journal.find(job))}
            for job in todo:
                if job.output in done:
                    outcomes.add(job, done[job.output], earlier=True)
            todo = [job for job in todo if job.output not in done]
            if done:
                emit(f"classify: {len(done):,} of {len(planned.jobs):,} files were classified before.")
        if not overwrite:
            refuse_foreign(todo, None)
        with Progress(len(todo), quiet=quiet) as progress, closing(_start(engine, todo, loaded, progress)) as results:
            for job, result in results:
                if isinstance(result, IrisError):
                    outcomes.add(job, result)
                    _report_error(job, result, emit)
                    continue
                outcomes.add(job, result.summary)
                for guess in result.guesses:
                    emit(f"{job.source.title}: {guess}.")
                if journal:
                    journal.add(job, result)
    return outcomes


def _start(engine: str, todo: Sequence[Job], loaded: _Loaded, progress: Progress) -> Generator[Outcome]:
    """Start jobs, here or on a cluster."""
    if engine == "local":
        return _run_here(todo, loaded.model, progress)
    try:
        from iris_app.bulk.cluster import run_on_cluster  # here, since it needs distributed
    except ModuleNotFoundError as error:
        raise WrongUsage(f"--engine {engine}: {error}; install iris_app[cluster].") from error
    return run_on_cluster(engine, todo, pack(loaded.path, loaded.model.manifest), progress)


class _Waiting(NamedTuple):
    """A file that is classified; closing the stack completes it."""

    job: Job
    result: Result
    stack: ExitStack


def _run_here(todo: Sequence[Job], model: Model, progress: Progress) -> Generator[Outcome]:
    """Run jobs one after the other, each in all threads, and complete the files in groups."""
    waiting: list[_Waiting] = []
    with make_pool() as pool, ExitStack() as unfinished, ThreadPoolExecutor(WRITERS) as writers:
        for job in todo:
            stack = unfinished.enter_context(ExitStack())
            try:
                for path in (job.output, job.rejected or STANDARD):
                    make_parent(path)
                waiting.append(_Waiting(job, run_job(job, model, progress.update, pool, stack), stack))
            except OutputClosed:
                raise
            except (InputError, OutputFailed) as error:
                yield job, error
            progress.next_file()
            if len(waiting) >= FILES_AT_ONCE or sum(file.result.summary.read for file in waiting) >= ROWS_AT_ONCE:
                yield from _finish(waiting, writers)
                waiting.clear()
                unfinished.pop_all()
        yield from _finish(waiting, writers)
        unfinished.pop_all()


def _finish(waiting: Sequence[_Waiting], writers: ThreadPoolExecutor) -> Iterator[Outcome]:
    """Complete files."""
    errors = list(writers.map(_close, [file.stack for file in waiting]))
    for file, error in zip(waiting, errors, strict=True):
        yield file.job, error or file.result


def _close(stack: ExitStack) -> OutputFailed | None:
    try:
        stack.close()
    except OutputClosed:
        raise
    except OutputFailed as error:
        return error
    return None


def _report_error(job: Job, error: IrisError, emit: Emit) -> None:
    """Print the errors of a file."""
    if isinstance(error, OutputFailed):
        emit(f"classify: {error}")
        return
    lines = explain(error)
    if isinstance(error, RefusedRows):
        lines = [value.detail for value in error.summary.errors] + [f"{error} Nothing was written."]
    for line in lines:
        emit(f"{job.source.title}: {line}")


def _format_summary(schema: Schema, summary: Summary) -> str:
    """Format the counts, one a line."""
    classes = [0] * len(schema.classes) if not summary.classes else summary.classes
    counts = [("read", summary.read), ("classified", summary.classified), ("rejected", summary.rejected)]
    counts += [*zip(schema.class_names, classes, strict=True), ("unusual", summary.unusual)]
    longest = max(len(name) for name, _ in counts)
    width = max(len(f"{count:,}") for _, count in counts)
    lines = [f"{name:<{longest}}  {count:>{width},}" for name, count in counts]
    agreement = summary.agreement
    if agreement and agreement.named:
        more = f"; {agreement.unknown:,} more name none" if agreement.unknown else ""
        counted = f"{agreement.agreeing:,} of {agreement.named:,}"
        lines.append(f"{counted} are of the {schema.target} that the file itself names{more}.")
    return "\n".join(lines)
