"""``classify_files`` does from a program what the command does."""

from pathlib import Path
from typing import Any

import pytest
from flask import Flask

import iris_app.bulk
from iris_app.bulk import classify_files
from iris_app.bulk.job import MaxBad, RefusedRows
from iris_app.bulk.plan import WrongUsage
from iris_app.exceptions import InvalidValues, ModelUnavailable, OutputFailed
from tests.bulk.conftest import Classify


def test_it_counts_without_an_app(trained_path: Path, table: Path, tmp_path: Path) -> None:
    outcomes = classify_files(str(table), str(tmp_path / "out.csv"), model=trained_path)
    assert (outcomes.total.read, outcomes.total.classified, outcomes.errors) == (3, 3, [])
    assert (tmp_path / "out.csv").read_text().count("\n") == 4


def test_the_app_s_model_answers_by_default(steady_app: Flask, table: Path, tmp_path: Path) -> None:
    with steady_app.app_context():
        assert classify_files([str(table)], str(tmp_path / "out.csv")).total.classified == 3


def test_the_first_error_is_raised_when_all_others_are_done(
    trained_path: Path, table: Path, bad_table: Path, tmp_path: Path
) -> None:
    inputs = [str(bad_table), str(table)]
    with pytest.raises(RefusedRows, match="2 of 3 rows"):
        classify_files(inputs, str(tmp_path / "out"), model=trained_path)
    assert (tmp_path / "out" / table.name).exists()
    outcomes = classify_files(inputs, str(tmp_path / "out"), model=trained_path, check=False)
    assert [file.name for file in outcomes.refused] == [bad_table.name]


def test_errors_are_those_of_the_domain(trained_path: Path, table: Path, tmp_path: Path) -> None:
    with pytest.raises(ModelUnavailable):
        classify_files(str(table), str(tmp_path / "out.csv"), model=tmp_path / "none")
    with pytest.raises(OutputFailed):
        classify_files(str(table), str(table / "out.csv"), model=trained_path)


def test_a_module_has_no_other_names() -> None:
    with pytest.raises(AttributeError, match="no attribute 'other'"):
        iris_app.bulk.other  # type: ignore[attr-defined] # noqa: B018


LIMITS = [("2", 0), ("1", 1), ("66.7%", 0), ("66 %", 1), ("0", 1), ("100%", 0)]


@pytest.mark.parametrize(("limit", "code"), LIMITS)
@pytest.mark.parametrize("how", ["skip", "null"])
def test_more_bad_rows_than_may_be_write_nothing(
    classify: Classify, bad_table: Path, tmp_path: Path, limit: str, code: int, how: str
) -> None:
    result = classify(bad_table, "-o", tmp_path / "out.csv", "--bad-rows", how, "--max-bad", limit)
    assert result.exit_code == code
    assert {path.name for path in tmp_path.iterdir()} - {bad_table.name} == (
        set() if code else {"out.csv", "out.csv.rejected"}
    )
    if code:
        assert "2 of 3 rows cannot be classified, and " in result.stderr


def test_more_bad_rows_than_may_be_write_nothing_to_standard_output(
    classify: Classify, bad_table: Path, tmp_path: Path
) -> None:
    how = ("--bad-rows", "skip", "--rejected", tmp_path / "rejected", "--max-bad", 1)
    result = classify(bad_table, "-o", "-", *how)
    assert (result.exit_code, result.stdout, (tmp_path / "rejected").exists()) == (1, "", False)


@pytest.mark.parametrize("how", ["skip", "null"])
def test_all_rows_may_not_be_bad_by_default(classify: Classify, tmp_path: Path, how: str) -> None:
    (tmp_path / "in.csv").write_text("slen,swid,plen,pwid\n5.1,x,1.4,0.2\n")
    result = classify(tmp_path / "in.csv", "-o", tmp_path / "out.csv", "--bad-rows", how)
    assert result.exit_code == 1
    assert "1 of 1 rows cannot be classified, which are all of them." in result.stderr
    assert not (tmp_path / "out.csv").exists()


def test_a_limit_of_a_program_s_own_is_taken(trained_path: Path, bad_table: Path, tmp_path: Path) -> None:
    for limit in (MaxBad(1, False), MaxBad(0.5, True)):
        with pytest.raises(RefusedRows):
            classify_files(
                str(bad_table), str(tmp_path / "out.csv"), model=trained_path, bad_rows="skip", max_bad=limit
            )


@pytest.mark.parametrize(
    ("options", "error", "says"),
    [
        ({"bad_rows": "Skip"}, WrongUsage, "bad_rows is 'Skip', and must be one of report, skip, null"),
        ({"bad_row": "skip"}, TypeError, "There is no option bad_row; there are form, input_form, bad_rows"),
    ],
)
def test_an_option_that_is_none_is_refused(
    trained_path: Path, bad_table: Path, tmp_path: Path, options: dict[str, Any], error: type[Exception], says: str
) -> None:
    with pytest.raises(error, match=says):
        classify_files(str(bad_table), str(tmp_path / "out.csv"), model=trained_path, **options)
    assert not (tmp_path / "out.csv").exists()


def test_without_an_application_a_model_must_be_named(table: Path, tmp_path: Path) -> None:
    with pytest.raises(WrongUsage, match="say model="):
        classify_files(str(table), str(tmp_path / "out.csv"))


def test_a_traceback_shows_what_is_wrong_with_the_columns(trained_path: Path, tmp_path: Path) -> None:
    (tmp_path / "in.csv").write_text("sepal_length,sepal_width,petal_length\n1,1,1\n")
    with pytest.raises(InvalidValues) as refused:
        classify_files(str(tmp_path / "in.csv"), str(tmp_path / "out.csv"), model=trained_path)
    assert refused.value.__notes__[0].startswith("There is no column petal_width; the columns are")
