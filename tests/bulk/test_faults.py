import errno
import json
import os
import random
import resource
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from threading import Event
from typing import IO

import pytest

from iris_app.bulk import job, run
from iris_app.bulk.console import Progress
from iris_app.bulk.readers import chunks
from iris_app.files import partial_path
from tests.bulk.conftest import Classify, flowers
from tests.support import CHECKOUT, SECRET_KEY

# How often a run is killed in the middle of its work.
KILLS = 6


def test_a_disk_that_fails_meanwhile_is_told(
    classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failed = Event()

    def fail_once(_descriptor: int) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail_once)
    monkeypatch.setattr(job, "SYNC_INTERVAL", 100)
    monkeypatch.setattr(chunks, "CHUNK_SIZE", 100)
    table.write_text(table.read_text() + "5.1,3.5,1.4,0.2\n" * 100)
    result = classify(table, "-o", tmp_path / "out.csv")
    assert (result.exit_code, os.strerror(errno.EIO) in result.stderr) == (4, True)
    assert list(tmp_path.iterdir()) == [table]


def test_a_long_output_is_brought_to_the_disk_while_it_is_written(
    classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    monkeypatch.setattr(job, "SYNC_INTERVAL", 100)
    monkeypatch.setattr(chunks, "CHUNK_SIZE", 100)
    table.write_text(table.read_text() + "5.1,3.5,1.4,0.2\n" * 100)
    assert classify(table, "-o", tmp_path / "out.csv").exit_code == 0
    assert len(sizes) > 2
    assert (tmp_path / "out.csv").stat().st_size in sizes


def test_a_pipe_is_written_to_as_it_is(classify: Classify, table: Path, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "out.csv")
    read: list[bytes] = []
    reader = threading.Thread(target=lambda: read.append((tmp_path / "out.csv").read_bytes()))
    reader.start()
    assert classify(table, "-o", tmp_path / "out.csv").exit_code == 0
    reader.join()
    assert read[0].count(b"\n") == 4
    assert (tmp_path / "out.csv").is_fifo()


@pytest.fixture
def little_room() -> Iterator[None]:
    """No file may grow beyond 100 kB, as if the disk were full then."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_FSIZE, before)
    signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize("form", ["csv", "csv.gz", "ndjson", "parquet"])
def test_on_a_full_disk_the_output_stays_as_it_was(
    classify: Classify, table: Path, tmp_path: Path, form: str, request: pytest.FixtureRequest
) -> None:
    flowers(20_000).write_csv(tmp_path / "in.csv")
    output = tmp_path / f"out.{form}"
    assert classify(table, "-o", output).exit_code == 0
    old = output.read_bytes()
    request.getfixturevalue("little_room")
    result = classify(tmp_path / "in.csv", "-o", output)
    assert result.exit_code == 4
    assert f"{output} cannot be written: " in result.stderr
    assert os.strerror(errno.EFBIG) in result.stderr
    assert output.read_bytes() == old
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(["in.csv", table.name, output.name])


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_killed_at_any_moment_the_output_is_old_or_new_and_whole(trained_path: Path, tmp_path: Path, form: str) -> None:
    flowers(1000).write_csv(tmp_path / "few.csv")
    flowers(60_000).write_csv(tmp_path / "in.csv")
    output, chance = tmp_path / f"out.{form}", random.Random(0)
    partial = partial_path(output)
    with forking(trained_path) as fork:
        fork(tmp_path / "few.csv", "-o", output, "-q").wait()
        old = output.read_bytes()
        fork(tmp_path / "in.csv", "-o", output, "-q").wait()
        new, seen = output.read_bytes(), set()
        for _ in range(KILLS):
            output.write_bytes(old)
            run = fork(tmp_path / "in.csv", "-o", output, "-q")
            grown = chance.uniform(0, 1.05) * len(new)
            while not run.has_ended and not (partial.exists() and size_of(partial) >= grown):
                time.sleep(0.001)
            run.kill()
            seen.add(output.read_bytes())
        assert seen <= {old, new}
        assert old in seen
        fork(tmp_path / "in.csv", "-o", output, "-q").wait()
    assert output.read_bytes() == new
    assert sorted(path.name for path in tmp_path.iterdir()) == ["few.csv", "in.csv", output.name]


def size_of(path: Path) -> int:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return 0


FORKS = """
import json, os, sys
from wsgi import app
import iris_app.bulk.run
for line in sys.stdin:
    pid = os.fork()
    if not pid:
        os._exit(app.test_cli_runner().invoke(args=json.loads(line)).exit_code)
    print(pid, flush=True)
    print(os.waitpid(pid, 0)[1], flush=True)
"""


@dataclass
class Run:
    """A run in a fork of a process that has imported all that it needs."""

    pid: int
    output: IO[str]
    status: int | None = None

    @property
    def has_ended(self) -> bool:
        if self.status is None and select.select([self.output], [], [], 0)[0]:
            self.status = int(self.output.readline())
        return self.status is not None

    def wait(self) -> None:
        if self.status is None:
            self.status = int(self.output.readline())
        assert self.status == 0

    def kill(self) -> None:
        if not self.has_ended:
            os.kill(self.pid, signal.SIGKILL)
            self.status = int(self.output.readline())


@contextmanager
def forking(trained_path: Path) -> Iterator[Callable[..., Run]]:
    environment = {name: text for name, text in os.environ.items() if not name.startswith("COVERAGE")}
    environment |= {"IRIS_SECRET_KEY": SECRET_KEY, "IRIS_MODEL_PATH": str(trained_path)}
    with subprocess.Popen(
        [sys.executable, "-c", FORKS],
        cwd=CHECKOUT,
        env=environment,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        bufsize=1,
    ) as process:

        def fork(*arguments: object) -> Run:
            assert process.stdin
            assert process.stdout
            process.stdin.write(json.dumps(["classify", *map(str, arguments)]) + "\n")
            return Run(int(process.stdout.readline()), process.stdout)

        yield fork


def test_a_file_that_changes_while_it_is_read_is_not_classified(
    classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    path = table.rename(tmp_path / "in" / "a.csv")

    longer = path.read_text() + "5.1,3.5,1.4,0.2\n"

    def replace(*_: object) -> None:
        path.write_text(longer)

    monkeypatch.setattr(Progress, "update", replace)
    result = classify(tmp_path / "in", "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert "a.csv: It changed while it was read; classify it again." in result.stderr
    assert not (tmp_path / "out" / "a.csv").exists()
    monkeypatch.undo()
    assert "before" not in classify(tmp_path / "in", "-o", tmp_path / "out").stderr


def test_an_output_that_cannot_be_written_keeps_no_other_from_being_written(classify: Classify, tmp_path: Path) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").touch()  # where a folder must be
    for name in ("a.csv", "sub/b.csv", "z.csv"):
        flowers(3).write_csv(tmp_path / "in" / name)
    result = classify(tmp_path / "in", "-o", tmp_path / "out")
    assert result.exit_code == 4
    assert "sub/b.csv cannot be written" in result.stderr
    assert (tmp_path / "out" / "z.csv").exists()
    assert "2 of 3 files were classified before." in classify(tmp_path / "in", "-o", tmp_path / "out").stderr


def test_an_interrupted_run_keeps_what_was_done_and_leaves_nothing_half(
    classify: Classify, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "in").mkdir()
    for name in "abc":
        flowers(3).write_csv(tmp_path / "in" / f"{name}.csv")
    calls = count()

    def interrupt(*_: object) -> None:
        if next(calls) == 2:
            raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "next_file", interrupt)
    monkeypatch.setattr(run, "FILES_AT_ONCE", 2)
    assert classify(tmp_path / "in", "-o", tmp_path / "out").exit_code == 130
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == [".classified.ndjson", "a.csv", "b.csv"]
    monkeypatch.undo()
    assert "2 of 3 files were classified before." in classify(tmp_path / "in", "-o", tmp_path / "out").stderr
