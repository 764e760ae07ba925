import os
from collections.abc import Callable
from functools import partial
from typing import Any

import msgspec
import numpy as np
import pytest
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.datasets import load_iris
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.feature_selection import SelectKBest
from sklearn.impute import MissingIndicator, SimpleImputer
from sklearn.linear_model import LogisticRegression, LogisticRegressionCV, SGDClassifier
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    QuantileTransformer,
    RobustScaler,
    StandardScaler,
    TargetEncoder,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, ExtraTreeClassifier

from iris_app.model.artifact import read_manifest
from iris_app.model.compiled import CompiledClassifier
from iris_app.model.compiled.tracing import NotCompilable
from iris_app.model.compiled.trees import FEW
from iris_app.model.compiled.verification import TOLERANCE, find_difference, sample_rows
from iris_app.model.inputs import PipelineInputs
from iris_app.model.manifest import Manifest
from tests.models import ServedModel, random_rows, to_table
from tests.schemas import MIXED

# A person may try as many as they like: IRIS_ROWS=1000000 scripts/test -k compiled
ROWS = int(os.environ.get("IRIS_ROWS", "2000"))
BLOCK = 50_000

NUMBERS = [feature.name for feature in MIXED.features if feature.is_numeric]
TEXTS = [feature.name for feature in MIXED.features if feature.kind == "category"]
BOOLEANS = [feature.name for feature in MIXED.features if feature.kind == "boolean"]

regression = partial(LogisticRegression, max_iter=2000)
Forest = partial(RandomForestClassifier, n_estimators=20, random_state=0)
Boosting = partial(HistGradientBoostingClassifier, max_iter=20, random_state=0)


def prepare(scaler: Any = None, encoder: Any = None, imputer: Any = None) -> ColumnTransformer:
    """Return the usual preprocessing of mixed columns."""
    numbers = make_pipeline(imputer or SimpleImputer(strategy="median", add_indicator=True), scaler or StandardScaler())
    texts = make_pipeline(SimpleImputer(strategy="most_frequent"), encoder or OneHotEncoder(handle_unknown="ignore"))
    rest = SimpleImputer(strategy="most_frequent")
    return make_column_transformer((numbers, NUMBERS), (texts, TEXTS), remainder=rest)


def encode(encoder: Any) -> ColumnTransformer:
    """Return preprocessing that leaves all but categories as it is."""
    return make_column_transformer((encoder, TEXTS), remainder="passthrough")


unknown = {"handle_unknown": "use_encoded_value", "unknown_value": -1}

PREPROCESSING = {
    "scaled": prepare(),
    "first dropped": prepare(MinMaxScaler(), OneHotEncoder(drop="first", handle_unknown="ignore")),
    "dropped if binary": prepare(RobustScaler(), OneHotEncoder(drop="if_binary", handle_unknown="ignore")),
    "rare categories": prepare(None, OneHotEncoder(min_frequency=120, handle_unknown="infrequent_if_exist")),
    "clipped": prepare(MinMaxScaler(clip=True)),
    "ordinal": prepare(MaxAbsScaler(), OrdinalEncoder(**unknown)),
    "target": prepare(RobustScaler(with_centering=False), TargetEncoder()),
    "constant": prepare(StandardScaler(with_mean=False), None, SimpleImputer(strategy="constant", fill_value=-3)),
    "scaled first": prepare(SimpleImputer(), None, RobustScaler(with_scaling=False)),
    "function": prepare(make_pipeline(FunctionTransformer(np.arcsinh), StandardScaler())),
    "selected": make_pipeline(prepare(), SelectKBest(k=5)),
    "united": make_pipeline(prepare(), FeatureUnion([("a", StandardScaler()), ("b", "passthrough"), ("c", "drop")])),
    "indicators": make_column_transformer(
        (MissingIndicator(features="all"), NUMBERS), (OneHotEncoder(handle_unknown="ignore"), [*TEXTS, *BOOLEANS])
    ),
    "some": ColumnTransformer([("a", "passthrough", NUMBERS[:1]), ("b", "drop", TEXTS), ("c", StandardScaler(), [])]),
    "a pipeline of two": make_pipeline(prepare(), make_pipeline(StandardScaler(), "passthrough")),
}

CLASSIFIERS = {
    "regression": regression(),
    "regression by cross-validation": LogisticRegressionCV(
        Cs=2, cv=2, l1_ratios=(0,), max_iter=2000, use_legacy_attributes=False
    ),
    "discriminant analysis": LinearDiscriminantAnalysis(),
    "gradient descent": SGDClassifier(loss="log_loss", random_state=0),
    "one against the rest": OneVsRestClassifier(regression()),
    "naive Bayes": GaussianNB(var_smoothing=1e-3),
    "tree": DecisionTreeClassifier(random_state=0),
    "random tree": ExtraTreeClassifier(random_state=0),
    "forest": Forest(),
    "extra trees": ExtraTreesClassifier(20, random_state=0),
    "boosting of histograms": Boosting(),
    "boosting": GradientBoostingClassifier(n_estimators=20, random_state=0),
    "boosting from zero": GradientBoostingClassifier(n_estimators=5, init="zero", random_state=0),
    "calibrated support vectors": CalibratedClassifierCV(LinearSVC(random_state=0), cv=2),
    "calibrated forest": CalibratedClassifierCV(Forest(), method="isotonic", cv=2),
    "vote": VotingClassifier([("a", regression()), ("b", "drop"), ("c", Forest())], voting="soft", weights=[1, 5, 2.5]),
    "vote of equals": VotingClassifier([("a", regression()), ("b", Boosting())], voting="soft"),
}

PIPELINES = {f"{name}, regression": make_pipeline(step, regression()) for name, step in PREPROCESSING.items()}
PIPELINES |= {f"{name}, forest": make_pipeline(step, Forest(n_estimators=5)) for name, step in PREPROCESSING.items()}
CASES = [(name, 2) for name in PIPELINES]  # what comes before the classifier knows no classes
PIPELINES |= {name: make_pipeline(prepare(), one) for name, one in CLASSIFIERS.items()}
PIPELINES |= {
    "counts": make_pipeline(prepare(MinMaxScaler(clip=True)), MultinomialNB()),
    "forest that takes missing values": make_pipeline(encode(OrdinalEncoder(**unknown)), Forest()),
    "boosting that takes categories": make_pipeline(
        make_column_transformer((OrdinalEncoder(), ["ward"]), (SimpleImputer(), NUMBERS)),
        Boosting(categorical_features=[0]),
    ),
    "boosting of a frame": make_pipeline(
        prepare(None, OneHotEncoder(handle_unknown="ignore", sparse_output=False)).set_output(transform="pandas"),
        Boosting(),
    ),
    "calibrated pipeline": CalibratedClassifierCV(make_pipeline(prepare(), regression()), cv=2),
}


CASES += [(name, classes) for name in PIPELINES if (name, 2) not in CASES for classes in (2, 3)]


@pytest.fixture(scope="module")
def mixed(serve: Callable[[str], ServedModel]) -> Manifest:
    return read_manifest(serve("mixed").path)


@pytest.fixture(scope="module")
def iris(serve: Callable[[str], ServedModel]) -> Manifest:
    return read_manifest(serve("iris").path)


def fit(classifier: Any, manifest: Manifest, classes: int = 2) -> Any:
    """Fit a copy of a classifier to rows of the mixed schema."""
    rows, labels = random_rows(manifest.schema, 400)
    if classes > 2:
        labels = labels + (rows[:, 0] > np.median(rows[:, 0]))
    return clone(classifier).fit(to_table(manifest.schema, rows), np.array(["a", "b", "c"])[labels])


def check(classifier: Any, manifest: Manifest) -> CompiledClassifier:
    """Check that a compiled classifier answers as the pipeline, and one row as many."""
    compiled = CompiledClassifier(classifier, manifest.schema, manifest.inputs)
    to_input = PipelineInputs(manifest.schema, manifest.inputs).to_input
    for seed, start in enumerate(range(0, ROWS, BLOCK)):
        rows = sample_rows(manifest, compiled.boundaries, min(ROWS - start, BLOCK), seed=seed + 1)
        answered, expected = compiled.predict_proba(rows), classifier.predict_proba(to_input(rows))
        assert np.abs(answered - expected).max() <= TOLERANCE
        assert np.array_equal(answered.argmax(axis=1), expected.argmax(axis=1))
        few = range(0, len(rows), len(rows) // 50)
        assert np.array_equal(np.concatenate([compiled.predict_proba(rows[[index]]) for index in few]), answered[few])
        assert [compiled.predict_one(rows[[index]]) for index in few] == answered[few].tolist()
    return compiled


@pytest.mark.filterwarnings("ignore:Found unknown categories")  # where the first is dropped
@pytest.mark.filterwarnings("ignore::FutureWarning")  # of regression by cross-validation
@pytest.mark.parametrize(("name", "classes"), CASES)
def test_a_compiled_classifier_answers_as_the_pipeline_does(name: str, classes: int, mixed: Manifest) -> None:
    check(fit(PIPELINES[name], mixed, classes), mixed)


@pytest.mark.parametrize("keys", [[0, 2], slice(1, None), [True, False, True, False], [-1]])
@pytest.mark.parametrize("classifier", [regression(), Forest(), Boosting()], ids=["regression", "forest", "boosting"])
def test_columns_of_an_array_are_chosen_by_their_indices(keys: Any, classifier: Any, iris: Manifest) -> None:
    rows, classes = load_iris(return_X_y=True)
    check(make_pipeline(make_column_transformer((StandardScaler(), keys)), clone(classifier)).fit(rows, classes), iris)


@pytest.mark.parametrize("classifier", [Forest(), make_pipeline("passthrough", Forest())], ids=["alone", "piped"])
def test_a_classifier_without_preprocessing_is_compiled(classifier: Any, iris: Manifest) -> None:
    check(clone(classifier).fit(*load_iris(return_X_y=True)), iris)


def test_a_regression_of_numbers_is_an_affine_map(iris: Manifest) -> None:
    rows, classes = load_iris(return_X_y=True)
    compiled = check(make_pipeline(MinMaxScaler(), regression()).fit(rows, classes), iris)
    assert compiled.affine is not None
    assert compiled.affine[0].shape == (3, 4)


def test_a_forest_has_the_same_bits_for_any_number_of_rows(mixed: Manifest) -> None:
    compiled = CompiledClassifier(fit(PIPELINES["forest"], mixed), mixed.schema, mixed.inputs)
    rows = sample_rows(mixed, compiled.boundaries, 100)
    answered = compiled.predict_proba(rows)
    for count in (1, 2, FEW, FEW + 1, 3 * FEW):
        assert np.array_equal(compiled.predict_proba(rows[:count]), answered[:count])


def test_values_beside_every_kind_of_boundary_are_tried(mixed: Manifest) -> None:
    tree = make_pipeline(encode(OrdinalEncoder(**unknown)), DecisionTreeClassifier(random_state=0))
    compiled = CompiledClassifier(fit(tree, mixed), mixed.schema, mixed.inputs)
    rows = sample_rows(mixed, compiled.boundaries, 500)
    column, boundary = next((column, value) for column, value in compiled.boundaries if column == 2)
    tried = set(rows[:, column].tolist())
    assert {boundary, np.nextafter(boundary, np.inf), np.nextafter(boundary, -np.inf)} <= tried
    assert mixed.schema.accepted(rows).all()


class OwnForest(RandomForestClassifier):  # type: ignore[misc]
    """A subclass may compute as it likes."""


class OwnScaler(StandardScaler):  # type: ignore[misc]
    """A subclass may compute as it likes."""


def double(rows: Any) -> Any:
    return 2 * rows


NOT_COMPILED = {
    "a KNeighborsClassifier": make_pipeline(prepare(), KNeighborsClassifier()),
    "a OwnForest": make_pipeline(prepare(), OwnForest(3)),
    "a OwnScaler": make_pipeline(prepare(OwnScaler()), regression()),
    "a QuantileTransformer": make_pipeline(prepare(QuantileTransformer(n_quantiles=5)), regression()),
    "an own function": make_pipeline(prepare(FunctionTransformer(double)), regression()),
    "the loss modified_huber": make_pipeline(prepare(), SGDClassifier(loss="modified_huber")),
    "one against the rest of other": make_pipeline(prepare(), OneVsRestClassifier(GaussianNB())),
    "the calibration temperature": make_pipeline(prepare(), CalibratedClassifierCV(regression(), method="temperature")),
    "hard voting": make_pipeline(prepare(), VotingClassifier([("a", regression())])),
    "weights of transformers": make_pipeline(
        ColumnTransformer([("a", SimpleImputer(), NUMBERS)], transformer_weights={"a": 2}), regression()
    ),
    "an imputer of other values": make_pipeline(
        make_column_transformer((SimpleImputer(missing_values=41), ["age"])), regression()
    ),
    "a classifier that takes texts": HistGradientBoostingClassifier(max_iter=2, categorical_features=TEXTS),
    "numbers that are encoded": make_pipeline(
        make_column_transformer((OneHotEncoder(handle_unknown="ignore"), ["age"])), regression()
    ),
    "what treelite does not take": make_pipeline(
        prepare(), GradientBoostingClassifier(n_estimators=2, init=GaussianNB(var_smoothing=1))
    ),
}


@pytest.mark.parametrize("reason", NOT_COMPILED)
def test_a_step_whose_arithmetic_is_not_known_is_named(reason: str, mixed: Manifest) -> None:
    with pytest.raises(NotCompilable, match=reason):
        CompiledClassifier(fit(NOT_COMPILED[reason], mixed), mixed.schema, mixed.inputs)


def test_a_column_that_is_no_feature_is_not_compiled(mixed: Manifest) -> None:
    inputs = msgspec.structs.replace(mixed.inputs, dtypes=mixed.inputs.dtypes | {"spare": "float64"})
    rows, labels = random_rows(mixed.schema, 100)
    table = to_table(mixed.schema, rows).assign(spare=1.0)
    spare = make_column_transformer((SimpleImputer(), ["age", "spare"])).set_output(transform="default")
    with pytest.raises(NotCompilable, match="other columns"):
        CompiledClassifier(make_pipeline(spare, regression()).fit(table, labels), mixed.schema, inputs)


def doctor(classifier: Any, change: Callable[[Any], Any]) -> Any:
    """Change the probabilities of a fitted classifier."""
    answer = classifier.predict_proba
    classifier.predict_proba = lambda rows: change(answer(rows))
    return classifier


@pytest.mark.parametrize(
    ("change", "difference"),
    [
        (lambda probabilities: probabilities[:, ::-1], "its probabilities differ by"),
        (lambda probabilities: probabilities + 1e-11, "its probabilities differ by 1.0e-11"),
        (lambda probabilities: probabilities * np.nan, "its probabilities differ by nan"),
        (lambda probabilities: np.hstack([probabilities, probabilities]), "it answers 2 classes"),
    ],
)
def test_a_difference_is_described(change: Callable[[Any], Any], difference: str, mixed: Manifest) -> None:
    classifier = fit(PIPELINES["scaled, regression"], mixed)
    compiled = CompiledClassifier(classifier, mixed.schema, mixed.inputs)
    assert find_difference(compiled, classifier, mixed) is None
    found = find_difference(compiled, doctor(classifier, change), mixed)
    assert found is not None
    assert difference in found


def test_another_class_is_a_difference_however_near_the_probabilities_are(mixed: Manifest) -> None:
    classifier = fit(PIPELINES["scaled, regression"], mixed)
    compiled = CompiledClassifier(classifier, mixed.schema, mixed.inputs)
    doctor(compiled, lambda probabilities: np.full_like(probabilities, (0.5, 0.5 + 1e-13)))
    doctor(classifier, lambda probabilities: np.full_like(probabilities, (0.5 + 1e-13, 0.5)))
    assert find_difference(compiled, classifier, mixed) == "it answers other classes"


def test_other_bits_for_a_few_rows_are_a_difference(mixed: Manifest) -> None:
    classifier = fit(PIPELINES["scaled, regression"], mixed)
    compiled = CompiledClassifier(classifier, mixed.schema, mixed.inputs)
    doctor(compiled, lambda probabilities: probabilities + (1e-14 if len(probabilities) <= FEW else 0))
    assert find_difference(compiled, classifier, mixed) == "it answers one row otherwise than many"
