import re
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pandas as pd
import pytest
from sklearn.tree import DecisionTreeClassifier

from iris_app.model.manifest import FeatureSummary, Histogram
from iris_app.packaging import card
from iris_app.packaging.packager import Packaged, package, save
from iris_app.schema import Feature


def lines(packaged: Packaged, folder: Path) -> list[str]:
    path = folder / "model.joblib"
    return list(card.lines(packaged, save(path, packaged), path))


def summary(minimum: float | None, maximum: float | None, missing: int = 0) -> FeatureSummary:
    return FeatureSummary("x", minimum, maximum, None, None, missing, Histogram([], [0]))


@pytest.mark.parametrize(
    ("words", "found", "text"),
    [
        ({"unit": "mm"}, summary(28.5, 123456.789), "number, 28.5 to 123457 mm"),
        (
            {"kind": "integer", "optional": True},
            summary(0, 8, 3),
            "integer, 0 to 8; missing in 3 of 240 rows; may be missing",
        ),
        ({"kind": "boolean"}, summary(0, 1), "boolean, true or false"),
        ({"kind": "category", "categories": ("a", 3)}, summary(0, 1), "category, a, 3"),
        (
            {"kind": "category", "categories": tuple(range(12)), "allow_unknown": True},
            summary(0, 11),
            "category, 0, 1, 2, 3, 4, 5, 6, 7 and 4 more; other categories are answered with a warning",
        ),
        ({}, summary(None, None, 240), "number, no value in any row; missing in 240 of 240 rows"),
    ],
)
def test_a_feature_is_described_in_a_line(words: dict[str, Any], found: FeatureSummary, text: str) -> None:
    assert card.describe_feature(Feature(name="x", form_name="x", label="X", **words), found, 240) == text


def test_the_card_says_what_was_inferred_and_how_good_it_is(packaged: Packaged, tmp_path: Path) -> None:
    text = lines(packaged, tmp_path)
    assert text[0] == "birds: species from 7 features, 240 rows"
    assert "  zone            category, 3, 5, 7; may be missing; other categories are answered with a warning" in text
    measured = r"(?m)^  adelie +[0-9]+ rows to train on; on [0-9]+ held out: precision 0\.[0-9]+, recall 0\."
    assert re.search(measured, "\n".join(text))
    assert any(line.startswith("held-out accuracy  0.") and line.endswith(" on 80 rows") for line in text)
    assert any(line.startswith("Brier score        0.") for line in text)
    assert any(line.startswith("unlike_training    marks ") and "of the 80 held-out rows" in line for line in text)
    assert text[text.index("Look at:") + 1].startswith("- body_mass_g, visits, code, zone: ")
    assert text[-3:-1] == [f"model     {tmp_path}/model.joblib", f"manifest  {tmp_path}/model.joblib.json"]
    assert text[-1].startswith("version   ")
    assert "pandas " in text[-1]


def test_the_card_is_honest_where_nothing_was_held_out(classifier: Any, table: pd.DataFrame, tmp_path: Path) -> None:
    packaged = package(classifier, table, "species", picture=False)
    text = "\n".join(lines(packaged, tmp_path))
    assert "There are no held-out rows, so nobody knows how good it is." in text
    assert f"right in {packaged.training_accuracy:.1%}, which flatters" in text
    assert "of the 240 training's rows" in text


def test_the_card_has_the_cross_validation_if_there_was_one(packaged: Packaged, tmp_path: Path) -> None:
    scores = packaged.training.scores
    assert scores is not None
    training = msgspec.structs.replace(
        packaged.training,
        scores=msgspec.structs.replace(scores, cross_validation=[0.5, 0.75], brier=None),
    )
    changed = Packaged(packaged.classifier, training, None, (), packaged.training_accuracy)
    text = lines(changed, tmp_path)
    assert "cross-validation   0.500, 0.750" in text
    assert not any("Brier" in line or "Look at" in line for line in text)


def test_many_features_and_classes_are_counted(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame(random.normal(size=(200, 40)), columns=[f"x{index}" for index in range(40)])
    table["kind"] = np.arange(200) % 35
    classifier = DecisionTreeClassifier().fit(table.drop(columns="kind"), table["kind"])
    text = lines(package(classifier, table, "kind", picture=False), tmp_path)
    assert "  and 10 more" in text
    assert "  and 5 more" in text
