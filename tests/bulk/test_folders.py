"""What of a folder is read, what is not and why, and what its folders' names tell."""

import os
import socket
from pathlib import Path

import polars as pl
import pytest

from tests.bulk.conftest import Classify

TABLE = "slen,swid,plen,pwid\n5.1,3.5,1.4,0.2\n"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    folder = tmp_path / ".hidden above" / "in"
    folder.mkdir(parents=True)
    (folder / "a.csv").write_text(TABLE)
    return folder


def written(out: Path) -> list[str]:
    return sorted(str(path.relative_to(out)) for path in out.rglob("*") if path.is_file() and path.name[0] != ".")


def test_what_is_not_read_is_named_with_why(
    classify: Classify, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("_temporary", "_delta_log", ".ipynb_checkpoints"):
        (folder / name).mkdir()
        (folder / name / "b.csv").write_text("not ours")
    for name in ("notes.xlsx", "1.md", "2.md", "3.md", "_SUCCESS", ".c.csv"):
        (folder / name).write_text("not ours")
    (folder / "nothing.csv").symlink_to("gone")
    (folder / "loop").symlink_to(".")
    with socket.socket(socket.AF_UNIX) as listening:
        monkeypatch.chdir(folder)
        listening.bind("s.csv")
    result = classify(folder, "-o", tmp_path / "out")
    assert (result.exit_code, written(tmp_path / "out")) == (0, ["a.csv"])
    for said in (
        f"not read: {folder}/1.md, {folder}/2.md, {folder}/3.md: its name does not say its form.",
        f"not read: {folder}/notes.xlsx: it is a workbook: save its sheet as CSV.",
        "and 2 more: its name or its folder's begins with . or _.",
        f"{folder}/nothing.csv: it is a link to nothing.",
        f"{folder}/loop: it is a link to a folder.",
        f"{folder}/s.csv: it is no file.",
    ):
        assert said in result.stderr


def test_a_folder_that_cannot_be_read_is_named(
    classify: Classify, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = os.scandir

    def refuse(path: str) -> object:
        if str(path).endswith("closed"):
            raise PermissionError(13, "Permission denied", path)
        return scan(path)

    (folder / "closed").mkdir()
    monkeypatch.setattr(os, "scandir", refuse)
    result = classify(folder, "-o", tmp_path / "out")
    assert f"{folder}/closed: it cannot be read (Permission denied)." in result.stderr


def test_a_pattern_leaves_out_what_a_folder_leaves_out_unless_it_names_it(
    classify: Classify, folder: Path, tmp_path: Path
) -> None:
    (folder / "_temporary").mkdir()
    (folder / "_temporary" / "b.csv").write_text(TABLE)
    (folder / "link.csv").symlink_to("gone")
    result = classify(folder / "**" / "*.csv", "-o", f"{tmp_path}/out/")
    assert written(tmp_path / "out") == ["a.csv"]
    assert "link.csv: it is a link to nothing" in result.stderr
    classify(folder / "_temporary" / "*.csv", "-o", f"{tmp_path}/other/")
    classify(folder / "_*" / "*.csv", "-o", f"{tmp_path}/another/")
    assert written(tmp_path / "other") == written(tmp_path / "another") == ["b.csv"]


def test_a_folder_of_which_nothing_can_be_read_says_what_it_holds(
    classify: Classify, folder: Path, tmp_path: Path
) -> None:
    (folder / "a.csv").rename(folder / "a.xlsx")
    result = classify(folder, "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "a.xlsx is left out, since it is a workbook: save its sheet as CSV" in " ".join(result.stderr.split())


def test_links_go_by_their_own_names_and_ends_are_known_in_any_case(
    classify: Classify, folder: Path, tmp_path: Path
) -> None:
    (folder / "link.CSV").symlink_to("a.csv")
    classify(folder, "-o", tmp_path / "out", "--format", "csv")
    assert written(tmp_path / "out") == ["a.csv", "link.CSV"]
    for name in ("X.CSV.GZ", "y.Tab.Zst"):
        assert classify(folder / "a.csv", "-o", tmp_path / name, "--format", "csv").exit_code == 0
        assert classify(tmp_path / name, "-o", tmp_path / "again.csv", "--overwrite").exit_code == 0


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_the_columns_of_folders_names_are_kept(classify: Classify, folder: Path, tmp_path: Path, form: str) -> None:
    names = ("year=2026/site=A%20b", "year=__HIVE_DEFAULT_PARTITION__/site=07", "slen=1/x")
    for name in names:
        (folder / name).mkdir(parents=True)
        (folder / name / "part.csv").write_text(TABLE)
    assert classify(folder, "-o", tmp_path / "out", "--format", form).exit_code == 0
    read = {"csv": pl.read_csv, "ndjson": pl.read_ndjson, "parquet": pl.read_parquet}[form]
    frames = [read(tmp_path / "out" / name / f"part.{form}") for name in names]
    assert frames[0].row(0)[4:6] == (2026, "A b")
    assert frames[1]["year"].to_list() == [None]
    assert frames[1].columns[4:7] == ["year", "site", "species"]
    assert frames[2].row(0)[0] == 5.1


def test_objects_get_the_columns_of_folders_too(classify: Classify, folder: Path, tmp_path: Path) -> None:
    (folder / "year=2026").mkdir()
    (folder / "year=2026" / "b.ndjson").write_text('{"slen": 5.1, "swid": 3.5, "plen": 1.4, "pwid": 0.2}\n')
    classify(folder, "-o", tmp_path / "out")
    assert '"pwid": 0.2,"year":2026,"species":' in (tmp_path / "out" / "year=2026" / "b.ndjson").read_text()


def test_files_of_one_name_in_two_folders_do_not_collide(classify: Classify, folder: Path, tmp_path: Path) -> None:
    (folder.parent / "other").mkdir()
    (folder.parent / "other" / "a.csv").write_text(TABLE)
    assert classify(folder / "a.csv", folder.parent / "other" / "a.csv", "-o", tmp_path / "out").exit_code == 0
    assert written(tmp_path / "out") == ["in/a.csv", "other/a.csv"]


def test_one_folder_by_three_names_is_one_journal(
    classify: Classify, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    classify(folder, "-o", "out")
    for name in ("./out", tmp_path / "out"):
        assert "1 of 1 files were classified before." in classify(folder, "-o", name).stderr


def test_a_name_that_is_no_text_is_a_name(classify: Classify, folder: Path, tmp_path: Path) -> None:
    for name in ("b\udcff.csv", "bad\udcff.csv"):
        (folder / name).write_text(TABLE)
    with (folder / "bad\udcff.csv").open("a") as stream:
        stream.write("5.1,x,1,1\n")
    result = classify(folder, "-o", tmp_path / "out", "--bad-rows", "skip")
    assert result.exit_code == 0
    assert (tmp_path / "out" / "b\udcff.csv").exists()
    assert r"bad\xff.csv" in (tmp_path / "out" / "bad\udcff.csv.rejected").read_text()
    assert "3 of 3" in classify(folder, "-o", tmp_path / "out", "--bad-rows", "skip").stderr


def test_a_journal_that_cannot_be_read_is_named(classify: Classify, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "out" / ".classified.ndjson").mkdir(parents=True)
    result = classify(folder, "-o", tmp_path / "out")
    assert (result.exit_code, "cannot be read: Is a directory" in result.stderr) == (4, True)
