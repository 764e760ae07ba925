from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from iris_app.model.inputs import Inputs
from iris_app.packaging.answers import Answers, find_threshold
from iris_app.schema import Class, Feature, Schema

SCHEMA = Schema(
    name="test",
    features=(Feature(name="x", form_name="x", label="X"), Feature(name="y", form_name="y", label="Y")),
    classes=(Class(name="no", label="No", value="no"), Class(name="yes", label="Yes", value="yes")),
)
RANDOM = np.random.default_rng(0)
ROWS = RANDOM.normal(size=(200, 2))
CLASSES = np.where(ROWS[:, 0] + RANDOM.normal(size=200) > 0.8, "yes", "no")


def fixed(**options: Any) -> Any:
    return FixedThresholdClassifier(LogisticRegression(), **options)


@pytest.mark.parametrize(
    ("classifier", "threshold"),
    [
        (LogisticRegression(), None),
        (fixed(threshold=0.3, pos_label="yes"), 0.3),
        (fixed(threshold=0.25, pos_label="no"), np.nextafter(0.75, 2)),
        (fixed(pos_label="yes"), 0.5),
        (fixed(threshold=0.1, response_method="decision_function", pos_label="yes"), None),
        (make_pipeline(StandardScaler(), fixed(threshold=0.3, pos_label="yes")), 0.3),
        (GridSearchCV(fixed(threshold=0.3, pos_label="yes"), {}, cv=2), 0.3),
    ],
)
def test_the_threshold_of_a_classifier_is_found(classifier: Any, threshold: float | None) -> None:
    assert find_threshold(classifier.fit(ROWS, CLASSES)) == threshold


@pytest.mark.parametrize("positive", ["yes", "no"])
@pytest.mark.parametrize("tuned", [False, True])
def test_the_answer_is_what_the_classifier_predicts(positive: str, tuned: bool) -> None:
    classifier: Any = fixed(threshold=0.2, pos_label=positive)
    if tuned:
        scoring = "balanced_accuracy"
        classifier = TunedThresholdClassifierCV(LogisticRegression(), scoring=scoring, cv=3)
    answers = Answers(classifier.fit(ROWS, CLASSES), SCHEMA, Inputs())
    assert np.array(SCHEMA.class_names)[answers.predict(ROWS)].tolist() == classifier.predict(ROWS).tolist()
    assert answers.count_differences(ROWS) == 0
    likeliest = classifier.classes_[classifier.predict_proba(ROWS).argmax(axis=1)]
    assert (likeliest != classifier.predict(ROWS)).any()


def test_what_is_predicted_otherwise_is_counted() -> None:
    classifier = fixed(threshold=0.9, response_method="decision_function", pos_label="yes").fit(ROWS, CLASSES)
    answers = Answers(classifier, SCHEMA, Inputs())
    assert answers.count_differences(ROWS) == int((classifier.decision_function(ROWS) < 0.9).sum()) - int(
        (classifier.predict_proba(ROWS)[:, 1] <= 0.5).sum()
    )


def test_the_probabilities_are_the_classifier_s() -> None:
    classifier = LogisticRegression().fit(ROWS, CLASSES)
    answers = Answers(classifier, SCHEMA, Inputs())
    assert np.array_equal(answers.predict_proba(ROWS), classifier.predict_proba(ROWS))
