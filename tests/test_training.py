import xml.etree.ElementTree as ET

import msgspec
import numpy as np
import pytest
import seaborn as sns
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler

from iris_app.iris import SCHEMA
from iris_app.model.manifest import Training
from iris_app.training import MARKERS, draw_pairplot, load_data, train


@pytest.fixture(scope="module")
def trained() -> tuple[Pipeline, Training, bytes]:
    return train()


def test_the_held_out_score_is_the_article_s(trained: tuple[Pipeline, Training, bytes]) -> None:
    assert trained[1].scores.held_out_accuracy == 0.9736842105263158


def test_the_model_is_the_article_s_pipeline(trained: tuple[Pipeline, Training, bytes]) -> None:
    assert [type(step) for _, step in trained[0].steps] == [StandardScaler, LogisticRegression]


def test_the_data_are_fisher_s_in_the_order_of_the_tables() -> None:
    measurements, species = load_data()
    assert np.array_equal(measurements, load_iris().data)
    assert np.array_equal(species, load_iris().target)


def test_the_scores_agree_with_the_confusion_matrix(trained: tuple[Pipeline, Training, bytes]) -> None:
    scores = trained[1].scores
    confusion = np.array(scores.confusion_matrix)
    assert confusion.sum() == scores.held_out_rows == 38
    assert np.trace(confusion) / 38 == scores.held_out_accuracy
    assert [one.recall for one in scores.classes] == list(np.diag(confusion) / confusion.sum(axis=1))
    assert [one.precision for one in scores.classes] == list(np.diag(confusion) / confusion.sum(axis=0))


def test_there_are_five_folds_of_cross_validation(trained: tuple[Pipeline, Training, bytes]) -> None:
    folds = trained[1].scores.cross_validation
    assert len(folds) == 5
    assert np.mean(folds) == pytest.approx(0.96, abs=0.01)


def test_the_features_are_summarised_in_their_order(trained: tuple[Pipeline, Training, bytes]) -> None:
    assert [(one.name, one.unit) for one in trained[1].features] == [(one.name, one.unit) for one in SCHEMA.features]
    sepal_length = trained[1].features[0]
    assert (sepal_length.minimum, sepal_length.maximum) == (4.3, 7.9)
    assert sepal_length.minimum < sepal_length.mean < sepal_length.maximum
    assert 0.5 < sepal_length.standard_deviation < 1.5


def test_the_whitened_flowers_of_a_species_scatter_alike_in_all_directions(
    trained: tuple[Pipeline, Training, bytes],
) -> None:
    measurements, species = load_data()
    for index, summary in enumerate(trained[1].classes):
        assert summary.name == SCHEMA.classes[index].name
        whitened = (measurements[species == index] - summary.mean) @ np.array(summary.whitening).T
        assert np.cov(whitened, rowvar=False) == pytest.approx(np.eye(4), abs=0.6)


def test_the_golden_rows_hold_what_the_model_answers(trained: tuple[Pipeline, Training, bytes]) -> None:
    classifier, training, _ = trained
    for row in training.golden_rows:
        assert classifier.predict_proba([row.measurement])[0].tolist() == pytest.approx(row.probabilities, abs=1e-15)


def test_a_second_training_gives_the_same_to_the_bit(trained: tuple[Pipeline, Training, bytes]) -> None:
    classifier, training, pairplot = train()
    measurements, _ = load_data()
    assert msgspec.json.encode(training) == msgspec.json.encode(trained[1])
    assert pairplot == trained[2]
    assert np.array_equal(classifier.predict_proba(measurements), trained[0].predict_proba(measurements))


def test_the_flowers_that_were_seen_are_kept(trained: tuple[Pipeline, Training, bytes]) -> None:
    flowers = trained[1].training_rows
    assert len(flowers) == 112
    assert [row.class_index for row in flowers].count(0) == trained[1].classes[0].rows
    measurements = load_data()[0].tolist()
    assert all(row.measurement in measurements for row in flowers)


def test_the_picture_of_the_data_is_svg_with_every_feature(trained: tuple[Pipeline, Training, bytes]) -> None:
    root = ET.fromstring(trained[2])  # noqa: S314 -- it is ours
    assert root.tag == "{http://www.w3.org/2000/svg}svg"
    assert b"<script" not in trained[2]
    assert len(trained[2]) > 100_000


def test_the_picture_gives_each_species_the_shape_that_the_pages_give_it(
    monkeypatch: pytest.MonkeyPatch, trained: tuple[Pipeline, Training, bytes]
) -> None:
    drawn: list[sns.PairGrid] = []
    pairplot = sns.pairplot
    monkeypatch.setattr(sns, "pairplot", lambda *args, **kwargs: drawn.append(pairplot(*args, **kwargs)) or drawn[-1])
    draw_pairplot(trained[1])
    legend = drawn[0].legend
    assert [text.get_text() for text in legend.texts] == [species.label for species in SCHEMA.classes]
    assert [handle.get_marker() for handle in legend.legend_handles] == MARKERS
