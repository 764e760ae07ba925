"""Reading of a file in chunks of whole rows."""

import codecs
import gzip
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO, NamedTuple

from iris_app.bulk.storage.compression import zstd
from iris_app.exceptions import MalformedDocument

BYTE_ORDER_MARK = codecs.BOM_UTF8

# The bytes of a chunk.
CHUNK_SIZE = 2 * 1024 * 1024

# The first bytes, which are read ahead to detect the encoding and the header.
PEEK_SIZE = 1024 * 1024

# The maximum bytes of a row.
MAX_ROW_SIZE = 64 * 1024 * 1024

BYTE_ORDER_MARKS = {codecs.BOM_UTF32_LE: "utf-32", codecs.BOM_UTF32_BE: "utf-32"} | {
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class Chunk(NamedTuple):
    """The content of some rows, and the number of their first line."""

    line: int
    content: bytes


class Records:
    """Read a file as chunks of UTF-8; undecodable bytes of another encoding become invalid UTF-8.

    Parameters
    ----------
    stream : binary file
    size : int, optional
        The number of bytes, before decompression, if it is known.
    encoding : str, optional
        The name of a Python codec; by default detected.

    Raises
    ------
    MalformedDocument
        If the encoding is unknown, or the compressed file is truncated.
    """

    def __init__(self, stream: BinaryIO, size: int | None, encoding: str | None = None) -> None:
        self._stream = stream
        self._raw = getattr(stream, "raw_stream", stream)
        self._size = size
        self._decoder: codecs.IncrementalDecoder | None = None
        self._peeked, self._ended = b"", False
        self._fill(max(PEEK_SIZE, 1000))
        self.encoding = "utf-8"
        self.decode(_codec_name(encoding) if encoding else detect(self._peeked))
        self.skip(len(BYTE_ORDER_MARK) if self._peeked.startswith(BYTE_ORDER_MARK) else 0)

    def decode(self, encoding: str) -> None:
        """Decode the file from another encoding than UTF-8."""
        if encoding != "utf-8":
            self.encoding, self._decoder = encoding, codecs.getincrementaldecoder(encoding)("replace")
            self._peeked = self._decoded(self._peeked, final=self._ended)

    def peek(self, last_end: Callable[[bytes], int]) -> bytes:
        """Return the first rows without consuming them."""
        while not self._ended and not (end := last_end(self._peeked)) and len(self._peeked) < MAX_ROW_SIZE:
            self._fill(len(self._peeked) + PEEK_SIZE)
        return self._peeked if self._ended else self._peeked[: end or None]

    def skip(self, count: int) -> None:
        """Skip bytes that were peeked at."""
        self._peeked = self._peeked[count:]

    def chunks(
        self,
        last_end: Callable[[bytes], int],
        count_lines: Callable[[bytes], int],
        drop_end: Callable[[bytes], int] = len,
        line: int = 1,
    ) -> Iterator[Chunk]:
        """Yield all rows, in at least one chunk.

        ``last_end`` returns the end of the last whole row, ``drop_end`` the end of the rows before
        empty ones at the end of the file; ``line`` is the number of the first line.
        """
        first_line, rest = line, b""
        while more := self._more():
            rest += more
            end = last_end(rest)
            kept = drop_end(rest[:end])
            if kept or len(rest) > MAX_ROW_SIZE:
                if not end:
                    raise MalformedDocument(f"Line {line} is longer than {MAX_ROW_SIZE // 2**20} MiB, as no row is.")
                end = kept or end
                yield Chunk(line, rest[:end])
                line += count_lines(rest[:end])
                rest = rest[end:]
        rest = rest[: drop_end(rest)]
        if rest or line == first_line:
            yield Chunk(line, rest)

    def done(self) -> float:
        """Return the fraction of the file that was read."""
        return self._raw.tell() / self._size if self._size else 0.0

    def read_all(self, limit: int) -> bytes:
        """Return all content that remains, or raise ``MalformedDocument`` beyond ``limit`` bytes."""
        self._fill(limit + 1)
        if len(self._peeked) > limit:
            raise MalformedDocument(
                f"It is an array of more than {limit // 2**20} MiB; as NDJSON, it can be of any size."
            )
        content, self._peeked = self._peeked, b""
        return content

    def _more(self) -> bytes:
        if not self._peeked:
            return self._read(CHUNK_SIZE)
        more, self._peeked = self._peeked[:CHUNK_SIZE], self._peeked[CHUNK_SIZE:]
        return more

    def _fill(self, count: int) -> None:
        parts, size = [self._peeked], len(self._peeked)
        while size < count and (more := self._read(count - size)):
            parts.append(more)
            size += len(more)
        self._peeked, self._ended = b"".join(parts), size < count

    def _read(self, count: int) -> bytes:
        try:
            while content := self._stream.read(count):
                if decoded := self._decoded(content, final=False):
                    return decoded
            return self._decoded(b"", final=True)
        except (EOFError, zlib.error, zstd.ZstdError, gzip.BadGzipFile) as error:
            raise MalformedDocument(f"It is compressed, but not whole: {error}.") from error

    def _decoded(self, content: bytes, *, final: bool) -> bytes:
        if self._decoder is None:
            return content
        text = self._decoder.decode(content, final)
        return text.encode(errors="replace").replace("\N{REPLACEMENT CHARACTER}".encode(), b"\xff")


def detect(content: bytes) -> str:
    """Detect the encoding of a file by its beginning."""
    for mark, encoding in BYTE_ORDER_MARKS.items():
        if content.startswith(mark):
            return encoding
    first = content[:1000]
    if b"\0" in first and len(first) > 1:
        low, high = first[::2].count(0), first[1::2].count(0)
        if max(low, high) > len(first) // 4 and not min(low, high):
            return "utf-16-le" if high else "utf-16-be"
    return "utf-8"


def _codec_name(encoding: str) -> str:
    """Return the canonical name of a codec."""
    try:
        bytes(4).decode(encoding, "replace")
        return codecs.lookup(encoding).name
    except LookupError as error:
        raise MalformedDocument(
            f"There is no encoding {encoding}; Python has utf-8, utf-16, cp1252, latin-1, …"
        ) from error
