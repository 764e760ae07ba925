"""Exact contributions to the log-odds of a classifier in which each feature has an effect of its own.

Linear models behind any encoders that treat each feature by itself, linear discriminant analysis and naive Bayes are
such classifiers. Then a feature's Shapley value is its effect, less its mean effect over the background.
"""

import sys
from collections.abc import Callable

import numpy as np

from iris_app.model.explanations.shapley import ShapleyValues
from iris_app.schema import Floats

# Smaller probabilities have lost digits, so effects with them do not add up.
MIN_PROBABILITY = sys.float_info.min

# The rows of the background that the effects are first tried on, and the difference that is due to rounding.
TRIAL_ROWS = 8
TOLERANCE = 1e-8


class AdditiveExplainer:
    """Explain predictions by the effects of single features, if these add up.

    Parameters
    ----------
    predict_proba : callable
        Takes rows of shape (n, features) and returns probabilities of shape (n, classes).
    background : ndarray of shape (m, features)
        Rows of the training.

    Attributes
    ----------
    adds_up : bool
        True if the effects of all rows of the background add up; else it explains nothing.
    """

    def __init__(self, predict_proba: Callable[[Floats], Floats], background: Floats) -> None:
        self._predict_proba = predict_proba
        self._reference = background[0]
        self._base = self._log_odds(background[:1])[0]
        self.adds_up = self._check(background[:TRIAL_ROWS]) and self._check(background)

    def _check(self, rows: Floats) -> bool:
        """Check whether the effects of rows add up, and keep their means."""
        effects, log_odds = self.effects(rows), self._log_odds(rows)
        self._mean_effects = effects.mean(axis=1)
        self._average = log_odds.mean(axis=0)
        return np.allclose(self._base + effects.sum(axis=0), log_odds, rtol=0, atol=TOLERANCE)

    def effects(self, rows: Floats) -> Floats:
        """Return the effect of each value in place of the reference's, of shape (features, n, classes)."""
        features = rows.shape[1]
        mixed = np.tile(self._reference, (features, len(rows), 1))
        indices = np.arange(features)
        mixed[indices, :, indices] = rows.T
        log_odds = self._log_odds(mixed.reshape(-1, features))
        effects: Floats = log_odds.reshape(features, len(rows), -1) - self._base
        return effects

    def explain(self, row: Floats, predicted: int, runner_up: int) -> ShapleyValues:
        """Explain the log-odds of a row's class against the runner-up; see ``ShapleyExplainer.explain``."""
        effects = self.effects(row[None])[:, 0] - self._mean_effects
        values = effects[:, predicted] - effects[:, runner_up]
        average = float(self._average[predicted] - self._average[runner_up])
        return ShapleyValues(values, average, average + float(values.sum()), 0.0)

    def _log_odds(self, rows: Floats) -> Floats:
        """Return the log-odds of each class against the first, of shape (n, classes)."""
        log_probabilities = np.log(np.maximum(self._predict_proba(rows), MIN_PROBABILITY))
        log_odds: Floats = log_probabilities - log_probabilities[:, :1]
        return log_odds
