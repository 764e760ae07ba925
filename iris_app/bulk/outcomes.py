"""What came of files, one by one and together."""

from bisect import insort
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from pathlib import PurePath
from typing import TypeVar
from urllib.parse import urlsplit

from iris_app.bulk.job import Job, RefusedRows
from iris_app.bulk.sources import STANDARD, Source
from iris_app.bulk.summary import SHOWN, Summary, Unusual
from iris_app.exceptions import ERRORS_NAMED, InputError, InvalidValue, InvalidValues

One = TypeVar("One")


@dataclass(frozen=True, slots=True)
class File:
    """A file and what came of it.

    ``place`` is where it stands among the others, ``name`` what it is called there. ``error`` says why nothing was
    written of it, where nothing was, and ``before`` whether an earlier run classified it.
    """

    place: int
    name: str
    path: str
    job: Job
    read: int
    classified: int
    rejected: int
    unusual: int
    before: bool
    error: str


class Outcomes:
    """Gather what came of files, in whatever order it comes.

    Parameters
    ----------
    jobs : sequence of Job
        All that is to be done.

    Attributes
    ----------
    total : Summary
        The counts of all files.
    files : list of File
        In the order of the jobs, as all that follows.
    unusual : list of tuple of File and Unusual
        The first flowers that are unlike those of the training, by their rows in their files' outputs.
    wrong : list of tuple of File and InvalidValue
        The first things that are wrong.
    """

    def __init__(self, jobs: Sequence[Job]) -> None:
        self._places = {job.output: place for place, job in enumerate(jobs)}
        self.total = Summary()
        self.files: list[File] = []
        self.unusual: list[tuple[File, Unusual]] = []
        self.wrong: list[tuple[File, InvalidValue]] = []

    @property
    def refused(self) -> list[File]:
        """The files of which nothing was written."""
        return [file for file in self.files if file.error]

    def add(self, job: Job, outcome: Summary | InputError, *, before: bool = False) -> None:
        """Add what came of a file."""
        summary = outcome if isinstance(outcome, Summary) else Summary()
        if isinstance(outcome, RefusedRows):
            summary = outcome.summary
        file = File(
            self._places[job.output],
            *_called(job.source),
            job,
            summary.read,
            summary.classified,
            summary.rejected,
            summary.unusual,
            before,
            _error(outcome) if isinstance(outcome, InputError) else "",
        )
        self.total.add(summary)
        insort(self.files, file, key=attrgetter("place"))
        self.unusual = _first(self.unusual, [(file, one) for one in summary.shown], SHOWN)
        self.wrong = _first(self.wrong, [(file, one) for one in summary.wrong], ERRORS_NAMED)


def _first(ones: Iterable[tuple[File, One]], more: Iterable[tuple[File, One]], count: int) -> list[tuple[File, One]]:
    """Keep the first of what is told of files, in the files' order."""
    return sorted([*ones, *more], key=lambda pair: pair[0].place)[:count]


def _error(error: InputError) -> str:
    """Say why nothing was written."""
    return " ".join(one.detail for one in error.errors) if isinstance(error, InvalidValues) else str(error)


def _called(source: Source) -> tuple[str, str]:
    """Name a file shortly and in full, but for what an address may hold that is nobody else's business."""
    if source.path == STANDARD:
        return "standard input", "standard input"
    if not source.is_remote:
        return source.name, source.path
    address = urlsplit(source.path)
    return PurePath(address.path).name, f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"
