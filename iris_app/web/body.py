"""The body of a request, read whole or refused.

Werkzeug cuts a body that comes in chunks off at its limit without a word, takes one that ends early for whole, and lets
what a server raises over broken chunks pass for a fault of ours. Here the first is a 413 and the others are a 400.
"""

import zlib
from typing import IO, Any, cast

from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge, UnsupportedMediaType
from werkzeug.wsgi import LimitedStream

from iris_app.exceptions import MalformedDocument
from iris_app.formatting import truncate

ENDED_EARLY = "The body ended early, or its chunks are broken."

# How many bytes of a body of unknown length are asked for at once.
PIECE = 64 * 1024

# How many gzip streams may follow each other in one body; each costs a copy of what is left.
MOST_MEMBERS = 100


def open_body(environ: dict[str, Any], length: int | None, limit: int | None) -> IO[bytes]:
    """Give a request's body as a stream that raises where it is too long, too short or broken."""
    if length is None and limit is not None and environ.get("wsgi.input_terminated"):
        return cast("IO[bytes]", _Chunks(environ["wsgi.input"], limit))
    if length is not None and limit is not None and length > limit:
        raise RequestEntityTooLarge
    return cast("IO[bytes]", _Whole(environ["wsgi.input"], length or 0))


class _Whole(LimitedStream):
    """A body of known length."""

    def on_disconnect(self, error: Exception | None = None) -> None:
        raise ClientDisconnected(ENDED_EARLY) from error


class _Chunks(LimitedStream):
    """A body of unknown length, as long as the limit at most: one byte further is read to see that there is none."""

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
        pieces = []
        while piece := self.read(PIECE):
            pieces.append(piece)
        return b"".join(pieces)


class UnknownEncoding(UnsupportedMediaType):
    """Refuse a body that is compressed in a way that we do not know, and name those that we do."""

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        """Add what RFC 9110 wants beside a 415 that is about the encoding."""
        return [*super().get_headers(*args, **kwargs), ("Accept-Encoding", "gzip, deflate")]


def read_whole(environ: dict[str, Any], length: int | None, limit: int | None) -> bytes:
    """Read a request's body at once, or raise as its stream would."""
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
    """Return a body that came in a content encoding as it was before, as long as the limit at most."""
    match encoding:
        case "identity" | "":
            return body
        case "gzip" | "x-gzip":
            return _inflate(body, 16 + zlib.MAX_WBITS, limit, members=MOST_MEMBERS)
        case "deflate":  # some clients send the bare stream, without the wrapping that the standard means
            wrapped = len(body) > 1 and body[0] & 15 == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0
            return _inflate(body, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS, limit, members=1)
    raise UnknownEncoding(f"The body is encoded as {truncate(encoding)}; send it as it is, or as gzip or deflate.")


def _inflate(body: bytes, window: int, limit: int, members: int) -> bytes:
    """Inflate so many compressed streams, at most, that follow each other, and stop where they exceed the limit."""
    pieces: list[bytes] = []
    room = limit
    for _ in range(members):
        stream = zlib.decompressobj(window)
        try:
            pieces.append(stream.decompress(body, room + 1))
        except zlib.error as error:
            raise MalformedDocument(f"The body cannot be inflated: {error}.") from error
        room -= len(pieces[-1])
        if room < 0:
            raise RequestEntityTooLarge
        if not stream.eof:
            raise MalformedDocument("The body cannot be inflated: it ends early.")
        body = stream.unused_data
        if not body:
            return b"".join(pieces)
    raise MalformedDocument("The body cannot be inflated: something follows behind its end.")
