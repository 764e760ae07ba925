import numpy as np
import pytest
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from iris_app.model.explanations.additive import AdditiveExplainer
from iris_app.model.explanations.shapley import ShapleyExplainer

WINE = load_wine()
ROWS = WINE.data[::9, 1:5]
CLASSES = WINE.target[::9]


def mixed() -> tuple[Pipeline, np.ndarray]:
    """Return a linear model of two numbers and a category, and its rows."""
    rows = np.column_stack([ROWS[:, :2], np.arange(len(ROWS)) % 4])
    encode = make_column_transformer((StandardScaler(), [0, 1]), (OneHotEncoder(), [2]))
    return make_pipeline(encode, LogisticRegression()).fit(rows, CLASSES), rows


@pytest.mark.parametrize(
    ("classifier", "rows"),
    [
        (make_pipeline(StandardScaler(), LogisticRegression()).fit(ROWS, CLASSES), ROWS),
        (GaussianNB(var_smoothing=0.1).fit(ROWS, CLASSES), ROWS),
        (LinearDiscriminantAnalysis().fit(ROWS, CLASSES), ROWS),
        mixed(),
    ],
    ids=["regression", "naive Bayes", "discriminant analysis", "regression behind a one-hot encoder"],
)
def test_effects_that_add_up_are_the_shapley_values(classifier: Pipeline, rows: np.ndarray) -> None:
    explainer = AdditiveExplainer(classifier.predict_proba, rows)
    assert explainer.adds_up
    exact = ShapleyExplainer(classifier.predict_proba, rows, max_rows=65_536)
    for row in rows[:4]:
        found, expected = explainer.explain(row, 0, 1), exact.explain(row, 0, 1)
        assert expected.error == 0
        assert found.values == pytest.approx(expected.values, abs=1e-8)
        assert found.average == pytest.approx(expected.average, abs=1e-8)
        assert found.log_odds == pytest.approx(expected.log_odds, abs=1e-8)


def test_effects_that_depend_on_each_other_are_left_to_others() -> None:
    forest = RandomForestClassifier(20, random_state=0).fit(ROWS, CLASSES)
    assert not AdditiveExplainer(forest.predict_proba, ROWS).adds_up


def test_probabilities_that_are_too_small_to_add_up_are_left_to_others() -> None:
    classifier = LogisticRegression(max_iter=10_000).fit(ROWS, CLASSES)
    classifier.coef_ *= 1e5
    assert not AdditiveExplainer(classifier.predict_proba, ROWS).adds_up
