import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import CHECKOUT

CONFIG = "[run]\nbranch = True\nparallel = True\nsource = .\n[report]\nfail_under = 100\n"
MODULE = "import sys\n\nif len(sys.argv) > 1:\n    print('long')\nelse:\n    print('short')\n"


def run(folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, *command], check=False, cwd=folder, capture_output=True, text=True)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with the data of a process that covered one of two branches."""
    (tmp_path / ".coveragerc").write_text(CONFIG)
    (tmp_path / "module.py").write_text(MODULE)
    assert run(tmp_path, "-m", "coverage", "run", "module.py").returncode == 0
    return tmp_path


def combine(folder: Path) -> str:
    combined = run(folder, str(CHECKOUT / "scripts" / "combine_coverage.py"))
    assert (combined.returncode, combined.stderr) == (0, "")
    return combined.stdout


def break_files(folder: Path) -> list[str]:
    """Leave what killed processes leave: the beginning of a file, damaged pages, and an empty file (no data)."""
    (whole,) = folder.glob(".coverage.*")
    content = whole.read_bytes()
    (folder / ".coverage.empty").touch()
    broken = {".coverage.cut": content[: len(content) // 2], ".coverage.damaged": content[:4096] + bytes(9000)}
    for name, part in broken.items():
        (folder / name).write_bytes(part)
    return list(broken)


def test_files_that_a_killed_process_left_broken_are_named_and_left_out(folder: Path) -> None:
    assert run(folder, "-m", "coverage", "run", "module.py", "long").returncode == 0
    (first, *_) = sorted(folder.glob(".coverage.*"))
    content = first.read_bytes()
    (folder / ".coverage.cut").write_bytes(content[: len(content) // 2])
    assert "coverage: left out .coverage.cut, which is broken: " in combine(folder)
    assert run(folder, "-m", "coverage", "report").returncode == 0
    assert {path.name for path in folder.glob(".coverage*")} == {".coveragerc", ".coverage"}


def test_lines_that_no_whole_file_covers_still_fail(folder: Path) -> None:
    names = break_files(folder)
    said = combine(folder)
    assert [name for name in names if f"left out {name}" in said] == names
    report = run(folder, "-m", "coverage", "report")
    assert (report.returncode, "less than fail-under=100" in report.stdout) == (2, True)
