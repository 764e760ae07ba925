"""The input files: named, in folders, by patterns, at addresses, or standard input."""

import fnmatch
import glob
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from os.path import commonpath
from pathlib import Path, PurePath
from typing import Literal, NamedTuple
from urllib.parse import unquote

from pyarrow.fs import FileSelector, FileType

from iris_app.bulk.readers.columnar import FrameFile
from iris_app.bulk.readers.csv import CsvFile
from iris_app.bulk.readers.ndjson import NdjsonFile
from iris_app.bulk.readers.options import Reading, ReadOptions
from iris_app.bulk.rows import Reader
from iris_app.bulk.storage.addresses import (
    STANDARD,
    display,
    filesystem,
    is_address,
    is_web,
    open_source,
    read_source_stamp,
    translate_read_errors,
)
from iris_app.bulk.storage.compression import compression_of, decompress
from iris_app.exceptions import InputError, MalformedDocument
from iris_app.files import FileStamp, read_stamp
from iris_app.schema import Schema

Form = Literal["csv", "ndjson", "parquet", "arrow"]

# The suffixes of what is no table in a file yet.
WORKBOOKS = {".xlsx", ".xlsm", ".xls", ".ods"}

# The formats of files by their suffixes.
FORMS: dict[str, Form] = {
    ".csv": "csv",
    ".tsv": "csv",
    ".tab": "csv",
    ".psv": "csv",
    ".txt": "csv",
    ".data": "csv",
    ".ndjson": "ndjson",
    ".jsonl": "ndjson",
    ".json": "ndjson",  # lines, or an array
    ".parquet": "parquet",
    ".pq": "parquet",
    ".arrow": "arrow",
    ".feather": "arrow",
    ".ipc": "arrow",
}

# Formats whose readers seek.
SEEKING_FORMS = {"parquet", "arrow"}

PARTITION = re.compile(r"\A([^=]+)=(.*)")
NO_PARTITION = "__HIVE_DEFAULT_PARTITION__"

PATTERN = re.compile(r"[*?\[]")
REMOTE_PATTERN = re.compile(r"[*\[]")

HIDDEN = "its name or its folder's begins with . or _"


class NoSuchInput(InputError):
    """An input names no file."""


class Skipped(NamedTuple):
    """A file or folder that is not read, and the reason."""

    path: str
    reason: str


class Opened(NamedTuple):
    """The reader of an open file, and the file's stamp."""

    reader: Reader
    stamp: FileStamp | None


@dataclass(frozen=True, slots=True)
class Source:
    """A file to be classified.

    Attributes
    ----------
    path : str
        Its path, its address, or ``-``.
    form : str
    name : str
        Its path among the others.
    rows : tuple of int, optional
        The first row to read and the one after the last; by default all.
    folder : str
        The folder that ``path`` is relative to; by default the current one.
    partitions : dict of str to int, str or None
        The columns in the names of its folders.
    options : ReadOptions
    """

    path: str
    form: Form
    name: str
    rows: tuple[int, int] | None = None
    folder: str = ""
    partitions: dict[str, int | str | None] = field(default_factory=dict)
    options: ReadOptions = field(default_factory=ReadOptions)

    @property
    def location(self) -> str:
        """The path to open."""
        return self.path if is_address(self.path) or self.path == STANDARD else str(Path(self.folder, self.path))

    @property
    def title(self) -> str:
        """The path to show."""
        return "standard input" if self.path == STANDARD else display(self.path)

    @contextmanager
    def open(self, schema: Schema, *, keep: bool, typed: bool) -> Iterator[Opened]:
        """Open the file; see ``Reading`` for the parameters.

        Raises
        ------
        InputError
            If it cannot be read.
        """
        with ExitStack() as stack:
            with translate_read_errors(self.location):
                opened = self._open(stack, Reading(schema, self.options, keep, typed))
            yield opened

    def check(self, stamp: FileStamp | None) -> None:
        """Refuse a file that has changed since it was opened."""
        if stamp is not None and read_source_stamp(self.location) != stamp:
            raise MalformedDocument("It changed while it was read; classify it again.")

    def _open(self, stack: ExitStack, reading: Reading) -> Opened:
        stamp = read_source_stamp(self.location)
        if self.form in SEEKING_FORMS:
            source = open_source(self.location, stack) if is_address(self.location) else self.location
            return Opened(FrameFile(source, reading, self.form, self.rows), stamp)
        raw = open_source(self.location, stack)
        if stamp is not None and not is_address(self.location):
            stamp = read_stamp(raw.fileno())
        stream, size = decompress(raw, self.path), stamp.size if stamp else None
        reader = CsvFile if self.form == "csv" else NdjsonFile
        return Opened(reader(stream, reading, size), stamp)


class _Found(NamedTuple):
    """A file, the folder that its name is relative to, and the folder below which names may hold columns."""

    path: str
    top: str
    base: str | None = None


def find(
    inputs: Sequence[str], form: Form | None = None, *, exclude: Path | None = None, options: ReadOptions | None = None
) -> tuple[list[Source], list[Skipped]]:
    """Find the files of all inputs, and those that are skipped.

    Parameters
    ----------
    inputs : sequence of str
    form : str, optional
        The format of all files.
    exclude : Path, optional
        The output folder, which holds no inputs.
    options : ReadOptions, optional

    Raises
    ------
    NoSuchInput
        If an input names no file, or a file's format is unknown.
    """
    found: dict[str, _Found] = {}
    skipped: list[Skipped] = []
    for text in inputs:
        results = list(_find(text, form, exclude))
        skipped += [result for result in results if isinstance(result, Skipped)]
        files = {result.path: result for result in results if isinstance(result, _Found)}
        for path, file in files.items():
            found.setdefault(path, file)
        if not files:
            raise NoSuchInput(_explain_no_input(text, skipped))
    names = _names(list(found.values()))
    sources = [
        Source(
            file.path, form or _form(file.path), name, partitions=_partitions(file), options=options or ReadOptions()
        )
        for file, name in zip(found.values(), names, strict=True)
    ]
    return sources, skipped


def form_of(name: str) -> Form | None:
    """Return the format of a file by its name."""
    name = name.partition("?")[0] if is_address(name) else name
    return FORMS.get(PurePath(name.removesuffix(compression_of(name))).suffix.lower())


def _explain_no_input(text: str, skipped: list[Skipped]) -> str:
    """Return the error for an input without files, with the reason for the first skipped one."""
    if not skipped:
        holds = "it holds no file" if Path(text).is_dir() else "there is no such file"
        return f"{display(text)}: {holds}."
    first = f"{display(skipped[0].path)} is left out, since {skipped[0].reason}"
    return f"{display(text)}: no file of it can be read; {first}."


def _form(path: str) -> Form:
    form = form_of(display(path) if is_address(path) else path)
    if path == STANDARD:
        return "csv"
    if form is None and PurePath(path).suffix.lower() in WORKBOOKS:
        raise NoSuchInput(f"{display(path)} is a workbook: save its sheet as CSV, and classify that.")
    if form is None:
        forms = ", ".join(sorted(set(FORMS.values())))
        raise NoSuchInput(f"{display(path)}: its name does not say whether it is {forms}; give --input-format.")
    return form


def _find(text: str, form: Form | None, exclude: Path | None) -> Iterator[_Found | Skipped]:
    """Yield the files of one input, and those that are skipped."""
    if is_address(text):
        yield from _find_remote(text, form)
    elif Path(text).is_dir():
        for path, hidden in sorted(_walk(text, exclude)):
            reason = hidden or _reason_to_skip(path, form)
            yield Skipped(path, reason) if reason else _Found(path, text, text)
    elif text == STANDARD or Path(text).exists() or not PATTERN.search(text):
        if text == STANDARD or Path(text).exists():
            yield _Found(text, str(Path(text).parent))
    else:
        base = str(Path(text[: PATTERN.search(text).start()] + "x").parent)  # type: ignore[union-attr] # seen above
        hidden_too = any(_is_hidden(part) for part in Path(text).relative_to(base).parts)
        for path in sorted(glob.glob(text, recursive=True)):  # noqa: PTH207 -- of any folder
            is_hidden = any(map(_is_hidden, Path(path).relative_to(base).parts))
            if not Path(path).is_dir() and not _is_below(path, exclude):
                reason = HIDDEN if is_hidden and not hidden_too else ""
                reason = reason or ("" if Path(path).exists() else "it is a link to nothing")
                yield Skipped(path, reason) if reason else _Found(path, str(Path(path).parent), base)


def _walk(folder: str, exclude: Path | None) -> Iterator[tuple[str, str]]:
    """Yield the files of a folder, each with the reason to skip it, if any."""
    failed: list[OSError] = []
    for here, folders, files in os.walk(folder, onerror=failed.append):
        for name in list(folders):
            path = os.path.join(here, name)  # noqa: PTH118 -- names may be no text
            reason = HIDDEN if _is_hidden(name) else ""
            reason = reason or ("it is a link to a folder" if Path(path).is_symlink() else "")
            if reason or _is_below(os.path.join(path, "x"), exclude):  # noqa: PTH118
                folders.remove(name)
            if reason:
                yield path, reason
        for name in files:
            path = os.path.join(here, name)  # noqa: PTH118
            if not _is_below(path, exclude):
                yield path, HIDDEN if _is_hidden(name) else ""
    for error in failed:
        yield str(error.filename), f"it cannot be read ({error.strerror})"


def _reason_to_skip(path: str, form: Form | None) -> str:
    """Return the reason to skip a file of a folder, if any."""
    if Path(path).is_symlink() and not Path(path).exists():
        return "it is a link to nothing"
    if not Path(path).is_file():
        return "it is no file"
    return _unknown_form(path, form)


def _unknown_form(path: str, form: Form | None) -> str:
    """Return the reason to skip a file whose form is not known, if it is not."""
    if form or form_of(path):
        return ""
    is_workbook = PurePath(path).suffix.lower() in WORKBOOKS
    return "it is a workbook: save its sheet as CSV" if is_workbook else "its name does not say its form"


def _is_hidden(name: str) -> bool:
    return name.startswith(("_", ".")) and name not in {".", ".."}


def _is_below(path: str, folder: Path | None) -> bool:
    return folder is not None and Path(path).absolute().is_relative_to(folder.absolute())


def _find_remote(address: str, form: Form | None) -> Iterator[_Found | Skipped]:
    if is_web(address):
        yield _Found(address, _parent(address))
        return
    bare, mark, query = address.partition("?")
    base = _parent(re.split(r"[*\[]", bare)[0] + "x") if REMOTE_PATTERN.search(bare) else bare.rstrip("/")
    with _naming(address), translate_read_errors(address):
        system, key = filesystem(base + mark + query)
        if base == bare.rstrip("/") and system.get_file_info(key).type != FileType.Directory:
            yield _Found(address, _parent(bare))
            return
        found = [info for info in system.get_file_info(FileSelector(key, recursive=True)) if info.is_file]
    for path in sorted(f"{base}{info.path[len(key) :]}" for info in found):
        hidden = any(map(_is_hidden, path[len(base) :].strip("/").split("/")))
        reason = HIDDEN if hidden else _unknown_form(path, form)
        if base == bare.rstrip("/") or fnmatch.fnmatchcase(path, bare):
            yield Skipped(path, reason) if reason else _Found(path + mark + query, base, base)


@contextmanager
def _naming(address: str) -> Iterator[None]:
    try:
        yield
    except MalformedDocument as error:
        raise MalformedDocument(f"{display(address)}: {error}") from error


def _parent(address: str) -> str:
    return address.rpartition("/")[0]


def _key(address: str) -> str:
    return display(address).partition("://")[2]


def _names(found: Sequence[_Found]) -> list[str]:
    """Name files by their paths below their common folder."""
    here = {os.path.abspath(file.top) for file in found if not is_address(file.path)}  # noqa: PTH100 -- no link is followed
    there = {_key(file.top) for file in found if is_address(file.path)}
    tops = commonpath(here) if here else "", commonpath(there) if there else ""
    return [_name(file.path, *tops) for file in found]


def _name(path: str, here: str, there: str) -> str:
    if path == STANDARD:
        return "stdin"
    return os.path.relpath(_key(path), there or ".") if is_address(path) else os.path.relpath(path, here)


def _partitions(found: _Found) -> dict[str, int | str | None]:
    """Return the columns in the names of a file's folders, as in ``year=2026/a.parquet``."""
    if found.base is None:
        return {}
    path = found.path.partition("?")[0] if is_address(found.path) else found.path
    folders = PurePath(os.path.relpath(path, found.base)).parts[:-1]
    pairs = [match.groups() for match in map(PARTITION.fullmatch, folders) if match]
    return {unquote(name): _partition(unquote(value)) for name, value in pairs}


def _partition(value: str) -> int | str | None:
    if value == NO_PARTITION:
        return None
    return int(value) if re.fullmatch(r"0|-?[1-9]\d{0,17}", value, re.ASCII) else value
