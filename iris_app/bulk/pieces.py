"""A file of rows, handed out in pieces that end where a row does."""

import gzip
import zlib
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import BinaryIO, NamedTuple

from iris_app.bulk.compressed import zstd
from iris_app.exceptions import MalformedDocument

BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# How many bytes are read at once.
PIECE = 1024 * 1024

# How long a row may be.
LONGEST_ROW = 64 * 1024 * 1024

# In how many parts a piece is looked at again where something in it is wrong.
PARTS = 8


class Piece(NamedTuple):
    """Rows as they stand in a file, and the number of the line where the first of them begins."""

    line: int
    content: bytes


class Records:
    """Read a file of rows.

    Parameters
    ----------
    stream : binary file
    size : int, optional
        How many bytes it holds, where that is known, or those that it is made from where it is compressed.
    last_ends : callable
        Says where the last row ends that is whole in what was read, or 0 where none is.
    """

    def __init__(self, stream: BinaryIO, size: int | None, last_ends: Callable[[bytes], int]) -> None:
        self._stream = stream
        self._raw = getattr(stream, "raw_stream", stream)
        self._size = size
        self._last_ends = last_ends
        self._old_mac = False
        self._rest = self._more()

    def skip(self, mark: bytes) -> None:
        """Pass over what the file may begin with."""
        self._rest = self._rest.removeprefix(mark)

    def break_lines_as_an_old_mac(self) -> None:
        """Take a carriage return alone for the end of a line."""
        self._old_mac, self._rest = True, self._rest.replace(b"\r", b"\n")

    def peek(self) -> bytes:
        """Return the first rows, which are handed out all the same."""
        end = self._last_ends(self._rest)
        while not end and len(self._rest) < LONGEST_ROW and (more := self._more()):
            self._rest += more
            end = self._last_ends(self._rest)
        return self._rest[:end] if end else self._rest

    def after(self, line: int) -> Iterator[Piece]:
        """Yield all rows from a line on, in one piece at least."""
        there = False
        for piece in self._pieces():
            skipped = 0
            for _ in range(piece.line, line):
                skipped = piece.content.find(b"\n", skipped) + 1 or len(piece.content)
            if skipped < len(piece.content):
                there = True
                yield Piece(max(line, piece.line), piece.content[skipped:])
        if not there:
            yield Piece(line, b"")

    def done(self) -> float:
        """Say which share of the file was read."""
        return self._raw.tell() / self._size if self._size else 0.0

    def _pieces(self) -> Iterator[Piece]:
        line = 1
        while True:
            end = self._last_ends(self._rest)
            if end:
                yield Piece(line, self._rest[:end])
                line += self._rest.count(b"\n", 0, end)
                self._rest = self._rest[end:]
            elif len(self._rest) > LONGEST_ROW:
                raise MalformedDocument(f"Line {line} begins a row that does not end; is a quote never closed?")
            more = self._more()
            if not more:
                break
            self._rest += more
        if self._rest.strip():
            yield Piece(line, self._rest)

    def _more(self) -> bytes:
        try:
            more = self._stream.read(PIECE)
        except (EOFError, zlib.error, zstd.ZstdError, gzip.BadGzipFile) as error:
            raise MalformedDocument(f"It is compressed, but not whole: {error}.") from error
        return more.replace(b"\r", b"\n") if self._old_mac else more


def split(piece: Piece, last_ends: Callable[[bytes], int]) -> list[Piece]:
    """Part a piece into several of whole rows."""
    content, line, parts = piece.content, piece.line, []
    size = len(content)
    ends = {last_ends(content[: size * part // PARTS]) for part in range(1, PARTS)}
    for start, end in pairwise(sorted({0, *ends, size})):
        parts.append(Piece(line, content[start:end]))
        line += content.count(b"\n", start, end)
    return parts
