"""The outcomes of files: their counts, one by one and together, and what a report shows."""

from bisect import insort
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import zip_longest
from operator import attrgetter
from typing import TYPE_CHECKING, Self, TypeVar

import msgspec
import numpy as np
import polars as pl

from iris_app.bulk.rows import PredictionColumns, Rows
from iris_app.bulk.storage.addresses import STANDARD, STDOUT, display
from iris_app.exceptions import ERRORS_NAMED, InvalidValue, InvalidValues, IrisError
from iris_app.model.agreement import Agreement
from iris_app.model.manifest import Manifest, Values, to_values
from iris_app.observability.drift import count_by_interval
from iris_app.schema import Schema

if TYPE_CHECKING:
    from iris_app.bulk.job import Job

Item = TypeVar("Item")

# The unusual rows that a report shows.
MAX_OUTLIERS = 50


class Outlier(msgspec.Struct, frozen=True):
    """An unusual row: its number in the output, its values, its predicted class and its warnings."""

    row: int
    values: Values
    predicted: str
    warnings: str


class Summary(msgspec.Struct, forbid_unknown_fields=True):
    """The counts of rows.

    Attributes
    ----------
    read, written, rejected, unusual : int
        The rows that were read, written to the output, rejected, and predicted with warnings.
    classes : list of int
        The rows of each predicted class; empty without rows.
    intervals : list of list of int
        The rows in each interval of each feature's histogram, and those without a value.
    agreement : Agreement, optional
        The agreement with the true classes, if a column names them.
    errors : list of InvalidValue
        The errors of the first rejected rows.
    outliers : list of Outlier
        The first unusual rows.
    """

    read: int = 0
    written: int = 0
    rejected: int = 0
    unusual: int = 0
    classes: list[int] = msgspec.field(default_factory=list)
    intervals: list[list[int]] = msgspec.field(default_factory=list)
    agreement: Agreement | None = None
    errors: list[InvalidValue] = msgspec.field(default_factory=list)
    outliers: list[Outlier] = msgspec.field(default_factory=list)

    @property
    def classified(self) -> int:
        """The number of rows with a prediction."""
        return sum(self.classes)

    def add(self, other: Self) -> None:
        """Add the counts of the rows that follow."""
        later = [msgspec.structs.replace(outlier, row=outlier.row + self.written) for outlier in other.outliers]
        self.outliers = [*self.outliers, *later][:MAX_OUTLIERS]
        self.errors = [*self.errors, *other.errors][:ERRORS_NAMED]
        for name in ("read", "written", "rejected", "unusual"):
            setattr(self, name, getattr(self, name) + getattr(other, name))
        self.classes = _add_counts(self.classes, other.classes)
        none: list[int] = []
        both = zip_longest(self.intervals, other.intervals, fillvalue=none)
        self.intervals = [_add_counts(counts, more) for counts, more in both]
        if self.agreement and other.agreement:
            self.agreement += other.agreement
        else:
            self.agreement = self.agreement or other.agreement


@dataclass(frozen=True, slots=True)
class File:
    """A file and its outcome.

    Attributes
    ----------
    index : int
        Its position among the files.
    name, path : str
        Its path among the inputs, and its full path.
    output, rejected_path : str
        The files that were written.
    read, classified, rejected, unusual : int
        The counts of its rows.
    earlier : bool
        True if an earlier run classified it.
    error : str
        The reason if nothing was written.
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
    earlier: bool
    error: str


class Outcomes:
    """Collect the outcomes of files, which may come in any order.

    Parameters
    ----------
    jobs : sequence of Job
        All jobs.

    Attributes
    ----------
    total : Summary
        The counts of all files.
    files : list of File
        The files that are done, in the order of the jobs.
    errors : list of IrisError
        The errors of files that were not written, in the order of their occurrence.
    unusual : list of tuple of File and Outlier
        The first unusual rows.
    row_errors : list of tuple of File and InvalidValue
        The first errors of rows.
    """

    def __init__(self, jobs: "Sequence[Job]") -> None:
        self._indices = {job.output: index for index, job in enumerate(jobs)}
        self.total = Summary()
        self.files: list[File] = []
        self.errors: list[IrisError] = []
        self.unusual: list[tuple[File, Outlier]] = []
        self.row_errors: list[tuple[File, InvalidValue]] = []

    @property
    def refused(self) -> list[File]:
        """The files of which nothing was written."""
        return [file for file in self.files if file.error]

    def add(self, job: "Job", outcome: Summary | IrisError, *, earlier: bool = False) -> None:
        """Add the outcome of a file."""
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
            earlier,
            " ".join(explain(outcome)) if isinstance(outcome, IrisError) else "",
        )
        self.total.add(summary)
        insort(self.files, file, key=attrgetter("index"))
        self.unusual = _merge(self.unusual, file, summary.outliers, MAX_OUTLIERS)
        self.row_errors = _merge(self.row_errors, file, summary.errors, ERRORS_NAMED)


def _add_counts(counts: Sequence[int], more: Sequence[int]) -> list[int]:
    return [first + second for first, second in zip_longest(counts, more, fillvalue=0)]


def explain(error: IrisError) -> list[str]:
    """Return an error as sentences."""
    return [value.detail for value in error.errors] if isinstance(error, InvalidValues) else [str(error)]


def _merge(pairs: list[tuple[File, Item]], file: File, items: Sequence[Item], limit: int) -> list[tuple[File, Item]]:
    """Add the items of a file, and return the first in the order of the files."""
    if not items:
        return pairs
    return sorted([*pairs, *((file, item) for item in items)], key=lambda pair: pair[0].index)[:limit]


def summarize(rows: Rows, answers: PredictionColumns, manifest: Manifest) -> Summary:
    """Count rows and their predictions."""
    known = rows.values if rows.known is None else rows.values[rows.known]
    features = zip(manifest.features, np.ascontiguousarray(known.T), strict=True)
    return Summary(
        read=rows.read,
        written=len(rows.values),
        rejected=rows.rejects.count,
        unusual=answers.unusual,
        classes=answers.counts,
        intervals=[count_by_interval(values, feature) for feature, values in features],
        agreement=None if rows.actual is None else _count_agreement(manifest.schema, rows.actual, answers),
        errors=rows.rejects.first_errors(ERRORS_NAMED),
        outliers=_outliers(rows, answers),
    )


def _outliers(rows: Rows, answers: PredictionColumns) -> list[Outlier]:
    if not answers.unusual:
        return []
    indices = (answers.warnings != "").arg_true().head(MAX_OUTLIERS).to_list()
    return [
        Outlier(index + 1, values, answers.labels[index], answers.warnings[index])
        for index, values in zip(indices, to_values(rows.values[indices]), strict=True)
    ]


def _count_agreement(schema: Schema, actual: pl.Series, answers: PredictionColumns) -> Agreement:
    """Count the rows by true and by predicted class."""
    both = pl.DataFrame([actual.cast(pl.String).alias("actual"), answers.labels.alias("predicted")])
    counts: Counter[tuple[str | None, str]] = Counter()
    for text, predicted, count in both.drop_nulls("predicted").group_by(pl.all()).len().rows():
        class_ = schema.match_class(text or "") or schema.match_class((text or "").removesuffix(".0"))
        counts[class_.name if class_ else None, predicted] += count
    return Agreement.count(schema.class_names, counts)
