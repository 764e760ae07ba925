"""``/model``: the model card."""

import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import msgspec
import numpy as np
from flask import render_template
from werkzeug.exceptions import NotFound

from iris_app.formatting import format_number
from iris_app.model.manifest import FeatureSummary, Manifest
from iris_app.model_service import get_model
from iris_app.schema import Feature
from iris_app.ui.blueprint import bp
from iris_app.ui.result.verdict import count_borderline
from iris_app.web.request import request
from iris_app.web.response import Response

if TYPE_CHECKING:
    from iris_app.model.classifier import Model

VIEW_BOX = re.compile(rb'viewBox="0 0 (\d+)[\d.]* (\d+)[\d.]*"')

# Words for the kinds of features.
KINDS = {"number": "number", "integer": "whole number", "boolean": "yes or no", "category": "category"}

# The categories that the card names with their shares; the others are counted.
MAX_CATEGORIES = 8


@dataclass(frozen=True, slots=True)
class FeatureRow:
    """A row of the card's table of features."""

    feature: Feature
    summary: FeatureSummary
    rows: int

    @property
    def kind(self) -> str:
        """The kind of the feature in words."""
        return KINDS[self.feature.kind]

    @property
    def values(self) -> str:
        """The range of a number, or the shares of its other values, over the training's rows."""
        if self.feature.is_numeric:
            low, high = self.summary.minimum, self.summary.maximum
            return "none" if low is None or high is None else f"{format_number(low)} to {format_number(high)}"
        shares = sorted(self._shares(), key=lambda share: -share[1])
        more = len(shares) - MAX_CATEGORIES
        texts = [f"{label} {100 * share:.0f} %" for label, share in shares[:MAX_CATEGORIES]]
        return ", ".join([*texts, *([f"{more:,} more"] if more > 0 else [])])

    @property
    def missing(self) -> str:
        """The share of missing values; or that none may be missing."""
        if not self.feature.optional:
            return "not allowed"
        return f"{100 * self.summary.missing / self.rows:.0f} %" if self.rows else "allowed"

    def _shares(self) -> Iterator[tuple[str, float]]:
        """Yield the label of each value and its share; the first count of a histogram is of unknown categories."""
        if self.feature.kind == "boolean":
            yes = self.summary.mean or 0.0
            yield from (("Yes", yes), ("No", 1 - yes))
            return
        counts = self.summary.histogram.counts[1:]
        total = sum(counts) or 1
        yield from ((str(name), count / total) for name, count in zip(self.feature.categories, counts, strict=False))


def feature_rows(manifest: Manifest) -> list[FeatureRow]:
    """Return a row for each feature."""
    rows = sum(summary.rows for summary in manifest.classes)
    return [
        FeatureRow(feature, summary, rows)
        for feature, summary in zip(manifest.schema.features, manifest.features, strict=True)
    ]


# The quantile of the normal distribution for an interval of 95 %.
QUANTILE = 1.96

# The weights that a formula is shown with at most.
MAX_WEIGHTS = 300


def wilson_interval(right: int, rows: int) -> tuple[float, float]:
    """Return the interval of 95 % for a share, by Wilson's score."""
    share, square = right / rows, QUANTILE**2
    middle = (share + square / (2 * rows)) / (1 + square / rows)
    half = QUANTILE / (1 + square / rows) * math.sqrt(share * (1 - share) / rows + square / (4 * rows**2))
    return max(middle - half, 0.0), min(middle + half, 1.0)


@dataclass(frozen=True, slots=True)
class Formula:
    """The formula of a linear model, worked through for one row.

    Attributes
    ----------
    name : str
        The label of the class that the row is typical of.
    terms : list of tuple
        Each feature, the text of its value, and the weight of it for each class.
    constants, sums, probabilities : list of float
        Of each class.
    """

    name: str
    terms: list[tuple[Feature, str, list[float]]]
    constants: list[float]
    sums: list[float]
    probabilities: list[float]


def work_formula(model: "Model") -> Formula | None:
    """Work through the formula of a linear model with few weights, for the typical row of a class."""
    schema = model.schema
    example = next((class_ for class_ in schema.classes if class_.typical), None)
    if model.linear is None or example is None or model.linear[0].size > MAX_WEIGHTS:
        return None
    weights, constants = model.linear
    row = np.array(schema.encode(example.typical))
    values = (feature.format(value) for feature, value in zip(schema.features, row.tolist(), strict=True))
    return Formula(
        example.label,
        list(zip(schema.features, values, weights.T.tolist(), strict=True)),
        constants.tolist(),
        (weights @ row + constants).tolist(),
        model.predict_proba(row[None])[0].tolist(),
    )


def rank_importances(manifest: Manifest) -> list[tuple[Feature, float, float]]:
    """Return each feature with its importance and the deviation of it, the most important first."""
    if manifest.importances is None:
        return []
    importances = zip(
        manifest.schema.features, manifest.importances.drops, manifest.importances.deviations, strict=True
    )
    return sorted(importances, key=lambda one: -one[1])


@bp.get("/model")
def model_card() -> str:
    """Show the card of the current model."""
    model = get_model()
    return render_template(
        "ui/model.html",
        model=model,
        manifest=model.manifest,
        features=feature_rows(model.manifest),
        interval=_interval(model.manifest),
        borderline=count_borderline(model.manifest),
        formula=work_formula(model),
        importances=rank_importances(model.manifest),
        size=_size(model.pairplot or b""),
    )


@bp.get("/model/manifest.json")
def manifest() -> Response:
    """Return the manifest of the current model, without rows of the training unless anyone may see them."""
    model = get_model()
    document = msgspec.json.format(msgspec.json.encode(model.manifest.public()))
    response = Response(document, mimetype="application/json")
    response.headers.set("Content-Disposition", "attachment", filename=f"model-{model.version}.json")
    return response


@bp.get("/model/<version>/pairplot.svg")
def pairplot(version: str) -> Response:
    """Return the picture of the data that a version of the model was trained on."""
    model = get_model()
    if version != model.version or model.pairplot is None:
        raise NotFound
    response = Response(model.pairplot, mimetype="image/svg+xml")
    if request.args.get("v") == model.manifest.pairplot_sha256:
        response.headers["Cache-Control"] = "public, max-age=31536000, immutable"
    # matplotlib writes inline styles, which apply when the picture is opened as a page of its own.
    response.policy = "default-src 'none'; style-src 'unsafe-inline'"
    return response


def _interval(manifest: Manifest) -> tuple[int, float, float] | None:
    """Return the number of held-out rows that were right, and the interval of the accuracy."""
    scores = manifest.scores
    if scores is None or not scores.held_out_rows:
        return None
    right = round(scores.held_out_accuracy * scores.held_out_rows)
    return right, *wilson_interval(right, scores.held_out_rows)


def _size(picture: bytes) -> tuple[str, str]:
    """Return the width and the height of an SVG picture, which keep its place on the page while it loads."""
    found = VIEW_BOX.search(picture[:10_000])
    return (found[1].decode(), found[2].decode()) if found else ("", "")
