"""The scores of a classifier on rows that it has not seen, and the importance of each feature."""

import math
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    confusion_matrix,
    log_loss,
    precision_recall_fscore_support,
)

from iris_app.model.manifest import CalibrationBin, ClassScore, Importances, Scores
from iris_app.schema import Floats, Schema

Classes: TypeAlias = NDArray[np.integer]

CALIBRATION_BINS = 10

# How many rows importances are measured on at most, how often each feature is shuffled in them, and how many rows are
# predicted for that in all; if this took longer than so many seconds, they are not measured. The time decides nothing
# else, so that the same is packaged twice.
MAX_SHUFFLED, REPEATS, MAX_PREDICTED = 500, 5, 100_000
MAX_SECONDS = 60.0

# The values that are predicted at once for importances.
MAX_VALUES = 1_000_000


def score(
    schema: Schema, actual: Classes, predicted: Classes, probabilities: Floats, cross_validation: Sequence[float] = ()
) -> Scores:
    """Score predictions.

    Parameters
    ----------
    schema : Schema
    actual, predicted : ndarray of shape (n,)
        The indices of the true and of the predicted classes.
    probabilities : ndarray of shape (n, classes)
    cross_validation : sequence of float
        The accuracies in a cross-validation, if there was one.
    """
    labels = list(range(len(schema.classes)))
    precision, recall, _, support = precision_recall_fscore_support(actual, predicted, labels=labels, zero_division=0)
    certain = np.clip(probabilities, 0, 1)
    return Scores(
        held_out_accuracy=float(accuracy_score(actual, predicted)),
        held_out_rows=len(actual),
        classes=[
            ClassScore(name=name, precision=float(precision[index]), recall=float(recall[index]))
            for index, name in enumerate(schema.class_names)
        ],
        confusion_matrix=confusion_matrix(actual, predicted, labels=labels).tolist(),
        cross_validation=list(cross_validation),
        balanced_accuracy=float(recall[support > 0].mean()),
        log_loss=float(log_loss(actual, certain, labels=labels)),
        brier=_brier(actual, certain),
        calibration=_calibrate(actual, predicted, probabilities),
    )


def _brier(actual: Classes, probabilities: Floats) -> float:
    if probabilities.shape[1] == 2:
        return float(np.mean((probabilities[:, 1] - (actual == 1)) ** 2))
    return float(brier_score_loss(actual, probabilities, labels=list(range(probabilities.shape[1]))))


def _calibrate(actual: Classes, predicted: Classes, probabilities: Floats) -> list[CalibrationBin]:
    """Compare the probability of the predicted class with how often it was right, by tenths."""
    certainty = probabilities[np.arange(len(actual)), predicted]
    edges = np.linspace(0, 1, CALIBRATION_BINS + 1).round(10)
    bins = np.clip(np.digitize(certainty, edges) - 1, 0, CALIBRATION_BINS - 1)
    return [
        CalibrationBin(
            low=float(edges[index]),
            high=float(edges[index + 1]),
            rows=int(inside.sum()),
            mean_probability=float(certainty[inside].mean()),
            accuracy=float((actual == predicted)[inside].mean()),
        )
        for index in range(CALIBRATION_BINS)
        if (inside := bins == index).any()
    ]


def measure_importances(
    predict: Callable[[Floats], Classes], rows: Floats, actual: Classes, *, held_out: bool
) -> Importances | None:
    """Measure the permutation importance of each feature, as scikit-learn does; None if it would take too long.

    Rows are left out where features are many.

    Parameters
    ----------
    predict : callable
        Takes rows of shape (m, features), and returns the indices of their classes.
    rows : ndarray of shape (n, features)
    actual : ndarray of shape (n,)
        The indices of the true classes.
    held_out : bool
        Whether the classifier was not trained on the rows.
    """
    random = np.random.default_rng(0)
    shuffles = REPEATS * rows.shape[1]
    chosen = random.permutation(len(rows))[: min(MAX_SHUFFLED, max(MAX_PREDICTED // shuffles, 1))]
    rows, actual = rows[chosen], actual[chosen]
    began = perf_counter()
    right = predict(rows) == actual
    if (perf_counter() - began) * shuffles > MAX_SECONDS:
        return None
    drops = np.array([right.mean() - _shuffled_accuracy(predict, rows, actual, random) for _ in range(REPEATS)])
    return Importances(
        drops=drops.mean(axis=0).tolist(), deviations=drops.std(axis=0).tolist(), rows=len(rows), held_out=held_out
    )


def _shuffled_accuracy(
    predict: Callable[[Floats], Classes], rows: Floats, actual: Classes, random: np.random.Generator
) -> Floats:
    """Return the accuracy after each feature was shuffled, of shape (features,); several are predicted at once."""
    parts = []
    for group in np.array_split(np.arange(rows.shape[1]), math.ceil(rows.size * rows.shape[1] / MAX_VALUES)):
        shuffled = np.tile(rows, (len(group), 1, 1))
        for copy, index in zip(shuffled, group, strict=True):
            random.shuffle(copy[:, index])
        predicted = predict(shuffled.reshape(-1, rows.shape[1])).reshape(len(group), -1)
        parts.append((predicted == actual).mean(axis=1))
    return np.concatenate(parts)
