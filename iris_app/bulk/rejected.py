"""The rows that could not be classified, written beside the others with what is wrong with them."""

import csv
import io
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO, cast

from iris_app.bulk.rows import Reject
from iris_app.bulk.target import target
from iris_app.codecs.csv_rows import quoting_of

COLUMNS = ["file", "line", "columns", "reasons", "row"]


class RejectedRows:
    """Rows of a file, written to a table of their own, which is there only where there are any.

    Parameters
    ----------
    file : str
        Where the rows come from.
    path : Path, optional
        Where they go; without one they are only counted.
    """

    def __init__(self, file: str, path: Path | None) -> None:
        self._file, self._path = file, path
        self._stack = ExitStack()
        self._text: TextIO | None = None

    @property
    def are_kept(self) -> bool:
        """Say whether they are written anywhere."""
        return self._path is not None

    def add(self, rejects: Sequence[Reject]) -> None:
        """Write rows, and what is wrong with them."""
        if self._path is None or not rejects:
            return
        if self._text is None:
            stream = self._stack.enter_context(target(self._path))
            text = io.TextIOWrapper(stream, encoding="utf-8", newline="", write_through=True)
            self._stack.callback(text.detach)  # or closing it would close the stream before it is safe on the disk
            self._text = text
            self._write(COLUMNS)
        for reject in rejects:
            columns = " ".join(error.column for error in reject.errors if error.column)
            reasons = " ".join(error.detail for error in reject.errors)
            self._write([self._file, str(reject.line), columns, reasons, reject.row])

    def _write(self, row: Sequence[str]) -> None:
        csv.writer(cast("TextIO", self._text), lineterminator="\n", quoting=quoting_of(row)).writerow(row)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> bool | None:
        if kind is None and self._path is not None and self._text is None:
            self._path.unlink(missing_ok=True)  # what an earlier run could not classify
        return self._stack.__exit__(kind, error, traceback)
