"""What is written: whole or not at all."""

import errno
import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Event, Thread
from typing import BinaryIO

from iris_app.exceptions import OutputFailed

# Seconds between two times that what was written meanwhile is brought to the disk.
PAUSE = 0.1


@contextmanager
def target(path: Path) -> Iterator[BinaryIO]:
    """Open what takes the place of ``path`` when all went well, whole and safe on the disk; else nothing changes.

    What is written lies beside it, under a hidden name, and one run at a time may write it. What is there and no
    regular file, such as a pipe, is written to as it is.

    Raises
    ------
    OutputFailed
        Where it cannot be written.
    """
    partial = path.with_name(f".{path.name}.partial")
    with telling_of(path):
        if path.exists() and not path.is_file():
            with path.open("wb") as stream:
                yield stream
            return
        with _alone(partial) as stream:
            try:
                with _synced_meanwhile(stream):
                    yield stream
                stream.flush()
                os.fsync(stream.fileno())
                partial.rename(path)
            except BaseException:
                partial.unlink(missing_ok=True)
                raise
        _sync_folder(path.parent)


def make_folder_of(path: Path) -> None:
    """Make the folder that a file is to go to, or raise ``OutputFailed``.

    ``target`` makes none: who still writes to a folder that was removed meanwhile must not bring it back.
    """
    with telling_of(path):
        path.parent.mkdir(parents=True, exist_ok=True)


def put(whole: Path, path: Path) -> None:
    """Put a file that is whole and safe on the disk in the place of ``path``, or raise ``OutputFailed``."""
    with telling_of(path):
        whole.replace(path)
        _sync_folder(path.parent)


@contextmanager
def telling_of(path: Path) -> Iterator[None]:
    """Say of which file it is that the system refuses something."""
    try:
        yield
    except OSError as error:
        raise OutputFailed(f"{path} cannot be written: {error.strerror or error}.") from error


@contextmanager
def _alone(partial: Path) -> Iterator[BinaryIO]:
    """Open a file that nobody else is writing."""
    while True:
        descriptor = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o666)
        with os.fdopen(descriptor, "r+b") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OSError(errno.EBUSY, "another run is writing it") from None
            if not _is_still(partial, stream):  # another run has just ended
                continue
            stream.truncate()
            yield stream
            return


@contextmanager
def _synced_meanwhile(stream: BinaryIO) -> Iterator[None]:
    """Have what is written brought to the disk from time to time, so that the end waits for little of it."""
    ended = Event()
    failed: list[OSError] = []

    def sync() -> None:
        try:
            while not ended.wait(PAUSE):
                os.fsync(stream.fileno())
        except OSError as error:  # which the system tells once, and not again at the end
            failed.append(error)

    thread = Thread(target=sync)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
    if failed:
        raise failed[0]


def _is_still(path: Path, stream: BinaryIO) -> bool:
    """Say whether a file is the one that lies at a path."""
    try:
        return os.path.samestat(path.stat(), os.fstat(stream.fileno()))
    except FileNotFoundError:
        return False


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
