"""The journal of an output folder, with which a second run classifies only what is missing or has changed."""

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
    """An entry of the journal: the input, the model and the settings, the output, the rejected rows and the counts."""

    source: str
    stamp: FileStamp
    model: str
    settings: str
    output: str
    written: FileStamp
    summary: Summary
    rejected: FileStamp | None = None


class Journal:
    """The journal of the files that were written to a folder; each of them is complete.

    Parameters
    ----------
    folder : Path
        The output folder.
    model : str
        The digest of the model and its schema.
    """

    def __init__(self, folder: Path, model: str) -> None:
        self._folder, self._path, self._model = folder, folder / NAME, model
        self._entries = {entry.output: entry for entry in self._read()}
        self._stream: BinaryIO | None = None

    def find(self, job: Job) -> Summary | None:
        """Return the counts of a job that an earlier run did, unless its input, output or model has changed."""
        entry = self._entries.get(self._name(job))
        if entry is None:
            return None
        now = self._entry(job, read_source_stamp(job.source.location), entry.summary)
        return entry.summary if entry == now else None

    def add(self, job: Job, result: Result) -> None:
        """Add a job, with the stamp of its input when it was opened."""
        entry = self._entry(job, result.stamp, result.summary)
        if entry is None:
            return
        with translate_write_errors(display(str(self._path))):
            self._stream = self._stream or self._path.open("ab")
            self._stream.write(b"\n" + msgspec.json.encode(entry) + b"\n")
            self._stream.flush()

    def _entry(self, job: Job, stamp: FileStamp | None, summary: Summary) -> Entry | None:
        """Return the entry of a job for its current output; None if its input or output is no file."""
        path = job.source.path
        source, written = path if is_address(path) else str(Path(path).absolute()), read_stamp(job.output)
        if stamp is None or written is None:
            return None
        settings = repr((job.bad_rows, job.max_bad, job.source.form, job.source.partitions, job.source.options))
        rejected = read_stamp(job.rejected) if job.rejected is not None and summary.rejected else None
        return Entry(display(source), stamp, self._model, settings, self._name(job), written, summary, rejected)

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
            except (msgspec.DecodeError, UnicodeDecodeError):  # truncated by a crash, or of another version
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
