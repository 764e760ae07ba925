"""Lines of a file at an address, read by polars."""

from collections.abc import Iterator

import polars as pl

# How many lines are asked for at once: about as many as a piece of a file holds.
LINES = 25_000


class RemoteLines:
    """A file of text at an address, as a stream of bytes.

    It is decompressed where it is compressed. Each line ends with a line feed alone, however it ends there.

    Parameters
    ----------
    address : str
        As polars takes them: ``s3://…``, ``gs://…``.
    """

    def __init__(self, address: str) -> None:
        self._batches: Iterator[pl.DataFrame] = pl.scan_lines(address, glob=False).collect_batches(chunk_size=LINES)

    def read(self, size: int) -> bytes:
        """Return at least so many bytes, whole lines, unless there are no more."""
        parts: list[bytes] = []
        while sum(map(len, parts)) < size and (batch := next(self._batches, None)) is not None:
            parts.append((batch.to_series() + "\n").str.join("").item().encode())
        return b"".join(parts)
