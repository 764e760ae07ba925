"""The classifier as a function of frames."""

import pickle
import re
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest

from iris_app import bulk
from iris_app.bulk import classifier
from iris_app.codecs.csv_rows import answer_columns
from iris_app.exceptions import ModelUnavailable
from iris_app.iris import SCHEMA
from iris_app.model.manifest import manifest_path
from tests.support import CHECKOUT, FLOWER

SNIPPETS = re.findall(r"```python\n(.*?)```", (CHECKOUT / "docs" / "files.md").read_text(), re.DOTALL)


@pytest.fixture
def classify(trained_path: Path) -> Callable[[Any], Any]:
    return classifier(trained_path)


def table(**columns: Any) -> pl.DataFrame:
    return pl.DataFrame({name: [value] * 3 for name, value in FLOWER.items()} | columns)


def test_a_frame_has_the_answers_beside_its_columns(classify: Callable[[Any], Any]) -> None:
    answers = classify(table(id=[1, 2, 3]).rename({"sepal_length": "Sepal.Length"}))
    assert answers["species"].to_list() == ["setosa"] * 3
    assert answers.columns[-5:] == answer_columns(SCHEMA, [])


@pytest.mark.parametrize("values", [[0.2, None, 99.0], ["0,2", "x", None], [1, 0, 31]])
def test_bad_rows_have_nulls(classify: Callable[[Any], Any], values: list[object]) -> None:
    frame = table(petal_width=values)
    assert classify(frame)["species"].is_null().to_list() == [False, True, True]
    assert classify(pd.DataFrame(frame.to_dict(as_series=False)))["species"].isna().tolist() == [False, True, True]


def test_it_can_be_pickled_with_its_model(classify: Callable[[Any], Any]) -> None:
    sent = pickle.loads(pickle.dumps(classify))  # noqa: S301 -- our own
    assert sent(table()).equals(classify(table()))


def test_what_the_package_has_not_is_no_attribute() -> None:
    with pytest.raises(AttributeError, match="has no attribute 'classifiers'"):
        _ = bulk.classifiers


def test_an_artifact_that_is_another_is_refused(trained_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    path.write_bytes(trained_path.read_bytes()[:-1] + b"?")
    manifest_path(path).write_bytes(manifest_path(trained_path).read_bytes())
    with pytest.raises(ModelUnavailable):
        classifier(path)


@pytest.mark.parametrize("snippet", SNIPPETS)
def test_a_snippet_of_the_documentation_runs(
    monkeypatch: pytest.MonkeyPatch, trained_path: Path, tmp_path: Path, snippet: str
) -> None:
    monkeypatch.chdir(tmp_path)
    table().write_csv("flowers.csv")
    database = sqlite3.connect("flowers.db")
    pd.read_csv("flowers.csv").to_sql("flowers", database, index=False)
    names: dict[str, Any] = {}
    exec(snippet.replace("instance/model.joblib", str(trained_path)), names)  # noqa: S102 -- our own page
    if "sqlite3" in snippet:
        names["answers"] = pd.read_sql("SELECT * FROM answers", database)
    database.close()
    assert list(names["answers"]["species"]) == ["setosa"] * 3
