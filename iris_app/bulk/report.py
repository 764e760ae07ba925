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
from pathlib import Path, PurePath

import numpy as np
from flask import render_template

from iris_app.bulk.job import BadRows
from iris_app.bulk.outcomes import File, Outcomes, Summary
from iris_app.bulk.plan import WrongUsage
from iris_app.bulk.storage.addresses import display, is_address, make_parent, open_output
from iris_app.exceptions import ERRORS_NAMED
from iris_app.files import translate_write_errors
from iris_app.formatting import format_number, format_percent
from iris_app.iris import SCHEMA
from iris_app.model.agreement import Agreement
from iris_app.model.classifier import Model
from iris_app.model.manifest import FeatureSummary, Manifest
from iris_app.model_service import predict
from iris_app.observability.drift import MIN_SAMPLE, PSI_MAJOR, PSI_MODERATE, population_stability_index
from iris_app.schema import Feature

# The colours of all pages.
PALETTE = files("iris_app") / "ui" / "static" / "palette.css"

SUFFIXES = {".html", ".htm"}

# The files that the page lists; the others are counted.
FILES_NAMED = 200

# The reasons that are shown; the others are folded.
REASONS_OPEN = 20

# The possible upper ends of the charts' axes.
HEIGHTS = (0.2, 0.4, 0.6, 0.8, 1.0)


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
    """The distribution of a feature, in the files and in the training, by the intervals between ``edges``."""

    feature: Feature
    index: float
    verdict: str
    edges: list[str]
    intervals: list[Interval]

    @property
    def farthest(self) -> Interval:
        """The interval whose shares differ most."""
        return max(self.intervals, key=lambda interval: abs(interval.share - interval.training_share))


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
    drifts = _drifts(total, model.manifest)
    highest = max((max(part.share, part.training_share) for drift in drifts for part in drift.intervals), default=0)
    return render_template(
        "bulk/report.html",
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
        target_columns=sorted(SCHEMA.target_columns),
        number=format_number,
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
    triples = zip(SCHEMA.features, manifest.features, total.intervals, strict=True)
    return [_drift(feature, seen, counts) for feature, seen, counts in triples]


def _drift(feature: Feature, seen: FeatureSummary, counts: list[int]) -> Drift:
    expected = seen.histogram.counts
    edges = [f"{edge:.3g}" for edge in seen.histogram.edges]
    between = [f"{low} to {high}" for low, high in pairwise(edges)]
    labels = [f"up to {edges[0]}", *between, f"above {edges[-1]}"]
    parts = [
        Interval(label, here, training, here / sum(counts), training / sum(expected))
        for label, here, training in zip(labels, counts, expected, strict=True)
    ]
    index = population_stability_index(expected, [float(count) for count in counts])
    return Drift(feature, index, _verdict(index, sum(counts)), edges, parts)


def _verdict(index: float, rows: int) -> str:
    if rows < MIN_SAMPLE:
        return f"too few {SCHEMA.nouns} to say"
    if index > PSI_MAJOR:
        return "a great change"
    return "some change" if index > PSI_MODERATE else "little change"


def _unusual(outcomes: Outcomes, model: Model) -> list[tuple[File, int, list[float], str, list[str]]]:
    """Return the unusual rows that are shown, with the text of their warnings."""
    rows = [outlier.measurements for _, outlier in outcomes.unusual]
    predictions = list(
        chain.from_iterable(predict(model, np.array(rows).reshape(-1, len(SCHEMA.features))).to_predictions())
    )
    return [
        (file, row.row, row.measurements, row.predicted, [warning.detail for warning in prediction.warnings])
        for (file, row), prediction in zip(outcomes.unusual, predictions, strict=True)
    ]
