"""Which files of a folder were classified, so that a second run does only what is missing."""

import os
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import msgspec

from iris_app.bulk.job import Job, Result
from iris_app.bulk.outcomes import Summary
from iris_app.bulk.storage.addresses import display, is_address, read_source_stamp
from iris_app.exceptions import OutputFailed
from iris_app.files import FileStamp, read_stamp, translate_write_errors

NAME = ".classified.ndjson"


class Entry(msgspec.Struct, frozen=True):
    """What was done: which file was classified with which model and how, what was written, and what came of it."""

    source: str
    stamp: FileStamp
    model: str
    settings: str
    output: str
    written: FileStamp
    summary: Summary


class Journal:
    """Remember in a folder what was written to it; a file of which it tells is whole on the disk.

    Parameters
    ----------
    folder : Path
        Where the predictions go.
    model : str
        The sha256 of the model.
    """

    def __init__(self, folder: Path, model: str) -> None:
        self._folder, self._path, self._model = folder, folder / NAME, model
        self._entries = {entry.output: entry for entry in self._read()}
        self._stream: BinaryIO | None = None

    def find(self, job: Job) -> Summary | None:
        """Return what came of a file that was classified with this model, unless it or its predictions have changed."""
        entry = self._entries.get(self._name(job))
        if entry is None:
            return None
        now = self._entry(job, read_source_stamp(job.source.location), entry.summary)
        return entry.summary if entry == now else None

    def add(self, job: Job, result: Result) -> None:
        """Remember a file as it was when it was opened."""
        entry = self._entry(job, result.stamp, result.summary)
        if entry is None:
            return
        with translate_write_errors(display(str(self._path))):
            self._stream = self._stream or self._path.open("ab")
            self._stream.write(b"\n" + msgspec.json.encode(entry) + b"\n")
            self._stream.flush()

    def _entry(self, job: Job, stamp: FileStamp | None, summary: Summary) -> Entry | None:
        """Return the entry of a file and its predictions as they are; None where they are no files."""
        path = job.source.path
        source, written = path if is_address(path) else str(Path(path).absolute()), read_stamp(job.output)
        if stamp is None or written is None:
            return None
        settings = repr((job.bad_rows, job.max_bad, job.source.options))
        return Entry(display(source), stamp, self._model, settings, self._name(job), written, summary)

    def _name(self, job: Job) -> str:
        return display(os.path.relpath(job.output, self._folder))

    def _read(self) -> list[Entry]:
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        except OSError as error:
            raise OutputFailed(f"{self._path} cannot be read: {error.strerror}.") from error
        entries = []
        for line in filter(None, lines):
            try:
                entries.append(msgspec.json.decode(line, type=Entry))
            except (msgspec.DecodeError, UnicodeDecodeError):  # cut short when the machine went down, say
                continue
        return entries

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._stream is not None:
            with self._stream, translate_write_errors(display(str(self._path))):
                os.fsync(self._stream.fileno())
