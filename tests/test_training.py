from pathlib import Path

import msgspec
import numpy as np
import pytest
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.preprocessing import StandardScaler

from iris_app.iris import SCHEMA
from iris_app.model.classifier import Model
from iris_app.packaging.packager import Packaged
from iris_app.training import load_data, save_example, train


@pytest.fixture(scope="module")
def packaged() -> Packaged:
    return train()


def test_the_held_out_score_is_the_article_s(packaged: Packaged) -> None:
    assert packaged.training.scores is not None
    assert packaged.training.scores.held_out_accuracy == 0.9736842105263158
    assert packaged.training.scores.held_out_rows == 38


def test_the_model_is_the_article_s_pipeline(packaged: Packaged) -> None:
    assert [type(step) for _, step in packaged.classifier.steps] == [StandardScaler, LogisticRegression]


def test_the_classifier_predicts_numbers_that_the_schema_names(packaged: Packaged) -> None:
    assert packaged.classifier.classes_.tolist() == [class_.value for class_ in SCHEMA.classes] == [0, 1, 2]
    assert [summary.name for summary in packaged.training.classes] == SCHEMA.class_names


def test_the_data_are_fisher_s_in_the_order_of_the_tables() -> None:
    measurements, species = load_data()
    assert np.array_equal(measurements, load_iris().data)
    assert np.array_equal(species, load_iris().target)


def test_the_schema_is_the_example_s_as_it_is_written(packaged: Packaged) -> None:
    assert packaged.training.schema == SCHEMA


def test_nothing_looks_wrong(packaged: Packaged) -> None:
    assert packaged.findings == ()


def test_there_are_five_folds_of_cross_validation(packaged: Packaged) -> None:
    assert packaged.training.scores is not None
    folds = packaged.training.scores.cross_validation
    assert len(folds) == 5
    assert np.mean(folds) == pytest.approx(0.96, abs=0.01)


def test_a_second_training_gives_the_same_to_the_bit(packaged: Packaged) -> None:
    again = train()
    measurements, _ = load_data()
    assert msgspec.json.encode(again.training) == msgspec.json.encode(packaged.training)
    assert again.pairplot == packaged.pairplot
    assert np.array_equal(again.classifier.predict_proba(measurements), packaged.classifier.predict_proba(measurements))


def test_the_flowers_that_were_seen_are_kept_in_their_order(packaged: Packaged) -> None:
    flowers = packaged.training.training_rows
    assert len(flowers) == 112
    assert [row.class_index for row in flowers].count(0) == packaged.training.classes[0].rows
    measurements = load_data()[0].tolist()
    assert all(row.values in measurements for row in flowers)


def test_the_picture_has_the_flowers(packaged: Packaged) -> None:
    assert packaged.pairplot is not None
    assert packaged.pairplot.count(b'id="PathCollection_') == 12


def test_the_example_is_saved_so_that_it_can_be_served(tmp_path: Path, packaged: Packaged) -> None:
    path = tmp_path / "model.joblib"
    manifest = save_example(path)
    assert Model(packaged.classifier, manifest).predict(load_data()[0]).labels()[0] == SCHEMA.class_names[0]
