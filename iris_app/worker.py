"""gunicorn's threaded worker, less that clients hold it up, that its queue has no end, and that threads cost time.

An answer is all computing, which Python does in one thread at a time anyway. So the thread that waits for clients
answers small requests itself, once they are there as a whole, and saves handing each to another thread and back. A
request that is long, or encrypted, goes to a thread. No thread ever waits for a client to take its answer: what
does not go at once is sent on as the client takes it.
"""

import re
import selectors
import socket
import threading
import time
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import suppress
from enum import Enum, auto
from functools import partial
from typing import Any, BinaryIO

from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

# Bytes of a request that are waited for; of a longer one, a thread reads the rest as it comes, for a while.
MOST_AWAITED = 256 * 1024

# Bytes of a request that is answered without a thread: a few milliseconds of work at most.
SMALL = 16 * 1024

# Seconds in which a client has to hang up after its last answer before it is cut off.
LINGER = 2.0

# How many pieces of an answer are sent at once; more than the system takes is an error.
MOST_PIECES = 64

# Seconds after which gunicorn is told again that the worker is alive.
HEARTBEAT = 1.0

END_OF_HEAD = b"\r\n\r\n"

FRAMING = re.compile(rb"\r\n(content-length|transfer-encoding|expect):[ \t]*([^\r]*)", re.IGNORECASE)
REFUSER = "refuser"


class Arrival(Enum):
    """How much of a request is there: nothing, for ever or yet; a part; all of one that is small; enough to go on."""

    END = auto()
    NOTHING = auto()
    PART = auto()
    SMALL = auto()
    ENOUGH = auto()


class Connection(socket.socket):
    """A client's connection, which gathers what is to be sent and always waits for what is to be received."""

    def __init__(self, accepted: socket.socket) -> None:
        super().__init__(accepted.family, accepted.type, accepted.proto, accepted.detach())
        self.unsent: list[bytes | memoryview] = []
        self.deadline: float | None = None

    def recv(self, size: int, flags: int = 0) -> bytes:
        """Receive, and wait for it until the deadline at most, where there is one."""
        if self.deadline is not None:
            self.settimeout(max(self.deadline - time.monotonic(), 0.001))
        return super().recv(size, flags)

    def setblocking(self, flag: bool) -> None:
        """Stay as it is: who must not wait says so at each call."""

    def settimeout(self, value: float | None) -> None:
        """Wait as long as this, and tell the system only where that is new."""
        if value != self.gettimeout():
            super().settimeout(value)

    def sendall(self, data: Any, _flags: int = 0) -> None:
        """Gather what is to be sent."""
        self.unsent.append(data)

    def sendfile(self, file: BinaryIO, offset: int = 0, count: int | None = None) -> int:  # type: ignore[override]
        """Gather what is in a file, which is small."""
        file.seek(offset)
        self.unsent.append(file.read(-1 if count is None else count))
        return len(self.unsent[-1])

    def flush(self) -> bool:
        """Send what goes without waiting, and say whether that was all."""
        while self.unsent:
            try:
                sent = self.sendmsg(self.unsent[:MOST_PIECES], [], socket.MSG_DONTWAIT)
            except BlockingIOError:
                return False
            while self.unsent and sent >= len(self.unsent[0]):
                sent -= len(self.unsent.pop(0))
            if sent:
                self.unsent[0] = memoryview(self.unsent[0])[sent:]
        return True


class Worker(ThreadWorker):  # type: ignore[misc] # gunicorn has no types
    """Serve an app to clients that may be slow, rude or many.

    What is more than the app's ``MAX_CONCURRENT_REQUESTS`` in threads goes to one of its own, in which ``is_refusing``
    is true and the app refuses it at once.
    """

    def init_process(self) -> None:
        """Start to work."""
        self.in_hand = 0
        self.told = self.asked = 0.0
        self.refusers = ThreadPoolExecutor(1, thread_name_prefix=REFUSER)
        self.sending: deque[TConn] = deque()
        self.lingering: deque[TConn] = deque()
        self.is_encrypted = bool(self.cfg.is_ssl)
        # Settings do not change any more, so they are made to be found at once, a dozen of them for each request.
        self.cfg.__dict__.update({name: setting.get() for name, setting in self.cfg.settings.items()})
        super().init_process()

    def is_refusing(self) -> bool:
        """Say whether the request of this thread is one too many."""
        return threading.current_thread().name.startswith(REFUSER)

    def notify(self) -> None:
        """Tell gunicorn that the worker is alive, but not with every request."""
        if (now := time.monotonic()) >= self.told + HEARTBEAT:
            self.told = now
            super().notify()

    def is_parent_alive(self) -> bool:
        """Ask whether gunicorn is alive, as often as it is told of the worker."""
        is_due, self.asked = self.asked != self.told, self.told
        return not is_due or bool(super().is_parent_alive())

    def set_accept_enabled(self, enabled: bool) -> None:
        """Take new connections or not; a worker that stops takes those that wait, and lets no others come."""
        super().set_accept_enabled(enabled)
        while not self.alive and not enabled and self.sockets:
            listener, taken = self.sockets.pop(), -1
            while taken != self.nr_conns:
                taken = self.nr_conns
                self.accept(listener)
            listener.close()

    def accept(self, listener: socket.socket) -> None:
        """Take a new connection, if it is still there."""
        with suppress(BlockingIOError, ConnectionAbortedError):
            accepted, address = listener.accept()
            self.nr_conns += 1
            conn = TConn(self.cfg, Connection(accepted), address, listener.getsockname())
            conn.there, conn.due = b"", None
            if not self.is_encrypted:
                conn.init()
            self.enqueue_req(conn)

    def enqueue_req(self, conn: TConn) -> None:
        """Answer the request on a connection, give it to a thread, or leave it to the poller until more is there."""
        arrival = self._look(conn)
        if arrival is Arrival.END:
            self._drop(conn)
        elif arrival is Arrival.NOTHING:
            self._keep(conn)
        elif arrival is Arrival.PART and self.alive:
            self._await(conn)
        elif arrival is Arrival.SMALL and self._has_room():
            self._settle(conn, self._answer(conn))
        else:
            self._hand_over(conn)

    def on_client_socket_readable(self, conn: TConn, client: socket.socket) -> None:
        """Go on with a connection that was idle; one with another small request stays with the poller meanwhile."""
        self.keepalived_conns.remove(conn)
        if self._look(conn) is Arrival.SMALL and self._has_room():
            keep = self._answer(conn)
            with suppress(OSError):
                if keep and self.alive and _flush(conn) and not _is_ahead(conn):
                    conn.set_timeout()
                    self.keepalived_conns.append(conn)
                    return
            self.poller.unregister(client)
            self._settle(conn, keep)
        else:
            self.poller.unregister(client)
            self.enqueue_req(conn)

    def finish_request(self, conn: TConn, done: "Future[Any]") -> None:
        """Take a connection back from a thread."""
        self.in_hand -= conn.counts
        _set_deadline(conn, None)
        self._settle(conn, not done.cancelled() and not done.exception() and done.result())

    def murder_keepalived(self, force: bool = False) -> None:
        """Cut off who has been idle for too long, or longest where there is no room for others."""
        super().murder_keepalived(force)
        while self.keepalived_conns and self.nr_conns >= self.worker_connections:
            conn = self.keepalived_conns.popleft()
            self.poller.unregister(conn.sock)
            self._drop(conn)

    def murder_pending(self) -> None:
        """Cut off who takes too long to send, to take, or to hang up."""
        super().murder_pending()
        now = time.monotonic()
        for waiting in (self.sending, self.lingering):
            while waiting and waiting[0].timeout < now:
                conn = waiting.popleft()
                self.poller.unregister(conn.sock)
                self._drop(conn)

    def _keepalive_after(self, conn: TConn, keepalive: bool) -> bool:
        """Say whether a connection can be kept: only where nobody need wait for what the app did not read."""
        body, there = conn.parser.mesg.body, conn.parser.unreader.buf.getvalue()
        left = getattr(body.reader, "length", None)
        if left == 0 and not body.failed:
            return keepalive
        return left is not None and left <= len(there) and bool(super()._keepalive_after(conn, keepalive))

    def _longest(self) -> int:
        """Return how long a request may be; the app refuses a longer one by what it says of itself."""
        return MOST_AWAITED + int(self.wsgi.config["MAX_CONTENT_LENGTH"])

    def _has_room(self) -> bool:
        limit: int = self.wsgi.config["MAX_CONCURRENT_REQUESTS"]
        return self.in_hand < limit

    def _answer(self, conn: TConn) -> bool:
        """Answer a request that is there as a whole, and say whether its connection is kept."""
        conn.data_ready, conn.due = True, None
        return bool(self.handle(conn))

    def _hand_over(self, conn: TConn) -> None:
        """Give a connection to a thread."""
        _give_to_parser(conn)
        _set_deadline(conn, time.monotonic() + self.cfg.timeout)
        conn.counts = self._has_room()
        self.in_hand += conn.counts
        answering = (self.tpool if conn.counts else self.refusers).submit(self._answer, conn)
        answering.add_done_callback(lambda done: self.method_queue.defer(self.finish_request, conn, done))

    def _settle(self, conn: TConn, keep: bool) -> None:
        """Send an answer, now or as the client takes it, and then wait for the next request or for the end."""
        try:
            if not _flush(conn):
                self._send_later(conn, keep)
            elif not keep:
                self._linger(conn)
            elif _is_ahead(conn):
                self.enqueue_req(conn)
            else:
                self._keep(conn)
        except (OSError, ValueError):  # it has hung up already
            self._drop(conn)

    def _send_later(self, conn: TConn, keep: bool) -> None:
        """Have the poller wake when the client takes more of its answer, for which it has as long as between two."""
        conn.set_timeout()
        self.sending.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_WRITE, partial(self._on_writable, conn, keep))

    def _on_writable(self, conn: TConn, keep: bool, client: socket.socket) -> None:
        self.poller.unregister(client)
        self.sending.remove(conn)
        self._settle(conn, keep)

    def _keep(self, conn: TConn) -> None:
        """Have the poller wake for the next request."""
        conn.set_timeout()
        if not self.alive:
            conn.timeout = min(conn.timeout, time.monotonic() + STOP_KEEPALIVE_LINGER)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_client_socket_readable, conn))
        self.keepalived_conns.append(conn)

    def _await(self, conn: TConn) -> None:
        """Have the poller wake when more of a request is there, which may take as long as a connection may be idle."""
        now = time.monotonic()
        conn.due = conn.due or now + self.cfg.keepalive
        if now >= conn.due:
            self._settle(conn, keep=False)
            return
        conn.timeout = now + self.cfg.keepalive
        self.pending_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_pending_socket_readable, conn))

    def _look(self, conn: TConn) -> Arrival:
        """Say how much of a request is there, and give it to gunicorn's parser if that can go on with it."""
        if self.is_encrypted or _is_ahead(conn):
            return Arrival.ENOUGH
        try:
            piece = conn.sock.recv(MOST_AWAITED, socket.MSG_DONTWAIT)
        except BlockingIOError:
            return Arrival.PART if conn.there else Arrival.NOTHING
        except OSError:
            piece = b""
        conn.there += piece
        if not conn.there:
            return Arrival.END
        length, is_whole = _length(conn.there)
        if is_whole and len(conn.there) == length <= SMALL:
            arrival = Arrival.SMALL
        elif piece and len(conn.there) < min(length, MOST_AWAITED) and length <= self._longest():
            return Arrival.PART
        else:
            arrival = Arrival.ENOUGH
        _give_to_parser(conn)
        return arrival

    def _linger(self, conn: TConn) -> None:
        """Say that no more will come, and wait for the client to hang up, or it might lose the end of its answer."""
        conn.sock.shutdown(socket.SHUT_WR)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self._on_lingering_readable, conn))
        conn.timeout = time.monotonic() + LINGER
        self.lingering.append(conn)

    def _on_lingering_readable(self, conn: TConn, client: socket.socket) -> None:
        with suppress(OSError):
            if client.recv(MOST_AWAITED, socket.MSG_DONTWAIT):
                return
        self.lingering.remove(conn)
        self.poller.unregister(client)
        self._drop(conn)

    def _drop(self, conn: TConn) -> None:
        self.nr_conns -= 1
        conn.close()


def _give_to_parser(conn: TConn) -> None:
    if conn.there:
        conn.parser.unreader.unread(conn.there)
        conn.there = b""


def _set_deadline(conn: TConn, deadline: float | None) -> None:
    if isinstance(conn.sock, Connection):
        conn.sock.deadline = deadline
        conn.sock.settimeout(None)


def _flush(conn: TConn) -> bool:
    """Send what goes of an answer, and say whether that was all; by TLS it went already."""
    return not isinstance(conn.sock, Connection) or conn.sock.flush()


def _is_ahead(conn: TConn) -> bool:
    """Say whether more was read from a connection than the requests that were answered."""
    return bool(conn.parser and conn.parser.unreader.buf.getvalue())


def _length(there: bytes) -> tuple[int, bool]:
    """Say how much of a request must be there before it can be gone on with, and whether that is all of it."""
    head, end, body = there.partition(END_OF_HEAD)
    if not end:
        return len(there) + 1, False
    framing = {name.lower(): value.strip() for name, value in FRAMING.findall(head)}
    length = framing.get(b"content-length", b"0")
    if b"transfer-encoding" in framing:
        return len(there) + (not body.endswith(END_OF_HEAD)), False
    if b"expect" in framing or not length.isdigit():  # it waits for a word from here, or is broken
        return len(there), False
    return len(head) + len(end) + int(length[:20]), True
