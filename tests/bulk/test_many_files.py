import os
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest
from flask import Flask
from pyarrow import ipc, parquet

from iris_app.iris import SCHEMA
from tests.bulk.conftest import Classify, flowers
from tests.support import publish


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of files of several forms, with others beside that are none of ours."""
    folder = tmp_path / "herbarium"
    (folder / "2026" / "spring").mkdir(parents=True)
    flowers(10).write_csv(folder / "a.csv")
    flowers(20).write_parquet(folder / "2026" / "b.parquet")
    flowers(30).write_ipc(folder / "2026" / "spring" / "c.arrow")
    (folder / "notes.md").write_text("not flowers")
    (folder / ".hidden.csv").write_text("not ours")
    return folder


def written(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file() and path.name[0] != ".")


def test_a_folder_s_files_are_written_to_another_in_their_places(
    classify: Classify, folder: Path, tmp_path: Path
) -> None:
    result = classify(folder, "-o", tmp_path / "out")
    assert result.exit_code == 0
    assert written(tmp_path / "out") == ["2026/b.parquet", "2026/spring/c.parquet", "a.csv"]
    assert "classified  60" in result.output


def test_several_files_can_be_written_in_one_form(classify: Classify, folder: Path, tmp_path: Path) -> None:
    classify(folder, "-o", tmp_path / "out", "--format", "ndjson")
    assert written(tmp_path / "out") == ["2026/b.ndjson", "2026/spring/c.ndjson", "a.ndjson"]


def test_a_pattern_means_all_that_it_fits(classify: Classify, folder: Path, tmp_path: Path) -> None:
    classify(folder / "**" / "*.[pa]*", "-o", tmp_path / "out")
    assert written(tmp_path / "out") == ["b.parquet", "spring/c.parquet"]


def test_answers_beside_the_files_are_not_read_again(classify: Classify, folder: Path) -> None:
    classify(folder, "-o", folder / "out")
    result = classify(folder, "-o", folder / "out", "--redo")
    assert "classified  60" in result.output


def test_a_second_run_does_nothing_that_is_done(classify: Classify, folder: Path, tmp_path: Path) -> None:
    first = classify(folder, "-o", tmp_path / "out")
    before = {name: (tmp_path / "out" / name).stat().st_ino for name in written(tmp_path / "out")}
    second = classify(folder, "-o", tmp_path / "out")
    assert "3 of 3 files were classified before." in second.stderr
    assert second.stdout == first.stdout
    assert {name: (tmp_path / "out" / name).stat().st_ino for name in written(tmp_path / "out")} == before


def test_a_second_run_does_what_is_missing(classify: Classify, folder: Path, tmp_path: Path) -> None:
    classify(folder, "-o", tmp_path / "out")
    (tmp_path / "out" / "a.csv").unlink()
    second = classify(folder, "-o", tmp_path / "out")
    assert "2 of 3 files were classified before." in second.stderr
    assert "a.csv" in written(tmp_path / "out")


def test_a_file_that_changed_is_classified_again(classify: Classify, folder: Path, tmp_path: Path) -> None:
    classify(folder, "-o", tmp_path / "out")
    flowers(11).write_csv(folder / "a.csv")
    second = classify(folder, "-o", tmp_path / "out")
    assert "2 of 3 files were classified before." in second.stderr
    assert "classified  61" in second.stdout


def test_answers_that_somebody_changed_are_written_again(classify: Classify, folder: Path, tmp_path: Path) -> None:
    classify(folder, "-o", tmp_path / "out")
    (tmp_path / "out" / "a.csv").write_text("mine")
    assert "2 of 3 files were classified before." in classify(folder, "-o", tmp_path / "out").stderr


def test_another_model_answers_again(
    make_app: Callable[..., Flask], model_path: Path, folder: Path, tmp_path: Path
) -> None:
    def run() -> str:
        runner = make_app(MODEL_PATH=str(model_path)).test_cli_runner()
        return runner.invoke(args=["classify", str(folder), "-o", str(tmp_path / "out")]).stderr

    run()
    publish(model_path, 0.5)
    assert "classified before" not in run()
    assert "3 of 3 files" in run()


def test_other_treatment_of_bad_rows_answers_again(classify: Classify, folder: Path, tmp_path: Path) -> None:
    classify(folder, "-o", tmp_path / "out")
    assert "before" not in classify(folder, "-o", tmp_path / "out", "--bad-rows", "skip").stderr


def test_all_is_done_again_where_that_is_wanted(classify: Classify, folder: Path, tmp_path: Path) -> None:
    classify(folder, "-o", tmp_path / "out")
    assert "before" not in classify(folder, "-o", tmp_path / "out", "--redo").stderr


def test_a_line_of_the_journal_that_was_cut_short_is_passed_over(
    classify: Classify, folder: Path, tmp_path: Path
) -> None:
    classify(folder, "-o", tmp_path / "out")
    journal = tmp_path / "out" / ".classified.ndjson"
    journal.write_bytes(journal.read_bytes()[:-20])
    assert "2 of 3 files were classified before." in classify(folder, "-o", tmp_path / "out").stderr
    assert "3 of 3 files were classified before." in classify(folder, "-o", tmp_path / "out").stderr


def test_a_bad_file_keeps_no_other_from_being_written(classify: Classify, folder: Path, tmp_path: Path) -> None:
    (folder / "a.csv").write_text(f"{','.join(SCHEMA.features_by_name)}\n5.1,3.5,1.4,\n")
    result = classify(folder, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "a.csv: Line 2, column petal_width: Petal width is missing." in result.stderr
    assert written(tmp_path / "out") == ["2026/b.parquet", "2026/spring/c.parquet"]
    assert "read        51" in result.stdout


def test_a_folder_may_lie_on_another_path(
    classify: Classify, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    classify(".", "-o", "../out")
    monkeypatch.chdir(folder / "2026")
    assert "2 of 2 files" not in classify(".", "-o", "../../other").stderr
    assert written(tmp_path / "other") == ["b.parquet", "spring/c.parquet"]


def test_one_file_can_go_to_a_folder(classify: Classify, table: Path, tmp_path: Path) -> None:
    classify(table, "-o", f"{tmp_path}/out/")
    assert written(tmp_path / "out") == ["flowers.csv"]


def test_a_file_may_come_by_a_pipe(classify: Classify, table: Path, tmp_path: Path) -> None:
    reading, writing = os.pipe()
    os.write(writing, table.read_bytes())
    os.close(writing)
    result = classify(f"/dev/fd/{reading}", "-o", tmp_path / "out.csv", "--input-format", "csv")
    os.close(reading)
    assert result.exit_code == 0
    assert (tmp_path / "out.csv").read_text().count("\n") == 4


def test_standard_input_can_go_to_a_folder_and_is_never_known_already(
    classify: Classify, table: Path, tmp_path: Path
) -> None:
    for _ in range(2):
        result = classify("-", "-o", f"{tmp_path}/out/", content=table.read_bytes())
        assert result.exit_code == 0
        assert "before" not in result.stderr
    assert written(tmp_path / "out") == ["stdin.csv"]


def test_a_second_run_writes_rejected_rows_again_that_are_gone(
    classify: Classify, bad_table: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    bad_table.rename(tmp_path / "in" / "bad.csv")
    for _ in range(2):
        classify(tmp_path / "in", "-o", tmp_path / "out", "--bad-rows", "skip")
        (tmp_path / "out" / "bad.csv.rejected").unlink()
    second = classify(tmp_path / "in", "-o", tmp_path / "out", "--bad-rows", "skip")
    assert "classified before" not in second.stderr
    third = classify(tmp_path / "in", "-o", tmp_path / "out", "--bad-rows", "skip")
    assert "1 of 1 files were classified before." in third.stderr


def test_a_second_run_adds_the_columns_of_folders_that_the_first_did_not_know(
    classify: Classify, tmp_path: Path
) -> None:
    (tmp_path / "in" / "year=2026").mkdir(parents=True)
    for name in "ab":
        flowers(3).write_csv(tmp_path / "in" / "year=2026" / f"{name}.csv")
    classify(tmp_path / "in" / "year=2026" / "*.csv", "-o", tmp_path / "out")
    assert "year" not in (tmp_path / "out" / "a.csv").read_text()
    classify(tmp_path / "in" / "*=2026" / "*.csv", "-o", tmp_path / "out")
    assert "year" in next((tmp_path / "out").rglob("a.csv")).read_text()


@pytest.mark.parametrize("to", ["csv", "parquet"])
def test_a_file_with_a_type_that_is_not_known_keeps_no_other_from_being_written(
    classify: Classify, tmp_path: Path, to: str
) -> None:
    (tmp_path / "in").mkdir()
    for name in "ac":
        flowers(3).write_csv(tmp_path / "in" / f"{name}.csv")
    odd = flowers(2).to_arrow()
    zoned = odd.append_column("when", pa.array([1, 2], pa.timestamp("s", "+05:30")))
    parquet.write_table(zoned, tmp_path / "in" / "b.parquet")
    empty = odd.append_column("nothing", pa.array([{}, {}], pa.struct([])))
    with ipc.new_file(tmp_path / "in" / "d.arrow", empty.schema) as writer:
        writer.write_table(empty)
    result = classify(tmp_path / "in", "-o", tmp_path / "out", "--format", to)
    assert isinstance(result.exception, SystemExit)
    assert result.stderr.count("cannot be read") + result.stderr.count("no way to write") == 2
    assert written(tmp_path / "out") == [f"a.{to}", f"c.{to}"]


def test_a_folder_whose_name_is_no_text_costs_its_files_alone(classify: Classify, tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    flowers(3).write_csv(tmp_path / "in" / "a.csv")
    odd = os.fsencode(tmp_path / "in") + b"/\xffx=1"
    try:
        os.mkdir(odd)  # noqa: PTH102 -- bytes
    except OSError:
        pytest.skip("this file system has no such names")
    flowers(3).write_csv(tmp_path / "b.csv")
    os.rename(tmp_path / "b.csv", odd + b"/b.csv")  # noqa: PTH104 -- bytes
    result = classify(tmp_path / "in", "-o", tmp_path / "out")
    assert isinstance(result.exception, SystemExit)
    assert (tmp_path / "out" / "a.csv").exists()
