"""The decisions of classifiers: the scores of rows, and the probabilities of scores.

A classifier that is not among these raises ``NotCompilable``: its type must be exactly one that is known, since a
subclass may compute otherwise.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, TypeAlias

import numpy as np
from sklearn.calibration import CalibratedClassifierCV
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.pipeline import Pipeline
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from iris_app.model.compiled import trees
from iris_app.model.compiled.additive import AdditiveMap, fold
from iris_app.model.compiled.preprocessing import Encoder, Preprocessing
from iris_app.model.compiled.tracing import NotCompilable
from iris_app.model.linear import Affine, AffineMap, ordered_sum, softmax
from iris_app.schema import Floats

# The indices of features, and values beside which a decision changes.
Boundaries: TypeAlias = Sequence[tuple[int, float]]

# Takes an array, whose last or first axis are the rows, and returns one of shape (outputs, n).
Map: TypeAlias = Callable[[Floats], Floats]


@dataclass(frozen=True)
class Decision:
    """The decision of a classifier.

    Attributes
    ----------
    score : callable
        Takes rows of shape (n, features), and returns scores of shape (outputs, n).
    link : callable
        Takes the scores, and returns the probabilities, of shape (classes, n).
    boundaries : sequence of tuple
        The indices of features, and values beside which the decision changes.
    linear : AffineMap or AdditiveMap, optional
        The map of rows whose ``softmax`` is the probabilities.
    """

    score: Map
    link: Map
    boundaries: Boundaries = ()
    linear: AdditiveMap | AffineMap | None = None

    def predict(self, rows: Floats) -> Floats:
        """Return the probabilities of rows, of shape (classes, n)."""
        return self.link(self.score(rows))


def decide(classifier: Any, preprocessing: Preprocessing) -> Decision:
    """Return the decision of a fitted classifier after preprocessing, or raise ``NotCompilable``."""
    decider = DECIDERS.get(type(classifier))
    if decider is None:
        raise NotCompilable(f"a {type(classifier).__name__}")
    return decider(classifier, preprocessing)


def _decide_pipeline(pipeline: Any, preprocessing: Preprocessing) -> Decision:
    for _, step in pipeline.steps[:-1]:
        preprocessing = preprocessing.then(step)
    return decide(pipeline.steps[-1][1], preprocessing)


def _decide_linear(classifier: Any, preprocessing: Preprocessing) -> Decision:
    affine = classifier.coef_, classifier.intercept_
    return _by_affine_map(affine, preprocessing, softmax if len(affine[0]) > 1 else _softmax_of_one)


def _decide_one_vs_rest(classifier: Any, preprocessing: Preprocessing) -> Decision:
    types = {type(one) for one in classifier.estimators_}
    if types != {LogisticRegression}:
        raise NotCompilable("one against the rest of other classifiers than logistic regressions")
    weights, intercepts = ([getattr(one, name) for one in classifier.estimators_] for name in ("coef_", "intercept_"))
    affine = np.concatenate(weights), np.concatenate(intercepts)
    return _by_affine_map(affine, preprocessing, _normalize_logistic if len(weights) > 1 else _softmax_of_one)


def _decide_by_descent(classifier: Any, preprocessing: Preprocessing) -> Decision:
    if classifier.loss not in {"log_loss", "hinge"}:
        raise NotCompilable(f"the loss {classifier.loss}")
    affine = classifier.coef_, classifier.intercept_
    return _by_affine_map(affine, preprocessing, _normalize_logistic if len(affine[0]) > 1 else _softmax_of_one)


def _decide_multinomial(classifier: Any, preprocessing: Preprocessing) -> Decision:
    return _by_affine_map((classifier.feature_log_prob_, classifier.class_log_prior_), preprocessing, softmax)


def _by_affine_map(affine: Affine, preprocessing: Preprocessing, link: Map) -> Decision:
    encoder = Encoder(preprocessing)
    map_ = AffineMap(*affine)
    linear = None
    if link is _softmax_of_one:  # of two classes, only the second has coefficients
        affine = np.vstack([np.zeros_like(affine[0]), affine[0]]), np.concatenate([[0.0], affine[1]])
    if link is not _normalize_logistic:
        linear = fold(preprocessing, affine)
    return Decision(lambda rows: map_.transform(encoder.encode(rows)), link, linear=linear)


def _decide_bayes(classifier: Any, preprocessing: Preprocessing) -> Decision:
    encoder = Encoder(preprocessing)
    means, variances = classifier.theta_[:, :, None], classifier.var_[:, :, None]
    constants = np.log(classifier.class_prior_) - 0.5 * np.log(2 * np.pi * classifier.var_).sum(axis=1)

    def score(rows: Floats) -> Floats:
        squares = (encoder.encode(rows) - means) ** 2 / variances
        scores: Floats = constants[:, None] - 0.5 * ordered_sum(squares.swapaxes(0, 1))
        return scores

    return Decision(score, softmax)


def _decide_by_trees(make: trees.Make, link: Map | None, classifier: Any, preprocessing: Preprocessing) -> Decision:
    encoder = Encoder(preprocessing)
    decide_columns, splits = make(classifier)
    if link is None:
        link = softmax if len(classifier.classes_) > 2 else _softmax_of_one
    boundaries = [
        boundary for column, value in splits if (boundary := preprocessing.columns[column].invert(value)) is not None
    ]
    return Decision(lambda rows: decide_columns(encoder.encode(rows)), link, boundaries)


def _decide_calibrated(classifier: Any, preprocessing: Preprocessing) -> Decision:
    parts = []
    for calibrated in classifier.calibrated_classifiers_:
        if calibrated.method not in CALIBRATIONS:
            raise NotCompilable(f"the calibration {calibrated.method}")
        parts.append((decide(calibrated.estimator, preprocessing), calibrated))
    classes = len(classifier.classes_)

    def calibrate(rows: Floats) -> Floats:
        terms = (_calibrate(decision, calibrated, rows, classes) for decision, calibrated in parts)
        return ordered_sum(terms) / len(parts)

    boundaries = [boundary for decision, _ in parts for boundary in decision.boundaries]
    return Decision(calibrate, _as_they_are, boundaries)


def _calibrate(decision: Decision, calibrated: Any, rows: Floats, classes: int) -> Floats:
    """Return the calibrated probabilities of one fold."""
    if hasattr(calibrated.estimator, "decision_function"):
        scores = decision.score(rows)
    else:
        scores = decision.predict(rows)[-1:] if classes == 2 else decision.predict(rows)
    calibrators = zip(scores, calibrated.calibrators, strict=True)
    columns = np.array([CALIBRATIONS[calibrated.method](calibrator, column) for column, calibrator in calibrators])
    if classes == 2:
        return np.vstack([1 - columns, columns])
    return _normalize(columns)


def _calibrate_by_sigmoid(calibrator: Any, scores: Floats) -> Floats:
    odds = calibrator.a_ * scores + calibrator.b_
    calibrated: Floats = softmax(np.vstack([odds, np.zeros_like(odds)]))[1]
    return calibrated


def _calibrate_by_steps(calibrator: Any, scores: Floats) -> Floats:
    calibrated: Floats = np.interp(scores, calibrator.X_thresholds_, calibrator.y_thresholds_)
    return calibrated


def _decide_voting(classifier: Any, preprocessing: Preprocessing) -> Decision:
    if classifier.voting != "soft":
        raise NotCompilable("hard voting")
    decisions = [decide(one, preprocessing) for one in classifier.estimators_]
    weights = [1.0] * len(decisions)
    if classifier.weights is not None:
        pairs = zip(classifier.estimators, classifier.weights, strict=True)
        weights = [weight for (_, one), weight in pairs if one != "drop"]
    total = sum(weights)

    def vote(rows: Floats) -> Floats:
        terms = (decision.predict(rows) * weight for decision, weight in zip(decisions, weights, strict=True))
        return ordered_sum(terms) / total

    return Decision(vote, _as_they_are, [boundary for decision in decisions for boundary in decision.boundaries])


def _as_they_are(probabilities: Floats) -> Floats:
    return probabilities


def _softmax_of_one(scores: Floats) -> Floats:
    """Return the probabilities of two classes, of which only the second has a score."""
    return softmax(np.vstack([np.zeros_like(scores), scores]))


def _normalize_logistic(scores: Floats) -> Floats:
    """Return the probabilities of classes, each of which was learnt against the rest."""
    return _normalize(softmax(np.stack([np.zeros_like(scores), scores]))[1])


def _normalize(shares: Floats) -> Floats:
    """Return shares that add up to one, and are equal if all are 0."""
    total = ordered_sum(shares)
    normalized: Floats = np.divide(shares, total, out=np.full_like(shares, 1 / len(shares)), where=total != 0)
    return normalized


CALIBRATIONS: dict[str, Callable[[Any, Floats], Floats]] = {
    "sigmoid": _calibrate_by_sigmoid,
    "isotonic": _calibrate_by_steps,
}

DECIDERS: dict[type, Callable[[Any, Preprocessing], Decision]] = {
    Pipeline: _decide_pipeline,
    LogisticRegression: _decide_linear,
    LogisticRegressionCV: _decide_linear,
    LinearDiscriminantAnalysis: _decide_linear,
    LinearSVC: _decide_linear,
    MultinomialNB: _decide_multinomial,
    SGDClassifier: _decide_by_descent,
    OneVsRestClassifier: _decide_one_vs_rest,
    GaussianNB: _decide_bayes,
    DecisionTreeClassifier: partial(_decide_by_trees, trees.decide_by_tree, _as_they_are),
    ExtraTreeClassifier: partial(_decide_by_trees, trees.decide_by_tree, _as_they_are),
    RandomForestClassifier: partial(_decide_by_trees, trees.decide_by_forest, _as_they_are),
    ExtraTreesClassifier: partial(_decide_by_trees, trees.decide_by_forest, _as_they_are),
    GradientBoostingClassifier: partial(_decide_by_trees, trees.decide_by_gradient_boosting, None),
    HistGradientBoostingClassifier: partial(_decide_by_trees, trees.decide_by_hist_gradient_boosting, None),
    CalibratedClassifierCV: _decide_calibrated,
    VotingClassifier: _decide_voting,
}
