"""What came of files: counts that always add up, one by one and together, and what a report shows."""

from bisect import insort
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec
import numpy as np
import polars as pl

from iris_app.bulk.rows import PredictionColumns, Rows
from iris_app.bulk.storage.addresses import STANDARD, STDOUT, display
from iris_app.exceptions import ERRORS_NAMED, InvalidValue, InvalidValues, IrisError
from iris_app.iris import SCHEMA
from iris_app.model.manifest import Manifest
from iris_app.observability.drift import count_by_interval

if TYPE_CHECKING:
    from iris_app.bulk.job import Job

Item = TypeVar("Item")

# How many unusual flowers a report shows.
MAX_OUTLIERS = 50


class Outlier(msgspec.Struct, frozen=True):
    """A flower unlike those of the training: its row in the output, its measurements, its species and its warnings."""

    row: int
    measurements: list[float]
    species: str
    warnings: str


class Summary(msgspec.Struct):
    """What came of rows.

    ``species`` counts flowers by species, ``intervals`` by each feature's intervals of the training's histograms, and
    ``confusion`` by the species that a column names and the one that was found; ``unnamed`` counts those whose cell
    names none. ``written`` counts the rows of the output. ``wrong`` names what is wrong with the first rows that
    cannot be classified, ``shown`` the first that are unusual.
    """

    read: int = 0
    written: int = 0
    rejected: int = 0
    unusual: int = 0
    species: list[int] = msgspec.field(default_factory=lambda: [0] * len(SCHEMA.classes))
    intervals: list[list[int]] = msgspec.field(default_factory=list)
    confusion: list[list[int]] = msgspec.field(default_factory=list)
    unnamed: int = 0
    wrong: list[InvalidValue] = msgspec.field(default_factory=list)
    shown: list[Outlier] = msgspec.field(default_factory=list)

    @property
    def classified(self) -> int:
        """How many rows have an answer."""
        return sum(self.species)

    @property
    def named(self) -> int:
        """How many rows have an answer and are named a species by the file itself."""
        return sum(map(sum, self.confusion))

    @property
    def agreeing(self) -> int:
        """How many of these are of that species."""
        return sum(counts[index] for index, counts in enumerate(self.confusion))

    def add(self, other: Self) -> None:
        """Add what came of the rows that follow."""
        shown = [msgspec.structs.replace(one, row=one.row + self.written) for one in other.shown]
        self.shown = [*self.shown, *shown][:MAX_OUTLIERS]
        self.wrong = [*self.wrong, *other.wrong][:ERRORS_NAMED]
        for name in ("read", "written", "rejected", "unusual", "unnamed"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.species = _add_matrices([self.species], [other.species])[0]
        self.intervals = _add_matrices(self.intervals, other.intervals)
        self.confusion = _add_matrices(self.confusion, other.confusion)


@dataclass(frozen=True, slots=True)
class File:
    """A file and what came of it.

    ``place`` is its index among the others, ``name`` what it is called there. ``error`` says why nothing was written of
    it, where nothing was, and ``before`` whether an earlier run classified it.
    """

    index: int
    name: str
    path: str
    output: str
    rejected_path: str
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
    errors : list of IrisError
        What kept files from being written, in the order in which it came.
    unusual : list of tuple of File and Unusual
        The first rows that are unlike those of the training, by their rows in their files' outputs.
    wrong : list of tuple of File and InvalidValue
        The first things that are wrong.
    """

    def __init__(self, jobs: "Sequence[Job]") -> None:
        self._indices = {job.output: index for index, job in enumerate(jobs)}
        self.total = Summary()
        self.files: list[File] = []
        self.errors: list[IrisError] = []
        self.unusual: list[tuple[File, Outlier]] = []
        self.wrong: list[tuple[File, InvalidValue]] = []

    @property
    def refused(self) -> list[File]:
        """The files of which nothing was written."""
        return [file for file in self.files if file.error]

    def add(self, job: "Job", outcome: Summary | IrisError, *, before: bool = False) -> None:
        """Add what came of a file."""
        summary = outcome if isinstance(outcome, Summary) else getattr(outcome, "summary", Summary())
        if isinstance(outcome, IrisError):
            self.errors.append(outcome)
        file = File(
            self._indices[job.output],
            "standard input" if job.source.path == STANDARD else display(job.source.name),
            job.source.title,
            STDOUT if job.output == STANDARD else display(job.output),
            display(job.rejected or ""),
            summary.read,
            summary.classified,
            summary.rejected,
            summary.unusual,
            before,
            " ".join(explain(outcome)) if isinstance(outcome, IrisError) else "",
        )
        self.total.add(summary)
        insort(self.files, file, key=attrgetter("place"))
        self.unusual = _first(self.unusual, [(file, one) for one in summary.shown], MAX_OUTLIERS)
        self.wrong = _first(self.wrong, [(file, one) for one in summary.wrong], ERRORS_NAMED)


def explain(error: IrisError) -> list[str]:
    """Return what is wrong with a file, in sentences."""
    return [one.detail for one in error.errors] if isinstance(error, InvalidValues) else [str(error)]


def _first(
    items: Iterable[tuple[File, Item]], more: Iterable[tuple[File, Item]], count: int
) -> list[tuple[File, Item]]:
    """Keep the first of what belongs to files, in the files' order."""
    return sorted([*items, *more], key=lambda pair: pair[0].index)[:count] if more else list(items)


def summarize(rows: Rows, answers: PredictionColumns, manifest: Manifest) -> Summary:
    """Say what came of rows."""
    known = rows.measurements[~np.isnan(rows.measurements).any(axis=1)] if rows.rejects else rows.measurements
    features = zip(manifest.features, np.ascontiguousarray(known.T), strict=True)
    wrong = [error for reject in rows.rejects[:ERRORS_NAMED] for error in reject.errors][:ERRORS_NAMED]
    confusion, unnamed = _agreement(rows.actual, answers)
    return Summary(
        read=rows.read,
        written=len(rows.measurements),
        rejected=len(rows.rejects),
        unusual=answers.unusual,
        species=answers.counts,
        intervals=[count_by_interval(values, feature.histogram) for feature, values in features],
        confusion=confusion,
        unnamed=unnamed,
        wrong=wrong,
        shown=_unusual(rows, answers),
    )


def _unusual(rows: Rows, answers: PredictionColumns) -> list[Outlier]:
    if not answers.unusual:
        return []
    indices = (answers.warnings != "").arg_true().head(MAX_OUTLIERS)
    return [
        Outlier(index + 1, rows.measurements[index].tolist(), answers.labels[index], answers.warnings[index])
        for index in indices
    ]


def _agreement(actual: pl.Series | None, answers: PredictionColumns) -> tuple[list[list[int]], int]:
    """Count flowers by the species that a column names and the one that was found."""
    if actual is None:
        return [], 0
    both = pl.DataFrame([actual.cast(pl.String).alias("given"), answers.labels.alias("found")]).drop_nulls("found")
    pairs = both.group_by(pl.all()).len()
    counts: Counter[tuple[str | None, str]] = Counter()
    for text, found, count in pairs.rows():
        one = SCHEMA.match_class(text or "")
        counts[one.name if one else None, found] += count
    matrix = [[counts[actual, found] for found in SCHEMA.class_names] for actual in SCHEMA.class_names]
    return matrix, sum(counts[None, found] for found in SCHEMA.class_names)


def _add_matrices(one: list[list[int]], other: list[list[int]]) -> list[list[int]]:
    if not (one and other):
        return one or other
    return [[a + b for a, b in zip(row, more, strict=True)] for row, more in zip(one, other, strict=True)]
