"""How far it is, for who waits: a bar on a terminal, a line now and then in a log."""

import sys
import time
from types import TracebackType
from typing import Any, Self

import click

# Seconds between two lines in a log.
PAUSE = 5.0

# In how many steps the bar grows.
STEPS = 1000


class Progress:
    """Say how many rows were classified, how fast, and how long it will take.

    Parameters
    ----------
    files : int
        How many files there are.
    quiet : bool
        Whether to say nothing.
    """

    def __init__(self, files: int, *, quiet: bool = False) -> None:
        self._files, self._quiet = files, quiet
        self._rows, self._done, self._began = 0, 0.0, time.monotonic()
        self._said = self._began
        self._file = 0
        self._bar: Any = None

    def __enter__(self) -> Self:
        stream = sys.stderr
        if not self._quiet and stream.isatty():
            progressbar: Any = click.progressbar
            self._bar = progressbar(length=STEPS, file=stream, show_percent=True, item_show_func=self._counts)
            self._bar.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.__exit__(kind, error, traceback)

    def next_file(self, share: float = 0.0) -> None:
        """Say that a file is done, and which share of others was read already."""
        self._file += 1
        self.tell(0, share)

    def tell(self, rows: int, share: float) -> None:
        """Say that so many rows more were classified, and which share of the file was read."""
        self._rows += rows
        before, self._done = self._done, (self._file + share) / self._files
        if self._bar is not None:
            self._bar.update(int(self._done * STEPS) - int(before * STEPS))
        elif not self._quiet and time.monotonic() - self._said >= PAUSE:
            self._said = time.monotonic()
            click.echo(f"classify: {self._counts()}{self._left()}", err=True)

    def _counts(self, _item: object = None) -> str:
        rate = self._rows / max(time.monotonic() - self._began, 1e-3)
        return f"{self._rows:,} rows, {rate:,.0f} a second"

    def _left(self) -> str:
        if not self._done:
            return ""
        left = (time.monotonic() - self._began) * (1 - self._done) / self._done
        return f", {self._done:.0%} done, {left:,.0f} s left"
