"""The page that shows what came of files, in one file that needs nothing else."""

import os
import tempfile
from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256
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
from iris_app.model.classifier import Model
from iris_app.model.manifest import FeatureSummary, Manifest
from iris_app.model_service import predict
from iris_app.observability.drift import MIN_SAMPLE, PSI_MAJOR, PSI_MODERATE, population_stability_index
from iris_app.schema import Feature

SUFFIXES = {".html", ".htm"}

# How many files the page names; the others are counted.
FILES_NAMED = 200

# How many reasons stand open to see, before those that have to be asked for.
REASONS_OPEN = 20

# How far up the pictures' shares may go.
HEIGHTS = (0.2, 0.4, 0.6, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Interval:
    """A range of values: how many flowers lie in it, here and in the training, and their shares of all."""

    label: str
    here: int
    training: int
    share: float
    training_share: float


@dataclass(frozen=True, slots=True)
class Drift:
    """How a feature is spread, here and in the training, by the intervals between ``edges``."""

    feature: Feature
    index: float
    verdict: str
    edges: list[str]
    intervals: list[Interval]

    @property
    def farthest(self) -> Interval:
        """The interval whose shares differ most."""
        return max(self.intervals, key=lambda one: abs(one.share - one.training_share))


@dataclass(frozen=True, slots=True)
class Agreement:
    """How often which species of the files was taken for which.

    ``unnamed`` counts flowers whose cell names no species, ``elsewhere`` those in files without a column that could.
    """

    matrix: list[list[int]]
    shares: list[list[str]]
    agreeing: int
    named: int
    unnamed: int
    elsewhere: int


def check_report(path: str) -> None:
    """Refuse a path where no page can be written, before anything is done."""
    if PurePath(path).suffix.lower() not in SUFFIXES or Path(path).is_dir():
        raise WrongUsage(f"--report {display(path)}: name a file that ends in .html.")
    make_parent(path)
    if not is_address(path) and (Path(path).is_file() or not Path(path).exists()):
        with translate_write_errors(display(path)), tempfile.TemporaryFile(dir=Path(os.path.realpath(path)).parent):
            pass


def write_report(path: str, outcomes: Outcomes, model: Model, bad_rows: BadRows) -> None:
    """Write the page, whole or not at all.

    Raises
    ------
    OutputFailed
        Where it cannot be written.
    """
    page = render_report(outcomes, model, bad_rows, datetime.now(UTC))
    with open_output(path) as stream:
        stream.write(page.encode())


def render_report(outcomes: Outcomes, model: Model, bad_rows: BadRows, made: datetime) -> str:
    """Return the page as HTML."""
    total, style = outcomes.total, render_template("bulk/report.css")
    drifts = _drifts(total, model.manifest)
    highest = max((max(one.share, one.training_share) for drift in drifts for one in drift.intervals), default=0)
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
        agreement=_agreement(total),
        wrong=outcomes.wrong,
        more_wrong=len(outcomes.wrong) == ERRORS_NAMED,
        reasons_open=REASONS_OPEN,
        manifest=model.manifest,
        made=made,
        features=SCHEMA.features,
        species=SCHEMA.classes,
        species_columns=sorted(SCHEMA.target_columns),
        number=format_number,
        share=share,
    )


def share(part: float, whole: float) -> str:
    """Write a share of a whole, rounded neither to nothing nor to all of it."""
    if not whole:
        return "none"
    text = f"{100 * part / whole:.0f} %" if part in {0, whole} else format_percent(part / whole)
    return text.replace(" ", "\N{NO-BREAK SPACE}")


def _subject(files: Sequence[File]) -> str:
    """Say in a word or two what the page is about."""
    return PurePath(files[0].name).name if len(files) == 1 else f"{len(files):,} files"


def _drifts(total: Summary, manifest: Manifest) -> list[Drift]:
    """Compare each feature with the training; not at all where there is nothing to compare."""
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


def _verdict(index: float, flowers: int) -> str:
    if flowers < MIN_SAMPLE:
        return "too few flowers to say"
    if index > PSI_MAJOR:
        return "a great change"
    return "some change" if index > PSI_MODERATE else "little change"


def _unusual(outcomes: Outcomes, model: Model) -> list[tuple[File, int, list[float], str, list[str]]]:
    """Return the unusual flowers that are shown, with what the model warns of, in its own words."""
    rows = [one.measurements for _, one in outcomes.unusual]
    predictions = list(
        chain.from_iterable(predict(model, np.array(rows).reshape(-1, len(SCHEMA.features))).to_predictions())
    )
    return [
        (file, one.row, one.measurements, one.species, [warning.detail for warning in prediction.warnings])
        for (file, one), prediction in zip(outcomes.unusual, predictions, strict=True)
    ]


def _agreement(total: Summary) -> Agreement | None:
    """Say how the answers agree with the species that the files name, where a column could name them."""
    if not total.confusion:
        return None
    return Agreement(
        total.confusion,
        [[share(count, sum(counts)) for count in counts] for counts in total.confusion],
        total.agreeing,
        total.named,
        total.unnamed,
        total.classified - total.named - total.unnamed,
    )
