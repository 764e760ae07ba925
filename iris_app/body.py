"""The body of a request, read whole or refused.

Werkzeug cuts a body that comes in chunks off at its limit without a word, takes one that ends early for whole, and lets
what a server raises over broken chunks pass for a fault of ours. Here the first is a 413 and the others are a 400.
"""

from typing import IO, cast

import flask
from werkzeug.exceptions import ClientDisconnected, HTTPException, RequestEntityTooLarge
from werkzeug.utils import cached_property
from werkzeug.wsgi import LimitedStream


class Request(flask.Request):
    """A request whose body never ends in the middle."""

    @cached_property
    def stream(self) -> IO[bytes]:
        """Give the body as a stream that raises where it is too long, too short or broken."""
        length, limit = self.content_length, self.max_content_length
        if length is None and limit is not None and self.environ.get("wsgi.input_terminated"):
            return cast("IO[bytes]", _Chunks(self.environ["wsgi.input"], limit))
        if length is not None and limit is not None and length > limit:
            raise RequestEntityTooLarge
        return cast("IO[bytes]", LimitedStream(self.environ["wsgi.input"], length or 0))


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
            raise ClientDisconnected from error

    def readall(self) -> bytes:
        body = super().readall()
        if self.is_exhausted:
            self.on_exhausted()
        return body
