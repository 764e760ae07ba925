import fcntl
import os
import pty
import re
import struct
import subprocess
import termios
from pathlib import Path

import pytest

from iris_app.bulk import console
from tests.bulk.conftest import Classify, flowers, start


def test_on_a_terminal_a_bar_shows_how_far_it_is(trained_path: Path, tmp_path: Path) -> None:
    flowers(100_000).write_csv(tmp_path / "in.csv")
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, 100, 0, 0))
    process = start(
        trained_path, tmp_path / "in.csv", "-o", tmp_path / "out.csv", stdout=subprocess.DEVNULL, stderr=theirs
    )
    os.close(theirs)
    said = b""
    while True:
        try:
            said += os.read(ours, 10_000)
        except OSError:  # the other end is closed
            break
    os.close(ours)
    assert process.wait() == 0
    assert re.search(r"\d+% \W+ \d\d:\d\d ", said.decode())
    assert re.search(rb"[\d,]+ rows, [\d,]+ a second", said)
    assert b"100%" in said


def test_in_a_log_a_line_now_and_then_says_how_far_it_is(
    classify: Classify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "LOG_INTERVAL", 0.0)
    flowers(100_000).write_csv(tmp_path / "in.csv")
    said = classify(tmp_path / "in.csv", "-o", tmp_path / "out.csv").stderr
    assert re.search(r"^classify: [\d,]+ rows, [\d,]+ a second, \d+% done, [\d,]+ s left$", said, re.MULTILINE)


def test_what_has_no_known_end_is_told_without_one(
    classify: Classify, table: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "LOG_INTERVAL", 0.0)
    said = classify("-", "-o", "-", content=table.read_bytes()).stderr
    assert re.search(r"^classify: 3 rows, [\d,]+ a second$", said, re.MULTILINE)


def test_it_says_nothing_where_that_is_wanted(
    classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(console, "LOG_INTERVAL", 0.0)
    assert classify(table, "-o", tmp_path / "out.csv", "--quiet").stderr == ""
