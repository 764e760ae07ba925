"""The irises that other packages ship, each file as it comes, get the answers that the API gives."""

import gzip
import io
import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
import sklearn
from flask.testing import FlaskClient

from iris_app.codecs.csv_rows import answer_columns
from iris_app.iris import SCHEMA
from tests.bulk.conftest import Classify

FOLDER = Path(__file__).parent / "irises"
SCIKIT_LEARN = Path(sklearn.__file__).parent / "datasets" / "data" / "iris.csv"
FILES = [SCIKIT_LEARN, *sorted(path for path in FOLDER.iterdir() if path.suffix != ".md")]


def api_answers(client: FlaskClient, path: Path) -> list[tuple[Any, ...]]:
    """Return the species and the probabilities that the API gives to a file's flowers."""
    content = path.read_bytes()
    if path.suffix == ".json":
        flowers = [
            {feature.name: value for name, value in flower.items() if (feature := SCHEMA.match_feature(name))}
            for flower in json.loads(content)
        ]
        predictions = client.post("/api/classify", json=flowers).get_json()["predictions"]
        return [(one["species"], *one["probabilities"].values()) for one in predictions]
    content = gzip.decompress(content) if path.suffix == ".gz" else content
    answer = client.post("/api/classify", data=content, content_type="text/csv").data
    return answers(pl.read_csv(io.BytesIO(answer)))


def answers(table: pl.DataFrame) -> list[tuple[Any, ...]]:
    species = next(name for name in ("predicted_species", "species") if name in table.columns)
    return table.select(species, *answer_columns(SCHEMA, [])[1:-1]).rows()


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_each_is_classified_as_it_comes_as_the_api_classifies_it(
    classify: Classify, client: FlaskClient, tmp_path: Path, path: Path, form: str
) -> None:
    output = tmp_path / f"out.{form}"
    result = classify(path, "-o", output)
    assert result.exit_code == 0, result.output
    read = {"csv": pl.read_csv, "ndjson": pl.read_ndjson, "parquet": pl.read_parquet}[form]
    assert answers(read(output)) == api_answers(client, path)
    assert len(read(output)) == 150


def test_all_of_them_are_classified_as_a_folder(classify: Classify, tmp_path: Path) -> None:
    result = classify(FOLDER, "-o", tmp_path / "out")
    assert result.exit_code == 0, result.output
    assert sorted(path.name for path in (tmp_path / "out").glob("[!.]*")) == [
        "bokeh_sampledata.csv",
        "plotly.csv.gz",
        "pydataset.csv",
        "vega_datasets.ndjson",
    ]
    assert "600" in result.output


@pytest.mark.parametrize("path", FILES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_most_are_found_to_be_what_the_file_says(classify: Classify, tmp_path: Path, path: Path) -> None:
    assert (
        "146 of 150 are of the species that the file itself names." in classify(path, "-o", tmp_path / "out.csv").output
    )


def test_the_features_of_scikit_learns_own_file_get_their_names(classify: Classify, tmp_path: Path) -> None:
    classify(SCIKIT_LEARN, "-o", tmp_path / "out.csv")
    assert pl.read_csv(tmp_path / "out.csv").columns[:6] == [*SCHEMA.features_by_name, "target", "species"]


def test_an_array_is_read_and_not_written(classify: Classify, tmp_path: Path) -> None:
    result = classify(SCIKIT_LEARN, "-o", tmp_path / "out.json")
    assert result.exit_code == 2
    assert "name it .csv, .ndjson or .parquet" in result.stderr
