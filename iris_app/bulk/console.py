"""Messages and progress on standard error."""

import os
import sys
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

import click
from tqdm import tqdm

from iris_app.bulk.storage.addresses import discard_stream

# Seconds between two lines of progress in a log.
LOG_INTERVAL = 5.0

Emit = Callable[[str], None]


def print_error(text: str) -> None:
    """Write a line to standard error, unless that is closed."""
    try:
        click.echo(text.encode(errors="backslashreplace").decode(), err=True)
    except (OSError, ValueError):
        discard_stream(sys.stderr)


def reserve_descriptors() -> None:
    """Open closed standard streams to ``os.devnull``, so that no file gets their descriptors."""
    for descriptor in range(3):
        try:
            os.fstat(descriptor)
        except OSError:
            os.open(os.devnull, os.O_RDWR)


class Progress:
    """Show the number of rows, the rate and the remaining time.

    Parameters
    ----------
    files : int
        The number of files.
    quiet : bool
        Whether to show nothing.
    """

    def __init__(self, files: int, *, quiet: bool = False) -> None:
        self._files, self._rows, self._file = files, 0, 0
        self._began = self._last_line = time.monotonic()
        on_terminal = not quiet and sys.stderr is not None and sys.stderr.isatty()
        self._in_log = not quiet and not on_terminal
        bar: Any = tqdm
        self._bar = bar(total=files, disable=not on_terminal, bar_format="{percentage:3.0f}% {bar} {remaining} {desc}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._bar.close()

    def next_file(self, share: float = 0.0) -> None:
        """Count a file as done; ``share`` is what was read of others."""
        self._file += 1
        self.update(0, share)

    def update(self, rows: int, share: float) -> None:
        """Count more rows; ``share`` is the fraction of the file that was read."""
        self._rows += rows
        done = self._file + share
        taken = time.monotonic() - self._began
        counts = f"{self._rows:,} rows, {self._rows / max(taken, 1e-3):,.0f} a second"
        self._bar.set_description_str(counts, refresh=False)
        self._bar.update(done - self._bar.n)
        if self._in_log and time.monotonic() - self._last_line >= LOG_INTERVAL:
            self._last_line = time.monotonic()
            left = f", {done / self._files:.0%} done, {taken * (self._files / done - 1):,.0f} s left" if done else ""
            print_error(f"classify: {counts}{left}")
