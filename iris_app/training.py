"""Train the model of the article on Fisher's irises, measure it, and describe what it saw."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from iris_app.iris import FEATURES, SPECIES, SPECIES_NAMES
from iris_app.manifest import FeatureSummary, GoldenRow, Scores, SpeciesScore, SpeciesSummary, Training

FOLDS = 5

Floats = NDArray[np.float64]
Classes = NDArray[np.intp]


def load_data() -> tuple[Floats, Classes]:
    """Return Fisher's flowers as ``FEATURES`` and ``SPECIES`` order them.

    Returns
    -------
    measurements : ndarray of shape (150, 4)
        In the features' units.
    species : ndarray of shape (150,)
        Indices into ``SPECIES``.
    """
    data = load_iris()
    columns = [data.feature_names.index(feature.title.lower()) for feature in FEATURES]
    species = np.array([SPECIES_NAMES.index(name) for name in data.target_names])
    return data.data[:, columns], species[data.target]


def train() -> tuple[Any, Training]:
    """Fit the pipeline on three quarters of the flowers and evaluate it on the fourth.

    Returns
    -------
    classifier : sklearn.pipeline.Pipeline
        A ``StandardScaler`` and a ``LogisticRegression`` that predict indices into ``SPECIES``.
    training : Training
        What the classifier saw, how good it is, and how it answers its golden rows.
    """
    measurements, species = load_data()
    seen, held_out, seen_species, held_out_species = train_test_split(measurements, species, random_state=0)
    classifier = Pipeline([("scale", StandardScaler()), ("classify", LogisticRegression())])
    classifier.fit(seen, seen_species)
    summaries = [_summarise_species(index, seen[seen_species == index]) for index in range(len(SPECIES))]
    training = Training(
        features=_summarise_features(seen),
        species=summaries,
        farthest_distance=float(_distances(seen, summaries).min(axis=0).max()),
        scores=Scores(
            **_score(held_out_species, classifier.predict(held_out)),
            cross_validation=cross_val_score(classifier, measurements, species, cv=FOLDS).tolist(),
        ),
        golden_rows=_golden_rows(classifier, np.vstack([[one.typical for one in SPECIES], held_out[:3]])),
    )
    return classifier, training


def _summarise_features(seen: Floats) -> list[FeatureSummary]:
    return [
        FeatureSummary(
            name=feature.name,
            unit=feature.unit,
            minimum=float(values.min()),
            maximum=float(values.max()),
            mean=float(values.mean()),
            standard_deviation=float(values.std(ddof=1)),
        )
        for feature, values in zip(FEATURES, seen.T, strict=True)
    ]


def _summarise_species(index: int, flowers: Floats) -> SpeciesSummary:
    """Describe the flowers of one species; whitening is the transposed Cholesky factor of the inverse covariance."""
    covariance = np.cov(flowers, rowvar=False)
    return SpeciesSummary(
        name=SPECIES[index].name,
        flowers=len(flowers),
        mean=flowers.mean(axis=0).tolist(),
        whitening=np.linalg.cholesky(np.linalg.inv(covariance)).T.tolist(),
    )


def _distances(flowers: Floats, summaries: list[SpeciesSummary]) -> Floats:
    """Return the Mahalanobis distance of each flower from each species, of shape (species, flowers)."""
    return np.array(
        [np.linalg.norm((flowers - summary.mean) @ np.array(summary.whitening).T, axis=1) for summary in summaries]
    )


def _score(actual: Classes, predicted: Classes) -> dict[str, Any]:
    precision, recall, _, _ = precision_recall_fscore_support(actual, predicted)
    return {
        "held_out_accuracy": float(accuracy_score(actual, predicted)),
        "held_out_flowers": len(actual),
        "species": [
            SpeciesScore(name=one.name, precision=float(precision[index]), recall=float(recall[index]))
            for index, one in enumerate(SPECIES)
        ],
        "confusion_matrix": confusion_matrix(actual, predicted).tolist(),
    }


def _golden_rows(classifier: Any, measurements: Floats) -> list[GoldenRow]:
    return [
        GoldenRow(measurement=row, probabilities=probabilities)
        for row, probabilities in zip(
            measurements.tolist(), classifier.predict_proba(measurements).tolist(), strict=True
        )
    ]
