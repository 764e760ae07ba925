"""No file is replaced or removed that this command did not write."""

import gzip
import os
from pathlib import Path

import polars as pl
import pytest

from iris_app.bulk.writers import recognize
from tests.bulk.conftest import Classify

HEADING = "slen,swid,plen,pwid"
ROW = "5.1,3.5,1.4,0.2"


def said(result: object) -> str:
    return " ".join(getattr(result, "stderr").split())  # noqa: B009


@pytest.fixture
def table(tmp_path: Path) -> Path:
    path = tmp_path / "in.csv"
    path.write_text(f"{HEADING}\n{ROW}\n")
    return path


@pytest.fixture
def bad_table(tmp_path: Path) -> Path:
    path = tmp_path / "bad.csv"
    path.write_text(f"{HEADING}\n{ROW}\n5.1,x,1.4,0.2\n")
    return path


@pytest.mark.parametrize("name", ["out.csv", "out.csv.gz", "out.ndjson", "out.ndjson.zst", "out.parquet"])
def test_an_output_of_an_earlier_run_is_replaced(classify: Classify, table: Path, tmp_path: Path, name: str) -> None:
    assert classify(table, "-o", tmp_path / name).exit_code == 0
    before = (tmp_path / name).stat().st_ino
    assert classify(table, "-o", tmp_path / name).exit_code == 0
    assert (tmp_path / name).stat().st_ino != before


@pytest.mark.parametrize(
    "header", ["species", "a;b", 'note,"two\nlines"', "species,probability_x", "warnings", "predicted_species"]
)
def test_an_output_with_columns_of_ours_already_is_known_too(classify: Classify, tmp_path: Path, header: str) -> None:
    delimiter = ";" if ";" in header else ","
    lines = [f"{header}{delimiter}{HEADING.replace(',', delimiter)}"]
    lines.append(delimiter.join(["x"] * (header.count(delimiter) + 1)) + delimiter + ROW.replace(",", delimiter))
    (tmp_path / "in.csv").write_text("\n".join(lines) + "\n")
    for _ in range(2):
        assert classify(tmp_path / "in.csv", "-o", tmp_path / "out.csv").exit_code == 0


OTHERS = {
    "out.csv": b"my,notes\n1,2\n",
    "out.ndjson": b'{"my": "notes"}\n',
    "out.parquet": b"PAR1 no Parquet PAR1",
    "out.csv.gz": b"not compressed",
    "out.csv.zst": gzip.compress(b"a,b\n"),
    "long.csv": b'"' + b"x" * 200_000,
    "text.ndjson": "species probability_a warnings\n".encode("utf-16"),
}


@pytest.mark.parametrize("name", OTHERS)
def test_an_output_that_is_somebody_else_s_is_left_alone(
    classify: Classify, table: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / name).write_bytes(OTHERS[name])
    result = classify(table, "-o", tmp_path / name)
    assert result.exit_code == 2
    assert f"{name}: there already, and not written by this command." in said(result)
    assert (tmp_path / name).read_bytes() == OTHERS[name]


def test_a_parquet_file_that_is_somebody_else_s_is_left_alone(classify: Classify, table: Path, tmp_path: Path) -> None:
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "out.parquet")
    assert classify(table, "-o", tmp_path / "out.parquet").exit_code == 2
    assert pl.read_parquet(tmp_path / "out.parquet").columns == ["a"]


def test_an_empty_file_is_replaced(classify: Classify, table: Path, tmp_path: Path) -> None:
    (tmp_path / "out.csv").touch()
    assert classify(table, "-o", tmp_path / "out.csv").exit_code == 0


def test_what_is_there_is_replaced_where_that_is_wanted(classify: Classify, table: Path, tmp_path: Path) -> None:
    (tmp_path / "out.csv").write_text("mine")
    assert classify(table, "-o", tmp_path / "out.csv", "--overwrite").exit_code == 0
    assert (tmp_path / "out.csv").read_text().startswith(HEADING)


def test_files_of_a_folder_that_are_somebody_else_s_are_named_before_anything_is_done(
    classify: Classify, table: Path, tmp_path: Path
) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "out").mkdir()
    for number in range(8):
        (tmp_path / "in" / f"{number}.csv").write_bytes(table.read_bytes())
        if number:
            (tmp_path / "out" / f"{number}.csv").write_text("mine")
    result = classify(tmp_path / "in", "-o", tmp_path / "out")
    assert result.exit_code == 2
    assert "1.csv" in said(result)
    assert "and 2 more: there already" in said(result)
    assert not (tmp_path / "out" / "0.csv").exists()


@pytest.mark.parametrize("how", [(), ("--overwrite",)])
def test_rejected_rows_that_are_none_leave_somebody_else_s_file(
    classify: Classify, table: Path, tmp_path: Path, how: tuple[str, ...]
) -> None:
    (tmp_path / "notes").write_text("mine")
    classify(table, "-o", tmp_path / "out.csv", "--bad-rows", "skip", "--rejected", tmp_path / "notes", *how)
    assert (tmp_path / "notes").read_text() == "mine"


def test_rejected_rows_do_not_replace_somebody_else_s_file(classify: Classify, bad_table: Path, tmp_path: Path) -> None:
    (tmp_path / "out.csv.rejected").write_text("mine")
    result = classify(bad_table, "-o", tmp_path / "out.csv", "--bad-rows", "skip")
    assert (result.exit_code, "out.csv.rejected: there already" in said(result)) == (2, True)
    assert (tmp_path / "out.csv.rejected").read_text() == "mine"


@pytest.mark.parametrize("how", ["skip", "null", "report"])
def test_rejected_rows_of_an_earlier_run_do_not_stay(
    classify: Classify, bad_table: Path, table: Path, tmp_path: Path, how: str
) -> None:
    classify(bad_table, "-o", tmp_path / "out.csv", "--bad-rows", "skip")
    assert (tmp_path / "out.csv.rejected").exists()
    classify(table, "-o", tmp_path / "out.csv", "--bad-rows", how)
    assert not (tmp_path / "out.csv.rejected").exists()


@pytest.mark.parametrize("how", ["skip", "report"])
def test_a_device_for_rejected_rows_stays(classify: Classify, table: Path, tmp_path: Path, how: str) -> None:
    classify(table, "-o", tmp_path / "out.csv", "--bad-rows", how, "--rejected", os.devnull)
    assert Path(os.devnull).is_char_device()


def test_a_page_that_is_somebody_else_s_is_left_alone(classify: Classify, table: Path, tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("<p>mine")
    result = classify(table, "-o", tmp_path / "out.csv", "--report", tmp_path / "page.html")
    assert result.exit_code == 2
    assert not (tmp_path / "out.csv").exists()
    (tmp_path / "page.html").unlink()
    for _ in range(2):
        assert classify(table, "-o", tmp_path / "out.csv", "--report", tmp_path / "page.html").exit_code == 0


OVERLAPS = [
    ("in.csv", "-o", "./in.csv"),
    ("in.csv", "-o", "IN.csv"),
    ("in.csv", "-o", "hard.csv"),
    ("link.csv", "-o", "in.csv"),
    ("in.csv", "-o", "link.csv"),
    ("in.csv", "-o", "out.csv", "--bad-rows", "skip", "--rejected", "in.csv"),
    ("in.csv", "-o", "out.csv", "--rejected", "in.csv"),
    ("in.csv", "-o", "out.csv", "--bad-rows", "skip", "--rejected", "./out.csv"),
    ("in.csv", "-o", "out.csv", "--bad-rows", "skip", "--rejected", "{tmp}/OUT.csv"),
    ("in.csv", "-o", "out.csv", "--bad-rows", "skip", "--rejected", "linked/out.csv"),
    ("in.csv", "-o", "out.csv", "--report", "linked/in.html"),
    ("in.html", "--input-format", "csv", "-o", "out.csv", "--report", "in.html"),
    ("in.csv", "-o", "out.html", "--format", "csv", "--report", "out.html"),
    ("in.csv", "-o", "out.csv", "--bad-rows", "skip", "--rejected", "bad.html", "--report", "bad.html"),
    ("in.csv", "link.csv", "-o", "."),
    ("in.csv", "in.ndjson", "-o", "out", "--format", "csv"),
    ("sub/.classified.ndjson", "in.csv", "-o", "sub"),
]


@pytest.mark.parametrize("arguments", OVERLAPS, ids=" ".join)
def test_no_file_is_both_read_and_written_or_written_twice(
    classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: tuple[str, ...]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "link.csv").symlink_to("in.csv")
    (tmp_path / "linked").symlink_to(".")
    (tmp_path / "sub").mkdir()
    os.link("in.csv", "hard.csv")
    for name in ("in.html", "in.ndjson", "sub/.classified.ndjson"):
        (tmp_path / name).write_bytes(table.read_bytes() + b"other")
    if arguments[-1] == "linked/in.html":
        arguments = ("in.html", "--input-format", "csv", *arguments[1:])
    before = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    result = classify(*(one.format(tmp=tmp_path) for one in arguments), "--overwrite")
    assert result.exit_code == 2, result.output
    assert "would be written over by" in said(result) or "would both be written to" in said(result)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()} == before


def test_several_outputs_can_go_to_one_device(classify: Classify, bad_table: Path) -> None:
    result = classify(bad_table, "-o", os.devnull, "--format", "csv", "--bad-rows", "skip", "--rejected", os.devnull)
    assert result.exit_code == 0


def test_an_output_by_a_symbolic_link_goes_to_its_target_with_its_permissions(
    classify: Classify, table: Path, tmp_path: Path
) -> None:
    (tmp_path / "target.csv").touch(mode=0o600)
    (tmp_path / "out.csv").symlink_to("target.csv")
    assert classify(table, "-o", tmp_path / "out.csv").exit_code == 0
    assert (tmp_path / "out.csv").is_symlink()
    assert (tmp_path / "target.csv").stat().st_mode & 0o777 == 0o600
    assert (tmp_path / "target.csv").read_text().startswith(HEADING)


def test_named_rejected_rows_stay_unless_they_are_of_this_input_and_nothing_else(
    classify: Classify, bad_table: Path, table: Path, tmp_path: Path
) -> None:
    rejected = tmp_path / "reviewed.csv"
    classify(bad_table, "-o", tmp_path / "a.csv", "--bad-rows", "skip", "--rejected", rejected)
    classify(table, "-o", tmp_path / "b.csv", "--rejected", rejected)
    assert rejected.exists()
    bad_table.write_text(table.read_text())
    noted = rejected.read_text() + "asked Ann about these\n"
    rejected.write_text(noted)
    classify(bad_table, "-o", tmp_path / "a.csv", "--bad-rows", "skip", "--rejected", rejected)
    assert rejected.read_text() == noted
    rejected.write_text(noted.replace("asked Ann about these\n", ""))
    classify(bad_table, "-o", tmp_path / "a.csv", "--bad-rows", "skip", "--rejected", rejected)
    assert not rejected.exists()


def test_a_link_to_the_rejected_rows_of_another_file_leads_to_them_still(
    classify: Classify, bad_table: Path, table: Path, tmp_path: Path
) -> None:
    classify(bad_table, "-o", tmp_path / "a.csv", "--bad-rows", "skip")
    (tmp_path / "b.csv.rejected").symlink_to("a.csv.rejected")
    classify(table, "-o", tmp_path / "b.csv")
    assert (tmp_path / "a.csv.rejected").exists()


def test_a_name_that_is_almost_too_long_is_a_name(classify: Classify, table: Path, tmp_path: Path) -> None:
    result = classify(table, "-o", tmp_path / ("a" * 244 + ".csv"))
    assert (result.exit_code, result.exception) == (0, None)
    assert (tmp_path / ("a" * 244 + ".csv")).exists()


def test_rejected_rows_of_which_only_the_first_are_read_do_not_stay(
    classify: Classify, bad_table: Path, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recognize, "HEAD", 150)  # within the first row
    classify(bad_table, "-o", tmp_path / "out.csv", "--bad-rows", "skip")
    assert (tmp_path / "out.csv.rejected").stat().st_size > 150
    classify(table, "-o", tmp_path / "out.csv")
    assert not (tmp_path / "out.csv.rejected").exists()
