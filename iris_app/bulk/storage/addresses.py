"""Files on this machine, at addresses such as ``s3://bucket/key``, and on standard input and output.

The file systems of pyarrow take credentials from the environment.
"""

import errno
import os
import re
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any, BinaryIO, cast
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import urlopen

import polars as pl
import pyarrow as pa
from pyarrow import fs

from iris_app.exceptions import InputError, MalformedDocument, OutputFailed
from iris_app.files import FileStamp, atomic_write, read_stamp, translate_write_errors
from iris_app.formatting import printable

STANDARD = "-"
STDOUT = "standard output"

# Seconds to wait for a web server.
TIMEOUT = 60


class UnknownAddress(InputError):
    """An address is wrong, or pyarrow has no file system for it."""


class OutputClosed(OutputFailed):
    """The reader of standard output has closed it."""


def is_address(path: str) -> bool:
    """Return whether a path is an address."""
    return "://" in path


def display(path: str) -> str:
    """Return a path for messages: without credentials, and with undecodable bytes and control characters escaped."""
    if is_address(path):
        address = urlsplit(path)
        path = f"{address.scheme}://{address.netloc.rpartition('@')[2]}{address.path}"
    return printable(path.encode(errors="surrogateescape").decode(errors="backslashreplace"))


def read_source_stamp(path: str) -> FileStamp | None:
    """Return the stamp of a file; None for standard input, pipes and the web."""
    if not is_address(path):
        return read_stamp(path) if os.path.isfile(path) else None  # noqa: PTH113 -- False for too long a name, too
    if is_web(path):
        return None
    system, key = filesystem(path)
    found = system.get_file_info(key)
    return FileStamp(found.size, found.mtime_ns or 0, 0) if found.is_file else None


@lru_cache(maxsize=32)
def _root(root: str) -> tuple[Any, str]:
    try:
        return cast("tuple[Any, str]", fs.FileSystem.from_uri(root))
    except (pa.ArrowException, OSError) as error:
        raise UnknownAddress(f"{display(root)}: this kind of address is not known, or the address is wrong.") from error


def filesystem(address: str) -> tuple[Any, str]:
    """Return pyarrow's file system of an address, and the path in it."""
    parts = urlsplit(address, allow_fragments=False)
    system, root = _root(f"{parts.scheme}://{parts.netloc}" + (f"?{parts.query}" if parts.query else ""))
    return system, f"{root.rstrip('/')}{parts.path}"


def is_web(path: str) -> bool:
    """Return whether an address is on the web, which is read-only."""
    return path.startswith(("http://", "https://"))


def open_source(path: str, stack: ExitStack) -> BinaryIO:
    """Open a file until the stack is closed; a file from the web is downloaded first."""
    if path == STANDARD:
        if sys.stdin is None:
            raise MalformedDocument("Standard input is closed.")
        return sys.stdin.buffer
    if is_web(path):
        copied = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115 -- the stack closes it
        try:
            with urlopen(path, timeout=TIMEOUT) as answer:  # noqa: S310 -- http or https
                shutil.copyfileobj(answer, copied)
        except HTTPError as error:
            error.close()
            raise
        copied.seek(0)
        return cast("BinaryIO", copied)
    if is_address(path):
        system, key = filesystem(path)
        return cast("BinaryIO", stack.enter_context(system.open_input_file(key)))
    return stack.enter_context(Path(path).open("rb"))


# What reading raises; polars panics over types that it does not know.
READ_ERRORS = (
    OSError,
    UnicodeEncodeError,
    pa.ArrowException,
    pl.exceptions.PolarsError,
    pl.exceptions.PanicException,
)


@contextmanager
def translate_read_errors(path: str) -> Iterator[None]:
    """Raise ``MalformedDocument`` if a file cannot be read, with the first sentence of the reason."""
    try:
        yield
    except READ_ERRORS as error:
        sentence = re.split(r":?\s*(?:<\?xml|\n)", str(getattr(error, "strerror", None) or error))[0]
        raise MalformedDocument(f"It cannot be read: {sentence.replace(path, display(path)).rstrip('.')}.") from error


@contextmanager
def open_output(path: str, *, hold: bool = False) -> Iterator[BinaryIO]:
    """Open an output that is written atomically; standard output at once, or at the end if ``hold`` is set.

    Raises
    ------
    OutputFailed
        If it cannot be written.
    """
    with ExitStack() as stack:
        if path == STANDARD:
            yield stack.enter_context(_held_output() if hold else _standard_output())
            return
        with translate_write_errors(display(path)):
            if is_address(path):
                yield stack.enter_context(_uploaded(path))
            else:
                yield stack.enter_context(atomic_write(Path(path)))
            stack.close()


@contextmanager
def _standard_output() -> Iterator[BinaryIO]:
    try:
        if sys.stdout is None:
            raise OSError(errno.EBADF, "it is closed")
        yield sys.stdout.buffer
        sys.stdout.buffer.flush()
    except OSError as error:
        discard_stream(sys.stdout)
        if error.errno == errno.EPIPE:
            raise OutputClosed("The reader of standard output has gone.") from error
        raise OutputFailed(f"{STDOUT} cannot be written: {error.strerror or error}.") from error


@contextmanager
def _held_output() -> Iterator[BinaryIO]:
    """Write to a temporary file, and copy it to standard output at the end."""
    with ExitStack() as stack:
        with translate_write_errors("The temporary file of standard output"):
            held = stack.enter_context(tempfile.TemporaryFile())
            yield cast("BinaryIO", held)
            held.seek(0)
        with _standard_output() as stream:
            shutil.copyfileobj(held, stream)


@contextmanager
def _uploaded(address: str) -> Iterator[BinaryIO]:
    """Write to a temporary file, and copy it to an address at the end."""
    system, key = filesystem(address)
    with tempfile.NamedTemporaryFile() as local:
        yield cast("BinaryIO", local)
        local.flush()
        here = fs.LocalFileSystem()
        fs.copy_files(local.name, key, source_filesystem=here, destination_filesystem=system)


def discard_stream(stream: Any) -> None:
    """Discard the buffer of a standard stream, which Python would fail to flush at exit."""
    null = os.open(os.devnull, os.O_WRONLY)
    with suppress(AttributeError, OSError, ValueError):  # it is closed, or no file
        os.dup2(null, stream.fileno())
    os.close(null)


def remove(path: str) -> None:
    """Remove a file."""
    with translate_write_errors(display(path)):
        if is_address(path):
            system, key = filesystem(path)
            system.delete_file(key)
        else:
            Path(os.path.realpath(path)).unlink()


def make_parent(path: str) -> None:
    """Make the folder of a file; at an address there is none."""
    if not is_address(path) and not os.path.isdir(os.path.dirname(path) or "."):  # noqa: PTH112, PTH120 -- sooner than Path
        with translate_write_errors(display(path)):
            Path(path).parent.mkdir(parents=True, exist_ok=True)
