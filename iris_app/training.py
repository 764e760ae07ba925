"""Train the model of the article on Fisher's irises, measure it, and describe what it saw."""

import io
import re
from importlib.resources import files
from typing import Any

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
import seaborn as sns
from numpy.typing import NDArray
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, confusion_matrix, precision_recall_fscore_support
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from iris_app.iris import SCHEMA
from iris_app.model.distribution import fit_distribution
from iris_app.model.inputs import Inputs
from iris_app.model.manifest import (
    ClassScore,
    ClassSummary,
    FeatureSummary,
    GoldenRow,
    Histogram,
    Scores,
    Training,
    TrainingRow,
)
from iris_app.schema import Floats

FOLDS = 5

# A shape for each species, as the pages have them; their colours are those of the pages for light screens.
MARKERS = ["o", "^", "s"]
PALETTE = re.findall(r"--class-\d+: (#\w+);", (files("iris_app.ui") / "static" / "palette.css").read_text())[
    : len(MARKERS)
]

# Pictures go to files; there is no screen.
mpl.use("svg")

Classes = NDArray[np.intp]


def load_data() -> tuple[Floats, Classes]:
    """Return Fisher's flowers as ``SCHEMA.features`` and ``SCHEMA.classes`` order them.

    Returns
    -------
    measurements : ndarray of shape (150, 4)
        In the features' units.
    species : ndarray of shape (150,)
        Indices into ``SCHEMA.classes``.
    """
    data = load_iris()
    columns = [data.feature_names.index(feature.title.lower()) for feature in SCHEMA.features]
    species = np.array([SCHEMA.class_names.index(name) for name in data.target_names])
    return data.data[:, columns], species[data.target]


def train() -> tuple[Any, Training, bytes]:
    """Fit the pipeline on three quarters of the flowers, evaluate it on the fourth, and draw what it saw.

    Returns
    -------
    classifier : sklearn.pipeline.Pipeline
        A ``StandardScaler`` and a ``LogisticRegression`` that predict indices into ``SCHEMA.classes``.
    training : Training
        What the classifier saw, how good it is, and how it answers its golden rows.
    pairplot : bytes
        The flowers that it saw, as SVG.
    """
    measurements, species = load_data()
    seen, held_out, seen_species, held_out_species = train_test_split(measurements, species, random_state=0)
    classifier = Pipeline([("scale", StandardScaler()), ("classify", LogisticRegression())])
    classifier.fit(seen, seen_species)
    training = Training(
        schema=SCHEMA,
        inputs=Inputs(),
        features=_summarise_features(seen),
        classes=[_summarise_species(index, seen[seen_species == index]) for index in range(len(SCHEMA.classes))],
        distribution=fit_distribution(SCHEMA, seen, seen_species, held_out),
        scores=Scores(
            **_score(held_out_species, classifier.predict(held_out)),
            cross_validation=cross_val_score(classifier, measurements, species, cv=FOLDS).tolist(),
        ),
        training_rows=[
            TrainingRow(row, index) for row, index in zip(seen.tolist(), seen_species.tolist(), strict=True)
        ],
        golden_rows=_golden_rows(classifier, np.vstack([[one.typical for one in SCHEMA.classes], held_out[:3]])),
    )
    return classifier, training, draw_pairplot(training)


def draw_pairplot(training: Training) -> bytes:
    """Draw the flowers that training saw by each pair of features, with densities on the diagonal, as SVG."""
    labels = [feature.title for feature in SCHEMA.features]
    flowers = sorted(
        training.training_rows, key=lambda row: row.class_index
    )  # seaborn gives out shapes as species appear
    frame = pd.DataFrame([row.values for row in flowers], columns=labels)
    frame["Species"] = [SCHEMA.classes[row.class_index].label for row in flowers]
    names = [one.label for one in SCHEMA.classes]
    drawn = io.BytesIO()
    # The same drawing gets the same bytes: no date in it, and identifiers that do not depend on chance.
    with mpl.rc_context({"svg.hashsalt": "iris_app", "savefig.transparent": True}):
        grid = sns.pairplot(
            frame, hue="Species", hue_order=names, diag_kind="kde", height=2, markers=MARKERS, palette=PALETTE
        )
        grid.savefig(drawn, format="svg", metadata={"Date": None})
        plt.close(grid.figure)
    return drawn.getvalue()


def _summarise_features(seen: Floats) -> list[FeatureSummary]:
    return [
        FeatureSummary(
            name=feature.name,
            minimum=float(values.min()),
            maximum=float(values.max()),
            mean=float(values.mean()),
            standard_deviation=float(values.std(ddof=1)),
            missing=0,
            histogram=_histogram(values),
        )
        for feature, values in zip(SCHEMA.features, seen.T, strict=True)
    ]


def _histogram(values: Floats) -> Histogram:
    """Count the values between their deciles."""
    edges = np.unique(np.quantile(values, np.linspace(0.1, 0.9, 9)))
    counts = np.bincount(np.searchsorted(edges, values), minlength=len(edges) + 1)
    return Histogram(edges=edges.tolist(), counts=counts.tolist())


def _summarise_species(index: int, flowers: Floats) -> ClassSummary:
    return ClassSummary(
        name=SCHEMA.classes[index].name,
        rows=len(flowers),
        means=flowers.mean(axis=0).tolist(),
        deviations=flowers.std(axis=0, ddof=1).tolist(),
    )


def _score(actual: Classes, predicted: Classes) -> dict[str, Any]:
    precision, recall, _, _ = precision_recall_fscore_support(actual, predicted)
    return {
        "held_out_accuracy": float(accuracy_score(actual, predicted)),
        "held_out_rows": len(actual),
        "classes": [
            ClassScore(name=one.name, precision=float(precision[index]), recall=float(recall[index]))
            for index, one in enumerate(SCHEMA.classes)
        ],
        "confusion_matrix": confusion_matrix(actual, predicted).tolist(),
    }


def _golden_rows(classifier: Any, measurements: Floats) -> list[GoldenRow]:
    return [
        GoldenRow(values=row, probabilities=probabilities)
        for row, probabilities in zip(
            measurements.tolist(), classifier.predict_proba(measurements).tolist(), strict=True
        )
    ]
