"""The writer of rejected rows: a CSV file with the rows and their errors."""

import csv
import io
from collections.abc import Iterable, Sequence
from contextlib import ExitStack
from itertools import groupby
from typing import IO

from iris_app.bulk.rows import Reject
from iris_app.bulk.storage.addresses import open_output
from iris_app.codecs.csv_rows import quoting_of

COLUMNS = ["file", "line", "columns", "reasons", "row"]


class RejectedWriter:
    """Write rejected rows; the file is made with the first.

    Parameters
    ----------
    stack : ExitStack
        Closing it completes the file.
    file : str
        The name of the file that the rows come from.
    path : str, optional
        The file to write; without one, nothing is written.
    """

    def __init__(self, stack: ExitStack, file: str, path: str | None) -> None:
        self._stack, self._file, self._path = stack, file, path
        self._stream: IO[bytes] | None = None

    @property
    def is_used(self) -> bool:
        """True if a row was written."""
        return self._stream is not None

    def add(self, rejects: Sequence[Reject]) -> None:
        """Write rows with their errors."""
        if self._path is None or not rejects:
            return
        if self._stream is None:
            self._stream = self._stack.enter_context(open_output(self._path))
            _write(self._stream, [COLUMNS])
        _write(self._stream, map(self._to_row, rejects))

    def _to_row(self, reject: Reject) -> list[str]:
        columns = " ".join(error.column for error in reject.errors if error.column)
        reasons = " ".join(error.detail for error in reject.errors)
        return [self._file, str(reject.line), columns, reasons, reject.row]


def _write(stream: IO[bytes], rows: Iterable[list[str]]) -> None:
    text = io.StringIO()
    for quoting, group in groupby(rows, key=quoting_of):
        csv.writer(text, lineterminator="\n", quoting=quoting).writerows(group)
    stream.write(text.getvalue().encode(errors="backslashreplace"))
