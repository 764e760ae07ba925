"""Memory is bounded by a batch, whatever the file's size."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bulk.conftest import flowers
from tests.support import CHECKOUT, SECRET_KEY

# In MB: what a run takes at most.
LIMIT = 500

RUN = """
import re, sys
from pathlib import Path
from wsgi import app
assert app.test_cli_runner().invoke(args=sys.argv[1:]).exit_code == 0
print(re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""


def peak(trained_path: Path, path: Path) -> float:
    """Return the memory that a run takes at most, in MB."""
    command = [sys.executable, "-c", RUN, "classify", str(path), "-o", f"{path}.out.csv", "--format", "csv", "-q"]
    environment = os.environ | {"IRIS_SECRET_KEY": SECRET_KEY, "IRIS_MODEL_PATH": str(trained_path)}
    output = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, check=True).stdout
    return int(output) / 1024


@pytest.mark.parametrize(
    ("form", "rows", "times"),
    # Of Parquet, what polars has mapped of the file itself counts, too.
    [("csv", 1_000_000, 2), ("ndjson", 200_000, 2), ("parquet", 1_000_000, 2)],
)
def test_a_longer_file_takes_no_more_memory(
    trained_path: Path, tmp_path: Path, form: str, rows: int, times: int
) -> None:
    peaks = []
    for count in (rows, rows * times):
        path = tmp_path / f"{count}.{form}"
        getattr(flowers(count), f"write_{form}")(path)
        peaks.append(peak(trained_path, path))
    assert max(peaks) < LIMIT
    assert peaks[1] < 1.2 * peaks[0], peaks
