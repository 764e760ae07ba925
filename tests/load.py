"""Steady load on a real server, as clients that keep their connections alive make it."""

import http.client
import json
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Event, Thread

from tests.support import FLOWER, Server

BODY = json.dumps(FLOWER).encode()
HEADERS = {"Content-Type": "application/json"}

# What a connection that was idle may come to when the other end closes it; a client then asks once more on a new one.
CLOSED = (http.client.RemoteDisconnected, ConnectionResetError, BrokenPipeError)


@dataclass
class Answers:
    """What clients were answered: the status, or the error, the document and the seconds that each took."""

    statuses: list[object] = field(default_factory=list)
    documents: list[dict[str, object]] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)

    @property
    def failures(self) -> Counter[object]:
        return Counter(status for status in self.statuses if status != 200)

    def percentile(self, share: float) -> float:
        return sorted(self.seconds)[int(share * (len(self.seconds) - 1))]

    def clear(self) -> None:
        for answers in (self.statuses, self.documents, self.seconds):
            answers.clear()


class Client:
    """A client that keeps its connection alive, and asks again where an idle one was closed."""

    def __init__(self, server: Server, body: bytes = BODY) -> None:
        self._server = server
        self._body = body
        self._connection = self._connect()
        self._used = False

    def ask(self) -> tuple[int, dict[str, object]]:
        try:
            return self._ask()
        except CLOSED:
            was_idle = self._used
            self._reconnect()
            if not was_idle:
                raise
            return self._ask()
        except (OSError, http.client.HTTPException):
            self._reconnect()
            raise

    def _ask(self) -> tuple[int, dict[str, object]]:
        self._connection.request("POST", "/api/classify", self._body, HEADERS)
        answer = self._connection.getresponse()
        document = json.loads(answer.read())
        self._used = True
        if answer.will_close:
            self._reconnect()
        return answer.status, document

    def _connect(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self._server.port, timeout=20)

    def _reconnect(self) -> None:
        self._connection.close()
        self._connection = self._connect()
        self._used = False

    def close(self) -> None:
        self._connection.close()


@contextmanager
def load(server: Server, clients: int = 3, pause: float = 0.002, body: bytes = BODY) -> Iterator[Answers]:
    """Send a body again and again, from now until the end of the block."""
    answers, done = Answers(), Event()

    def ask() -> None:
        client = Client(server, body)
        while not done.is_set():
            began = time.perf_counter()
            try:
                status, document = client.ask()
            except (OSError, http.client.HTTPException) as error:
                answers.statuses.append(type(error).__name__)
            else:
                answers.statuses.append(status)
                answers.documents.append(document)
                answers.seconds.append(time.perf_counter() - began)
            time.sleep(pause)
        client.close()

    threads = [Thread(target=ask) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield answers
    finally:
        done.set()
        for thread in threads:
            thread.join()
