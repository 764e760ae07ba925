"""Content encodings of request bodies: gzip and deflate."""

import zlib
from typing import Any

from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from iris_app.exceptions import MalformedDocument
from iris_app.formatting import truncate

# The gzip members that a body may have; each costs a copy of the remaining bytes.
MAX_MEMBERS = 100


class UnknownEncoding(UnsupportedMediaType):
    """The body has a content encoding that is not supported; the response lists those that are."""

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        """Add ``Accept-Encoding``, as RFC 9110 requires."""
        return [*super().get_headers(*args, **kwargs), ("Accept-Encoding", "gzip, deflate")]


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
