"""What tests use to run the real server."""

import contextlib
import gc
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import tracemalloc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

import joblib
import msgspec
import numpy as np
from numpy.typing import NDArray
from sklearn.base import clone

from iris_app.iris import SCHEMA
from iris_app.json_types import Prediction
from iris_app.model.artifact import save
from iris_app.model.classifier import Model
from iris_app.model.manifest import GoldenRow, Training, to_values
from iris_app.training import load_data, train

CHECKOUT = Path(__file__).parent.parent
FLOWER = {feature.name: feature.example for feature in SCHEMA.features}
FORM = {feature.form_name: str(feature.example) for feature in SCHEMA.features}
SECRET_KEY = "a secret of the tests, long enough"  # noqa: S105

Found = TypeVar("Found")


@dataclass
class Server:
    """A gunicorn that runs."""

    process: subprocess.Popen[bytes]
    port: int
    log_path: Path

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    @property
    def log(self) -> str:
        return self.log_path.read_text()

    def connect(self) -> socket.socket:
        return socket.create_connection(("127.0.0.1", self.port), timeout=20)


@contextlib.contextmanager
def running(
    log_path: Path,
    *options: str,
    under: Sequence[str] = (),
    checkout: Path = CHECKOUT,
    **settings: str,
) -> Iterator[Server]:
    """Run gunicorn as production does, on a free port, ``under`` another command, and end it as an operator does."""
    others = ("IRIS_", "GUNICORN", "WEB_")
    environment = {name: text for name, text in os.environ.items() if not name.startswith(others)}
    environment |= {"IRIS_SECRET_KEY": SECRET_KEY} | settings
    gunicorn = Path(sys.executable).parent / "gunicorn"
    command = [*under, str(gunicorn), "wsgi:app", "--bind", "127.0.0.1:0", *options]
    with serving(command, log_path, checkout, environment) as server:
        yield server


@contextlib.contextmanager
def serving(command: list[str], log_path: Path, folder: Path, environment: dict[str, str]) -> Iterator[Server]:
    """Run a command that serves, in a folder, and end it as an operator does."""
    with log_path.open("wb") as log:
        process = subprocess.Popen(command, cwd=folder, env=environment, stdout=log, stderr=log)
        try:
            server = Server(process, _port(process, log_path), log_path)
            _workers_have_started(server, " ".join(command) + environment.get("GUNICORN_CMD_ARGS", ""))
            yield server
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(60)


# What the command iris-app does.
RUN = "-c 'from iris_app.cli import main; main()'"


def copy_checkout(folder: Path) -> Path:
    """Copy what runs of this checkout to a folder in which everything is installed, and return that."""
    for name in ("iris_app", "scripts"):
        shutil.copytree(CHECKOUT / name, folder / name)
    commands = folder / ".venv" / "bin"
    commands.mkdir(parents=True)
    for file in [*CHECKOUT.glob("*.py"), *CHECKOUT.glob("requirements*.txt")]:
        shutil.copy(file, folder)
        shutil.copy(file, folder / ".venv")
    for name, module in (("python", ""), ("flask", "-m flask"), ("gunicorn", "-m gunicorn"), ("iris-app", RUN)):
        (commands / name).write_text(f'#!/bin/sh\nPYTHONPATH="{folder}" exec {sys.executable} {module} "$@"\n')
        (commands / name).chmod(0o755)
    (folder / ".venv" / "checkout").write_text(f"{folder}\n")
    return folder


def _port(process: subprocess.Popen[bytes], log_path: Path) -> int:
    """Wait until gunicorn says where it listens."""
    return int(
        eventually(lambda: re.search(r"Listening at: https?://127.0.0.1:(\d+)", log_path.read_text()), process)[1]
    )


def _workers_have_started(server: Server, options: str) -> None:
    """Wait for every worker: one that is still on its way does not hear that it shall stop."""
    asked = re.search(r"--workers[ =](\d+)", options)
    count = int(asked[1]) if asked else joblib.cpu_count()
    eventually(lambda: server.log.count("Answering with") >= count, server.process)


def eventually(
    look: Callable[[], Found | None], process: subprocess.Popen[bytes] | None = None, seconds: float = 120
) -> Found:
    """Look until there is something to be seen, for so many seconds at most."""
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "it did not come in time"
        assert process is None or process.poll() is None, "the process ended early"
        time.sleep(0.05)
    return found


@dataclass
class Memory:
    """What a block of code took: the bytes that it kept, and the most that it held."""

    kept: int = 0
    peak: int = 0


@contextlib.contextmanager
def traced_memory() -> Iterator[Memory]:
    """Measure the memory of a block; what only the garbage collection frees counts as kept, for it may be for long."""
    memory = Memory()
    gc.collect()
    gc.disable()
    tracemalloc.start()
    try:
        yield memory
        memory.kept, memory.peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        gc.enable()


def classify(model: Model, rows: NDArray[np.float64], *, explain: bool = False) -> list[Prediction]:
    """Return a model's predictions for an array of rows, in one list."""
    return list(chain.from_iterable(model.predict(rows).to_predictions(explain=explain)))


def by_name(values: msgspec.Struct) -> dict[str, float]:
    """Return the values of a struct by the names that they have in JSON."""
    named: dict[str, float] = msgspec.to_builtins(values)
    return named


@cache
def trained() -> tuple[Any, Training, bytes | None]:
    """Train the model of the example, once; leave it as it is."""
    packaged = train()
    return packaged.classifier, packaged.training, packaged.pairplot


@cache
def another(regularisation: float) -> tuple[Any, Training, bytes | None]:
    """Train a model that is unlike the one of the configuration."""
    return fitted(clone(trained()[0]).set_params(classify__C=regularisation))


def fitted(classifier: Any) -> tuple[Any, Training, bytes | None]:
    """Fit a classifier to all irises, and describe it as the model of the configuration, but for its answers."""
    _, training, pairplot = trained()
    classifier.fit(*load_data())
    rows = training.golden_array()
    golden_rows = [
        GoldenRow(*answer) for answer in zip(to_values(rows), classifier.predict_proba(rows).tolist(), strict=True)
    ]
    return classifier, msgspec.structs.replace(training, golden_rows=golden_rows), pairplot


def publish(path: Path, regularisation: float) -> str:
    """Save another model over the one at ``path`` and return its version."""
    return save(path, *another(regularisation)).version
