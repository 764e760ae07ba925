"""Standard streams that are full, closed, or given up by their readers end the command with a sentence, or silently."""

import io
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

import pytest
from flask import Flask
from flask.cli import ScriptInfo

from iris_app.bulk.console import reserve_descriptors

Run = Callable[..., tuple[int, str]]


@pytest.fixture
def run(steady_app: Flask, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Run the command with other standard streams, and return its exit code and what it says on standard error."""

    def run(*arguments: object, **streams: Any) -> tuple[int, str]:
        said = io.StringIO()
        app = ScriptInfo(create_app=lambda: steady_app)  # or it would be the checkout's own, with another model
        for name, stream in ({"stderr": said} | streams).items():
            monkeypatch.setattr(sys, name, stream)
        with pytest.raises(SystemExit) as ended:
            steady_app.cli.main(args=["classify", *map(str, arguments)], prog_name="classify", obj=app)
        monkeypatch.undo()
        return int(str(ended.value.code or 0)), said.getvalue()

    return run


def full() -> TextIO:
    return Path("/dev/full").open("w")


@pytest.mark.parametrize("where", ["predictions", "counts"])
def test_a_full_standard_output_is_named(run: Run, table: Path, tmp_path: Path, where: str) -> None:
    output = "-" if where == "predictions" else tmp_path / "out.csv"
    with full() as stream:
        code, said = run(table, "-o", output, stdout=stream)
    assert (code, said) == (4, "classify: standard output cannot be written: No space left on device.\n")


@pytest.mark.parametrize("how", [(), ("--bad-rows", "skip", "--rejected", "/dev/null")])
@pytest.mark.parametrize("where", ["predictions", "counts"])
def test_a_reader_that_has_gone_ends_the_command_silently(
    run: Run, table: Path, tmp_path: Path, where: str, how: tuple[str, ...]
) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as stream:
        assert run(table, "-o", "-" if where == "predictions" else tmp_path / "o.csv", *how, stdout=stream) == (141, "")


def test_a_closed_standard_output_is_named(run: Run, table: Path) -> None:
    assert run(table, "-o", "-", stdout=None) == (4, "classify: standard output cannot be written: it is closed.\n")


def test_a_closed_standard_input_is_named(run: Run, tmp_path: Path) -> None:
    code, said = run("-", "-o", tmp_path / "out.csv", stdin=None)
    assert (code, said.splitlines()[0]) == (1, "standard input: Standard input is closed.")


@pytest.mark.parametrize("stream", [None, full])
def test_a_standard_error_that_cannot_be_written_keeps_nothing_from_being_done(
    run: Run, bad_table: Path, tmp_path: Path, stream: Callable[[], TextIO] | None
) -> None:
    (tmp_path / "notes.md").touch()
    code, _ = run(tmp_path, "-o", tmp_path / "out", "--bad-rows", "null", stderr=stream and stream())
    assert code == 0
    assert (tmp_path / "out" / bad_table.name).exists()


def test_a_temporary_folder_that_cannot_be_written_is_named(
    run: Run, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", "/nowhere")
    code, said = run(table, "-o", "-")
    assert code == 4
    assert said.startswith("classify: The temporary file of standard output cannot be written: ")


def test_streams_that_are_closed_are_opened_so_that_no_file_takes_their_place(monkeypatch: pytest.MonkeyPatch) -> None:
    opened: list[str] = []

    def closed(descriptor: int) -> None:
        if descriptor == 1:
            raise OSError

    monkeypatch.setattr(os, "fstat", closed)
    monkeypatch.setattr(os, "open", lambda path, _flags: opened.append(path))
    reserve_descriptors()
    monkeypatch.undo()
    assert opened == [os.devnull]
