"""Read the body of a request, or reject it.

Werkzeug silently truncates a chunked body at its limit, accepts one that ends early, and turns the server's error about
broken chunks into a 500. Here the first is a 413 and the others are a 400.
"""

from typing import IO, Any, cast

from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge
from werkzeug.wsgi import LimitedStream

ENDED_EARLY = "The body ended early, or its chunks are broken."

# Bytes per read of a body of unknown length.
CHUNK_SIZE = 64 * 1024


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
