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
PIECE = 2 * 1024 * 1024

# How many of the first are looked at before all others.
AHEAD = 1024 * 1024

# How long a row may be.
LONGEST_ROW = 64 * 1024 * 1024

# In how many parts a piece is looked at again where something in it is wrong.
PARTS = 8


class Piece(NamedTuple):
    """Rows as they stand in a file, and the number of the line where the first of them begins."""

    line: int
    content: bytes


class Rules(NamedTuple):
    """How rows stand in a file.

    ``last_ends`` says where the last row ends that is whole in what was read, or 0 where none is; ``count_lines`` how
    many lines end in rows.
    """

    last_ends: Callable[[bytes], int]
    count_lines: Callable[[bytes], int]


class Records:
    """Read a file of rows.

    Parameters
    ----------
    stream : binary file
    size : int, optional
        How many bytes it holds, where that is known, or those that it is made from where it is compressed.
    """

    def __init__(self, stream: BinaryIO, size: int | None) -> None:
        self._stream = stream
        self._raw = getattr(stream, "raw_stream", stream)
        self._size = size
        self._ahead = self._read(AHEAD)
        self.skip(len(BYTE_ORDER_MARK) if self._ahead.startswith(BYTE_ORDER_MARK) else 0)

    def peek(self, last_ends: Callable[[bytes], int] = len) -> bytes:
        """Return the first rows, which are handed out all the same."""
        if len(self._ahead) < AHEAD - len(BYTE_ORDER_MARK):
            return self._ahead
        while not (end := last_ends(self._ahead)) and len(self._ahead) < LONGEST_ROW and (more := self._read(AHEAD)):
            self._ahead += more
        return self._ahead[: end or None]

    def skip(self, count: int) -> None:
        """Pass over so many bytes of those that were peeked at."""
        self._ahead = self._ahead[count:]

    def pieces(self, rules: Rules, line: int = 1) -> Iterator[Piece]:
        """Yield all rows, the first on a line of this number, in one piece at least."""
        begun, rest = line, b""
        while more := self._more():
            rest += more
            if end := rules.last_ends(rest):
                yield Piece(line, rest[:end])
                line += rules.count_lines(rest[:end])
                rest = rest[end:]
            elif len(rest) > LONGEST_ROW:
                raise MalformedDocument(f"Line {line} begins a row that does not end; is a quote never closed?")
        if rest or line == begun:
            yield Piece(line, rest)

    def done(self) -> float:
        """Say which share of the file was read."""
        return self._raw.tell() / self._size if self._size else 0.0

    def _more(self) -> bytes:
        if not self._ahead:
            return self._read(PIECE)
        more, self._ahead = self._ahead[:PIECE], self._ahead[PIECE:]
        return more

    def _read(self, count: int) -> bytes:
        try:
            return self._stream.read(count)
        except (EOFError, zlib.error, zstd.ZstdError, gzip.BadGzipFile) as error:
            raise MalformedDocument(f"It is compressed, but not whole: {error}.") from error


def split(piece: Piece, rules: Rules) -> list[Piece]:
    """Part a piece into several of whole rows."""
    content, line, parts = piece.content, piece.line, []
    size = len(content)
    ends = {rules.last_ends(content[: size * part // PARTS]) for part in range(1, PARTS)}
    for start, end in pairwise(sorted({0, *ends, size})):
        parts.append(Piece(line, content[start:end]))
        line += rules.count_lines(content[start:end])
    return parts
