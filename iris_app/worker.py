"""gunicorn's threaded worker, less that slow clients hold it up and that its queue has no end."""

import contextlib
import re
import selectors
import socket
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import Any

from gunicorn.workers.gthread import _DEFER, TConn, ThreadWorker

# Bytes of a request that are waited for; of a longer one, a thread reads the rest as it comes.
MOST_AWAITED = 64 * 1024

# Seconds in which a client has to take its last answer before the connection is cut.
LINGER = 2.0

END_OF_HEAD = b"\r\n\r\n"

FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|expect):[ \t]*([^\r]*)", re.IGNORECASE)

REFUSER = "refuser"


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """Serve an app by threads that get requests which are there as a whole, and so many at most.

    What has begun to arrive waits in the poller, as idle connections do, and so does a client that is slow to hang up.
    A request beyond the app's ``MAX_CONCURRENT_REQUESTS`` goes to a thread of its own, in which ``is_refusing`` is true
    and the app refuses it at once.
    """

    def init_process(self) -> None:
        """Start to work."""
        self.in_hand = 0
        self.refusers = ThreadPoolExecutor(1, thread_name_prefix=REFUSER)
        self.lingering: deque[TConn] = deque()
        super().init_process()

    def is_refusing(self) -> bool:
        """Say whether the request of this thread is one too many."""
        return threading.current_thread().name.startswith(REFUSER)

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take new connections or not; a worker that stops takes those that wait, and lets no others come."""
        super().set_accept_enabled(enabled)
        while not self.alive and not enabled and self.sockets:
            listener, taken = self.sockets.pop(), -1
            while taken != self.nr_conns:
                taken = self.nr_conns
                self.accept(listener)
            listener.close()

    def enqueue_req(self, conn: TConn) -> None:
        """Give a connection on which something arrived to a thread."""
        conn.counts = self.in_hand < self.wsgi.config["MAX_CONCURRENT_REQUESTS"]
        self.in_hand += conn.counts
        answering = (self.tpool if conn.counts else self.refusers).submit(self.handle, conn)
        answering.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def handle(self, conn: TConn) -> Any:
        """Answer the request on a connection where it is there, or else leave it to the poller until it is."""
        if self.alive and not conn.is_http2 and not self._has_arrived(conn):
            conn.due = getattr(conn, "due", None) or time.monotonic() + self.cfg.keepalive
            return _DEFER if time.monotonic() < conn.due else False
        conn.data_ready, conn.due = True, None
        return super().handle(conn)

    def finish_request(self, conn: TConn, done: "Future[Any]") -> None:
        """Take a connection back from a thread."""
        self.in_hand -= conn.counts
        result = not done.cancelled() and not done.exception() and done.result()
        if result is _DEFER:
            self._await(conn)
        elif result:
            super().finish_request(conn, done)
        else:
            self._linger(conn)

    def murder_pending(self) -> None:
        """Cut off who takes too long to send or to hang up."""
        super().murder_pending()
        while self.lingering and self.lingering[0].timeout < time.monotonic():
            self._hang_up(self.lingering[0])

    def _has_arrived(self, conn: TConn) -> bool:
        """Say whether a thread need not wait for the request; else have the poller wake for what is missing."""
        if self.cfg.is_ssl or conn.sock.family not in {socket.AF_INET, socket.AF_INET6}:
            return True  # nobody can look into the one, and only a proxy sends by the other
        if conn.parser and conn.parser.unreader.buf.getvalue():
            return True
        try:
            there = conn.sock.recv(MOST_AWAITED, socket.MSG_PEEK | socket.MSG_DONTWAIT)
        except BlockingIOError:
            return False
        except OSError:
            return True
        awaited, conn.awaited = getattr(conn, "awaited", 1), min(_length(there), MOST_AWAITED)
        arrived = len(there) >= conn.awaited or len(there) < awaited  # with less than it was to wake for, it ends here
        if arrived:
            conn.awaited = 1
        if conn.awaited != awaited:
            conn.sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVLOWAT, conn.awaited)
        return arrived

    def _await(self, conn: TConn) -> None:
        """Leave a connection to the poller until more of its request is there."""
        conn.sock.setblocking(False)
        conn.timeout = time.monotonic() + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _linger(self, conn: TConn) -> None:
        """Say that no more will come, and wait for the client to hang up, or it might lose the end of its answer."""
        try:
            conn.sock.shutdown(socket.SHUT_WR)
            conn.sock.setblocking(False)
            self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._on_lingering_readable, conn))
        except (OSError, ValueError):  # it has hung up already
            self.nr_conns -= 1
            conn.close()
            return
        conn.timeout = time.monotonic() + LINGER
        self.lingering.append(conn)

    def _on_lingering_readable(self, conn: TConn, client: socket.socket) -> None:
        with contextlib.suppress(BlockingIOError):
            try:
                more = client.recv(MOST_AWAITED)
            except ConnectionError:
                more = b""
            if not more:
                self._hang_up(conn)

    def _hang_up(self, conn: TConn) -> None:
        self.lingering.remove(conn)
        self.poller.unregister(conn.sock)
        self.nr_conns -= 1
        conn.close()


def _length(there: bytes) -> int:
    """Return how long a request must be, by what is there of it, before a thread can go on with it."""
    head, end, body = there.partition(END_OF_HEAD)
    framing = {name.lower(): value.strip() for name, value in FRAMING.findall(head)}
    length = framing.get(b"content-length", b"0")
    if not end or (b"transfer-encoding" in framing and not body.endswith(END_OF_HEAD)):
        return len(there) + 1
    if b"expect" in framing or not length.isdigit():  # it waits for a word from here, or is broken
        return len(there)
    return len(head) + len(end) + int(length[:20])
