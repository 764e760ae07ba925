"""A folder beside the answers, for what is written by many and put in its place by one."""

import fcntl
import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from uuid import uuid4

from iris_app.bulk.target import telling_of

PREFIX = ".classify-"

# Held by a run as long as it lives.
LOCK = "lock"


@contextmanager
def workplace(outputs: Sequence[str]) -> Iterator[Path]:
    """Make a folder as near to all outputs as can be, and remove it, and what runs that were killed left there.

    Raises
    ------
    OutputFailed
        Where none can be made.
    """
    top = Path(os.path.commonpath([Path(output).absolute().parent for output in outputs]))
    folder = top / f"{PREFIX}{uuid4().hex}"
    with telling_of(folder):
        top.mkdir(parents=True, exist_ok=True)
        _sweep(top)
        folder.mkdir()
        lock = (folder / LOCK).open("wb")
    with lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        try:
            yield folder
        finally:
            _remove(folder)


def _sweep(top: Path) -> None:
    """Remove the folders of runs that are no more."""
    for lock in top.glob(f"{PREFIX}*/{LOCK}"):
        with suppress(BlockingIOError, FileNotFoundError), lock.open("r+b") as held:
            fcntl.flock(held, fcntl.LOCK_EX | fcntl.LOCK_NB)
            _remove(lock.parent)


def _remove(folder: Path) -> None:
    """Remove a folder, under another name first, so that who still writes to it comes to nothing."""
    gone = folder.with_name(f"{PREFIX}gone-{uuid4().hex}")
    folder.rename(gone)
    shutil.rmtree(gone, ignore_errors=True)
