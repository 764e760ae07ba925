import sys
from typing import Any

import joblib
import msgspec
import numpy as np
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans
from sklearn.dummy import DummyClassifier
from sklearn.ensemble import HistGradientBoostingClassifier, VotingClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Perceptron, SGDClassifier
from sklearn.multioutput import MultiOutputClassifier
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from iris_app.packaging.inference.checks import find_packages, find_problems

ROWS = np.arange(24.0).reshape(12, 2)
CLASSES = np.array([0, 1] * 6)


class Shift(TransformerMixin, BaseEstimator):  # type: ignore[misc]
    def fit(self, *_args: Any) -> "Shift":
        return self

    def transform(self, rows: Any) -> Any:
        return rows + 1


def shift(rows: Any) -> Any:
    return rows + 1


@pytest.mark.parametrize(
    "classifier",
    [
        LogisticRegression(),
        KNeighborsClassifier(),
        HistGradientBoostingClassifier(),
        CalibratedClassifierCV(LinearSVC()),
        make_pipeline(FunctionTransformer(np.log1p), LogisticRegression()),
    ],
)
def test_a_fitted_classifier_with_probabilities_has_no_problem(classifier: Any) -> None:
    assert list(find_problems(classifier.fit(ROWS, CLASSES))) == []


@pytest.mark.parametrize(
    ("classifier", "says"),
    [
        (LinearSVC(), "LinearSVC gives no probabilities (it has no predict_proba): wrap it in CalibratedClassifierCV"),
        (make_pipeline(SVC()), "SVC gives no probabilities"),
        (SGDClassifier(), 'train it with loss="log_loss"'),
        (Perceptron(), "Perceptron gives no probabilities"),
        (VotingClassifier([("a", LogisticRegression())]), 'train it with voting="soft"'),
        (LinearRegression(), "LinearRegression is no classifier"),
        (KMeans(2, n_init=1), "KMeans is no classifier"),
        (MultiOutputClassifier(LogisticRegression()), "predicts several outputs"),
        (DecisionTreeClassifier(), "predicts several outputs"),
        (DummyClassifier(), "knows a single class, np.int64(0)"),
    ],
)
def test_what_cannot_be_served_is_named_with_what_to_do(classifier: Any, says: str) -> None:
    classes = CLASSES
    if "several" in says:
        classes = np.column_stack([CLASSES, CLASSES])
    elif "single" in says:
        classes = np.zeros(12, int)
    (problem,) = find_problems(classifier.fit(ROWS, classes))
    assert says in problem


@pytest.mark.parametrize(
    ("thing", "says"),
    [
        ({"model": 1}, "the type dict"),
        (LogisticRegression, "the type type"),
        (LogisticRegression(), "is not fitted"),
    ],
)
def test_what_is_no_fitted_classifier_is_named(thing: Any, says: str) -> None:
    (problem,) = find_problems(thing)
    assert says in problem


def test_several_problems_are_named_at_once() -> None:
    classifier = make_pipeline(Shift(), LinearSVC()).fit(ROWS, CLASSES)
    assert len(list(find_problems(classifier))) == 2


def test_a_class_of_no_installed_package_is_named_with_its_step() -> None:
    classifier = make_pipeline(Shift(), LogisticRegression()).fit(ROWS, CLASSES)
    (problem,) = find_problems(classifier)
    assert problem.startswith('Step "shift" uses Shift of the module ')


def test_a_function_of_no_installed_package_is_named_with_its_step() -> None:
    classifier = make_pipeline(FunctionTransformer(shift), LogisticRegression()).fit(ROWS, CLASSES)
    (problem,) = find_problems(classifier)
    assert problem.startswith('Step "functiontransformer.func" uses shift of the module ')


def test_of_several_packages_those_that_are_not_installed_are_named() -> None:
    steps = make_pipeline(FunctionTransformer(msgspec.to_builtins), Shift(), LogisticRegression())
    steps[2].fit(ROWS, CLASSES)
    (problem,) = find_problems(steps)
    assert problem.startswith('Step "shift" uses Shift of the module ')


def test_a_class_that_is_no_step_is_named_all_the_same() -> None:
    classifier = LogisticRegression().fit(ROWS, CLASSES)
    classifier.note = Shift()
    (problem,) = find_problems(classifier)
    assert problem.startswith("The classifier uses Shift of the module ")


def test_a_class_of_the_script_that_trained_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Shift, "__module__", "__main__")
    monkeypatch.setattr(sys.modules["__main__"], "Shift", Shift, raising=False)
    (problem,) = find_problems(make_pipeline(Shift(), LogisticRegression()).fit(ROWS, CLASSES))
    assert "uses Shift of the module __main__" in problem


def test_what_cannot_be_pickled_is_named() -> None:
    classifier = make_pipeline(FunctionTransformer(lambda rows: rows), LogisticRegression()).fit(ROWS, CLASSES)
    (problem,) = find_problems(classifier)
    assert problem.startswith("The classifier cannot be saved: ")


def test_the_packages_that_are_needed_beside_scikit_learn_are_found() -> None:
    assert find_packages(LogisticRegression().fit(ROWS, CLASSES), takes_frames=False) == []
    classifier = make_pipeline(FunctionTransformer(joblib.hash), LogisticRegression())
    assert find_packages(classifier, takes_frames=True) == ["pandas"]
    classifier = make_pipeline(FunctionTransformer(msgspec.to_builtins), LogisticRegression())
    assert find_packages(classifier, takes_frames=False) == ["msgspec"]
