"""gunicorn's worker, with a single thread, which nobody may hold."""

import http.client
import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
import trustme

from tests.load import BODY
from tests.support import FLOWER, Server, eventually, running
from tests.test_gunicorn import HEAD, classify, receive, status_of

WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
LAST = WHOLE.replace(b"Host:", b"Connection: close\r\nHost:")


@pytest.fixture(scope="module")
def single(trained_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log_path = tmp_path_factory.mktemp("single") / "log"
    options = ("--workers=1", "--threads=1", "--keep-alive=4", "--timeout=5")
    with running(log_path, *options, IRIS_MODEL_PATH=str(trained_path)) as server:
        yield server


def quick(server: Server) -> bool:
    """Say whether others are answered, and soon."""
    began = time.monotonic()
    return classify(server)[0] == 200 and time.monotonic() - began < 1


@pytest.mark.parametrize("request_", [WHOLE, CHUNKED, LAST], ids=["a length", "chunks", "the last"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9, 0.99])
def test_a_request_that_has_begun_holds_no_thread(single: Server, request_: bytes, share: float) -> None:
    cut = int(share * len(request_))
    with single.connect() as client:
        client.sendall(request_[:cut])
        time.sleep(0.05)
        assert quick(single)
        client.sendall(request_[cut:])
        assert status_of(client.recv(65536)) == 200


def test_a_request_is_answered_that_comes_byte_by_byte(single: Server) -> None:
    with single.connect() as client:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for place in range(len(WHOLE)):
            client.sendall(WHOLE[place : place + 1])
            time.sleep(0.002)
        client.sendall(LAST)
        assert receive(client).count(b'"species":"setosa"') == 2


def test_a_client_that_says_nothing_holds_no_thread(single: Server) -> None:
    with ExitStack() as stack:
        for _ in range(20):
            stack.enter_context(single.connect())
        assert quick(single)


def test_a_client_that_does_not_hang_up_holds_nothing(single: Server) -> None:
    with ExitStack() as stack:
        for _ in range(5):
            client = stack.enter_context(single.connect())
            client.sendall(LAST)
            assert status_of(client.recv(65536)) == 200
        assert quick(single)


def test_a_client_that_goes_on_after_its_last_request_is_cut_off(single: Server) -> None:
    with single.connect() as client:
        client.sendall(LAST + b"and more")
        assert status_of(receive(client)) == 200
        eventually(lambda: _is_cut_off(client))
        assert quick(single)


def _is_cut_off(client: socket.socket) -> bool:
    try:
        client.sendall(b"more")
    except ConnectionError:
        return True
    return False


def test_two_requests_may_come_at_once(single: Server) -> None:
    with single.connect() as client:
        client.sendall(WHOLE + LAST)
        assert receive(client).count(b'"species":"setosa"') == 2


def test_a_client_may_wait_for_leave_to_send_its_body(single: Server) -> None:
    with single.connect() as client:
        client.sendall(WHOLE.replace(b"Host:", b"Expect: 100-continue\r\nHost:")[: -len(BODY)])
        assert client.recv(65536).startswith(b"HTTP/1.1 100 Continue")
        client.sendall(BODY)
        assert status_of(client.recv(65536)) == 200


def test_a_body_of_many_pieces_is_read(single: Server) -> None:
    body = json.dumps([FLOWER] * 5000).encode()
    with single.connect() as client:
        client.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(body) + body)
        assert receive(client).count(b'"setosa"') >= 5000


@pytest.mark.parametrize("length", [b"-1", b"x", b"9" * 30])
def test_a_length_that_is_none_is_refused(single: Server, length: bytes) -> None:
    with single.connect() as client:
        client.sendall(HEAD + b"Content-Length: " + length + b"\r\n\r\n" + b" " * 70_000)
        assert 400 <= status_of(client.recv(65536)) < 500


def test_a_request_that_takes_too_long_to_arrive_is_cut_off(single: Server) -> None:
    with single.connect() as client:
        began = time.monotonic()
        eventually(lambda: _is_cut_off(client))
        assert 3 < time.monotonic() - began < 10


def test_one_request_too_many_is_refused_at_once_and_told_when_to_come_back(trained_path: Path, tmp_path: Path) -> None:
    many = json.dumps([FLOWER] * 100_000).encode()
    settings = {"IRIS_MODEL_PATH": str(trained_path), "IRIS_MAX_CONCURRENT_REQUESTS": "1"}
    with (
        running(tmp_path / "log", "--workers=1", "--threads=1", **settings) as server,
        server.connect() as busy,
    ):
        busy.sendall(HEAD + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(many) + many)
        status, document = classify(server)
        assert (status, document["detail"]) == (503, "Too many requests at once. Please try again soon.")
        with server.connect() as probe:
            probe.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            assert status_of(receive(probe)) == 200
        assert status_of(receive(busy)) == 200
        assert quick(server)


def test_a_request_that_came_by_a_unix_socket_is_answered(trained_path: Path, tmp_path: Path) -> None:
    path = tmp_path / "socket"
    options = (f"--bind=unix:{path}", "--bind=127.0.0.1:0")
    with (
        running(tmp_path / "log", *options, IRIS_MODEL_PATH=str(trained_path)),
        socket.socket(socket.AF_UNIX) as client,
    ):
        client.connect(str(path))
        client.sendall(LAST)
        assert status_of(receive(client)) == 200


# An answer that no socket takes at once.
MANY = json.dumps([FLOWER] * 50_000).encode()
LONG = LAST.replace(b"Content-Length: %d" % len(BODY), b"Content-Length: %d" % len(MANY)).replace(BODY, MANY)


def lazy(server: Server) -> socket.socket:
    """Return a client that has asked for a long answer and does not take it."""
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.settimeout(20)
    client.connect(("127.0.0.1", server.port))
    client.sendall(LONG)
    return client


def test_clients_that_do_not_take_their_answers_hold_no_thread(single: Server) -> None:
    with ExitStack() as stack:
        clients = [stack.enter_context(lazy(single)) for _ in range(3)]
        eventually(lambda: single.log.count('"rows":50000') >= 3)
        assert quick(single)
        answers = [receive(client) for client in clients]
    assert [answer.count(b'"setosa",') for answer in answers] == [50_000] * 3
    assert len({answer.partition(b"\r\n\r\n")[2] for answer in answers}) == 1


def test_a_client_that_takes_nothing_for_too_long_is_cut_off(single: Server) -> None:
    with lazy(single) as client:
        time.sleep(8)
        assert len(receive_what_comes(client)) < len(MANY)


def receive_what_comes(client: socket.socket) -> bytes:
    try:
        return receive(client)
    except ConnectionResetError:
        return b""


def test_a_client_that_hangs_up_in_the_middle_of_its_answer_leaves_nothing(single: Server) -> None:
    rows = single.log.count('"rows":50000')
    with lazy(single):
        eventually(lambda: single.log.count('"rows":50000') > rows)
    assert quick(single)
    assert '"exception"' not in single.log


def test_a_file_that_is_long_is_sent_whole(single: Server) -> None:
    path = "/api/docs/swagger-ui-bundle.js"
    answer = http.client.HTTPConnection("127.0.0.1", single.port, timeout=20)
    answer.request("GET", path)
    got = answer.getresponse()
    assert len(got.read()) == int(str(got.getheader("Content-Length"))) > 1_000_000
    answer.close()


def test_requests_are_answered_by_tls(trained_path: Path, tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.issue_cert("localhost").private_key_and_cert_chain_pem.write_to_path(str(tmp_path / "pem"))
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    options = ("--workers=1", f"--certfile={tmp_path / 'pem'}", f"--keyfile={tmp_path / 'pem'}")
    with running(tmp_path / "log", *options, IRIS_MODEL_PATH=str(trained_path)) as server:
        connection = http.client.HTTPSConnection("localhost", server.port, timeout=20, context=trust)
        for body in (BODY, MANY, BODY):
            connection.request("POST", "/api/classify", body, {"Content-Type": "application/json"})
            assert b'"species":"setosa"' in connection.getresponse().read()
        connection.close()


def test_a_long_request_that_stalls_holds_a_thread_for_a_while_only(single: Server) -> None:
    with single.connect() as client:
        client.sendall(HEAD + b"Content-Length: 1000000\r\n\r\n[" + b" " * 400_000)
        began = time.monotonic()
        assert status_of(client.recv(65536)) == 400
        assert time.monotonic() - began < 10
    assert '"exception"' not in single.log


def test_a_body_that_is_said_to_be_too_long_is_refused_before_it_comes(single: Server) -> None:
    with single.connect() as client:
        client.sendall(HEAD + b"Content-Length: 10000000000\r\n\r\n{")
        began = time.monotonic()
        assert status_of(client.recv(65536)) == 413
        assert time.monotonic() - began < 2


def test_those_who_are_idle_longest_make_room_for_others(trained_path: Path, tmp_path: Path) -> None:
    options = ("--workers=1", "--threads=1", "--worker-connections=20")
    with (
        running(tmp_path / "log", *options, IRIS_MODEL_PATH=str(trained_path)) as server,
        ExitStack() as stack,
    ):
        for _ in range(100):
            stack.enter_context(server.connect())
        assert quick(server)
