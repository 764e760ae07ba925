"""The short card that is printed about a packaged model."""

from collections.abc import Iterator
from pathlib import Path

from iris_app.formatting import format_number, truncate
from iris_app.model.manifest import FeatureSummary, Manifest, manifest_path
from iris_app.packaging.packager import Packaged
from iris_app.schema import Feature

# Features and classes that the card lists.
LISTED = 30

# Categories that it names.
NAMED = 8


def describe_feature(feature: Feature, summary: FeatureSummary, rows: int) -> str:
    """Describe what was inferred of a feature, in a line."""
    parts = [_describe_values(feature, summary)]
    if summary.missing:
        parts.append(f"missing in {summary.missing:,} of {rows:,} rows")
    if feature.optional:
        parts.append("may be missing")
    if feature.allow_unknown:
        parts.append("other categories are answered with a warning")
    return f"{feature.kind}, {'; '.join(parts)}"


def _describe_values(feature: Feature, summary: FeatureSummary) -> str:
    match feature.kind:
        case "boolean":
            return "true or false"
        case "category":
            named = ", ".join(truncate(str(one), 20) for one in feature.categories[:NAMED])
            more = len(feature.categories) - NAMED
            return f"{named} and {more:,} more" if more > 0 else named
    if summary.minimum is None or summary.maximum is None:
        return "no value in any row"
    return feature.with_unit(f"{_shorten(summary.minimum)} to {_shorten(summary.maximum)}")


def _shorten(value: float) -> str:
    return format_number(float(f"{value:.4g}") if abs(value) < 10_000 else float(round(value)))


def lines(packaged: Packaged, manifest: Manifest, path: Path) -> Iterator[str]:
    """Yield the lines of the card of a model that was saved at ``path``."""
    schema, rows = manifest.schema, sum(one.rows for one in manifest.classes)
    yield f"{schema.name}: {schema.target} from {len(schema.features)} features, {rows:,} rows"
    yield ""
    yield from _feature_lines(manifest, rows)
    yield ""
    yield from _class_lines(manifest)
    yield ""
    yield from _score_lines(packaged, manifest)
    measured = manifest.distribution
    basis = "held-out" if measured.held_out else "training's"
    yield f"unlike_training    marks {measured.unlike_share:.1%} of the {measured.measured_rows:,} {basis} rows"
    if packaged.findings:
        yield ""
        yield "Look at:"
        yield from (f"- {finding}" for finding in packaged.findings)
    yield ""
    yield f"model     {path}"
    yield f"manifest  {manifest_path(path)}"
    yield f"version   {manifest.version} ({', '.join(f'{name} {one}' for name, one in manifest.versions.items())})"


def _feature_lines(manifest: Manifest, rows: int) -> Iterator[str]:
    features = manifest.schema.features
    width = max(len(truncate(feature.name)) for feature in features[:LISTED])
    for feature, summary in list(zip(features, manifest.features, strict=True))[:LISTED]:
        yield f"  {truncate(feature.name):<{width}}  {describe_feature(feature, summary, rows)}"
    if len(features) > LISTED:
        yield f"  and {len(features) - LISTED:,} more"


def _class_lines(manifest: Manifest) -> Iterator[str]:
    scores = manifest.scores
    width = max(len(truncate(one.name)) for one in manifest.classes[:LISTED])
    for index, summary in enumerate(manifest.classes[:LISTED]):
        measured = ""
        if scores:
            score, held_out = scores.classes[index], sum(scores.confusion_matrix[index])
            measured = f"; on {held_out:,} held out: precision {score.precision:.3f}, recall {score.recall:.3f}"
        yield f"  {truncate(summary.name):<{width}}  {summary.rows:,} rows to train on{measured}"
    if len(manifest.classes) > LISTED:
        yield f"  and {len(manifest.classes) - LISTED:,} more"


def _score_lines(packaged: Packaged, manifest: Manifest) -> Iterator[str]:
    scores = manifest.scores
    if scores is None:
        yield (
            "There are no held-out rows, so nobody knows how good it is. On the rows that it was trained on it is "
            f"right in {packaged.training_accuracy:.1%}, which flatters: give rows that it has not seen by --holdout."
        )
        return
    yield f"held-out accuracy  {scores.held_out_accuracy} on {scores.held_out_rows:,} {manifest.schema.nouns}"
    for label, value in (
        ("balanced accuracy", scores.balanced_accuracy),
        ("log loss", scores.log_loss),
        ("Brier score", scores.brier),
    ):
        if value is not None:
            yield f"{label:<17}  {value:.4f}"
    if scores.cross_validation:
        yield f"cross-validation   {', '.join(f'{one:.3f}' for one in scores.cross_validation)}"
