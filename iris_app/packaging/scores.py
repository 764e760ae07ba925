"""The scores of a classifier on rows that it has not seen."""

from collections.abc import Sequence
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

from iris_app.model.manifest import CalibrationBin, ClassScore, Scores
from iris_app.schema import Floats, Schema

Classes: TypeAlias = NDArray[np.integer]

CALIBRATION_BINS = 10


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
