"""The jobs of a run, one for each file; none overwrites a file that another reads or writes."""

import os
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TypedDict, Unpack, get_args

from iris_app.bulk.job import BadRows, Job, MaxBad, rejected_path
from iris_app.bulk.journal import NAME
from iris_app.bulk.readers.options import ReadOptions
from iris_app.bulk.storage.addresses import STANDARD, display, filesystem, is_address, is_web
from iris_app.bulk.storage.compression import compression_of
from iris_app.bulk.storage.sources import SEEKING_FORMS, Form, Skipped, Source, find, form_of
from iris_app.bulk.writers.recognize import is_own
from iris_app.exceptions import InputError

SUFFIXES = {"csv": ".csv", "ndjson": ".ndjson", "parquet": ".parquet"}

# The files that an error names.
MAX_NAMED = 5


class WrongUsage(InputError):
    """The options contradict each other, or cannot be fulfilled."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The jobs, the output folder if there is one, and the files that are skipped."""

    jobs: Sequence[Job]
    folder: Path | None
    skipped: Sequence[Skipped]


class PlanOptions(TypedDict, total=False):
    """The options of a run that decide what is read and written; see ``classify_files``."""

    form: Form | None
    input_form: Form | None
    bad_rows: BadRows
    max_bad: MaxBad | None
    rejected: str | None
    options: ReadOptions | None


def plan(inputs: Sequence[str], output: str, *, report: str | None = None, **options: Unpack[PlanOptions]) -> Plan:
    """Plan the jobs of a run.

    One file is written to the file ``output``, unless that is a folder; several files, or a folder's, are written to
    the folder ``output``, each under its own name and in its own format, or in ``form``.

    Raises
    ------
    InputError
        If there is no input, or the options contradict each other.
    """
    if unknown := sorted(options.keys() - PlanOptions.__annotations__.keys()):
        raise TypeError(f"There is no option {', '.join(unknown)}; there are {', '.join(PlanOptions.__annotations__)}.")
    if options.get("bad_rows", "report") not in get_args(BadRows):
        raise WrongUsage(f"bad_rows is {options['bad_rows']!r}, and must be one of {', '.join(get_args(BadRows))}.")
    rejected, form = options.get("rejected"), options.get("form")
    if options.get("max_bad") and options.get("bad_rows", "report") == "report":
        raise WrongUsage("--max-bad goes with --bad-rows skip or null; without these, no row may be bad.")
    if is_web(output) or is_web(rejected or ""):
        raise WrongUsage(f"{display(output)}: nothing can be written to the web.")
    for path in (output, rejected or "", report or ""):
        if is_address(path):
            filesystem(path)
    is_folder = output.endswith("/") or Path(output).is_dir() or any(Path(path).is_dir() for path in inputs)
    several = output != STANDARD and (is_folder or len(inputs) > 1)
    exclude = Path(output) if several else None
    sources, skipped = find(inputs, options.get("input_form"), exclude=exclude, options=options.get("options"))
    if not (is_folder and output != STANDARD) and len(sources) == 1:
        jobs, folder = [_job(sources[0], output, options)], None
    else:
        if output == STANDARD or Path(output).is_file() or (is_address(output) and form_of(output)):
            raise WrongUsage(f"{len(sources):,} files go to a folder, and --output {display(output)} is none.")
        if rejected is not None:
            raise WrongUsage("--rejected is for one file; beside several, each has its own.")
        folder = None if is_address(output) else Path(output)
        jobs = [
            _job(source, _join(output, _name(source, form)), {**options, "form": form or _written_form(source.form)})
            for source in sources
        ]
    _refuse_overlaps(jobs, report, folder)
    return Plan(jobs, folder, skipped)


def refuse_foreign(jobs: Sequence[Job], report: str | None) -> None:
    """Refuse to replace files that this command did not write."""
    files = [(path, form) for job in jobs for path, form in _written(job)] + ([(report, "report")] if report else [])
    foreign = [display(path) for path, form in files if not is_own(path, form)]
    if foreign:
        named = ", ".join(foreign[:MAX_NAMED]) + (
            f" and {len(foreign) - MAX_NAMED:,} more" if len(foreign) > MAX_NAMED else ""
        )
        raise WrongUsage(
            f"{named}: there already, and not written by this command. Name another place, or replace what is there "
            "with --overwrite."
        )


def _written(job: Job) -> Iterator[tuple[str, str]]:
    """Yield the files that a job replaces, with their formats."""
    if job.output != STANDARD:
        yield job.output, job.form
    if job.rejected is not None and job.bad_rows != "report":
        yield job.rejected, "rejected"


def _job(source: Source, output: str, options: PlanOptions) -> Job:
    bad_rows, rejected = options.get("bad_rows", "report"), options.get("rejected")
    form = options.get("form") or (_written_form(source.form) if output == STANDARD else form_of(output))
    if form is None or form not in SUFFIXES or _is_array(output):
        raise WrongUsage(f"{display(output)}: name it .csv, .ndjson or .parquet, or say --format.")
    if form == "parquet" and (output == STANDARD or compression_of(output)):
        raise WrongUsage("Parquet goes to a file, and is compressed by itself.")
    if source.form in SEEKING_FORMS and _is_stream(source.path):
        raise WrongUsage(
            f"{source.title}: {source.form} is read from its end, and cannot come by a pipe; save it first."
        )
    if STANDARD in {output, rejected} and bad_rows != "report" and rejected in {None, STANDARD}:
        raise WrongUsage("Say with --rejected where rows go that cannot be classified: in a file.")
    return Job(source, output, form, bad_rows, rejected or rejected_path(output), options.get("max_bad"))


def _is_stream(path: str) -> bool:
    return path == STANDARD or (not is_address(path) and Path(path).exists() and not Path(path).is_file())


def _written_form(form: Form) -> Form:
    """Return the default output format for an input format."""
    return "parquet" if form == "arrow" else form


def _join(folder: str, name: str) -> str:
    return f"{folder.rstrip('/')}/{name}" if is_address(folder) else str(Path(folder, name))


def _name(source: Source, form: Form | None) -> str:
    """Name an output as its input, with the suffix of its format."""
    written = form or _written_form(source.form)
    if written == form_of(source.name) and not _is_array(source.name):
        return source.name
    return str(PurePath(source.name.removesuffix(compression_of(source.name))).with_suffix(SUFFIXES[written]))


def _is_array(name: str) -> bool:
    """Return whether a file may be a JSON array, which is never written."""
    return PurePath(name.removesuffix(compression_of(name))).suffix.lower() == ".json"


def _refuse_overlaps(jobs: Sequence[Job], report: str | None, folder: Path | None) -> None:
    """Refuse to write two outputs to one file, or over an input."""
    read = {key: job.source for job in jobs for key in _identities(job.source.path)}
    taken: dict[object, str] = {}
    uses = [(job.output, job.source.title, "its answers") for job in jobs]
    uses += [
        (job.rejected, f"the rejected rows of {job.source.title}", "the rejected rows") for job in jobs if job.rejected
    ]
    uses += [(str(folder / NAME), "the journal", "the journal")] if folder else []
    uses += [(report, "the report", "the report")] if report else []
    for path, title, what in uses:
        for key in _identities(path):
            if key in read:
                raise WrongUsage(f"{read[key].title} would be written over by {what}.")
            if taken.setdefault(key, title) != title:
                raise WrongUsage(f"{taken[key]} and {title} would both be written to {display(path)}.")


def _identities(path: str) -> list[object]:
    """Return keys that two paths of one file share; none for pipes and devices."""
    if path == STANDARD:
        return []
    if is_address(path):
        return [display(path)]
    try:
        status = Path(path).stat()
    except OSError:
        status = None
    if status is not None and not Path(path).is_file():
        return []
    name = unicodedata.normalize("NFC", os.path.realpath(path)).casefold()
    return [name, *([(status.st_dev, status.st_ino)] if status else [])]
