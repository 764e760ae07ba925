"""Read the body of a request, or reject it.

Werkzeug silently truncates a chunked body at its limit, accepts one that ends early, and turns the server's error about
broken chunks into a 500. Here the first is a 413 and the others are a 400.
"""

import zlib
from typing import IO, Any, cast

from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wsgi import LimitedStream

from iris_app.exceptions import MalformedDocument
from iris_app.formatting import truncate

ENDED_EARLY = "The body ended early, or its chunks are broken."

# Bytes per read of a body of unknown length.
CHUNK_SIZE = 64 * 1024

# The gzip members that a body may have; each costs a copy of the remaining bytes.
MAX_MEMBERS = 100


def open_body(environ: dict[str, Any], length: int | None, limit: int | None) -> IO[bytes]:
    """Return the body of a request as a stream that raises if it is too long, too short or broken."""
    if length is None and limit is not None and environ.get("wsgi.input_terminated"):
        return cast("IO[bytes]", _ChunkedStream(environ["wsgi.input"], limit))
    if length is not None and limit is not None and length > limit:
        raise RequestEntityTooLarge
    return cast("IO[bytes]", _SizedStream(environ["wsgi.input"], length or 0))


class _SizedStream(LimitedStream):
    """A body of known length."""

    def on_disconnect(self, error: Exception | None = None) -> None:
        raise ClientDisconnected(ENDED_EARLY) from error


class _ChunkedStream(LimitedStream):
    """A body of unknown length; reading one byte beyond the limit raises a 413."""

    def __init__(self, stream: IO[bytes], limit: int) -> None:
        super().__init__(stream, limit + 1, is_max=True)

    def readinto(self, buffer: bytearray) -> int | None:  # type: ignore[override] # as in Werkzeug
        try:
            return super().readinto(buffer)
        except HTTPException:
            raise
        except Exception as error:
            raise ClientDisconnected(ENDED_EARLY) from error

    def readall(self) -> bytes:
        chunks = []
        while chunk := self.read(CHUNK_SIZE):
            chunks.append(chunk)
        return b"".join(chunks)


class UnknownEncoding(UnsupportedMediaType):
    """The body has a content encoding that is not supported; the response lists those that are."""

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        """Add ``Accept-Encoding``, as RFC 9110 requires."""
        return [*super().get_headers(*args, **kwargs), ("Accept-Encoding", "gzip, deflate")]


def read_sized(environ: dict[str, Any], length: int | None, limit: int | None) -> bytes:
    """Read the whole body of a request in one call, or raise as its stream would."""
    if length is None or limit is None or length > limit:
        return open_body(environ, length, limit).read()
    try:
        body: bytes = environ["wsgi.input"].read(length)
    except (OSError, ValueError) as error:
        raise ClientDisconnected(ENDED_EARLY) from error
    if len(body) < length:
        raise ClientDisconnected(ENDED_EARLY)
    return body


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """Decode the content encoding of a body, up to a limit of bytes."""
    match encoding:
        case "identity" | "":
            return body
        case "gzip" | "x-gzip":
            return _inflate(body, 16 + zlib.MAX_WBITS, limit, members=MAX_MEMBERS)
        case "deflate":  # some clients send it without the zlib wrapper of the standard
            wrapped = len(body) > 1 and body[0] & 15 == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0
            return _inflate(body, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS, limit, members=1)
    raise UnknownEncoding(f"The body is encoded as {truncate(encoding)}; send it as it is, or as gzip or deflate.")


def _inflate(body: bytes, window: int, limit: int, members: int) -> bytes:
    """Inflate at most so many concatenated members, up to a limit of bytes."""
    chunks: list[bytes] = []
    remaining = limit
    for _ in range(members):
        stream = zlib.decompressobj(window)
        try:
            chunks.append(stream.decompress(body, remaining + 1))
        except zlib.error as error:
            raise MalformedDocument(f"The body cannot be inflated: {error}.") from error
        remaining -= len(chunks[-1])
        if remaining < 0:
            raise RequestEntityTooLarge
        if not stream.eof:
            raise MalformedDocument("The body cannot be inflated: it ends early.")
        body = stream.unused_data
        if not body:
            return b"".join(chunks)
    raise MalformedDocument("The body cannot be inflated: something follows behind its end.")
