"""A model with every kind of feature classifies files: its own words, columns and errors."""

import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pytest
from flask import Flask

from iris_app.bulk import classifier, cluster
from iris_app.bulk.job import Job
from iris_app.bulk.storage.sources import Source
from iris_app.model.artifact import pack, read_manifest
from iris_app.model.classifier import Model, load
from iris_app.schema import UNKNOWN
from tests.bulk.conftest import Classify
from tests.bulk.mixed import VISITS, random_rows, visits
from tests.models import ServedModel
from tests.schemas import MIXED_ROW

ADDED = ["outcome", "probability_fraud", "probability_no_fraud", "warnings"]
ROWS = random_rows(60, seed=1)


@pytest.fixture(scope="module")
def path(serve: Callable[[str], ServedModel]) -> Path:
    """Where a model of visits lies."""
    return serve("mixed").path


@pytest.fixture(scope="module")
def model(path: Path) -> Model:
    return load(path)


@pytest.fixture
def classify(make_app: Callable[..., Flask], path: Path) -> Classify:
    """Run ``flask classify`` with the model of visits."""
    app = make_app(MODEL_PATH=str(path))
    return lambda *arguments: app.test_cli_runner().invoke(args=["classify", *map(str, arguments)])


def write(table: pl.DataFrame, path: Path) -> Path:
    getattr(table, f"write_{path.suffix[1:]}")(path)
    return path


def read(path: Path) -> pl.DataFrame:
    if path.suffix == ".csv":
        return pl.read_csv(path, schema_overrides={"zip": pl.String})
    answers: pl.DataFrame = getattr(pl, f"read_{path.suffix[1:]}")(path)
    return answers


@pytest.mark.parametrize("to", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_each_form_has_the_predictions_of_the_model(
    classify: Classify, model: Model, tmp_path: Path, form: str, to: str
) -> None:
    source, output = write(visits(ROWS), tmp_path / f"visits.{form}"), tmp_path / f"out.{to}"
    result = classify(source, "-o", output)
    assert result.exit_code == 0, result.output
    answers, expected = read(output), model.predict(ROWS)
    assert answers.columns[-4:] == ADDED
    assert answers["outcome"].to_list() == expected.labels()
    assert np.array_equal(answers.select(ADDED[1:3]).to_numpy().T, expected.probabilities)
    own = visits(ROWS)
    if form == "csv" and to != "csv":  # categories stay the text that they were
        own = own.with_columns(pl.col("ward").cast(pl.String))
    assert answers.drop(ADDED).to_dicts() == own.to_dicts()


def test_the_counts_name_the_classes_of_the_model(classify: Classify, tmp_path: Path) -> None:
    result = classify(write(visits(ROWS), tmp_path / "visits.csv"), "-o", tmp_path / "out.csv")
    counts = dict(line.split() for line in result.stdout.splitlines())
    assert list(counts) == ["read", "classified", "rejected", "fraud", "no_fraud", "unusual"]
    assert int(counts["fraud"]) + int(counts["no_fraud"]) == len(ROWS)


def test_a_file_without_rows_has_no_row_of_any_class(classify: Classify, tmp_path: Path) -> None:
    result = classify(write(visits(ROWS[:0]), tmp_path / "visits.csv"), "-o", tmp_path / "out.csv")
    assert [line.split()[1] for line in result.stdout.splitlines()] == ["0"] * 6


def test_values_become_columns_of_their_types(classify: Classify, tmp_path: Path) -> None:
    text = "\n".join([",".join(MIXED_ROW), "41,,-0.5,no,1,female,sur,10,001", "42.0,2,-0.5,YES,,,SUR,2.0,"])
    (tmp_path / "visits.csv").write_text(text)
    classify(tmp_path / "visits.csv", "-o", tmp_path / "out.parquet")
    assert pl.read_parquet(tmp_path / "out.parquet").drop(ADDED).to_dict(as_series=False) == {
        "age": [41, 42],
        "bmi": [None, 2.0],
        "temperature change": [-0.5, -0.5],
        "smoker": [False, True],
        "vaccinated": [True, None],
        "sex": ["female", None],
        "región": ["sur", "SUR"],
        "ward": ["10", "2.0"],
        "zip": ["001", None],
    }


def test_kept_rows_keep_what_is_of_their_type(classify: Classify, tmp_path: Path) -> None:
    text = "\n".join([",".join(MIXED_ROW), "41,2,-0.5,no,1,female,sur,10,001", "41.5,x,99,2,,woman,sur,3,"])
    (tmp_path / "visits.csv").write_text(text)
    classify(tmp_path / "visits.csv", "-o", tmp_path / "out.parquet", "--bad-rows", "null")
    kept = pl.read_parquet(tmp_path / "out.parquet").drop(ADDED).row(1)
    assert kept == (None, None, 99.0, None, None, "woman", "sur", "3", None)


def test_a_category_that_is_not_known_is_warned_of(classify: Classify, model: Model, tmp_path: Path) -> None:
    rows = ROWS.copy()
    rows[0, 6] = UNKNOWN
    table = visits(rows).with_columns(pl.col("región").fill_null("nadie"))
    classify(write(table, tmp_path / "visits.csv"), "-o", tmp_path / "out.csv")
    warnings = [text or "" for text in pl.read_csv(tmp_path / "out.csv")["warnings"]]
    expected = [" ".join(one.label for one in answer.warnings) for (answer,) in map(_predict_each(model), rows)]
    assert warnings == expected


def _predict_each(model: Model) -> Callable[[Any], Any]:
    return lambda row: next(iter(model.predict(row[None]).to_predictions()))


def test_true_classes_are_compared_in_any_spelling(classify: Classify, model: Model, tmp_path: Path) -> None:
    spellings = {"fraud": "Fraud", "no_fraud": "No fraud"}
    actual = [spellings[label] for label in model.predict(ROWS).labels()]
    table = visits(ROWS).with_columns(pl.Series("label", ["fraud?", *actual[1:]]))
    result = classify(write(table, tmp_path / "visits.csv"), "-o", tmp_path / "out.csv")
    assert "59 of 59 are of the outcome that the file itself names; 1 more name none." in result.stdout


def test_names_with_the_delimiter_are_quoted(classify: Classify, tmp_path: Path) -> None:
    rows = ROWS.copy()
    rows[0, 2] = 39
    write(visits(rows), tmp_path / "visits.csv")
    text = (tmp_path / "visits.csv").read_text().replace(",", " ").replace("temperature change", '"temperature change"')
    (tmp_path / "visits.csv").write_text(text.replace("este: costa", "sur"))
    result = classify(tmp_path / "visits.csv", "-o", tmp_path / "out.csv", "--delimiter", " ")
    assert result.exit_code == 0, result.output
    answers = pl.read_csv(tmp_path / "out.csv", separator=" ")
    assert "out_of_range:temperature change" in answers["warnings"][0]


def test_the_report_has_the_words_of_the_model(classify: Classify, tmp_path: Path) -> None:
    rows = ROWS.copy()
    rows[0, [2, 6]] = 39, UNKNOWN
    table = visits(rows).with_columns(pl.col("región").fill_null("nadie"))
    result = classify(
        write(table, tmp_path / "visits.csv"), "-o", tmp_path / "out.csv", "--report", tmp_path / "report.html"
    )
    assert result.exit_code == 0, result.output
    page = (tmp_path / "report.html").read_text()
    for text in ("Visits of each outcome", "Is it fraud?", "este: costa", "not known", "missing", "false", "Sex: "):
        assert text in page
    for text in ("flower", "species", "petal", "cm)", "()", "None", "nan"):
        assert text not in page


def test_a_second_run_knows_its_files_by_any_model(
    classify: Classify, tmp_path: Path, make_app: Callable[..., Flask]
) -> None:
    write(visits(ROWS), tmp_path / "visits.csv")
    for _ in range(2):
        assert classify(tmp_path / "visits.csv", "-o", tmp_path / "out.csv").exit_code == 0
    (tmp_path / "flowers.csv").write_text("sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n")
    runner = make_app().test_cli_runner()
    assert (
        runner.invoke(args=["classify", str(tmp_path / "flowers.csv"), "-o", str(tmp_path / "out.csv")]).exit_code == 0
    )


def test_frames_of_any_types_are_classified(model: Model, path: Path) -> None:
    classify = pickle.loads(pickle.dumps(classifier(path)))  # noqa: S301 -- our own
    table, expected = visits(ROWS), model.predict(ROWS).labels()
    frames = [
        table,
        table.with_columns(pl.col("sex", "región").cast(pl.Categorical)),
        table.drop("zip"),
        table.to_pandas(),
        pd.DataFrame(table.to_dict(as_series=False)),
        table.to_pandas().astype({"sex": "category", "ward": "float64", "age": "Int64"}),
    ]
    for frame in frames:
        outcomes = list(classify(frame)["outcome"])
        lacks_zip = "zip" not in frame.columns
        assert outcomes == (model.predict(_without_zip()).labels() if lacks_zip else expected)


def _without_zip() -> Any:
    rows = ROWS.copy()
    rows[:, 8] = np.nan
    return rows


def test_a_worker_reads_by_the_schema_that_it_was_sent(path: Path, tmp_path: Path) -> None:
    source = write(visits(ROWS), tmp_path / "visits.csv")
    job = Job(Source(str(source), "csv", source.name), str(tmp_path / "out.csv"), "csv")
    sent = pickle.loads(pickle.dumps((job, pack(path, read_manifest(path)))))  # noqa: S301 -- our own
    part = cluster.run_part(sent[0], str(tmp_path), sent[1])
    assert isinstance(part, cluster.Part)
    assert pickle.loads(pickle.dumps(part)).result.summary.classified == len(ROWS)  # noqa: S301 -- our own
    assert VISITS.target in Path(part.output).read_text()


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_a_feature_that_no_column_holds_is_named(classify: Classify, tmp_path: Path, form: str) -> None:
    path = write(visits(ROWS).drop("zip"), tmp_path / f"visits.{form}")
    result = classify(path, "-o", tmp_path / "out.csv", "--format", "csv")
    assert result.exit_code == 0
    assert f"{path}: no column is zip, so that is missing in every row." in result.output


@pytest.mark.parametrize(("form", "words"), [("csv", "zip (is it “zipp”?)"), ("parquet", 'zip. Is it "zipp"?')])
def test_a_misspelt_column_is_named_though_it_may_be_absent(
    classify: Classify, tmp_path: Path, form: str, words: str
) -> None:
    write(visits(ROWS), tmp_path / f"good.{form}")
    write(visits(ROWS).rename({"zip": "zipp"}), tmp_path / f"bad.{form}")
    result = classify(tmp_path, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert f"There is no column {words}" in result.output
    assert [path.name for path in (tmp_path / "out").glob("*.*") if path.name[0] != "."] == [f"good.{form}"]
