"""The clients of a fuzzer: those of a case, and another that must not notice them."""

import re
import socket
import time
from collections.abc import Iterable
from contextlib import suppress
from http import HTTPStatus
from threading import Thread

from tests.fuzz.case import Case, Ending
from tests.fuzz.messages import Session, upload
from tests.load import BODY
from tests.support import FLOWER, Server
from tests.test_gunicorn import HEAD, receive
from tests.workbooks import workbook

# Seconds after which a client that has said all it has to say must have been answered or hung up on.
LONGEST_WAIT = 30

STATUS = re.compile(rb"HTTP/1\.[01] (\d{3}) ")
LINGER_ZERO = b"\1\0\0\0\0\0\0\0"


def open_session(server: Server) -> Session:
    """Open a form, and return what must come back with it."""
    with server.connect() as client:
        client.sendall(b"GET /home HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
        page = receive(client)
    cookie = re.search(rb"set-cookie: ([^;]+)", page, re.IGNORECASE)
    token = re.search(rb'name="csrf_token"[^>]*value="([^"]+)"', page)
    assert cookie
    assert token
    return Session(cookie[1], token[1])


def send_workbook(server: Server, session: Session) -> None:
    """Have a workbook of one row classified."""
    content = workbook(rows=[list(FLOWER), list(FLOWER.values())])
    with server.connect() as client:
        client.sendall(upload(session, content).adding((b"Connection", b"close")).encode())
        assert b" 200 " in receive(client)[:20]


def probe(server: Server) -> float:
    """Ask as another client does, on a connection of its own, and return the seconds that it took."""
    began = time.perf_counter()
    with server.connect() as client:
        client.settimeout(LONGEST_WAIT)
        client.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(BODY) + BODY)
        answer = receive(client)
    assert b" 200 " in answer[:20], f"another client was answered {answer[:200]!r}"
    return time.perf_counter() - began


class Client:
    """A client of a case: it listens while it sends, and hangs up when the server does, unless it is deaf."""

    def __init__(self, server: Server, case: Case) -> None:
        self._case = case
        self.was_left = False  # neither answered nor hung up on
        self._received = bytearray()
        self._socket = server.connect()
        self._socket.settimeout(LONGEST_WAIT)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._thread = Thread(target=self._listen)
        if not case.deaf:
            self._thread.start()

    def _listen(self) -> None:
        try:
            while part := self._socket.recv(1 << 20):
                self._received += part
            self._socket.shutdown(socket.SHUT_WR)
        except TimeoutError:
            self.was_left = True
        except OSError:
            pass

    def send(self, pieces: Iterable[bytes]) -> None:
        """Send what can be sent: a server that has heard enough hangs up."""
        with suppress(ConnectionError):
            for piece in pieces:
                self._socket.sendall(piece)
                if self._case.pause:
                    time.sleep(self._case.pause)

    @property
    def is_answered(self) -> bool:
        return bool(self._received) or not self._thread.is_alive()  # a deaf one will not be

    def finish(self) -> list[int]:
        """End the connection, and return the statuses of what was answered."""
        with suppress(OSError):
            if self._case.ending is Ending.HALF_CLOSE:
                self._socket.shutdown(socket.SHUT_WR)
                self._thread.join()
            elif self._case.ending is Ending.RESET:
                self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, LINGER_ZERO)
            self._socket.shutdown(socket.SHUT_RDWR)
        self.close()
        return [status for status in map(int, STATUS.findall(self._received)) if status >= HTTPStatus.OK]

    def close(self) -> None:
        self._socket.close()
