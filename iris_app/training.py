"""Train the example, the pipeline of the article on Fisher's irises, and package it."""

from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import cross_val_score, train_test_split
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from iris_app.iris import SCHEMA
from iris_app.model.manifest import Manifest
from iris_app.packaging.packager import Packaged, package, save
from iris_app.schema import Floats

FOLDS = 5

Classes = NDArray[np.intp]


class Split(NamedTuple):
    """Three quarters of the flowers to train on, and the fourth to measure by."""

    seen: Floats
    held_out: Floats
    seen_species: Classes
    held_out_species: Classes


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


def train() -> Packaged:
    """Fit the pipeline on three quarters of the flowers, and package it with the fourth to measure it by.

    Returns
    -------
    Packaged
        The classifier is a ``Pipeline`` of a ``StandardScaler`` and a ``LogisticRegression`` that predicts indices into
        ``SCHEMA.classes``.
    """
    measurements, species = load_data()
    split = Split(*train_test_split(measurements, species, random_state=0))
    classifier = Pipeline([("scale", StandardScaler()), ("classify", LogisticRegression())])
    classifier.fit(split.seen, split.seen_species)
    return package(
        classifier,
        _table(split.seen, split.seen_species),
        SCHEMA.target,
        schema=SCHEMA,
        holdout=_table(split.held_out, split.held_out_species),
        cross_validation=cross_val_score(classifier, measurements, species, cv=FOLDS).tolist(),
    )


def save_example(path: Path) -> Manifest:
    """Train the example, and save it at ``path``."""
    return save(path, train())


def _table(measurements: Floats, species: Classes) -> pd.DataFrame:
    return pd.DataFrame(measurements, columns=list(SCHEMA.features_by_name)).assign(**{SCHEMA.target: species})
