from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from flask import Flask
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    HistGradientBoostingClassifier,
    RandomForestClassifier,
    VotingClassifier,
)
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, TunedThresholdClassifierCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, OrdinalEncoder, StandardScaler
from sklearn.svm import SVC, LinearSVC
from sklearn.tree import DecisionTreeClassifier

from iris_app.exceptions import PackagingRefused
from iris_app.model.artifact import load
from iris_app.model.classifier import Model
from iris_app.packaging import package as lazily_imported
from iris_app.packaging.inference.infer import infer
from iris_app.packaging.packager import Packaged, package, publish, save
from tests.packaging.conftest import CATEGORIES, make_columns, make_table


def ordinal() -> Any:
    return make_columns(OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1))


CLASSIFIERS = [
    make_pipeline(make_columns(), LogisticRegression()),
    make_pipeline(make_columns(), SGDClassifier(loss="log_loss", random_state=0)),
    make_pipeline(make_columns(), LinearDiscriminantAnalysis()),
    make_pipeline(make_columns(), GaussianNB()),
    make_pipeline(make_columns(), KNeighborsClassifier()),
    make_pipeline(ordinal(), DecisionTreeClassifier(random_state=0)),
    make_pipeline(ordinal(), RandomForestClassifier(5, random_state=0)),
    make_pipeline(ordinal(), ExtraTreesClassifier(5, random_state=0)),
    make_pipeline(ordinal(), GradientBoostingClassifier(n_estimators=3)),
    make_pipeline(
        ColumnTransformer(
            [("c", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=np.nan), CATEGORIES)],
            remainder="passthrough",
        ),
        HistGradientBoostingClassifier(max_iter=3),
    ),
    CalibratedClassifierCV(make_pipeline(make_columns(), LinearSVC()), cv=2),
    VotingClassifier(
        [
            ("linear", make_pipeline(make_columns(), LogisticRegression())),
            ("tree", make_pipeline(ordinal(), DecisionTreeClassifier(max_depth=3, random_state=0))),
        ],
        voting="soft",
    ),
    GridSearchCV(make_pipeline(make_columns(), LogisticRegression()), {"logisticregression__C": [0.1, 1]}, cv=2),
]


def name_of(classifier: Any) -> str:
    return type(classifier[-1] if hasattr(classifier, "steps") else classifier).__name__


def served(packaged: Packaged, path: Path) -> Model:
    save(path, packaged)
    return Model(*load(path))


@pytest.mark.parametrize("classifier", CLASSIFIERS, ids=name_of)
def test_what_is_packaged_answers_as_the_classifier_does(
    classifier: Any, table: pd.DataFrame, holdout: pd.DataFrame, tmp_path: Path
) -> None:
    features, others = table.drop(columns="species"), holdout.drop(columns="species")
    classifier.fit(features, table["species"])
    packaged = package(classifier, table, "species", holdout=holdout, picture=False)
    model = served(packaged, tmp_path / "model.joblib")
    rows = infer(classifier, table, "species", "birds", {}).layout.encode(holdout)
    assert model.schema.accepted(rows).all()
    np.testing.assert_allclose(model.predict_proba(rows), classifier.predict_proba(others), rtol=0, atol=1e-12)
    assert model.predict(rows).labels() == classifier.predict(others).tolist()


@pytest.mark.parametrize(
    "classifier",
    [
        TunedThresholdClassifierCV(make_pipeline(make_columns(), LogisticRegression()), cv=2),
        FixedThresholdClassifier(make_pipeline(make_columns(), LogisticRegression()), threshold=0.2),
    ],
    ids=name_of,
)
def test_a_threshold_is_kept(classifier: Any, table: pd.DataFrame, tmp_path: Path) -> None:
    binary = table.assign(species=(table["species"] == "adelie"))
    classifier.fit(binary.drop(columns="species"), binary["species"])
    packaged = package(classifier, binary, "species", picture=False)
    model = served(packaged, tmp_path / "model.joblib")
    rows = infer(classifier, binary, "species", "birds", {}).rows
    assert model.predict(rows).labels() == [str(one) for one in classifier.predict(binary.drop(columns="species"))]
    assert packaged.training.threshold is not None
    assert not any("another class" in finding for finding in packaged.findings)


def test_native_categories_and_missing_values_are_packaged(table: pd.DataFrame, tmp_path: Path) -> None:
    features = table.drop(columns="species").astype(dict.fromkeys(CATEGORIES, "category"))
    classifier = HistGradientBoostingClassifier(max_iter=3).fit(features, table["species"])
    packaged = package(classifier, features.assign(species=table["species"]), "species", picture=False)
    model = served(packaged, tmp_path / "model.joblib")
    rows = infer(classifier, features.assign(species=table["species"]), "species", "birds", {}).rows
    np.testing.assert_array_equal(model.predict_proba(rows), classifier.predict_proba(features))
    assert all(one.optional for one in packaged.training.schema.features)


def test_an_array_is_packaged(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(120, 2))
    table = pd.DataFrame(rows, columns=["x1", "no 2"]).assign(y=(rows.sum(axis=1) > 0).astype(int))
    classifier = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, table["y"])
    packaged = package(classifier, table, "y", picture=False)
    model = served(packaged, tmp_path / "model.joblib")
    assert packaged.training.inputs.kind == "array"
    assert packaged.training.packages == []
    np.testing.assert_allclose(model.predict_proba(rows), classifier.predict_proba(rows), rtol=0, atol=1e-12)


def test_numbers_beyond_all_bounds_are_answered(table: pd.DataFrame, tmp_path: Path) -> None:
    table = table.dropna()[["bill_length_mm", "body_mass_g", "species"]]
    for index, classifier in enumerate(
        (make_pipeline(StandardScaler(), LogisticRegression()), RandomForestClassifier(3, random_state=0))
    ):
        classifier.fit(table.drop(columns="species"), table["species"])
        model = served(package(classifier, table, "species", picture=False), tmp_path / f"{index}.joblib")
        probabilities = model.predict_proba(np.array([[1e308, -1e308], [-1e308, 1e308]]))
        assert np.isfinite(probabilities).all()
        assert probabilities.sum(axis=1) == pytest.approx([1, 1])


def test_a_frame_needs_pandas(packaged: Packaged) -> None:
    assert packaged.training.packages == ["pandas"]


def test_the_manifest_s_parts_describe_the_training(packaged: Packaged, table: pd.DataFrame) -> None:
    training = packaged.training
    assert training.schema.name == "birds"
    assert sum(one.rows for one in training.classes) == len(table)
    assert [one.missing for one in training.features] == table.drop(columns="species").isna().sum().tolist()
    assert len(training.training_rows) == len(table)
    assert training.scores is not None
    assert training.scores.held_out_rows == 80
    assert training.distribution.held_out
    assert 0.5 < packaged.training_accuracy <= 1


def test_each_class_has_a_typical_row_that_is_predicted_as_it(packaged: Packaged, tmp_path: Path) -> None:
    model = served(packaged, tmp_path / "model.joblib")
    typical = np.array([model.schema.encode(class_.typical) for class_ in model.schema.classes])
    assert model.predict(typical).labels() == model.schema.class_names


def test_examples_and_panels_are_chosen(packaged: Packaged) -> None:
    schema = packaged.training.schema
    assert all(feature.example is not None for feature in schema.features)
    assert len(schema.panels) == 2
    assert all(schema.features[index].is_numeric for _, *indices in schema.panels for index in indices)


def test_no_real_row_is_golden_unless_rows_are_public(
    packaged: Packaged, classifier: Any, table: pd.DataFrame, holdout: pd.DataFrame
) -> None:
    layout = infer(classifier, table, "species", "birds", {}).layout
    real = [*layout.encode(table).tolist(), *layout.encode(holdout).tolist()]
    assert not any(row.values in real for row in packaged.training.golden_rows)
    public = package(
        classifier, table, "species", overrides={"public_rows": True}, holdout=holdout, picture=False
    ).training
    assert sum(row.values in real for row in public.golden_rows) >= 5


def test_no_row_is_kept_where_none_shall_be(classifier: Any, table: pd.DataFrame) -> None:
    overrides = {"public_rows": True}
    training = package(classifier, table, "species", overrides=overrides, keep_rows=False, picture=False).training
    assert training.training_rows == []
    layout = infer(classifier, table, "species", "birds", {}).layout
    assert not any(row.values in layout.encode(table).tolist() for row in training.golden_rows)


def test_there_are_no_scores_without_held_out_rows(classifier: Any, table: pd.DataFrame) -> None:
    packaged = package(classifier, table, "species", picture=False)
    assert packaged.training.scores is None
    assert not packaged.training.distribution.held_out


def test_words_override_what_was_inferred(classifier: Any, table: pd.DataFrame) -> None:
    overrides = {
        "noun": "penguin",
        "panels": [],
        "features": {"visits": {"at_least": 0, "example": 3}, "island": {"optional": True}},
        "classes": {"adelie": {"label": "Adélie"}},
    }
    schema = package(classifier, table, "species", overrides=overrides, picture=False).training.schema
    assert (schema.noun, schema.panels, schema.classes[0].label) == ("penguin", (), "Adélie")
    assert (schema.features[2].at_least, schema.features[2].example) == (0, 3)


def test_wrong_words_are_refused(classifier: Any, table: pd.DataFrame) -> None:
    with pytest.raises(PackagingRefused) as refused:
        package(classifier, table, "species", overrides={"nouns": 3, "feature": {}}, picture=False)
    assert len(refused.value.problems) == 2


def test_bounds_that_the_training_exceeds_are_refused(classifier: Any, table: pd.DataFrame) -> None:
    overrides = {"features": {"visits": {"at_most": 5}, "body_mass_g": {"above": 3000}}}
    with pytest.raises(PackagingRefused) as refused:
        package(classifier, table, "species", overrides=overrides, picture=False)
    assert [problem.split(":")[0] for problem in refused.value.problems] == ["body_mass_g", "visits"]


def test_classes_that_are_numbers_are_named(table: pd.DataFrame) -> None:
    names = sorted(table["species"].unique())
    numbers = table["species"].map({name: index for index, name in enumerate(names)})
    features = table.drop(columns="species")
    classifier = make_pipeline(make_columns(), LogisticRegression()).fit(features, numbers)
    with pytest.raises(PackagingRefused, match=r'Name its classes|\[classes\.0\] name = "adelie"'):
        package(classifier, table, "species", picture=False)
    words = {"classes": {str(index): {"name": name} for index, name in enumerate(names)}}
    packaged = package(classifier, table, "species", overrides=words, picture=False)
    assert packaged.training.schema.class_names == names
    assert packaged.training_accuracy > 0.7


def test_a_schema_takes_the_place_of_an_inferred_one(packaged: Packaged, classifier: Any, table: pd.DataFrame) -> None:
    given = msgspec.structs.replace(packaged.training.schema, title="Given")
    assert package(classifier, table, "species", schema=given, picture=False).training.schema == given


def test_what_looks_wrong_is_named(classifier: Any, table: pd.DataFrame, holdout: pd.DataFrame) -> None:
    odd = table.assign(island=table["island"].where(table.index > 3, "Elsewhere"))
    odd.loc[[5, 6], "species"] = None
    held_out = pd.concat([holdout.assign(tagged=None).head(3), holdout.head(2), odd.tail(2)])
    findings = package(classifier, odd, "species", holdout=held_out, picture=False).findings
    assert "2 rows of the table have no class, and were left out." in findings
    assert "island: 4 rows have categories that the classifier does not know." in findings
    assert "3 held-out rows have no class or values that are not accepted, and were left out." in findings
    assert "2 of 4 held-out rows are in the training's table too, which flatters." in findings
    assert any(finding.startswith("body_mass_g, visits, code, zone: the classifier answers") for finding in findings)


@pytest.mark.filterwarnings("ignore:The `probability` parameter")
def test_a_classifier_with_two_opinions_is_named() -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(60, 2)), columns=["x", "y"]).assign(kind=random.choice(["a", "b"], 60))
    classifier = SVC(probability=True, random_state=0).fit(table[["x", "y"]], table["kind"])
    (finding,) = [one for one in package(classifier, table, "kind", picture=False).findings if "predict gives" in one]
    assert finding.endswith(
        "of 60 rows the classifier's predict gives another class than the likeliest one by its "
        "predict_proba, which is what is answered."
    )


def test_rows_of_categories_alone_are_in_both_tables_by_chance(table: pd.DataFrame, holdout: pd.DataFrame) -> None:
    columns = ["island", "species"]
    classifier = make_pipeline(OneHotEncoder(), LogisticRegression()).fit(table[["island"]], table["species"])
    packaged = package(classifier, table[columns], "species", holdout=holdout[columns], picture=False)
    assert not any("in the training's table too" in finding for finding in packaged.findings)


def test_columns_that_are_not_used_are_named(table: pd.DataFrame) -> None:
    table = table.assign(name=[f"Bird {index}" for index in range(len(table))])
    classifier = make_pipeline(make_columns(), LogisticRegression())
    classifier.fit(table.drop(columns="species"), table["species"])
    packaged = package(classifier, table, "species", picture=False)
    assert "The classifier does not use these columns, so nobody is asked for them: name." in packaged.findings
    assert "name" not in packaged.training.schema.features_by_name


def test_a_wrong_order_of_columns_is_suspected() -> None:
    random = np.random.default_rng(0)
    rows = np.column_stack([random.normal(size=200), random.normal(size=200) + 50])
    table = pd.DataFrame(rows, columns=["a", "b"]).assign(y=rows[:, 0] > 0)
    classifier = LogisticRegression().fit(rows, table["y"])
    findings = package(classifier, table[["b", "a", "y"]], "y", picture=False).findings
    assert any("with its columns in the same order?" in finding for finding in findings)


def test_a_holdout_that_is_none_is_refused(classifier: Any, table: pd.DataFrame) -> None:
    with pytest.raises(PackagingRefused, match='no column "species"'):
        package(classifier, table, "species", holdout=table.drop(columns="species"), picture=False)
    with pytest.raises(PackagingRefused, match="No held-out row is accepted"):
        package(classifier, table, "species", holdout=table.assign(tagged=None), picture=False)


def test_one_feature_and_two_hundred_are_packaged(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    for count in (1, 200):
        rows = random.normal(size=(80, count))
        table = pd.DataFrame(rows, columns=[f"x{index}" for index in range(count)]).assign(y=rows[:, 0] > 0)
        classifier = LogisticRegression().fit(table.drop(columns="y"), table["y"])
        model = served(package(classifier, table, "y", picture=False), tmp_path / f"{count}.joblib")
        assert len(model.schema.features) == count


def test_columns_that_have_numbers_for_names_are_packaged() -> None:
    rows = np.random.default_rng(0).normal(size=(80, 2))
    table = pd.DataFrame(rows).assign(y=rows[:, 0] > 0)
    packaged = package(LogisticRegression().fit(rows, table["y"]), table, "y", holdout=table, picture=False)
    assert list(packaged.training.schema.features_by_name) == ["0", "1"]


def test_thirty_classes_are_packaged(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    classes = random.integers(0, 30, 600)
    table = pd.DataFrame({"x": classes + random.normal(0, 0.1, 600), "y": random.normal(size=600)}).assign(c=classes)
    classifier = DecisionTreeClassifier().fit(table[["x", "y"]], table["c"])
    model = served(package(classifier, table, "c", picture=False), tmp_path / "model.joblib")
    assert len(model.schema.classes) == 30


def test_a_picture_is_drawn(classifier: Any, table: pd.DataFrame) -> None:
    packaged = package(classifier, table, "species")
    assert packaged.pairplot is not None
    assert b"PathCollection" not in packaged.pairplot


def test_the_same_is_packaged_twice(classifier: Any, table: pd.DataFrame, packaged: Packaged) -> None:
    again = package(classifier, table, "species", name="birds", holdout=make_table(80, seed=1), picture=False)
    assert msgspec.json.encode(again.training) == msgspec.json.encode(packaged.training)


def test_a_model_is_published(packaged: Packaged, app: Flask, tmp_path: Path) -> None:
    app.config["MODEL_PATH"] = str(tmp_path / "current.joblib")
    app.instance_path = str(tmp_path)
    manifest = publish(app, packaged)
    assert load(tmp_path / "current.joblib")[1].version == manifest.version
    assert len(list((tmp_path / "current-models").glob("0001-*"))) == 1


def test_the_package_gives_its_functions_lazily() -> None:
    assert lazily_imported is package
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        __import__("iris_app.packaging").packaging.nothing  # noqa: B018
