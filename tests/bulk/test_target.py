import errno
import os
import random
import resource
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from iris_app.bulk.target import make_folder_of, target
from iris_app.exceptions import OutputFailed
from tests.bulk.conftest import Classify, flowers, start

# How often a run is killed in the middle of its work.
KILLS = 20


def test_what_was_written_is_in_place_when_all_went_well(tmp_path: Path) -> None:
    make_folder_of(tmp_path / "folder" / "out")
    with target(tmp_path / "folder" / "out") as stream:
        stream.write(b"new")
        assert not (tmp_path / "folder" / "out").exists()
    assert (tmp_path / "folder" / "out").read_bytes() == b"new"
    assert os.listdir(tmp_path / "folder") == ["out"]  # noqa: PTH208


def test_nothing_changes_when_something_went_wrong(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), target(tmp_path / "out") as stream:
        stream.write(b"half of what is n" * (1 // 0))
    assert (tmp_path / "out").read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["out"]


def test_a_folder_that_was_removed_is_not_brought_back(tmp_path: Path) -> None:
    with pytest.raises(OutputFailed, match="No such file or directory"), target(tmp_path / "gone" / "out"):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_disk_that_fails_meanwhile_is_told_at_the_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    failed = Event()

    def fail_once(_descriptor: int) -> None:
        if not failed.is_set():
            failed.set()
            raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "fsync", fail_once)
    with pytest.raises(OutputFailed, match="Input/output error"), target(tmp_path / "out"):
        assert failed.wait(5)
    assert list(tmp_path.iterdir()) == []


def test_one_run_at_a_time_writes_a_file(tmp_path: Path) -> None:
    with target(tmp_path / "out") as stream:
        with pytest.raises(OutputFailed, match="another run is writing it"), target(tmp_path / "out"):
            pass
        stream.write(b"first")
    assert (tmp_path / "out").read_bytes() == b"first"


def test_what_a_killed_run_left_behind_is_written_over(tmp_path: Path) -> None:
    (tmp_path / ".out.partial").write_bytes(b"left behind, and longer")
    with target(tmp_path / "out") as stream:
        stream.write(b"new")
    assert (tmp_path / "out").read_bytes() == b"new"


def test_a_file_that_another_run_has_just_put_in_place_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import fcntl

    lock, partial = fcntl.flock, tmp_path / ".out.partial"

    def lock_late(stream: object, how: int) -> None:
        if partial.exists() and not (tmp_path / "out").exists():
            partial.rename(tmp_path / "out")  # as the other run does, between the opening and the lock
        lock(stream, how)  # type: ignore[arg-type]

    partial.write_bytes(b"the other's")
    monkeypatch.setattr(fcntl, "flock", lock_late)
    with target(tmp_path / "out") as stream:
        stream.write(b"ours")
        assert (tmp_path / "out").read_bytes() == b"the other's"
    assert (tmp_path / "out").read_bytes() == b"ours"


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
    classify: Classify, tmp_path: Path, form: str, request: pytest.FixtureRequest
) -> None:
    flowers(20_000).write_csv(tmp_path / "in.csv")
    output = tmp_path / f"out.{form}"
    output.write_text("old")
    request.getfixturevalue("little_room")
    result = classify(tmp_path / "in.csv", "-o", output)
    assert result.exit_code == 4
    assert f"{output} cannot be written: " in result.stderr
    assert os.strerror(errno.EFBIG) in result.stderr
    assert output.read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.csv", output.name]


@pytest.mark.parametrize("form", ["csv", "parquet"])
def test_killed_at_any_moment_the_output_is_old_or_new_and_whole(trained_path: Path, tmp_path: Path, form: str) -> None:
    flowers(300_000).write_csv(tmp_path / "in.csv")
    output, partial = tmp_path / f"out.{form}", tmp_path / f".out.{form}.partial"
    assert start(trained_path, tmp_path / "in.csv", "-o", output, "-q", stdout=subprocess.DEVNULL).wait() == 0
    new, chance = output.read_bytes(), random.Random(0)
    seen = set()
    for _ in range(KILLS // 2):
        output.write_bytes(b"old")
        process = start(trained_path, tmp_path / "in.csv", "-o", output, "-q", stdout=subprocess.DEVNULL)
        while not partial.exists() and process.poll() is None:
            time.sleep(0.001)
        grown = chance.uniform(0, 1.05) * len(new)
        while process.poll() is None and partial.exists() and partial.stat().st_size < grown:
            time.sleep(0.001)
        process.kill()
        process.wait()
        seen.add(output.read_bytes())
    assert seen <= {b"old", new}
    assert b"old" in seen
