"""Files that are written whole or not at all, locked by one process at a time, and known by their stamps."""

import errno
import fcntl
import hashlib
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO, NamedTuple

from iris_app.exceptions import OutputFailed


class FileStamp(NamedTuple):
    """The attributes of a file of which at least one changes when it is edited or replaced."""

    size: int
    mtime_ns: int
    inode: int


def read_stamp(file: Path | str | int) -> FileStamp | None:
    """Return the stamp of a path or of an open descriptor; None where there is no such file."""
    try:
        status = os.stat(file)  # noqa: PTH116 -- of a descriptor, too
    except (OSError, ValueError):
        return None
    return FileStamp(status.st_size, status.st_mtime_ns, status.st_ino)


@contextmanager
def lock_file(path: Path, *, wait: bool = True) -> Iterator[None]:
    """Hold the lock of a file, which is made if need be.

    Raises
    ------
    BlockingIOError
        Where another process holds it and nobody wants to ``wait``.
    """
    with path.open("ab") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        yield


@contextmanager
def atomic_write(path: Path, *, mode: int | None = None, wait: bool = False) -> Iterator[BinaryIO]:
    """Open a file that replaces ``path`` when all went well, whole and safe on the disk; else nothing changes.

    A symbolic link stays, and its target is replaced. A device or a pipe is written to as it is.

    Parameters
    ----------
    path : Path
    mode : int, optional
        The permissions; by default those of the file that is replaced, or for a new one what the umask leaves.
    wait : bool
        Whether to wait for another process that writes the same file, or to fail with ``EBUSY``.
    """
    if path.exists() and not path.is_file():
        with path.open("wb") as stream:
            yield stream
        return
    path = Path(os.path.realpath(path))
    partial = partial_path(path)
    with _exclusive_open(partial, wait=wait) as stream:
        try:
            kept = stat.S_IMODE(path.stat().st_mode) if mode is None and path.exists() else mode
            if kept is not None:
                os.fchmod(stream.fileno(), kept)
            yield stream
            stream.flush()
            os.fsync(stream.fileno())
            partial.replace(path)
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
    sync_folder(path.parent)


def partial_path(path: Path) -> Path:
    """Name the temporary file beside ``path``: the same for every writer, and chosen by no person."""
    digest = hashlib.sha256(os.fsencode(path.name)).hexdigest()
    return path.with_name(f".{digest[:32]}.partial")


def sync_folder(folder: Path) -> None:
    """Wait until the disk holds the names in a folder."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def translate_write_errors(name: Path | str) -> Iterator[None]:
    """Raise ``OutputFailed``, which names the file, where the system refuses to write."""
    try:
        yield
    except OSError as error:
        raise OutputFailed(f"{name} cannot be written: {error.strerror or error}.") from error


@contextmanager
def _exclusive_open(path: Path, *, wait: bool) -> Iterator[BinaryIO]:
    """Open an empty file that no other process is writing."""
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o666)
        with os.fdopen(descriptor, "r+b") as stream:
            try:
                fcntl.flock(stream, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
            except BlockingIOError:
                raise OSError(errno.EBUSY, "another run is writing it") from None
            if read_stamp(path) != read_stamp(descriptor):  # the other process has just renamed it
                continue
            stream.truncate()
            yield stream
            return
