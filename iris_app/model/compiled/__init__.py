"""Compiled classifiers: functions on the float array below the doors, which answer as the pipeline does, but faster.

A pipeline checks and converts what the doors have checked already; that takes nearly all of its time for one row.
"""

from typing import Any

import numpy as np

from iris_app.model.compiled.decisions import decide
from iris_app.model.compiled.preprocessing import Preprocessing
from iris_app.model.inputs import Inputs
from iris_app.model.linear import Affine, AffineMap, softmax, softmax_one
from iris_app.schema import Floats, Schema


class CompiledClassifier:
    """A classifier, compiled. A row gets the same bits alone and among others.

    Parameters
    ----------
    classifier : scikit-learn classifier
    schema : Schema
    inputs : Inputs
        What the classifier takes.

    Attributes
    ----------
    boundaries : list of tuple
        The indices of features, and the values beside which trees split.

    Raises
    ------
    NotCompilable
        If the arithmetic of one of its steps is not known.
    """

    def __init__(self, classifier: Any, schema: Schema, inputs: Inputs) -> None:
        decision = decide(classifier, Preprocessing.begin(schema, inputs))
        self.boundaries = decision.boundaries
        self._decision = decision
        self._linear = decision.linear

    @property
    def affine(self) -> Affine | None:
        """The affine map of a row of numbers to log-odds, if there is one."""
        return self._linear.affine if isinstance(self._linear, AffineMap) else None

    def predict_proba(self, rows: Floats) -> Floats:
        """Return the probabilities of rows of shape (n, features), of shape (n, classes)."""
        if self._linear is not None:
            return softmax(self._linear.transform(np.ascontiguousarray(rows.T))).T
        return self._decision.predict(rows).T

    def predict_one(self, row: Floats) -> list[float]:
        """Return the probabilities of the classes for one row, of shape (1, features)."""
        if self._linear is not None:
            return softmax_one(self._linear.transform_one(row[0].tolist()))
        probabilities: list[float] = self._decision.predict(row)[:, 0].tolist()
        return probabilities
