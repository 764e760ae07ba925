"""Package a fitted classifier: infer its schema, measure it, and describe what it was trained on."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
from flask import Flask

from iris_app.model import artifact
from iris_app.model.explanations.explainer import Explainer
from iris_app.model.manifest import GoldenRow, Importances, Manifest, Scores, Training
from iris_app.model.outlier_detection.distribution import fit_distribution
from iris_app.model_service import get_registry
from iris_app.packaging.answers import Answers
from iris_app.packaging.inference.checks import find_packages
from iris_app.packaging.inference.findings import find_findings
from iris_app.packaging.inference.infer import Classes, Inferred, check_given, find_unaccepted, infer, read_rows, refuse
from iris_app.packaging.inference.ranking import choose_panels, rank_numbers
from iris_app.packaging.inference.schemas import with_examples
from iris_app.packaging.overrides import Table, apply_overrides, class_overrides
from iris_app.packaging.pairplot import draw_pairplot
from iris_app.packaging.scores import measure_importances, score
from iris_app.packaging.summaries import (
    find_typical_rows,
    make_golden_rows,
    ordinary_rows,
    sample_rows,
    summarise_classes,
    summarise_feature,
)
from iris_app.schema import UNKNOWN, Floats, Schema

# Columns that a finding names.
NAMED = 8


@dataclass(frozen=True)
class Packaged:
    """A classifier that is ready to be saved with its manifest.

    Attributes
    ----------
    classifier : scikit-learn classifier
    training : Training
    pairplot : bytes or None
    findings : tuple of str
        What looks wrong.
    training_accuracy : float
        The share of the training's rows that are predicted rightly, which flatters.
    """

    classifier: Any
    training: Training
    pairplot: bytes | None
    findings: tuple[str, ...]
    training_accuracy: float


def package(
    classifier: Any,
    frame: pd.DataFrame,
    target: str,
    *,
    name: str = "model",
    schema: Schema | None = None,
    overrides: Table | None = None,
    holdout: pd.DataFrame | None = None,
    keep_rows: bool = True,
    cross_validation: Sequence[float] = (),
    picture: bool = True,
) -> Packaged:
    """Package a fitted classifier with the table that it was trained on.

    Parameters
    ----------
    classifier : scikit-learn classifier
        It has ``predict_proba``.
    frame : DataFrame
        The columns that it was trained on, with their types, and the target.
    target : str
        The column of the true classes.
    name : str
        The name of the model.
    schema : Schema, optional
        The schema, in place of an inferred one.
    overrides : mapping, optional
        Words in place of inferred ones, as the TOML of ``--schema`` has them.
    holdout : DataFrame, optional
        Rows that the classifier has not seen, to measure it by.
    keep_rows : bool
        Whether the manifest keeps rows of the training.
    cross_validation : sequence of float
        The accuracies in a cross-validation, if there was one.
    picture : bool
        Whether to draw the rows of the training, which takes some seconds.

    Raises
    ------
    PackagingRefused
        If it cannot be served; what is wrong, and what to do about it, is named all at once.
    """
    overrides = overrides or {}
    frame = frame.rename(columns=str)  # of an array of numbers, they are numbers
    inferred = infer(classifier, frame, target, name, _class_words(schema, overrides))
    schema = check_given(inferred.schema, schema) if schema else apply_overrides(inferred.schema, overrides)
    refuse(find_unaccepted(schema, inferred.rows))
    answers = Answers(classifier, schema, inferred.inputs)
    ranked = rank_numbers(schema.features, inferred.rows, inferred.classes)
    if not schema.panels and "panels" not in overrides:
        schema = msgspec.structs.replace(schema, panels=choose_panels(schema.features, ranked))
    typical = find_typical_rows(schema, answers, inferred.rows, inferred.classes)
    schema = with_examples(schema, typical, inferred.classes)
    held_out = _read_holdout(inferred, schema, holdout, target) if holdout is not None else None
    features = [
        summarise_feature(feature, values) for feature, values in zip(schema.features, inferred.rows.T, strict=True)
    ]
    training = Training(
        schema=schema,
        inputs=inferred.inputs,
        threshold=answers.threshold,
        packages=find_packages(classifier, takes_frames=inferred.inputs.kind == "frame"),
        features=features,
        classes=summarise_classes(schema, inferred.rows, inferred.classes),
        distribution=fit_distribution(
            schema, inferred.rows, inferred.classes, None if held_out is None else held_out.rows
        ),
        scores=_score(schema, answers, held_out, cross_validation),
        importances=_measure_importances(answers, inferred, held_out),
        training_rows=sample_rows(inferred.rows, inferred.classes) if keep_rows else [],
        golden_rows=_golden_rows(schema, answers, inferred, held_out, keep_rows=keep_rows),
    )
    explainer = Explainer(training, answers.predict_proba)
    return Packaged(
        classifier=classifier,
        training=msgspec.structs.replace(training, explanation_rows=explainer.predicted_rows),
        pairplot=draw_pairplot(schema, inferred.rows, inferred.classes, ranked) if picture else None,
        findings=tuple(_find_findings(inferred, schema, answers, held_out)),
        training_accuracy=float((answers.predict(inferred.rows) == inferred.classes).mean()),
    )


def save(path: Path, packaged: Packaged) -> Manifest:
    """Save a packaged classifier at ``path``."""
    return artifact.save(path, packaged.classifier, packaged.training, packaged.pairplot)


def publish(app: Flask, packaged: Packaged) -> Manifest:
    """Make a packaged classifier the current model of an application, and keep it among the published versions."""
    return get_registry(app).publish(
        packaged.classifier, packaged.training, packaged.pairplot, keep=app.config["KEEP_MODELS"]
    )


@dataclass(frozen=True)
class _HeldOut:
    """Held-out rows that can be answered, of shape (n, features), their classes, and the number of the others."""

    rows: Floats
    classes: Classes
    left_out: int


def _class_words(schema: Schema | None, overrides: Table) -> Mapping[str, Table]:
    """Return the names and labels of classes that are known beforehand, by what the classifier predicts."""
    if schema is None:
        return class_overrides(overrides)
    return {
        str(one.value): {"name": one.name, "label": one.label, "spellings": one.spellings} for one in schema.classes
    }


def _read_holdout(inferred: Inferred, schema: Schema, holdout: pd.DataFrame, target: str) -> _HeldOut:
    holdout = holdout.rename(columns=str)
    labelled = holdout[holdout[target].notna()] if target in holdout else holdout
    rows, classes = read_rows(inferred.layout, schema, labelled, target)
    good = schema.accepted(rows).all(axis=1)
    refuse([] if good.any() else ["No held-out row is accepted by the schema."])
    return _HeldOut(rows[good], classes[good], len(holdout) - int(good.sum()))


def _score(
    schema: Schema, answers: Answers, held_out: _HeldOut | None, cross_validation: Sequence[float]
) -> Scores | None:
    if held_out is None:
        return None
    probabilities = answers.predict_proba(held_out.rows)
    return score(schema, held_out.classes, answers.choose(probabilities), probabilities, cross_validation)


def _measure_importances(answers: Answers, inferred: Inferred, held_out: _HeldOut | None) -> Importances | None:
    source = inferred if held_out is None else held_out
    return measure_importances(answers.predict, source.rows, source.classes, held_out=held_out is not None)


def _golden_rows(
    schema: Schema, answers: Answers, inferred: Inferred, held_out: _HeldOut | None, *, keep_rows: bool
) -> list[GoldenRow]:
    """Return the rows that show whether a classifier that was loaded is the one that was packaged."""
    typical = [np.array(schema.encode(class_.typical)) for class_ in schema.classes if class_.typical]
    source = inferred if held_out is None else held_out
    ordinary = ordinary_rows(schema, source.rows, source.classes, real=keep_rows and schema.public_rows)
    return make_golden_rows(schema, answers.predict_proba, typical, ordinary)


def _find_findings(inferred: Inferred, schema: Schema, answers: Answers, held_out: _HeldOut | None) -> Iterator[str]:
    """Yield a sentence for each thing that looks wrong."""
    if dropped := inferred.layout.dropped:
        yield f"The classifier does not use these columns, so nobody is asked for them: {_list(dropped)}."
    if inferred.left_out:
        yield f"{inferred.left_out:,} rows of the table have no class, and were left out."
    yield from find_findings(schema.features, inferred.rows, inferred.classes, inferred.probe)
    yield from _find_unknown_categories(schema, inferred.rows)
    yield from _find_never_missing(schema, inferred.rows)
    if differing := answers.count_differences(inferred.rows):
        yield (
            f"For {differing:,} of {len(inferred.rows):,} rows the classifier's predict gives another class than the "
            "likeliest one by its predict_proba, which is what is answered."
        )
    counts = np.bincount(inferred.classes, minlength=len(schema.classes))
    if (answers.predict(inferred.rows) == inferred.classes).mean() <= counts.max() / counts.sum():
        yield (
            "The classifier is no better on this table than always to answer the most frequent class. Is it the table "
            "that it was trained on, with its columns in the same order?"
        )
    if held_out is not None:
        yield from _find_in_holdout(inferred, held_out)


def _find_unknown_categories(schema: Schema, rows: Floats) -> Iterator[str]:
    for feature, values in zip(schema.features, rows.T, strict=True):
        if feature.kind == "category" and (count := int((values == UNKNOWN).sum())):
            yield f"{feature.name}: {count:,} rows have categories that the classifier does not know."


def _find_never_missing(schema: Schema, rows: Floats) -> Iterator[str]:
    never = [
        feature.name
        for feature, values in zip(schema.features, rows.T, strict=True)
        if feature.optional and not np.isnan(values).any()
    ]
    if never:
        yield (
            f"{_list(never)}: the classifier answers rows without them, but it was trained on none, so nobody knows "
            "how well. optional = false in the file of --schema asks for them."
        )


def _list(names: Sequence[str]) -> str:
    return f"{', '.join(names[:NAMED])} and {len(names) - NAMED:,} more" if len(names) > NAMED else ", ".join(names)


def _find_in_holdout(inferred: Inferred, held_out: _HeldOut) -> Iterator[str]:
    if held_out.left_out:
        yield f"{held_out.left_out:,} held-out rows have no class or values that are not accepted, and were left out."
    if not any(feature.is_numeric for feature in inferred.schema.features):
        return  # rows of few categories are the same by chance
    seen = set(map(bytes, np.ascontiguousarray(inferred.rows)))
    if again := sum(bytes(row) in seen for row in np.ascontiguousarray(held_out.rows)):
        yield f"{again:,} of {len(held_out.rows):,} held-out rows are in the training's table too, which flatters."
