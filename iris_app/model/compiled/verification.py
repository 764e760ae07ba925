"""Verification of a compiled classifier: rows that are hard to answer alike, and what it answers otherwise."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from iris_app.model.compiled import CompiledClassifier
from iris_app.model.compiled.decisions import Boundaries
from iris_app.model.compiled.trees import FEW
from iris_app.model.inputs import PipelineInputs
from iris_app.model.manifest import Manifest
from iris_app.schema import MISSING, Feature, Floats

# The pipeline and a compiled classifier round differently, by much less than this.
TOLERANCE = 1e-12

# Rows of each sort: they are predicted in a second where there are 500 trees.
MAX_ROWS = 500

# Rows that are predicted one by one, too.
ALONE = 50


def find_difference(compiled: CompiledClassifier, classifier: Any, manifest: Manifest) -> str | None:
    """Describe how a compiled classifier answers otherwise than its pipeline does, or return None."""
    rows = sample_rows(manifest, compiled.boundaries, MAX_ROWS)
    expected = classifier.predict_proba(PipelineInputs(manifest.schema, manifest.inputs).to_input(rows))
    answered = compiled.predict_proba(rows)
    if answered.shape != expected.shape:
        return f"it answers {answered.shape[1]} classes"
    difference = np.abs(answered - expected).max()
    if not difference <= TOLERANCE:
        return f"its probabilities differ by {difference:.1e}"
    if (answered.argmax(axis=1) != expected.argmax(axis=1)).any():
        return "it answers other classes"
    few = np.concatenate([compiled.predict_proba(rows[start : start + FEW]) for start in range(0, len(rows), FEW)])
    one = [compiled.predict_one(rows[index : index + 1]) for index in range(min(len(rows), ALONE))]
    if not (np.array_equal(few, answered) and np.array_equal(one, answered[:ALONE])):
        return "it answers one row otherwise than many"
    return None


def sample_rows(manifest: Manifest, boundaries: Boundaries, count: int, seed: int = 0) -> Floats:
    """Return accepted rows: golden ones, and up to ``count`` each of the training, at random and beside boundaries."""
    random = np.random.default_rng(seed)
    training, _ = manifest.training_array()
    seen = np.vstack([manifest.golden_array(), random.permutation(training)[:count]])
    scattered = np.array(
        [
            _scatter(feature, summary.minimum or 0.0, summary.maximum or 0.0, count, random)
            for feature, summary in zip(manifest.schema.features, manifest.features, strict=True)
        ]
    ).T
    beside = list(_beside(boundaries, count, random))
    bases = np.vstack([seen, scattered])
    edges = bases[random.integers(len(bases), size=len(beside))]
    for row, (column, value) in zip(edges, beside, strict=True):
        row[column] = value
    edges = edges[manifest.schema.accepted(edges).all(axis=1)]
    return np.vstack([seen, scattered, edges])


def _scatter(feature: Feature, low: float, high: float, count: int, random: np.random.Generator) -> Floats:
    """Return accepted values of a feature, around the training's range."""
    least, most = feature.limits
    if feature.is_numeric:
        margin = 2 * (high - low) + 1
        values = random.uniform(low - margin, high + margin, count)
        values[::10] = random.choice([low, high], len(values[::10]))
        values = (np.rint(values) if feature.kind == "integer" else values).clip(least, most)
    else:
        values = random.integers(int(least), int(most), count, endpoint=True).astype(np.float64)
    return np.where(random.random(count) < 0.1, MISSING, values) if feature.optional else values


def _beside(boundaries: Boundaries, count: int, random: np.random.Generator) -> Iterator[tuple[int, float]]:
    """Yield values on boundaries and one step beside them, of double and of single precision."""
    for index in random.permutation(len(boundaries))[: count // 5].tolist():
        column, value = boundaries[index]
        single = np.float32(value)
        yield column, value
        for end in (-np.inf, np.inf):
            yield column, float(np.nextafter(value, end))
            yield column, float(np.nextafter(single, np.float32(end)))
