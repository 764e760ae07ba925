"""The coverage of a test run: broken data spoils nothing, and lines that were not run fail."""

import subprocess
import sys
from pathlib import Path

import pytest

CONFIG = "[coverage:run]\nbranch = True\nsource = .\n[coverage:report]\nfail_under = 100\n"
MODULE = "def double(number):\n    if number < 0:\n        return 0\n    return 2 * number\n"
TESTS = "from module import double\n\n\ndef test_double():\n    assert [double(number) for number in {}] == {}\n"

# The beginning of a database, and an empty file (no data).
BROKEN = [b"SQLite format 3\0" + bytes(4000), b""]


def run(folder: Path, *numbers: int) -> subprocess.CompletedProcess[str]:
    """Run a test of these numbers as ``scripts/test`` runs ours."""
    (folder / "setup.cfg").write_text(CONFIG)
    (folder / "module.py").write_text(MODULE)
    (folder / "test_module.py").write_text(TESTS.format(numbers, [max(2 * number, 0) for number in numbers]))
    command = [sys.executable, "-m", "pytest", "--cov", "--numprocesses", "2", "--dist", "loadfile"]
    return subprocess.run(command, check=False, cwd=folder, capture_output=True, text=True)


@pytest.mark.parametrize("content", BROKEN)
def test_data_that_a_killed_process_left_broken_spoils_nothing(tmp_path: Path, content: bytes) -> None:
    (tmp_path / ".coverage.host.pid1.XbrokenX").write_bytes(content)
    ended = run(tmp_path, 1, -1)
    assert ended.returncode == 0, ended.stdout + ended.stderr


def test_lines_that_were_not_run_fail(tmp_path: Path) -> None:
    ended = run(tmp_path, 1)
    assert ended.returncode == 1
    assert "Required test coverage of 100.0% not reached" in ended.stdout


def test_a_process_that_a_test_starts_writes_no_data() -> None:
    code = "from coverage import Coverage; print(Coverage.current())"
    assert subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True).stdout == "None\n"
