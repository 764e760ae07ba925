"""The real server, as production runs it."""

import copy
import hashlib
import http.client
import json
import os
import re
import select
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import partial
from pathlib import Path

import joblib
import numpy as np
import pytest
from sklearn.ensemble import HistGradientBoostingClassifier

from iris_app.model.artifact import save
from iris_app.model.registry import Registry
from tests.observability.test_metrics import read
from tests.support import CHECKOUT, FLOWER, SECRET_KEY, Server, another, eventually, fitted, publish, running

BODY = json.dumps(FLOWER).encode()
HEAD = b"POST /api/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"


@pytest.fixture(scope="module")
def lone_server(trained_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server of one worker, which meets every client itself."""
    with running(tmp_path_factory.mktemp("lone") / "log", "--workers=1", IRIS_MODEL_PATH=str(trained_path)) as server:
        yield server


def classify(server: Server, body: bytes = BODY) -> tuple[int, dict[str, object]]:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    connection.request("POST", "/api/classify", body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    document = json.loads(answer.read())
    connection.close()
    return answer.status, document


def lines(server: Server) -> list[dict[str, str]]:
    return [json.loads(line) for line in server.log.splitlines() if line.endswith("}")]


def receive(client: socket.socket) -> bytes:
    """Read until the server hangs up."""
    received = b""
    while part := client.recv(65536):
        received += part
    return received


def get(server: Server, path: str) -> tuple[int, str]:
    with server.connect() as client:
        client.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
        answer = receive(client)
        return status_of(answer), answer.partition(b"\r\n\r\n")[2].decode()


def status_of(answer: bytes) -> int:
    return int(answer.split()[1])


def test_a_flower_is_classified(server: Server) -> None:
    status, document = classify(server)
    assert (status, document["species"]) == (200, "setosa")


def pages_given(server: Server) -> int:
    """Return how many pages of memory the kernel has given a lone worker, one by one."""
    (worker,) = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text().split()
    return int(Path(f"/proc/{worker}/stat").read_text().rpartition(")")[2].split()[7])


def test_a_batch_is_answered_in_the_memory_of_the_one_before(lone_server: Server) -> None:
    batch = json.dumps([FLOWER] * 10_000).encode()
    taken = []
    for _ in range(20):  # another thread may answer each, in memory of its own
        before = pages_given(lone_server)
        assert classify(lone_server, batch)[0] == 200
        taken.append(pages_given(lone_server) - before)
    assert min(taken) < 200


def test_there_is_a_worker_with_a_model_for_each_processor_that_may_be_used(server: Server) -> None:
    assert server.log.count("Booting worker") == joblib.cpu_count()
    assert server.log.count("Answering with model ") == joblib.cpu_count()


def test_requests_stand_in_the_log(server: Server) -> None:
    classify(server)
    assert eventually(lambda: any(line["message"] == "POST /api/classify 200" for line in lines(server)))


def test_every_line_of_the_log_is_json(server: Server) -> None:
    classify(server)
    assert {"time", "level", "logger", "message"} <= set.intersection(*map(set, lines(server)))


def test_a_connection_is_kept_alive(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    for _ in range(3):
        connection.request("POST", "/api/classify", BODY, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        answer.read()
        assert (answer.status, answer.will_close) == (200, False)
    connection.close()


def test_a_chunked_body_is_read(server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    chunks: Iterator[bytes] = iter([BODY[:10], BODY[10:]])
    connection.request("POST", "/api/classify", chunks, {"Content-Type": "application/json"}, encode_chunked=True)
    assert connection.getresponse().status == 200
    connection.close()


FORM_HEAD = HEAD.replace(b"/api/classify", b"/classify").replace(b"json", b"x-www-form-urlencoded")
HALVES = {
    "no body": HEAD + b"Content-Length: 1000\r\n\r\n",
    "half a body": HEAD + b"Content-Length: 1000\r\n\r\n" + BODY,
    "no chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\n",
    "half a chunk": HEAD + b'Transfer-Encoding: chunked\r\n\r\n5\r\n{"se',
    "a broken chunk": HEAD + b"Transfer-Encoding: chunked\r\n\r\nnot a length\r\n",
    "half a head": HEAD,
    "half a form": FORM_HEAD + b"Content-Length: 1000\r\n\r\nslen=5.1",
}


@pytest.mark.parametrize("sent", HALVES.values(), ids=HALVES)
@pytest.mark.parametrize("how", ["closes", "resets"])
def test_a_client_that_hangs_up_leaves_no_traceback(lone_server: Server, sent: bytes, how: str) -> None:
    with lone_server.connect() as client:
        client.sendall(sent)
        if how == "resets":
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        else:
            client.shutdown(socket.SHUT_WR)
            receive(client)
    assert classify(lone_server)[0] == 200
    assert "Traceback" not in lone_server.log
    assert "ERROR" not in lone_server.log


@pytest.mark.parametrize("sent", ["half a body", "half a chunk", "a broken chunk", "half a form"])
def test_a_body_that_ends_early_is_a_400(server: Server, sent: str) -> None:
    with server.connect() as client:
        client.sendall(HALVES[sent])
        client.shutdown(socket.SHUT_WR)
        assert status_of(receive(client)) == 400


def test_a_flipped_byte_is_a_503_until_it_is_put_right(tmp_path: Path, model_path: Path) -> None:
    content = model_path.read_bytes()
    model_path.write_bytes(content[:500] + bytes([content[500] ^ 1]) + content[501:])
    with running(tmp_path / "log", "--workers=2", IRIS_MODEL_PATH=str(model_path)) as server:
        status, problem = classify(server)
        assert status == 503
        assert str(tmp_path) not in json.dumps(problem)
        (line,) = (line for line in lines(server) if line["level"] == "ERROR" and "request_id" in line)
        assert line["request_id"] == problem["request_id"]
        assert f"{model_path} is not the artifact that its manifest describes" in line["message"]
        model_path.write_bytes(content)
        assert [classify(server)[0] for _ in range(8)] == [200] * 8


def test_flags_and_environment_of_gunicorn_change_its_settings(tmp_path: Path, trained_path: Path) -> None:
    settings = {"IRIS_MODEL_PATH": str(trained_path), "GUNICORN_CMD_ARGS": "--workers=3 --no-control-socket"}
    with running(tmp_path / "log", "--threads=1", **settings) as server:
        assert classify(server)[0] == 200
        eventually(lambda: server.log.count("Booting worker") == 3)
        assert get(server, "/readyz")[0] == 200


# Flags that cannot work, each with the beginning of what is said of it.
IMPOSSIBLE = {
    "--worker-class=gevent": "--worker-class gevent: only gthread",
    "--threads=0": "--threads 0: nobody would be answered",
    "--workers=0": "--workers 0: nobody would be answered",
    "--timeout=1": "--timeout 1: idle workers would be killed",
    "--worker-connections=0": "--worker-connections 0: there must be more",
    "--reload": "--reload: workers share the code",
    "--reuse-port": "--reuse-port: a reload would lose",
    "--http-parser=fast": "--http-parser fast: that parser is not installed",
    "--error-logfile=/dev/null": "--error-logfile: the log goes to standard output",
    "--log-config=/dev/null": "--log-config: the log is JSON",
    "--log-syslog": "--log-syslog: the log goes to standard output",
    "--statsd-host=localhost:8125": "--statsd-host: what is counted",
}


def start_in_vain(*options: str, under: Sequence[str] = ()) -> list[str]:
    """Start gunicorn with flags that stop the start, and return the lines that say why."""
    command = [*under, Path(sys.executable).parent / "gunicorn", "wsgi:app", "--bind=127.0.0.1:0", *options]
    environment = os.environ | {"IRIS_SECRET_KEY": SECRET_KEY}
    run = subprocess.run(command, cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stdout == ""
    return run.stderr.splitlines()


def test_flags_of_gunicorn_that_cannot_work_stop_the_start_and_are_all_named() -> None:
    said = start_in_vain(*IMPOSSIBLE)
    assert len(said) == len(IMPOSSIBLE)
    for line, sentence in zip(said, IMPOSSIBLE.values(), strict=True):
        assert line.startswith(f"gunicorn cannot serve iris_app: {sentence}")


def test_the_sync_worker_cannot_answer_probes_either() -> None:
    (line,) = start_in_vain("--worker-class=sync", "--threads=1")
    assert line.startswith("gunicorn cannot serve iris_app: --worker-class sync: only gthread")


def test_more_connections_than_files_stop_the_start() -> None:
    (line,) = start_in_vain("--worker-connections=2000", under=["prlimit", "--nofile=1024:1024"])
    assert line.endswith("Give fewer connections, or raise the limit (ulimit -n 2128).")


def test_the_port_is_taken_from_the_environment(trained_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = str(free.getsockname()[1])
    environment = os.environ | {"PORT": port, "IRIS_SECRET_KEY": SECRET_KEY, "IRIS_MODEL_PATH": str(trained_path)}
    command = [Path(sys.executable).parent / "gunicorn", "wsgi:app", "--print-config"]
    printed = subprocess.run(command, cwd=CHECKOUT, env=environment, check=True, capture_output=True, text=True).stdout
    assert f"['127.0.0.1:{port}']" in printed


def test_a_wrong_setting_stops_the_start_and_is_named(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ended early"), running(tmp_path / "log", IRIS_MAX_BATCH_ROWS="many"):
        pass
    log = (tmp_path / "log").read_text()
    assert "iris_app cannot start: IRIS_MAX_BATCH_ROWS in the environment cannot be 'many'" in log
    assert "Traceback" not in log


def test_each_worker_ends_on_what_is_published_and_on_what_is_put_back(tmp_path: Path, model_path: Path) -> None:
    versions = Registry(tmp_path / "models", model_path)
    settings = {"IRIS_MODEL_PATH": str(model_path), "IRIS_MODEL_CHECK_SECONDS": "0.1"}
    with running(tmp_path / "log", "--workers=2", **settings) as server:
        eventually(lambda: server.log.count("Answering with model ") == 2)
        for put in (partial(versions.publish, *another(2), keep=5), versions.rollback):
            version = put().version
            eventually(partial(both_took, server, version))
            assert {classify(server)[1]["model"] for _ in range(10)} == {version}


def test_a_worker_that_is_born_later_takes_what_was_published_since_the_start(tmp_path: Path, model_path: Path) -> None:
    settings = {"IRIS_MODEL_PATH": str(model_path), "IRIS_MODEL_CHECK_SECONDS": "0.1"}
    with running(tmp_path / "log", "--workers=1", **settings) as server:
        version = publish(model_path, regularisation=2)
        eventually(lambda: server.log.count(f"Model {version} answers from now on") == 1)
        server.process.send_signal(signal.SIGTTIN)
        eventually(lambda: server.log.count(f"Answering with model {version}") == 1)
        assert {classify(server)[1]["model"] for _ in range(10)} == {version}


def memory(pids: Iterable[int], part: str) -> int:
    """Return a part of the bytes that processes hold, such as their share of it (``Pss``)."""
    lines = [line for pid in pids for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()]
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith(part))


def test_workers_share_the_memory_of_a_model(tmp_path: Path, model_path: Path) -> None:
    size = 200_000_000
    classifier, *described = another(2)
    large = copy.deepcopy(classifier)
    large.ballast = np.random.default_rng(0).bytes(size)
    save(model_path, large, *described)
    with running(tmp_path / "log", "--workers=2", IRIS_MODEL_PATH=str(model_path)) as server:
        assert read(get(server, "/metrics")[1], "iris_app_model_loads_total", outcome="loaded") == 2
        workers = [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", server.log)]
        assert classify(server)[0] == 200
        assert memory(workers, "Private") < size
        for count in (4, 6):
            server.process.send_signal(signal.SIGHUP)
            eventually(lambda count=count: server.log.count("Answering with model") == count)
        workers = [int(pid) for pid in re.findall(r"Booting worker with pid: (\d+)", server.log)[-2:]]
        assert memory([server.process.pid, *workers], "Pss:") < 3 * size


def test_a_model_that_starts_threads_answers_in_each_worker(tmp_path: Path, model_path: Path) -> None:
    save(model_path, *fitted(HistGradientBoostingClassifier(max_iter=3)))
    settings = {"IRIS_MODEL_PATH": str(model_path), "OMP_NUM_THREADS": "2"}
    with running(tmp_path / "log", "--workers=2", **settings) as server:
        assert [classify(server)[0] for _ in range(10)] == [200] * 10


def both_took(server: Server, version: str) -> bool:
    return server.log.count(f"Model {version} answers from now on") == 2


# ---- clients that are rude ------------------------------------------------------------------------------------------

CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(BODY), BODY)
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY

# What a client sends before it waits for ever, and does not hang up.
RUDE = {
    "a length with many zeros": HEAD + b"Content-Length: 0000000000000000000083\r\n\r\n",
    "a length that is none": HEAD + b"Content-Length: x\r\n\r\n",
    "a negative length": HEAD + b"Content-Length: -1\r\n\r\n",
    "two lengths": HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "an expectation of something else": HEAD + b"Expect: nothing\r\n\r\n",
    "no request": b"\x16\x03\x01\x02\x00\x01\x00\r\n\r\n",
    "the last request": WHOLE.replace(b"Host:", b"Connection: close\r\nHost:"),
    "a request and a byte": WHOLE + b"P",
    "a chunk that begins with an empty line": HEAD + b"Transfer-Encoding: chunked\r\n\r\n\r\n5\r\n",
    "leave to send, and nothing": HEAD + b"Content-Length: 99\r\nExpect: 100-continue\r\n\r\n",
    "a body beyond the limit": HEAD + b"Content-Length: 10000000000\r\n\r\n{",
}


def assert_others_are_answered(server: Server) -> None:
    """Assert that another client is answered by the worker that there was, without a traceback."""
    assert classify(server)[0] == 200
    assert server.log.count("Booting worker") == 1
    assert "Traceback" not in server.log


def wait_beside(server: Server, sent: bytes, clients: int = 20) -> float:
    """Return the seconds that another client waits beside rude ones."""
    with ExitStack() as stack:
        for _ in range(clients):
            stack.enter_context(server.connect()).sendall(sent)
        began = time.monotonic()
        assert_others_are_answered(server)
        return time.monotonic() - began


@pytest.mark.parametrize("sent", RUDE.values(), ids=RUDE)
def test_rude_clients_hold_nobody_up(lone_server: Server, sent: bytes) -> None:
    # Whoever is held up is held up each time; a busy machine is not busy each time.
    assert any(wait_beside(lone_server, sent) < 1 for _ in range(5))


def test_a_client_that_goes_on_after_its_last_request_is_cut_off(lone_server: Server) -> None:
    with lone_server.connect() as client:
        client.sendall(RUDE["the last request"] + b"and more")
        assert status_of(receive(client)) == 200
    assert_others_are_answered(lone_server)


@pytest.fixture(scope="module")
def flagged_server(trained_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server with flags that change how requests are read and connections are kept."""
    options = ["--workers=1", "--strip-header-spaces", "--proxy-protocol", "--keep-alive=0", "--timeout=0"]
    log_path = tmp_path_factory.mktemp("flagged") / "log"
    with running(log_path, *options, IRIS_MODEL_PATH=str(trained_path)) as server:
        yield server


def test_flags_that_change_how_requests_are_read_let_nobody_hold_up_others(flagged_server: Server) -> None:
    with flagged_server.connect() as client:
        client.sendall(b"PROXY TCP4 127.0.0.1 127.0.0.1 1000 80\r\n" + RUDE["a length with many zeros"])
        assert_others_are_answered(flagged_server)
        client.sendall(BODY.ljust(83))
        assert status_of(receive(client)) == 200


def test_without_keeping_connections_every_request_is_answered_and_told_that_it_was_the_last(
    flagged_server: Server,
) -> None:
    body = json.dumps([FLOWER] * 5000).encode()
    for _ in range(5):
        status, document = classify(flagged_server, body)
        assert (status, len(document["predictions"])) == (200, 5000)  # type: ignore[arg-type]


# ---- connections that are kept --------------------------------------------------------------------------------------


def test_chunked_bodies_follow_each_other_on_one_connection(lone_server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", lone_server.port, timeout=20)
    for _ in range(200):
        chunks: Iterator[bytes] = iter([BODY[:10], BODY[10:]])
        connection.request("POST", "/api/classify", chunks, {"Content-Type": "application/json"}, encode_chunked=True)
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read()), answer.will_close) == (200, True, False)
    connection.close()


@pytest.mark.parametrize("first", [WHOLE, CHUNKED], ids=["a length", "chunks"])
def test_requests_that_come_at_once_are_all_answered(lone_server: Server, first: bytes) -> None:
    with lone_server.connect() as client:
        client.sendall(first + CHUNKED + RUDE["the last request"])
        assert receive(client).count(b'"species":"setosa"') == 3


@pytest.mark.parametrize("request_", [WHOLE, CHUNKED], ids=["a length", "chunks"])
def test_a_client_may_wait_for_leave_to_send_its_body(lone_server: Server, request_: bytes) -> None:
    head, _, body = request_.partition(b"\r\n\r\n")
    with lone_server.connect() as client:
        for _ in range(2):
            client.sendall(head + b"\r\nExpect: 100-continue\r\n\r\n")
            assert client.recv(65536) == b"HTTP/1.1 100 Continue\r\n\r\n"
            client.sendall(body)
            answer = b""
            while not answer.endswith(b"}"):
                answer += client.recv(65536)
            assert status_of(answer) == 200


# ---- too much to do -------------------------------------------------------------------------------------------------

KEY = "the key of the tests"


@pytest.fixture(scope="module")
def narrow_server(trained_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A server that has three requests in hand at most, and wants a key."""
    settings = {
        "IRIS_MODEL_PATH": str(trained_path),
        "IRIS_MAX_CONTENT_LENGTH": "200000",
        "IRIS_API_KEYS": json.dumps({"tests": hashlib.sha256(KEY.encode()).hexdigest()}),
    }
    log_path = tmp_path_factory.mktemp("narrow") / "log"
    with running(log_path, "--workers=1", "--threads=4", **settings) as server:
        yield server


AUTHORIZATION = f"Authorization: Bearer {KEY}\r\n".encode()


@contextmanager
def overloaded(server: Server, count: int = 3) -> Iterator[list[socket.socket]]:
    """Give clients that have sent half a request each, as many as the server may have in hand."""
    half = HEAD + AUTHORIZATION + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY[:20]
    clients: list[socket.socket] = []

    def is_full() -> bool:
        for client in select.select(clients, [], [], 0)[0]:  # it was refused, since we were asking ourselves
            clients.remove(client)
            client.close()
        while len(clients) < count:
            clients.append(server.connect())
            clients[-1].sendall(half)
        return ask(server, BODY)[0] == 503

    try:
        eventually(is_full)
        yield clients
    finally:
        for client in clients:
            client.close()


def ask(server: Server, body: bytes, **headers: str) -> tuple[int, str | None]:
    """Send a request and return its status, and when to come back."""
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    given = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"} | headers
    connection.request("POST", "/api/classify", body, given)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer.status, answer.getheader("Retry-After")


def test_one_request_too_many_is_refused_at_once_and_probes_are_answered(narrow_server: Server) -> None:
    with overloaded(narrow_server) as clients:
        began = time.monotonic()
        assert ask(narrow_server, BODY) == (503, "5")
        assert [get(narrow_server, path)[0] for path in ("/healthz", "/readyz", "/metrics", "/ping")] == [200] * 4
        assert time.monotonic() - began < 1
        for client in clients:
            client.sendall(BODY[20:])
            assert status_of(client.recv(65536)) == 200
    assert ask(narrow_server, BODY)[0] == 200


def test_clients_that_hang_up_make_room(narrow_server: Server) -> None:
    for _ in range(3):
        with overloaded(narrow_server):
            pass
        eventually(lambda: ask(narrow_server, BODY)[0] == 200)
    assert "Traceback" not in narrow_server.log


REFUSED = {
    "no key": ({"Authorization": "Bearer wrong"}, 401),
    "too long": ({}, 413),
    "another type": ({"Content-Type": "text/x"}, 415),
}


@pytest.mark.parametrize("chunked", [False, True], ids=["a length", "chunks"])
@pytest.mark.parametrize("length", [1_000, 100_000, 300_000])
@pytest.mark.parametrize("why", REFUSED)
def test_a_body_that_is_refused_unread_leaves_the_next_request_as_it_is(
    narrow_server: Server, why: str, length: int, chunked: bool
) -> None:
    headers, status = REFUSED[why]
    if why == "too long" and length < 200_000:
        return
    assert_refused_and_next_answered(narrow_server, headers, b"[" + b" " * length, status, chunked)


def test_a_request_too_many_leaves_the_next_one_as_it_is(narrow_server: Server) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", narrow_server.port, timeout=20)
    with overloaded(narrow_server):
        connection.request("POST", "/api/classify", BODY, {"Content-Type": "application/json"})
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read()), answer.will_close) == (503, True, False)
    eventually(lambda: ask(narrow_server, BODY)[0] == 200)
    connection.request("GET", "/healthz")
    assert connection.getresponse().status == 200
    connection.close()


def assert_refused_and_next_answered(
    server: Server, headers: dict[str, str], body: bytes, status: int, chunked: bool
) -> None:
    """Send a body that is refused and then a good one, on the same connection unless it was closed."""
    given = {"Content-Type": "application/json", "Authorization": f"Bearer {KEY}"}
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
    pieces = iter([body[i : i + 10_000] for i in range(0, len(body), 10_000)])
    with suppress(ConnectionError):  # it is closed while the body is sent
        connection.request(
            "POST", "/api/classify", pieces if chunked else body, given | headers, encode_chunked=chunked
        )
        answer = connection.getresponse()
        assert (answer.status, bool(answer.read())) == (status, True)
        connection.request("POST", "/api/classify", BODY, given)
        answer = connection.getresponse()
        assert (answer.status, b"setosa" in answer.read()) == (200, True)
    connection.close()
    assert ask(server, BODY)[0] == 200


# ---- what ends and begins -------------------------------------------------------------------------------------------


def test_no_request_is_lost_by_a_reload_or_a_stop_of_a_server_that_has_all_it_can_hold(
    tmp_path: Path, trained_path: Path
) -> None:
    under = ["prlimit", "--nofile=1024:1024"]
    with (
        running(tmp_path / "log", "--workers=1", under=under, IRIS_MODEL_PATH=str(trained_path)) as server,
        ExitStack() as stack,
    ):
        for number, signal_ in enumerate([signal.SIGHUP, signal.SIGTERM]):
            begun = stack.enter_context(overloaded(server, 24))
            kept = [stack.enter_context(server.connect()) for _ in range(950)]
            for client in kept:
                client.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert [status_of(receive_document(kept[place])) for place in (0, 600)] == [200] * 2
            assert server.log.count("Booting worker") == number + 1
            server.process.send_signal(signal_)
            eventually(partial(is_stopping, kept[0]))
            for client in begun:
                client.sendall(BODY[20:])
            assert [status_of(client.recv(65536)) for client in begun] == [200] * 24
            stack.close()
            if signal_ == signal.SIGHUP:
                eventually(lambda: server.log.count("Answering with") == 2)
                eventually(lambda: server.log.count("Worker exiting") == 1)
        assert server.process.wait(30) == 0
        assert "Traceback" not in server.log


def receive_document(client: socket.socket) -> bytes:
    """Read an answer in JSON from a connection that is kept, or what there is where it is closed."""
    received = b""
    while not received.endswith(b"}") and (part := client.recv(65536)):
        received += part
    return received


def is_stopping(client: socket.socket) -> bool:
    """Ask for readiness on a connection that is kept, which a worker that stops closes soon."""
    try:
        client.sendall(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n")
        answer = receive_document(client)
    except ConnectionError:
        return True
    return not answer or status_of(answer) == 503


# What Python runs as it starts: without what macOS does not have.
MACOS = """
import errno, os, resource, select, signal
for module, names in {
    os: "sched_getaffinity sched_setaffinity posix_fallocate posix_fadvise pipe2 memfd_create eventfd splice "
        "copy_file_range getrandom getxattr setxattr pidfd_open unshare setns sched_getscheduler sched_setscheduler",
    resource: "prlimit RUSAGE_THREAD",
    select: "epoll",
    signal: "sigtimedwait sigwaitinfo pidfd_send_signal",
}.items():
    for name in names.split():
        if hasattr(module, name):
            delattr(module, name)
stat = os.stat
def stat_on_macos(path, *args, **options):
    if not isinstance(path, int) and os.fspath(path) == "/dev/shm":
        raise FileNotFoundError(errno.ENOENT, path)
    return stat(path, *args, **options)
os.stat = stat_on_macos
"""


def test_it_runs_without_what_macos_does_not_have(tmp_path: Path, trained_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(MACOS)
    settings = {"IRIS_MODEL_PATH": str(trained_path), "PYTHONPATH": str(tmp_path), "TMPDIR": str(tmp_path)}
    with running(tmp_path / "log", **settings) as server:
        assert classify(server)[0] == 200
        assert get(server, "/metrics")[0] == 200
        assert list(tmp_path.glob("iris_app-*"))
        assert not {"ERROR", "WARNING"} & {line["level"] for line in lines(server)}
