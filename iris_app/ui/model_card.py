"""``/model``: the model card."""

import re
from collections.abc import Iterator
from dataclasses import dataclass

import msgspec
from flask import render_template
from werkzeug.exceptions import NotFound

from iris_app.formatting import format_number
from iris_app.model.manifest import FeatureSummary, Manifest
from iris_app.model_service import get_model
from iris_app.schema import Feature
from iris_app.ui.blueprint import bp
from iris_app.web.request import request
from iris_app.web.response import Response

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


@bp.get("/model")
def model_card() -> str:
    """Show the card of the current model."""
    model = get_model()
    return render_template(
        "ui/model.html",
        model=model,
        manifest=model.manifest,
        features=feature_rows(model.manifest),
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


def _size(picture: bytes) -> tuple[str, str]:
    """Return the width and the height of an SVG picture, which keep its place on the page while it loads."""
    found = VIEW_BOX.search(picture[:10_000])
    return (found[1].decode(), found[2].decode()) if found else ("", "")
