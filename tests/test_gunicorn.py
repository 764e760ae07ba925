"""The real server, as production runs it."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from iris_app.model.registry import Registry
from tests.support import CHECKOUT, FLOWER, SECRET_KEY, Server, another, eventually, running

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
    for _ in range(5):
        classify(lone_server, batch)
    before = pages_given(lone_server)
    assert classify(lone_server, batch)[0] == 200
    assert pages_given(lone_server) - before < 200


def test_each_worker_loads_the_model_before_its_first_visitor(trained_path: Path, tmp_path: Path) -> None:
    with running(tmp_path / "log", "--workers=2", IRIS_MODEL_PATH=str(trained_path)) as server:
        eventually(lambda: server.log.count("Answering with model ") == 2)


def test_there_is_a_worker_for_each_processor(server: Server) -> None:
    eventually(lambda: server.log.count("Booting worker") == len(os.sched_getaffinity(0)))


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


@pytest.mark.parametrize("chunked", [False, True])
def test_a_body_above_the_limit_is_a_413_however_it_is_sent(
    tmp_path: Path,
    trained_path: Path,
    chunked: bool,
) -> None:
    body = b"[" + b" " * 3000 + b"]"
    chunks = iter([body[i : i + 500] for i in range(0, len(body), 500)])
    with running(tmp_path / "log", IRIS_MODEL_PATH=str(trained_path), IRIS_MAX_CONTENT_LENGTH="2000") as server:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        headers = {"Content-Type": "application/json"}
        connection.request("POST", "/api/classify", chunks if chunked else body, headers, encode_chunked=chunked)
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("Content-Type")) == (413, "application/problem+json")
        connection.close()
        assert "Traceback" not in server.log


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


def test_a_request_in_flight_is_finished_after_sigterm(tmp_path: Path, trained_path: Path) -> None:
    with (
        running(tmp_path / "log", "--workers=1", IRIS_MODEL_PATH=str(trained_path)) as server,
        server.connect() as client,
    ):
        client.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY[:20])
        time.sleep(0.5)
        server.process.send_signal(signal.SIGTERM)
        time.sleep(0.5)
        client.sendall(BODY[20:])
        answer = receive(client)
        assert status_of(answer) == 200
        assert b'"species":"setosa"' in answer
        assert server.process.wait(20) == 0


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


def test_gunicorn_s_own_flags_and_environment_change_its_settings(tmp_path: Path, trained_path: Path) -> None:
    settings = {"IRIS_MODEL_PATH": str(trained_path), "GUNICORN_CMD_ARGS": "--workers=3 --no-control-socket"}
    with running(tmp_path / "log", "--threads=1", "--worker-class=sync", **settings) as server:
        assert classify(server)[0] == 200
        eventually(lambda: server.log.count("Booting worker") == 3)
        assert "Using worker: sync" in server.log


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
    assert "iris_app cannot start: MAX_BATCH_ROWS in the environment cannot be 'many'" in log
    assert "Traceback" not in log


def test_a_worker_that_stops_says_so_while_it_finishes(tmp_path: Path, trained_path: Path) -> None:
    with running(tmp_path / "log", "--workers=1", IRIS_MODEL_PATH=str(trained_path)) as server:
        probe = http.client.HTTPConnection("127.0.0.1", server.port, timeout=20)
        probe.request("GET", "/readyz")
        ready = probe.getresponse()
        assert (ready.status, bool(ready.read())) == (200, True)
        with server.connect() as client:
            client.sendall(HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY[:20])
            time.sleep(0.5)
            server.process.send_signal(signal.SIGTERM)
            time.sleep(0.5)
            probe.request("GET", "/readyz")
            assert probe.getresponse().status == 503
            client.sendall(BODY[20:])
            assert status_of(receive(client)) == 200
        probe.close()


def test_each_worker_ends_on_what_is_published_and_on_what_is_put_back(tmp_path: Path, model_path: Path) -> None:
    versions = Registry(tmp_path / "models", model_path)
    settings = {"IRIS_MODEL_PATH": str(model_path), "IRIS_MODEL_CHECK_SECONDS": "0.1"}
    with running(tmp_path / "log", "--workers=2", **settings) as server:
        eventually(lambda: server.log.count("Answering with model ") == 2)
        for put in (partial(versions.publish, *another(2), keep=5), versions.rollback):
            version = put().version
            eventually(partial(both_took, server, version))
            assert {classify(server)[1]["model"] for _ in range(10)} == {version}


def both_took(server: Server, version: str) -> bool:
    return server.log.count(f"Model {version} answers from now on") == 2
