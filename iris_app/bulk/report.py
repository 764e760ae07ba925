"""The report on files: one page of HTML that needs no other file."""

import os
import tempfile
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
from importlib.resources import files
from itertools import chain, pairwise
from math import ceil
from pathlib import Path, PurePath

import numpy as np
from flask import render_template

from iris_app.bulk.job import BadRows
from iris_app.bulk.outcomes import File, Outcomes, Summary
from iris_app.bulk.plan import WrongUsage
from iris_app.bulk.storage.addresses import display, is_address, make_parent, open_output
from iris_app.exceptions import ERRORS_NAMED
from iris_app.files import translate_write_errors
from iris_app.formatting import format_percent, truncate
from iris_app.model.agreement import Agreement
from iris_app.model.classifier import Model
from iris_app.model.manifest import FeatureSummary, Manifest, to_array
from iris_app.model_service import predict
from iris_app.observability.drift import (
    MIN_SAMPLE,
    PSI_MAJOR,
    PSI_MODERATE,
    expected_counts,
    population_stability_index,
)
from iris_app.schema import UNKNOWN, Feature

# The colours of all pages.
PALETTE = files("iris_app") / "ui" / "static" / "palette.css"

SUFFIXES = {".html", ".htm"}

# The files that the page lists; the others are counted.
FILES_NAMED = 200

# The reasons that are shown; the others are folded.
REASONS_OPEN = 20

# The possible upper ends of the charts' axes.
HEIGHTS = (0.2, 0.4, 0.6, 0.8, 1.0)

# The characters of all labels that fit below a chart, and of one of them.
AXIS_LENGTH, LABEL_LENGTH = 48, 12

MISSING_LABEL = "missing"


@dataclass(frozen=True, slots=True)
class Interval:
    """An interval of a feature: its numbers of rows, in the files and in the training, and their shares."""

    label: str
    here: int
    training: int
    share: float
    training_share: float


@dataclass(frozen=True, slots=True)
class Drift:
    """The distribution of a feature, in the files and in the training.

    Attributes
    ----------
    feature : Feature
    index : float
        The population stability index.
    verdict : str
    ticks : list of tuple of float and str
        The labels of the axis, and their places, of which an interval takes 1.
    intervals : list of Interval
        The intervals or categories, and the missing values if there are any.
    """

    feature: Feature
    index: float
    verdict: str
    ticks: list[tuple[float, str]]
    intervals: list[Interval]

    @property
    def farthest(self) -> Interval:
        """The interval whose shares differ most."""
        return max(self.intervals, key=lambda interval: abs(interval.share - interval.training_share))

    @property
    def place(self) -> str:
        """The label of ``farthest``, with its unit."""
        label = self.farthest.label
        return label if label == MISSING_LABEL else self.feature.with_unit(label)


def check_report(path: str) -> None:
    """Refuse a path that no page can be written to."""
    if PurePath(path).suffix.lower() not in SUFFIXES or Path(path).is_dir():
        raise WrongUsage(f"--report {display(path)}: name a file that ends in .html.")
    make_parent(path)
    if not is_address(path) and (Path(path).is_file() or not Path(path).exists()):
        with translate_write_errors(display(path)), tempfile.TemporaryFile(dir=Path(os.path.realpath(path)).parent):
            pass


def write_report(path: str, outcomes: Outcomes, model: Model, bad_rows: BadRows) -> None:
    """Write the page atomically.

    Raises
    ------
    OutputFailed
        If it cannot be written.
    """
    page = render_report(outcomes, model, bad_rows, datetime.now(UTC))
    with open_output(path) as stream:
        stream.write(page.encode())


def render_report(outcomes: Outcomes, model: Model, bad_rows: BadRows, made: datetime) -> str:
    """Return the page as HTML."""
    total, style = outcomes.total, PALETTE.read_text() + render_template("bulk/report.css")
    schema, drifts = model.schema, _drifts(total, model.manifest)
    highest = max((max(part.share, part.training_share) for drift in drifts for part in drift.intervals), default=0)
    return render_template(
        "bulk/report.html",
        schema=schema,
        style=style,
        digest=b64encode(sha256(style.encode()).digest()).decode(),
        subject=_subject(outcomes.files),
        total=total,
        files=outcomes.files,
        named=[*outcomes.refused, *(file for file in outcomes.files if not file.error)][:FILES_NAMED],
        refused=outcomes.refused,
        bad_rows=bad_rows,
        drifts=drifts,
        top=next(height for height in HEIGHTS if height >= highest),
        few=total.classified < MIN_SAMPLE,
        enough=MIN_SAMPLE,
        some=PSI_MODERATE,
        great=PSI_MAJOR,
        unusual=_unusual(outcomes, model),
        agreement=total.agreement,
        errors=outcomes.row_errors,
        more_errors=len(outcomes.row_errors) == ERRORS_NAMED,
        reasons_open=REASONS_OPEN,
        manifest=model.manifest,
        made=made,
        target_columns=sorted({schema.target.lower(), *schema.target_columns}),
        share=share,
        shares=_row_shares,
    )


def share(part: float, whole: float) -> str:
    """Format a share in percent, as 0 % or 100 % only if it is exact."""
    if not whole:
        return "none"
    text = f"{100 * part / whole:.0f} %" if part in {0, whole} else format_percent(part / whole)
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _row_shares(agreement: Agreement) -> list[list[str]]:
    """Format the confusion matrix as shares of each row."""
    return [[share(count, sum(counts)) for count in counts] for counts in agreement.matrix]


def _subject(files: Sequence[File]) -> str:
    """Return the file's name, or the number of files."""
    return PurePath(files[0].name).name if len(files) == 1 else f"{len(files):,} files"


def _drifts(total: Summary, manifest: Manifest) -> list[Drift]:
    """Compare each feature with the training."""
    if not total.classified:
        return []
    triples = zip(manifest.schema.features, manifest.features, total.intervals, strict=True)
    return [_drift(feature, seen, counts, manifest.schema.nouns) for feature, seen, counts in triples]


def _drift(feature: Feature, seen: FeatureSummary, counts: list[int], nouns: str) -> Drift:
    expected = expected_counts(seen)
    labels = _number_labels(seen) if feature.is_numeric else _category_labels(feature, seen)
    parts = [
        Interval(label, here, training, here / sum(counts), training / max(sum(expected), 1))
        for label, here, training in zip([*labels, MISSING_LABEL], counts, expected, strict=True)
        if here or training or feature.is_numeric
    ]
    if feature.is_numeric and not (counts[-1] or expected[-1]):
        parts.pop()
    index = population_stability_index(expected, [float(count) for count in counts])
    return Drift(feature, index, _verdict(index, sum(counts), nouns), _ticks(feature, seen, parts), parts)


def _number_labels(seen: FeatureSummary) -> list[str]:
    """Return the labels of a histogram's intervals."""
    edges = _format_edges(seen.histogram.edges)
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    return [f"up to {edges[0]}", *between, f"above {edges[-1]}"] if edges else ["any"]


def _category_labels(feature: Feature, seen: FeatureSummary) -> list[str]:
    """Return the labels of a histogram's intervals, of which each holds one category, or a boolean."""
    codes = [UNKNOWN, *range(len(feature.categories))] if feature.kind == "category" else [0.0, 1.0]
    labels = [""] * len(seen.histogram.counts)
    for code, interval in zip(codes, np.searchsorted(seen.histogram.edges, codes).tolist(), strict=True):
        labels[interval] = feature.format(code) or "not known"
    return labels


def _format_edges(edges: Sequence[float]) -> list[str]:
    """Format numbers with three digits, or as many as tell them apart."""
    candidates = ([float(f"{edge:.{digits}g}") for edge in edges] for digits in range(3, 18))
    rounded = next(candidate for candidate in candidates if len(set(candidate)) == len(edges))
    return [f"{edge:,.0f}" if 1000 <= abs(edge) < 1e9 and edge.is_integer() else f"{edge:g}" for edge in rounded]


def _ticks(feature: Feature, seen: FeatureSummary, parts: list[Interval]) -> list[tuple[float, str]]:
    """Return the labels below a chart, as many as there is room for."""
    if feature.is_numeric:
        ticks = [(index + 1.0, text) for index, text in enumerate(_format_edges(seen.histogram.edges))]
    else:
        ticks = [(index + 0.5, truncate(part.label, LABEL_LENGTH)) for index, part in enumerate(parts)]
    longest = max((len(text) for _, text in ticks), default=1) + 1
    return ticks[:: max(1, ceil(len(ticks) * longest / AXIS_LENGTH))]


def _verdict(index: float, rows: int, nouns: str) -> str:
    if rows < MIN_SAMPLE:
        return f"too few {nouns} to say"
    if index > PSI_MAJOR:
        return "a great change"
    return "some change" if index > PSI_MODERATE else "little change"


def _unusual(outcomes: Outcomes, model: Model) -> list[tuple[File, int, list[str], str, list[str]]]:
    """Return the unusual rows that are shown, with the text of their warnings."""
    features = model.schema.features
    rows = to_array([outlier.values for _, outlier in outcomes.unusual], len(features))
    texts = [[feature.format(value) for feature, value in zip(features, row, strict=True)] for row in rows.tolist()]
    predictions = chain.from_iterable(predict(model, rows).to_predictions())
    return [
        (file, row.row, values, row.predicted, [warning.detail for warning in prediction.warnings])
        for (file, row), values, prediction in zip(outcomes.unusual, texts, predictions, strict=True)
    ]
