"""What the tests of files share: the command, and flowers in a folder."""

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import polars as pl
import pytest
from click.testing import Result
from flask import Flask

from iris_app.iris import SCHEMA
from iris_app.training import load_data
from tests.support import CHECKOUT, SECRET_KEY

Classify = Callable[..., Result]


@pytest.fixture
def classify(steady_app: Flask) -> Classify:
    """Run ``flask classify`` in this process."""

    def run(*arguments: object, content: bytes | None = None) -> Result:
        return steady_app.test_cli_runner().invoke(args=["classify", *map(str, arguments)], input=content)

    return run


def start(
    trained_path: Path, *arguments: object, path: Path | None = None, **options: object
) -> subprocess.Popen[bytes]:
    """Start ``flask classify`` in a process of its own, which finds modules in ``path`` before all others."""
    environment = os.environ | {"IRIS_SECRET_KEY": SECRET_KEY, "IRIS_MODEL_PATH": str(trained_path)}
    environment |= {"PYTHONPATH": str(path)} if path else {}
    environment = {name: text for name, text in environment.items() if not name.startswith("COVERAGE")}
    command = [sys.executable, "-m", "flask", "--app", "wsgi", "classify", *map(str, arguments)]
    return subprocess.Popen(command, cwd=CHECKOUT, env=environment, **options)  # type: ignore[call-overload, no-any-return]


def flowers(rows: int) -> pl.DataFrame:
    """Make flowers like those of the data, with an identifier each."""
    random = np.random.default_rng(0)
    measurements, _ = load_data()
    chosen = measurements[random.integers(0, len(measurements), rows)] + random.normal(0, 0.1, (rows, 4))
    columns = dict(zip(SCHEMA.features_by_name, np.round(chosen.clip(0.1, 30), 2).T, strict=True))
    return pl.DataFrame({"flower": np.arange(rows), **columns})


@pytest.fixture
def table(tmp_path: Path) -> Path:
    """A table of three flowers, one of each species."""
    path = tmp_path / "flowers.csv"
    path.write_text(f"{','.join(SCHEMA.features_by_name)}\n5.1,3.5,1.4,0.2\n5.9,2.8,4.3,1.3\n6.5,3.0,5.6,2.0\n")
    return path


@pytest.fixture
def bad_table(tmp_path: Path) -> Path:
    """A table with a flower, and two rows that cannot be classified."""
    path = tmp_path / "bad.csv"
    path.write_text(f"{','.join(SCHEMA.features_by_name)}\n5.1,3.5,1.4,0.2\n5.1,x,1.4,40\n5.1\n")
    return path
