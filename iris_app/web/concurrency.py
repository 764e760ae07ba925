"""Limits on the concurrent requests of a process, and on the bytes of their bodies."""

from collections.abc import Callable, Iterable
from threading import Condition
from typing import Any

from werkzeug.wsgi import ClosingIterator

from iris_app.exceptions import Overloaded

# The key of a request's ``Usage`` in its WSGI environment.
USAGE = "iris_app.usage"

# Bytes from which a body counts, until its response is sent: a smaller one fits into the buffers of the system.
MIN_COUNTED_SIZE = 64 * 1024

# Seconds that a request waits at most for the bodies of others.
MAX_WAIT = 5.0

WSGIApp = Callable[[dict[str, Any], Any], Iterable[bytes]]


class Limits:
    """Count the concurrent requests of a process and the bytes of their bodies.

    Parameters
    ----------
    requests : int
        The maximum number of requests.
    size : int
        The maximum number of bytes of large bodies, inflated.
    """

    def __init__(self, requests: int, size: int) -> None:
        self.requests = requests
        self._size = size
        self._changed = Condition()
        self._active_requests = self._active_size = self._waiting = 0

    def reserve_threads(self, threads: int) -> None:
        """Lower the limit of requests, so that a quarter of the threads is left for probes and rejections."""
        self.requests = min(self.requests, max(threads - max(threads // 4, 1), 1))

    def acquire(self) -> None:
        """Count a request, or raise ``Overloaded`` if there are too many."""
        with self._changed:
            if self._active_requests >= self.requests:
                raise Overloaded
            self._active_requests += 1

    def reserve(self, size: int, most_waiting: int | None = None) -> None:
        """Count bytes once they are within the limit, or raise ``Overloaded`` after ``MAX_WAIT``.

        Where so many requests wait already as are given, it is raised at once.
        """
        with self._changed:
            if self._active_size + size > self._size:
                if most_waiting is not None and self._waiting >= most_waiting:
                    raise Overloaded
                self._wait(size)
            self._active_size += size

    def _wait(self, size: int) -> None:
        self._waiting += 1
        try:
            if not self._changed.wait_for(lambda: self._active_size + size <= self._size, MAX_WAIT):
                raise Overloaded
        finally:
            self._waiting -= 1

    def release(self, requests: int, size: int) -> None:
        """Stop counting requests and bytes."""
        with self._changed:
            self._active_requests -= requests
            self._active_size -= size
            self._changed.notify_all()


class Usage:
    """The part of the limits that one request uses until its response is sent."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._requests = 0
        self.size = 0

    def acquire(self) -> None:
        """Count the request, or raise ``Overloaded``."""
        self._limits.acquire()
        self._requests = 1

    def reserve(self, size: int) -> None:
        """Count the bytes that the body may have; only once, since two requests could wait for each other."""
        if size > MIN_COUNTED_SIZE and not self.size:
            self._limits.reserve(size)
            self.size = size

    def reserve_most(self, size: int) -> None:
        """Count the most bytes that a body may have, since this one takes as much to be read, and long.

        A quarter of the requests may wait for that, so that others are answered meanwhile.
        """
        self._limits.release(0, self.size)
        self.size = 0
        self._limits.reserve(size, max(self._limits.requests // 4, 1))
        self.size = size

    def shrink(self, size: int) -> None:
        """Lower the count to the bytes that the body has."""
        if size < self.size:
            self._limits.release(0, self.size - size)
            self.size = size

    def release(self) -> None:
        """Stop counting the request and its bytes."""
        self._limits.release(self._requests, self.size)
        self._requests = self.size = 0


def limit_concurrency(app: WSGIApp, limits: Limits) -> WSGIApp:
    """Wrap a WSGI application so that each request releases its usage of the limits at its end."""

    def limited(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        usage = environ[USAGE] = Usage(limits)
        try:
            response = app(environ, start_response)
        except BaseException:
            usage.release()
            raise
        if usage.size > MIN_COUNTED_SIZE:
            return ClosingIterator(response, usage.release)
        usage.release()
        return response

    return limited
