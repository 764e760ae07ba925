import gzip
import json
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest

from iris_app.bulk.storage.addresses import OutputClosed
from iris_app.iris import SCHEMA
from tests.bulk.conftest import Classify, start
from tests.models import ServedModel

ADDED = ["species", "probability_setosa", "probability_versicolor", "probability_virginica", "warnings"]


def test_a_table_is_written_with_its_answers_beside(classify: Classify, table: Path, tmp_path: Path) -> None:
    result = classify(table, "-o", tmp_path / "out.csv")
    assert result.exit_code == 0
    lines = (tmp_path / "out.csv").read_text().splitlines()
    assert lines[0].split(",") == [*SCHEMA.features_by_name, *ADDED]
    assert [line.split(",")[4] for line in lines[1:]] == ["setosa", "versicolor", "virginica"]


def test_what_came_of_the_rows_is_counted(classify: Classify, table: Path, tmp_path: Path) -> None:
    output = classify(table, "-o", tmp_path / "out.csv").output
    assert re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE) == [
        ("read", "3"),
        ("classified", "3"),
        ("rejected", "0"),
        ("setosa", "1"),
        ("versicolor", "1"),
        ("virginica", "1"),
        ("unusual", "0"),
    ]


def test_a_column_that_names_the_species_is_compared(classify: Classify, tmp_path: Path) -> None:
    table = tmp_path / "named.csv"
    table.write_text("slen,swid,plen,pwid,variety\n5.1,3.5,1.4,0.2,Setosa\n5.9,2.8,4.3,1.3,Virginica\n6,3,5,2,daisy\n")
    output = classify(table, "-o", tmp_path / "out.csv").output
    assert "1 of 2 are of the species that the file itself names; 1 more name none." in output


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_the_output_s_name_says_its_form(classify: Classify, table: Path, tmp_path: Path, form: str) -> None:
    output = tmp_path / f"out.{form}"
    assert classify(table, "-o", output).exit_code == 0
    read = {"csv": pl.read_csv, "ndjson": pl.read_ndjson, "parquet": pl.read_parquet}[form]
    assert read(output)["species"].to_list() == ["setosa", "versicolor", "virginica"]


def test_standard_input_goes_to_standard_output(classify: Classify, table: Path) -> None:
    result = classify("-", "-o", "-", content=table.read_bytes())
    assert result.stdout.splitlines()[1].startswith("5.1,3.5,1.4,0.2,setosa,0.98")
    assert "classified  3" in result.stderr


def test_standard_input_may_be_objects(classify: Classify) -> None:
    line = b'{"slen": 5.1, "swid": 3.5, "plen": 1.4, "pwid": 0.2}\n'
    result = classify("-", "-o", "-", "--input-format", "ndjson", content=line)
    assert result.stdout.startswith('{"slen": 5.1, "swid": 3.5, "plen": 1.4, "pwid": 0.2,"species":"setosa"')


def test_bad_rows_are_named_and_nothing_is_written(classify: Classify, bad_table: Path, tmp_path: Path) -> None:
    result = classify(bad_table, "-o", tmp_path / "out.csv")
    too_wide = "Petal width must be greater than 0 and at most 30 cm, not 40."
    assert result.exit_code == 1
    assert result.stderr.splitlines() == [
        f'{bad_table}: Line 3, column sepal_width: Sepal width must be a number in cm, not "x".',
        f"{bad_table}: Line 3, column petal_width: {too_wide} In millimetres? Then it is 4 cm.",
        f"{bad_table}: Line 4 has 1 cells where the header has 4.",
        f"{bad_table}: 2 of 3 rows cannot be classified. Nothing was written.",
    ]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.csv"]


def test_bad_rows_leave_an_older_output_as_it_was(classify: Classify, bad_table: Path, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("old")
    classify(bad_table, "-o", tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == "old"


def test_of_many_bad_rows_the_first_hundred_are_named(classify: Classify, tmp_path: Path) -> None:
    table = tmp_path / "bad.csv"
    table.write_text("slen,swid,plen,pwid\n" + "5.1,3.5,1.4,x\n" * 1000)
    result = classify(table, "-o", tmp_path / "out.csv")
    assert [line.split(",")[0].split()[-1] for line in result.stderr.splitlines()[:-1]] == list(map(str, range(2, 102)))
    assert result.stderr.splitlines()[-1] == f"{table}: 1,000 of 1,000 rows cannot be classified. Nothing was written."


def test_bad_rows_to_standard_output_leave_it_empty(classify: Classify, bad_table: Path) -> None:
    result = classify(bad_table, "-o", "-")
    assert (result.exit_code, result.stdout) == (1, "")


def test_bad_rows_can_be_skipped_and_stand_beside_with_their_reasons(
    classify: Classify, bad_table: Path, tmp_path: Path
) -> None:
    result = classify(bad_table, "-o", tmp_path / "out.csv", "--bad-rows", "skip")
    assert result.exit_code == 0
    assert len((tmp_path / "out.csv").read_text().splitlines()) == 2
    rejected = pl.read_csv(tmp_path / "out.csv.rejected")
    assert rejected["line"].to_list() == [3, 4]
    assert rejected["columns"].to_list() == ["sepal_width petal_width", None]
    assert rejected["row"].to_list() == ["5.1,x,1.4,40", "5.1"]


def test_bad_rows_can_be_kept_without_an_answer(classify: Classify, bad_table: Path, tmp_path: Path) -> None:
    classify(bad_table, "-o", tmp_path / "out.csv", "--bad-rows", "null")
    assert (tmp_path / "out.csv").read_text().splitlines()[2:] == ["5.1,x,1.4,40,,,,,", "5.1,,,,,,,,"]


@pytest.mark.parametrize("how", ["skip", "null"])
def test_the_counts_add_up(classify: Classify, bad_table: Path, tmp_path: Path, how: str) -> None:
    output = classify(bad_table, "-o", tmp_path / "out.csv", "--bad-rows", how).output
    counts = dict(re.findall(r"^(\w+) +(\d+)$", output, re.MULTILINE))
    assert (counts["read"], counts["classified"], counts["rejected"]) == ("3", "1", "2")


def test_no_rejected_rows_of_an_earlier_run_stay(
    classify: Classify, table: Path, bad_table: Path, tmp_path: Path
) -> None:
    classify(bad_table, "-o", tmp_path / "out.csv", "--bad-rows", "skip")
    classify(table, "-o", tmp_path / "out.csv", "--bad-rows", "skip")
    assert not (tmp_path / "out.csv.rejected").exists()


def test_rejected_rows_go_where_they_are_wanted(classify: Classify, bad_table: Path, tmp_path: Path) -> None:
    result = classify(bad_table, "-o", "-", "--bad-rows", "skip", "--rejected", tmp_path / "bad rows.csv")
    assert result.stdout.count("\n") == 2
    assert (tmp_path / "bad rows.csv").read_text().count("\n") == 3


def test_a_file_that_is_none_is_named(classify: Classify, tmp_path: Path) -> None:
    broken = tmp_path / "broken.parquet"
    broken.write_text("not Parquet")
    result = classify(broken, "-o", tmp_path / "out.csv")
    assert result.exit_code == 1
    assert result.stderr.startswith(f"{broken}: It cannot be read: ")


def test_a_file_that_the_system_cannot_read_is_named(classify: Classify, tmp_path: Path) -> None:
    result = classify("/proc/self/mem", "-o", tmp_path / "out.csv", "--input-format", "csv")
    assert result.exit_code == 1
    assert result.stderr == "/proc/self/mem: It cannot be read: Input/output error.\n"


def test_a_table_without_a_feature_s_column_is_refused(classify: Classify, tmp_path: Path) -> None:
    table = tmp_path / "lengths.csv"
    table.write_text("slen,swid\n5.1,3.5\n")
    result = classify(table, "-o", tmp_path / "out.csv")
    assert result.exit_code == 1
    assert result.stderr.splitlines()[0].startswith(
        f"{table}: There is no column petal_length and none petal_width; the columns are “slen”, “swid”. "
    )


def test_without_a_model_the_exit_code_is_3(make_app: object, table: Path, tmp_path: Path) -> None:
    app = make_app(MODEL_PATH=str(tmp_path / "none.joblib"))  # type: ignore[operator]
    result = app.test_cli_runner().invoke(args=["classify", str(table), "-o", str(tmp_path / "out.csv")])
    assert result.exit_code == 3
    assert result.stderr.startswith("classify: ")


def test_where_nothing_can_be_written_the_exit_code_is_4(classify: Classify, table: Path) -> None:
    result = classify(table, "-o", "/proc/out.csv")
    assert result.exit_code == 4
    assert result.stderr.startswith("classify: /proc/out.csv cannot be written: ")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["none.csv", "-o", "out.csv"], "none.csv: there is no such file."),
        (["*.parquet", "-o", "out.csv"], "*.parquet: there is no such file."),
        (["empty", "-o", "out"], "empty: it holds no file."),
        (["flowers.csv", "-o", "out.xlsx"], "out.xlsx: name it .csv, .ndjson or .parquet, or say --format."),
        (["flowers.csv", "-o", "flowers.csv"], "flowers.csv would be written over by its answers."),
        (["flowers.csv", "-o", "-", "--format", "parquet"], "Parquet goes to a file, and is compressed by itself."),
        (["flowers.csv", "-o", "out.parquet.gz"], "Parquet goes to a file, and is compressed by itself."),
        (["-", "-o", "out.csv", "--input-format", "parquet"], "standard input: parquet is read from its end"),
        (["flowers.csv", "-o", "out.csv", "--max-bad", "5"], "--max-bad goes with --bad-rows skip or null"),
        (["flowers.csv", "-o", "out.csv", "--max-bad", "many"], "'many' is neither a number of rows nor a share"),
        (["flowers.csv", "-o", "out.csv", "--bad-rows", "skip", "--max-bad", "101%"], "'101%' is neither"),
        (["flowers.csv", "-o", "https://example.org/out.csv"], "nothing can be written to the web"),
        (["flowers.csv", "-o", "-", "--bad-rows", "skip"], "Say with --rejected where rows go"),
        (
            ["flowers.csv", "other.csv", "-o", "flowers.csv"],
            "2 files go to a folder, and --output flowers.csv is none.",
        ),
        (["flowers.csv", "other.csv", "-o", "-"], "2 files go to a folder, and --output - is none."),
        (["flowers.csv", "other.csv", "-o", "out", "--rejected", "bad"], "--rejected is for one file"),
        (
            ["flowers.csv", "flowers.ndjson", "-o", "out", "--format", "csv"],
            "flowers.csv and flowers.ndjson would both be written to out/flowers.csv.",
        ),
        (["flowers.xlsx", "-o", "out.csv"], "flowers.xlsx is a workbook: save its sheet as CSV, and classify that."),
        (["flowers.doc", "-o", "out.csv"], "flowers.doc: its name does not say whether it is arrow, csv, ndjson"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_is_said_before_anything_is_read(
    classify: Classify, table: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    monkeypatch.chdir(table.parent)
    (table.parent / "empty").mkdir()
    for name in ("other.csv", "flowers.ndjson", "flowers.xlsx", "flowers.doc"):
        (table.parent / name).write_text("")
    result = classify(*arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


def test_without_polars_one_sentence_says_what_to_install(table: Path, trained_path: Path, tmp_path: Path) -> None:
    (tmp_path / "polars.py").write_text("raise ModuleNotFoundError(\"No module named 'polars'\", name='polars')")
    process = start(trained_path, table, "-o", tmp_path / "out.csv", stderr=subprocess.PIPE, path=tmp_path)
    _, said = process.communicate()
    assert process.returncode == 1
    assert said == b"Error: No module named 'polars': install iris_app[bulk], or use scripts/classify.\n"


def test_it_says_what_it_guessed_of_a_file(classify: Classify, tmp_path: Path) -> None:
    (tmp_path / "flowers.csv").write_text(";".join(SCHEMA.features_by_name) + "\n5.1;3.5;1.4;0.2\n")
    result = classify(tmp_path / "flowers.csv", "-o", tmp_path / "out.csv")
    assert (result.exit_code, result.stderr) == (0, f"{tmp_path}/flowers.csv: cells are separated by ';'.\n")


def test_the_help_says_how_it_ends(classify: Classify) -> None:
    output = " ".join(classify("--help").output.split())
    for told in (
        "0 all is done",
        "1 rows or files",
        "2 wrong usage",
        "3 no model",
        "4 the output",
        "130 interrupted",
        "141 the reader",
    ):
        assert told in output


def test_a_compressed_table_is_compressed_again(classify: Classify, table: Path, tmp_path: Path) -> None:
    packed = tmp_path / "packed.csv.gz"
    packed.write_bytes(gzip.compress(table.read_bytes()))
    classify(packed, "-o", tmp_path / "out.csv.gz")
    assert (
        gzip.decompress((tmp_path / "out.csv.gz").read_bytes()).splitlines()[1].startswith(b"5.1,3.5,1.4,0.2,setosa,")
    )


def test_it_can_be_interrupted(trained_path: Path, tmp_path: Path) -> None:
    process = start(trained_path, "-", "-o", tmp_path / "out.csv", stdin=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdin is not None
    process.stdin.write(b"slen,swid,plen,pwid\n" + b"5.1,3.5,1.4,0.2\n" * 1_000_000)
    process.stdin.flush()
    process.terminate()
    _, said = process.communicate()
    assert process.returncode == 130
    assert b"Interrupted" in said
    assert list(tmp_path.glob("*out.csv*")) == []


def test_a_missing_package_is_named_with_what_to_install(
    classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "iris_app.bulk.run", None)
    result = classify(table, "-o", tmp_path / "out.csv")
    assert (result.exit_code, "install iris_app[bulk], or use scripts/classify" in result.stderr) == (1, True)


def test_a_foreign_page_is_replaced_where_that_is_asked_for(classify: Classify, table: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    page.write_text("mine")
    result = classify(table, "-o", tmp_path / "out.csv", "--report", page, "--overwrite")
    assert (result.exit_code, "<html" in page.read_text()) == (0, True)


def test_a_reader_that_has_gone_ends_the_run_with_its_own_code(
    classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def close(*_: object) -> None:
        raise OutputClosed("Nobody reads.")

    monkeypatch.setattr("iris_app.bulk.run.run_job", close)
    assert classify(table, "-o", tmp_path / "out.csv").exit_code == 141


def test_a_folder_that_a_pattern_names_too_is_passed_over(classify: Classify, table: Path, tmp_path: Path) -> None:
    (tmp_path / "folder.csv").mkdir()
    assert classify(str(table.parent / "*.csv"), "-o", tmp_path / "out.ndjson").exit_code == 0
    assert len((tmp_path / "out.ndjson").read_text().splitlines()) == 3


def test_nothing_of_a_folder_is_read_that_is_the_output(classify: Classify, table: Path) -> None:
    result = classify(table.parent, "-o", table.parent)
    assert (result.exit_code, table.name in {path.name for path in table.parent.iterdir()}) == (2, True)


def test_an_address_of_no_known_kind_is_named(classify: Classify, tmp_path: Path) -> None:
    result = classify("nowhere://bucket/*.csv", "-o", tmp_path / "out")
    assert (result.exit_code, "nowhere://bucket" in result.stderr) == (2, True)


def test_another_model_answers_if_it_is_named(
    classify: Classify, serve: Callable[[str], ServedModel], tmp_path: Path
) -> None:
    wine = serve("wine")
    (tmp_path / "wines.ndjson").write_text(json.dumps(wine.objects[0]))
    result = classify(tmp_path / "wines.ndjson", "-o", tmp_path / "out.csv", "--model", wine.path)
    assert result.exit_code == 0, result.output
    assert set(wine.schema.class_names) <= set(result.output.split())


def test_a_model_that_is_not_there_is_told(classify: Classify, table: Path, tmp_path: Path) -> None:
    result = classify(table, "-o", tmp_path / "out.csv", "--model", tmp_path / "none.joblib")
    assert (result.exit_code, "none.joblib" in result.stderr) == (3, True)
