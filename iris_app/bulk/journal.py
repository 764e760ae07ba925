"""Which files of a folder were classified, so that a second run does only what is missing."""

import os
from pathlib import Path

import msgspec

from iris_app.bulk.job import Job
from iris_app.bulk.summary import Summary
from iris_app.bulk.target import telling_of

NAME = ".classified.ndjson"


class State(msgspec.Struct, frozen=True):
    """What of a file changes when it is changed."""

    size: int
    changed: int


class Entry(msgspec.Struct, frozen=True):
    """What was done: which file was classified with which model and how, what was written, and what came of it."""

    source: str
    state: State
    model: str
    bad_rows: str
    output: str
    written: State
    summary: Summary


class Journal:
    """Remember in a folder what was written to it.

    Parameters
    ----------
    folder : Path
        Where the answers go.
    model : str
        The sha256 of the model that answers.
    """

    def __init__(self, folder: Path, model: str) -> None:
        self._path = folder / NAME
        self._model = model
        self._entries = {entry.output: entry for entry in self._read()}

    def of(self, job: Job) -> Summary | None:
        """Return what came of a file that was classified with this model, unless it or its answers have changed."""
        entry = self._entries.get(job.output)
        return entry.summary if entry and entry == self._entry(job, entry.summary) else None

    def add(self, job: Job, summary: Summary) -> None:
        """Remember that a file was classified."""
        entry = self._entry(job, summary)
        if entry is None:
            return
        with telling_of(self._path), self._path.open("ab") as stream:
            stream.write(b"\n" + msgspec.json.encode(entry) + b"\n")
            stream.flush()
            os.fsync(stream.fileno())

    def _entry(self, job: Job, summary: Summary) -> Entry | None:
        """Say what a file and its answers are now; None where they are no files."""
        source, output = Path(job.source.path).absolute(), Path(job.output)
        states = state_of(source), state_of(output)
        if states[0] is None or states[1] is None:
            return None
        return Entry(str(source), states[0], self._model, job.bad_rows, job.output, states[1], summary)

    def _read(self) -> list[Entry]:
        try:
            lines = self._path.read_bytes().split(b"\n")
        except FileNotFoundError:
            return []
        entries = []
        for line in filter(None, lines):
            try:
                entries.append(msgspec.json.decode(line, type=Entry))
            except (msgspec.DecodeError, UnicodeDecodeError):  # cut short when the machine went down, say
                continue
        return entries


def state_of(path: Path) -> State | None:
    """Say what of a file changes when it is changed, or None where there is none."""
    try:
        state = path.stat()
    except OSError:
        return None
    return State(state.st_size, state.st_mtime_ns)
