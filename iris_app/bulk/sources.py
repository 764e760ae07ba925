"""What is to be classified: files, folders, patterns, standard input, addresses."""

import glob
import re
import sys
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from os.path import commonpath
from pathlib import Path, PurePath
from typing import BinaryIO, Literal, cast

import polars as pl

from iris_app.bulk.compressed import compression_of, decompressing
from iris_app.bulk.csv_file import CsvFile
from iris_app.bulk.frame_file import FrameFile
from iris_app.bulk.ndjson_file import NdjsonFile
from iris_app.bulk.remote import RemoteLines
from iris_app.bulk.rows import Reader
from iris_app.exceptions import InputError, MalformedDocument

Form = Literal["csv", "ndjson", "parquet", "arrow"]

STANDARD = "-"

# How files of each form are called.
FORMS: dict[str, Form] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".txt": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",  # lines, or an array
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}


class NoSuchInput(InputError):
    """Say that there is nothing to be classified where it was said to be."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file of flowers.

    ``path`` is where it lies, or an address, or ``-``; ``name`` what it is called among the others, ``rows`` which of
    its rows are meant, from and to, where not all are, and ``folder`` what ``path`` begins at, where it is not here.
    """

    path: str
    form: Form
    name: str
    rows: tuple[int, int] | None = None
    folder: str = ""

    @property
    def is_remote(self) -> bool:
        """Say whether it lies at an address."""
        return is_address(self.path)

    @property
    def place(self) -> str:
        """Where it lies, for all who open it."""
        return self.path if self.is_remote else str(Path(self.folder, self.path))

    @contextmanager
    def open(self, *, keep: bool, typed: bool) -> Iterator[Reader]:
        """Open it; see the readers for ``keep`` and ``typed``.

        Raises
        ------
        InputError
            Where it cannot be read.
        """
        with ExitStack() as stack:
            with telling_what_is_unreadable():
                reader = self._reader(stack, keep=keep, typed=typed)
            yield reader

    def _reader(self, stack: ExitStack, *, keep: bool, typed: bool) -> Reader:
        if self.form in {"parquet", "arrow"}:
            scan = (pl.scan_parquet if self.form == "parquet" else pl.scan_ipc)(self.place, glob=False)
            first, last = self.rows or (0, None)
            scan = scan if self.rows is None else scan.slice(first, cast("int", last) - first)
            return FrameFile(scan, keep=keep, first_row=first + 1)
        stream, size = self._stream(stack)
        if self.form == "csv":
            return CsvFile(stream, size, keep=keep)
        return NdjsonFile(stream, size, keep=keep, typed=typed)

    def _stream(self, stack: ExitStack) -> tuple[BinaryIO, int | None]:
        if self.path == STANDARD:
            return sys.stdin.buffer, None
        if self.is_remote:
            return cast("BinaryIO", RemoteLines(self.path)), None
        raw = Path(self.place).open("rb")  # noqa: SIM115 -- the stack closes it
        stack.callback(raw.close)
        return decompressing(raw, self.path), Path(self.place).stat().st_size


@contextmanager
def telling_what_is_unreadable() -> Iterator[None]:
    """Say in a sentence what the system or polars cannot read, without what else a server sends with it."""
    try:
        yield
    except (OSError, pl.exceptions.PolarsError) as error:
        sentence = re.split(r":?\s*(?:<\?xml|\n)", str(getattr(error, "strerror", None) or error))[0]
        raise MalformedDocument(f"It cannot be read: {sentence}.") from error


def find(inputs: Sequence[str], form: Form | None = None, *, beside: Path | None = None) -> list[Source]:
    """Find the files that are meant by files, folders, patterns, addresses and ``-``.

    Parameters
    ----------
    inputs : sequence of str
    form : str, optional
        The form of all of them, where their names do not say it.
    beside : Path, optional
        A folder in which nothing is meant, since it is where answers go.

    Raises
    ------
    NoSuchInput
        Where there is none, or where it is not said of what form it is.
    """
    paths = list(dict.fromkeys(path for text in inputs for path in _paths(text, form, beside)))
    names = _names(paths)
    return [Source(path, form or _form(path), name) for path, name in zip(paths, names, strict=True)]


def is_address(text: str) -> bool:
    """Say whether a text means what lies at an address, and not here."""
    return "://" in text


def form_of(name: str) -> Form | None:
    """Say of what form a file is, by its name."""
    return FORMS.get(PurePath(name.removesuffix(compression_of(name))).suffix.lower())


def _form(path: str) -> Form:
    form = form_of(path)
    if path == STANDARD:
        return "csv"
    if form is None:
        raise NoSuchInput(f"{path}: its name does not say whether it is {', '.join(sorted(set(FORMS.values())))}.")
    return form


def _paths(text: str, form: Form | None, beside: Path | None) -> Iterator[str]:
    """Yield what is meant by an input."""
    if is_address(text) and "*" in text:
        raise NoSuchInput(f"{text}: a pattern is for files here; at an address, each is named.")
    if text == STANDARD or is_address(text) or Path(text).is_file() or _is_stream(text):
        yield text
        return
    folder = Path(text).is_dir()
    found = Path(text).rglob("*") if folder else map(Path, glob.iglob(text, recursive=True))  # noqa: PTH207 -- of any folder
    files = sorted(
        path
        for path in found
        if path.is_file()
        and not any(part.startswith(".") for part in path.parts if part not in {".", ".."})
        and (form or form_of(path.name) or not folder)
        and not (beside and beside.resolve() in path.resolve().parents)
    )
    if not files:
        raise NoSuchInput(f"{text}: there is no such file." if not folder else f"{text} holds no file of flowers.")
    yield from map(str, files)


def _is_stream(text: str) -> bool:
    path = Path(text)
    return path.exists() and not path.is_dir()


def _names(paths: Sequence[str]) -> list[str]:
    """Name files by what tells them apart: their places below the folder that all of them lie in."""
    local = [path for path in paths if path != STANDARD and not is_address(path)]
    top = commonpath([str(Path(path).resolve().parent) for path in local]) if local else ""
    return [str(Path(path).resolve().relative_to(top)) if path in local else _remote_name(path) for path in paths]


def _remote_name(path: str) -> str:
    return "stdin" if path == STANDARD else PurePath(path).name
