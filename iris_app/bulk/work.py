"""What ``flask classify`` does, and what it says of it."""

import signal
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import click

from iris_app.bulk.engines import Engine, Local
from iris_app.bulk.job import BadRows, RefusedRows
from iris_app.bulk.journal import Journal
from iris_app.bulk.outcomes import Outcomes
from iris_app.bulk.plan import Plan, WrongUsage, plan
from iris_app.bulk.progress import Progress
from iris_app.bulk.report import check_report, write_report
from iris_app.bulk.sources import STANDARD, Form, NoSuchInput
from iris_app.bulk.summary import Summary
from iris_app.bulk.target import make_folder_of
from iris_app.exceptions import ClusterFailed, InputError, InvalidValues, ModelUnavailable, OutputFailed
from iris_app.iris import SCHEMA
from iris_app.model.artifact import pack
from iris_app.model.classifier import Model
from iris_app.model_service import get_model, get_service

# How the command ends, beside 0 for all is done and 2 for wrong usage.
REFUSED, NO_MODEL, NOT_WRITTEN, NO_CLUSTER, INTERRUPTED = 1, 3, 4, 5, 130


def classify(
    inputs: Sequence[str],
    output: str,
    *,
    form: Form | None,
    input_format: Form | None,
    bad_rows: BadRows,
    rejected: str | None,
    report: str | None,
    engine: str,
    redo: bool,
    quiet: bool,
) -> None:
    """Classify files, say what came of them, and exit as the command's help says."""
    with _ending_as_it_should():
        what = plan(inputs, output, form=form, input_form=input_format, bad_rows=bad_rows, rejected=rejected)
        if report is not None:
            check_report(report, what)
        model = get_model()
        outcomes = _do(what, model, _engine(engine, model), redo=redo, quiet=quiet)
        if outcomes.total.read or not outcomes.refused:
            click.echo(_told(outcomes.total), err=output == STANDARD)
        if report is not None:
            write_report(Path(report), outcomes, model, bad_rows)
        if outcomes.refused:
            raise SystemExit(REFUSED)


@contextmanager
def _ending_as_it_should() -> Iterator[None]:
    """Turn what can go wrong into a sentence and a code."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    except (NoSuchInput, WrongUsage) as error:
        raise click.UsageError(str(error)) from error
    except ModelUnavailable as error:
        _end(NO_MODEL, str(error))
    except OutputFailed as error:
        _end(NOT_WRITTEN, str(error))
    except ClusterFailed as error:
        _end(NO_CLUSTER, str(error))
    except KeyboardInterrupt:
        _end(INTERRUPTED, "Interrupted; what was not done whole was not written.")
    finally:
        signal.signal(signal.SIGTERM, before)


def _end(code: int, sentence: str) -> None:
    click.echo(f"classify: {sentence}", err=True)
    raise SystemExit(code)


def _engine(name: str, model: Model) -> Engine:
    """Return what does the work."""
    if name == "local":
        return Local(model)
    try:
        from iris_app.bulk.cluster import Cluster  # here, for who works on one machine needs no cluster's tools
    except ModuleNotFoundError as error:
        raise WrongUsage(f"--engine {name}: {error}; install iris_app[cluster].") from error
    return Cluster(name, pack(get_service().path, model.manifest))


def _do(what: Plan, model: Model, engine: Engine, *, redo: bool, quiet: bool) -> Outcomes:
    """Do what is to be done, but for what an earlier run did, and return what came of all files."""
    outcomes, todo = Outcomes(what.jobs), what.jobs
    journal = Journal(what.folder, model.manifest.sha256) if what.folder else None
    if journal and not redo:
        done = {job.output: summary for job in todo if (summary := journal.of(job))}
        for job in todo:
            if job.output in done:
                outcomes.add(job, done[job.output], before=True)
        todo = [job for job in todo if job.output not in done]
        if done:
            click.echo(f"classify: {len(done):,} of {len(what.jobs):,} files were classified before.", err=True)
    for job in todo:
        make_folder_of(Path(job.output))
        make_folder_of(Path(job.rejected))
    with Progress(len(todo), quiet=quiet) as progress:
        for job, outcome in engine.run(todo, progress):
            outcomes.add(job, outcome)
            if isinstance(outcome, InputError):
                _complain(job.source.path, outcome)
            elif journal:
                journal.add(job, outcome)
    return outcomes


def _complain(path: str, error: InputError) -> None:
    """Say what is wrong with a file."""
    lines = [str(error)]
    if isinstance(error, RefusedRows):
        lines = [wrong.detail for wrong in error.summary.wrong] + lines
    elif isinstance(error, InvalidValues):
        lines = [wrong.detail for wrong in error.errors]
    for line in lines:
        click.echo(f"{path}: {line}", err=True)


def _told(summary: Summary) -> str:
    """Say what came of rows, a count a line."""
    counts = {"read": summary.read, "classified": summary.classified, "rejected": summary.rejected}
    counts |= dict(zip([one.name for one in SCHEMA.classes], summary.species, strict=True))
    counts["unusual"] = summary.unusual
    width = max(len(f"{count:,}") for count in counts.values())
    lines = [f"{name:<12}{count:>{width},}" for name, count in counts.items()]
    if summary.named:
        unnamed = f"; {summary.unnamed:,} more name none" if summary.unnamed else ""
        lines.append(
            f"{summary.agreeing:,} of {summary.named:,} are of the species that the file itself names{unnamed}."
        )
    return "\n".join(lines)
