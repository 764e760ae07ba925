"""How much a process may have in hand: requests, and bytes of their bodies."""

from collections.abc import Callable, Iterable
from threading import Condition
from typing import Any

from werkzeug.wsgi import ClosingIterator

from iris_app.exceptions import Overloaded

# The key of a request's ``Share`` in its environment, while the application answers it.
SHARE = "iris_app.share"

# Bytes of a body that are not counted; of a longer one, the answer may be too long for the system to take at once.
LARGE = 64 * 1024

# Seconds that a request waits for the bodies of others, at most.
PATIENCE = 5.0

WSGIApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Limits:
    """Count what a process has in hand.

    Parameters
    ----------
    requests : int
        How many requests it may have in hand.
    size : int
        How many bytes of large bodies, inflated, it may have in hand.
    """

    def __init__(self, requests: int, size: int) -> None:
        self.requests = requests
        self._size = size
        self._changed = Condition()
        self._requests_in_hand = self._size_in_hand = 0

    def leave_threads(self, threads: int) -> None:
        """Lower the limit of requests so that a quarter of so many threads is left for probes and refusals."""
        self.requests = min(self.requests, max(threads - max(threads // 4, 1), 1))

    def begin(self) -> None:
        """Count a request, or raise ``Overloaded`` where there are too many."""
        with self._changed:
            if self._requests_in_hand >= self.requests:
                raise Overloaded
            self._requests_in_hand += 1

    def reserve(self, size: int) -> None:
        """Count bytes as soon as there is room for them, or raise ``Overloaded`` where that takes too long."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._size_in_hand + size <= self._size, PATIENCE):
                raise Overloaded
            self._size_in_hand += size

    def release(self, requests: int, size: int) -> None:
        """Stop counting requests and bytes."""
        with self._changed:
            self._requests_in_hand -= requests
            self._size_in_hand -= size
            self._changed.notify_all()


class Share:
    """What one request adds to what its process has in hand, until its answer was sent."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._requests = 0
        self.size = 0

    def begin(self) -> None:
        """Count the request, or raise ``Overloaded``."""
        self._limits.begin()
        self._requests = 1

    def reserve(self, size: int) -> None:
        """Count the bytes that the body may have; once only, or two requests could wait for each other."""
        if size > LARGE and not self.size:
            self._limits.reserve(size)
            self.size = size

    def shrink(self, size: int) -> None:
        """Count only the bytes that the body has, now that it is known."""
        if size < self.size:
            self._limits.release(0, self.size - size)
            self.size = size

    def release(self) -> None:
        """Stop counting the request and its bytes."""
        self._limits.release(self._requests, self.size)
        self._requests = self.size = 0


def bound(app: WSGIApp, limits: Limits) -> WSGIApp:
    """Give each request of an application a share of the limits, and take it back whatever becomes of the request."""

    def bounded(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        share = environ[SHARE] = Share(limits)
        try:
            answer = app(environ, start_response)
        except BaseException:
            share.release()
            raise
        if share.size > LARGE:
            return ClosingIterator(answer, share.release)
        share.release()
        return answer

    return bounded
