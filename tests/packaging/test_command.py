import os
import subprocess
import sys
import tomllib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
from click.testing import Result
from flask import Flask
from sklearn.linear_model import LogisticRegression

from iris_app.model.artifact import load, read_manifest
from iris_app.model.classifier import Model
from iris_app.packaging import packager
from tests.support import CHECKOUT, SECRET_KEY

Run = Callable[..., Result]


@pytest.fixture(autouse=True)
def no_picture(monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the seconds that a picture takes."""
    monkeypatch.setattr(packager, "draw_pairplot", lambda *_args: None)


@pytest.fixture
def folder(tmp_path: Path, classifier: Any, table: pd.DataFrame, holdout: pd.DataFrame) -> Path:
    joblib.dump(classifier, tmp_path / "birds.joblib")
    table.to_csv(tmp_path / "train.csv", index=False)
    holdout.to_csv(tmp_path / "test.csv", index=False)
    return tmp_path


@pytest.fixture
def run(make_app: Callable[..., Flask], folder: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command in the folder of the files."""
    monkeypatch.chdir(folder)
    app = make_app(MODEL_PATH=str(folder / "configured.joblib"))
    app.instance_path = str(folder)

    def run(*options: str, pipeline: str = "birds.joblib", data: str = "train.csv", target: str = "species") -> Result:
        return app.test_cli_runner().invoke(args=["package", pipeline, "--data", data, "--target", target, *options])

    return run


def test_a_classifier_is_packaged_where_the_configuration_says(run: Run, folder: Path, table: pd.DataFrame) -> None:
    result = run("--holdout", "test.csv")
    assert result.exit_code == 0
    assert result.stderr == "package: unpickling birds.joblib, which runs code that it names\n"
    assert result.stdout.startswith("birds: species from 7 features, 240 rows\n")
    assert "held-out accuracy" in result.stdout
    assert f"model     {folder}/configured.joblib" in result.stdout
    model = Model(*load(folder / "configured.joblib"))
    assert model.schema.features_by_name["code"].categories == ("001", "002", "010")
    assert len(model.manifest.training_rows) == len(table)


def test_the_output_may_be_another_file(run: Run, folder: Path) -> None:
    assert run("--output", "models/out.joblib").exit_code == 0
    assert read_manifest(folder / "models" / "out.joblib").schema.name == "birds"
    assert not (folder / "configured.joblib").exists()


def test_a_model_is_published(run: Run, folder: Path) -> None:
    assert run("--publish").exit_code == 0
    assert run("--publish", "--no-rows").exit_code == 0
    assert read_manifest(folder / "configured.joblib").training_rows == []


def test_a_publication_says_what_a_running_server_will_refuse(run: Run, folder: Path, table: pd.DataFrame) -> None:
    assert run("--publish").stderr.count("\n") == 1
    numbers = table[["species", "body_mass_g"]].dropna()
    joblib.dump(LogisticRegression().fit(numbers[["body_mass_g"]], numbers["species"]), folder / "mass.joblib")
    numbers.to_csv(folder / "mass.csv", index=False)
    result = run("--publish", pipeline="mass.joblib", data="mass.csv")
    assert result.exit_code == 0
    assert "package: it takes other rows than the model before: " in result.stderr
    assert result.stderr.endswith("A running server goes on with that one until it is started again.\n")


def test_a_file_that_says_nothing_is_named_after_the_table(run: Run, folder: Path) -> None:
    (folder / "birds.joblib").rename(folder / "Model.joblib")
    assert run("-o", "out.joblib", pipeline="Model.joblib").exit_code == 0
    assert read_manifest(folder / "out.joblib").schema.name == "train"


def test_parquet_is_read_with_its_types(run: Run, folder: Path, table: pd.DataFrame) -> None:
    table.to_parquet(folder / "train.parquet")
    assert run("-o", "out.joblib", data="train.parquet").exit_code == 0


def test_the_schema_is_written_and_read_again(run: Run, folder: Path) -> None:
    result = run("--schema-out", "words.toml")
    assert result.exit_code == 0
    assert result.stdout.endswith("schema    words.toml\n")
    words = tomllib.loads((folder / "words.toml").read_text())
    assert words["features"]["bill_length_mm"]["label"] == "Bill length"
    text = (folder / "words.toml").read_text()
    assert "# category, 3, 5, 7; may be missing; other categories are answered with a warning\n[features.zone]" in text
    first = read_manifest(folder / "configured.joblib").schema
    (folder / "words.toml").write_text(text.replace('noun = "row"', 'noun = "penguin"'))
    assert run("--schema", "words.toml").exit_code == 0
    second = read_manifest(folder / "configured.joblib").schema
    assert (second.noun, second.features, second.classes) == ("penguin", first.features, first.classes)


def test_a_model_of_ours_is_replaced(run: Run, folder: Path) -> None:
    assert run("-o", "out.joblib").exit_code == run("-o", "out.joblib", "--no-rows").exit_code == 0
    assert read_manifest(folder / "out.joblib").training_rows == []


@pytest.mark.parametrize("name", ["birds.joblib", "train.csv", "out.joblib.json", "out.joblib.svg"])
def test_any_other_file_is_not_replaced(run: Run, folder: Path, name: str) -> None:
    (folder / name).touch()
    before = (folder / name).read_bytes()
    result = run("-o", name.removesuffix(".json").removesuffix(".svg"))
    assert result.exit_code == 1
    assert "is no packaged model. Name another output." in result.stderr
    assert (folder / name).read_bytes() == before


def test_an_artifact_beside_another_manifest_is_not_replaced(run: Run, folder: Path) -> None:
    assert run("-o", "out.joblib").exit_code == 0
    (folder / "out.joblib").write_bytes(b"mine")
    assert "is no packaged model" in run("-o", "out.joblib").stderr


def test_words_are_not_replaced(run: Run, folder: Path) -> None:
    (folder / "words.toml").write_text("noun = 'penguin'")
    result = run("--schema-out", "words.toml")
    assert result.exit_code == 1
    assert "words.toml is there already" in result.stderr
    assert not (folder / "configured.joblib").exists()


def test_what_is_refused_is_named_in_a_list(run: Run, folder: Path) -> None:
    (folder / "words.toml").write_text("nouns = 3\ntitel = 'x'")
    result = run("--schema", "words.toml")
    assert result.exit_code == 1
    *_, heading, second, first = result.stderr.splitlines()
    assert heading == "Error: The classifier cannot be packaged:"
    assert first == '- titel is not known. Did you mean "title"?'
    assert second == "- nouns: expected text, got a whole number."
    assert not (folder / "configured.joblib").exists()


def test_a_single_problem_is_a_sentence(run: Run) -> None:
    result = run(target="specie")
    assert result.stderr.splitlines()[-1] == (
        'Error: The table has no column "specie" of the target. Did you mean "species"?'
    )


def test_a_file_that_is_not_there_is_named(run: Run) -> None:
    assert "nothing.joblib cannot be read: No such file" in run(pipeline="nothing.joblib").stderr
    assert "nothing.csv cannot be read: No such file" in run(data="nothing.csv").stderr
    assert "nothing.toml cannot be read: No such file" in run("--schema", "nothing.toml").stderr


def test_an_output_that_cannot_be_written_is_named(run: Run, folder: Path) -> None:
    (folder / "file").touch()
    result = run("-o", "file/out.joblib")
    assert result.exit_code == 1
    assert "file/out.joblib cannot be written: " in result.stderr


def test_publishing_goes_where_the_configuration_says(run: Run) -> None:
    result = run("--publish", "--output", "out.joblib")
    assert result.exit_code == 2
    assert "leave out --output" in result.stderr


def test_without_pandas_the_command_says_what_to_install(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "iris_app.packaging.run", None)
    result = run()
    assert result.exit_code == 1
    assert "install iris_app[train], or use scripts/package_model." in result.stderr


def test_the_script_packages_from_any_folder(folder: Path) -> None:
    environment = os.environ | {"IRIS_SECRET_KEY": SECRET_KEY}
    command = [CHECKOUT / "scripts" / "package_model", "birds.joblib", "--data", "train.csv", "--target", "species"]
    done = subprocess.run([*command, "-o", "out.joblib"], cwd=folder, env=environment, capture_output=True, check=True)
    assert b"birds: species from 7 features" in done.stdout
    assert load(folder / "out.joblib")[2] is not None


def test_a_class_with_a_name_for_a_missing_value_is_a_class_in_csv_too(run: Run, folder: Path) -> None:
    random = np.random.default_rng(0)
    table = pd.DataFrame({"a": random.normal(size=200).round(3)})
    table["damage"] = np.where(table["a"] > 0.5, "Major", np.where(table["a"] > 0, "NA", "None"))
    joblib.dump(LogisticRegression().fit(table[["a"]], table["damage"]), folder / "roofs.joblib")
    for name in ("roofs.csv", "roofs.parquet"):
        (table.to_csv if name.endswith("csv") else table.to_parquet)(folder / name, index=False)
        result = run("--holdout", name, pipeline="roofs.joblib", data=name, target="damage")
        assert result.exit_code == 0
        assert "have no class" not in result.output
        counts = {one.name: one.rows for one in Model(*load(folder / "configured.joblib")).manifest.classes}
        assert counts == table["damage"].value_counts().to_dict()


def test_two_classes_of_one_name_are_refused_in_a_sentence(run: Run, folder: Path, table: pd.DataFrame) -> None:
    first, second = sorted(table["species"].unique())[:2]
    (folder / "words.toml").write_text(f'[classes.{first}]\nname = "{second}"')
    result = run("--schema", "words.toml")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[-1] == f'Error: 2 classes are called "{second}".'
