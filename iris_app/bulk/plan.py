"""What is to be done: a job for each file."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from iris_app.bulk.compressed import compression_of
from iris_app.bulk.job import BadRows, Job
from iris_app.bulk.sources import STANDARD, Form, Source, find, form_of, is_address
from iris_app.exceptions import InputError

SUFFIXES = {"csv": ".csv", "ndjson": ".ndjson", "parquet": ".parquet"}


class WrongUsage(InputError):
    """Say what was asked for that cannot be."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The jobs, and the folder that their answers go to, where there is one."""

    jobs: Sequence[Job]
    folder: Path | None


def plan(
    inputs: Sequence[str],
    output: str,
    *,
    form: Form | None = None,
    input_form: Form | None = None,
    bad_rows: BadRows = "report",
    rejected: str | None = None,
) -> Plan:
    """Say what is to be done.

    One file goes to the file that ``output`` names, unless that is a folder; several files, or a folder's, go to the
    folder that it names, each under its own name and in its own form, or in ``form``.

    Raises
    ------
    InputError
        Where there is nothing to be done, or it cannot be done so.
    """
    if is_address(output):
        raise WrongUsage(f"{output}: answers go to files here, from where they may be copied to an address.")
    several = output != STANDARD and (
        output.endswith("/") or Path(output).is_dir() or any(Path(one).is_dir() for one in inputs)
    )
    sources = find(inputs, input_form, beside=Path(output) if several or len(inputs) > 1 else None)
    folder = Path(output) if several or len(sources) > 1 else None
    if folder is None:
        jobs = [_job(sources[0], output, form, bad_rows, rejected)]
    else:
        if output == STANDARD or folder.is_file():
            raise WrongUsage(f"{len(sources):,} files go to a folder, and --output {output} is none.")
        if rejected is not None:
            raise WrongUsage("--rejected is for one file; beside several, each has its own.")
        jobs = [
            _job(one, str(folder / _name(one, form)), form or _written(one.form), bad_rows, None) for one in sources
        ]
    _check(jobs)
    return Plan(jobs, folder)


def _job(source: Source, output: str, form: Form | None, bad_rows: BadRows, rejected: str | None) -> Job:
    form = form or (_written(source.form) if output == STANDARD else form_of(output))
    if form is None or form not in SUFFIXES or _is_array(output):
        raise WrongUsage(f"{output}: name it .csv, .ndjson or .parquet, or say --format.")
    if form == "parquet" and (output == STANDARD or compression_of(output)):
        raise WrongUsage("Parquet goes to a file, and is compressed by itself.")
    if output == STANDARD and bad_rows != "report" and rejected is None:
        raise WrongUsage("Say with --rejected where rows go that cannot be classified.")
    return Job(source, output, form, bad_rows, rejected or f"{output}.rejected")


def _written(form: Form) -> Form:
    """Say in which form answers go beside a file of some form."""
    return "parquet" if form == "arrow" else form


def _name(source: Source, form: Form | None) -> str:
    """Name a file's answers as the file, but for the end that says of what form it is."""
    written = form or _written(source.form)
    if written == form_of(source.name) and not _is_array(source.name):
        return source.name
    return str(PurePath(source.name.removesuffix(compression_of(source.name))).with_suffix(SUFFIXES[written]))


def _is_array(name: str) -> bool:
    """Say whether a file may hold an array, which is read and not written."""
    return PurePath(name.removesuffix(compression_of(name))).suffix.lower() == ".json"


def _check(jobs: Sequence[Job]) -> None:
    """Refuse to write two files to one place, or over what is read."""
    taken: dict[Path, Job] = {}
    for job in jobs:
        path = Path(job.output).resolve()
        if job.output != STANDARD and path in taken:
            raise WrongUsage(f"{taken[path].source.path} and {job.source.path} would both be written to {job.output}.")
        taken[path] = job
    for job in jobs:
        if job.source.path != STANDARD and Path(job.source.path).resolve() in taken:
            raise WrongUsage(f"{job.source.path} would be written over by its answers.")
