"""The writer of rejected rows: a CSV file with the rows and their errors."""

from contextlib import ExitStack
from typing import IO

import polars as pl

from iris_app.bulk.rows import Rejects
from iris_app.bulk.storage.addresses import open_output

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
        self._stack, self._path = stack, path
        self._file = file.encode(errors="backslashreplace").decode()
        self._stream: IO[bytes] | None = None

    @property
    def is_used(self) -> bool:
        """True if a row was written."""
        return self._stream is not None

    def add(self, rejects: Rejects) -> None:
        """Write rows with their errors."""
        if self._path is None or not rejects.count:
            return
        is_first = self._stream is None
        if self._stream is None:
            self._stream = self._stack.enter_context(open_output(self._path))
        self._stream.write(self._to_frame(rejects).write_csv(include_header=is_first).encode())

    def _to_frame(self, rejects: Rejects) -> pl.DataFrame:
        rows = rejects.describe(rejects.count)
        joined = rows.errors.group_by("row", maintain_order=True).agg(pl.col("column", "detail").str.join(" "))
        columns = [pl.Series(rows.lines), joined["column"].replace("", None), joined["detail"], pl.Series(rows.texts)]
        return pl.DataFrame(columns, COLUMNS[1:]).select(pl.lit(self._file).alias(COLUMNS[0]), pl.all())
