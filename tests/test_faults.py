"""Faults that production must survive, each done to a real gunicorn of two workers under steady load.

What takes long is shortened here; ``scripts/soak`` does all of it and prints what it measured.
"""

import gzip
import hashlib
import json
import os
import pickle
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import joblib
import pytest

from iris_app.model.manifest import manifest_path
from tests.load import BODY, Client, load
from tests.observability.test_metrics import read
from tests.support import CHECKOUT, SECRET_KEY, Server, eventually, publish, running
from tests.test_gunicorn import HEAD, get, lines, status_of

SOAK = "SOAK" in os.environ


def full(number: int, truncate: int) -> int:
    """Choose how often something is done."""
    return number if SOAK else truncate


def report(sentence: str) -> None:
    """Say what was measured."""
    print(f"\n    {sentence}", flush=True)


def workers(server: Server) -> list[int]:
    """Return the processes that answer."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children").read_text()
    return [int(pid) for pid in children.split()]


def memory(pid: int) -> int:
    """Return the bytes that a process alone holds, and its share of what it holds with others."""
    rollup = Path(f"/proc/{pid}/smaps_rollup").read_text()
    return next(int(line.split()[1]) * 1024 for line in rollup.splitlines() if line.startswith("Pss:"))


def descriptors(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


@contextmanager
def two_workers(tmp_path: Path, model_path: Path, **settings: Any) -> Iterator[Server]:
    """Run a server of two workers, both with a model."""
    log_path = tmp_path.parent / f"{tmp_path.name}.log"  # not beside the model, whose folder tests damage
    settings = {"IRIS_MODEL_PATH": str(model_path), "IRIS_MODEL_CHECK_SECONDS": "0.2"} | settings
    with running(log_path, "--workers=2", **settings) as server:
        yield server


def said(server: Server, text: str) -> int:
    """Count the lines of the log that hold a text."""
    return sum(text in line["message"] for line in lines(server))


# ---- the model ------------------------------------------------------------------------------------------------------


def test_models_published_in_a_row_are_taken_without_a_failed_request(tmp_path: Path, model_path: Path) -> None:
    pairs = []
    for regularisation in (0.5, 2.0):
        version = publish(model_path, regularisation)
        pairs.append((version, {path: path.read_bytes() for path in model_path.parent.iterdir() if path.is_file()}))
    with two_workers(tmp_path, model_path, IRIS_MODEL_CHECK_SECONDS="0.1") as server:
        with load(server) as answers:
            for number in range(full(100, 30)):
                for path, content in pairs[number % 2][1].items():
                    path.with_suffix(".new").write_bytes(content)
                    path.with_suffix(".new").replace(path)
                time.sleep(0.15)
        last = pairs[1][0]
        eventually(lambda: {answering(server) for _ in range(20)} == {last})
        swaps = said(server, "answers from now on")
    assert not answers.failures
    assert swaps > full(20, 6)
    assert {document["model"] for document in answers.documents} == {version for version, _ in pairs}
    for version, _ in pairs:
        probabilities = [str(one["probabilities"]) for one in answers.documents if one["model"] == version]
        assert len(set(probabilities)) == 1
    report(f"{full(100, 30)} publishes: {swaps} swaps in two workers, {len(answers.statuses):,} requests, none failed")


def answering(server: Server) -> object:
    """Return the model that answers on a new connection."""
    client = Client(server)
    _, document = client.ask()
    client.close()
    return document["model"]


class Bomb:
    """What runs a command when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self._target = target

    def __reduce__(self) -> tuple[object, ...]:
        return os.system, (f"touch {self._target}",)


def flip(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[500] ^= 1
    path.write_bytes(content)


def change_manifest(path: Path, **changes: object) -> None:
    document = json.loads(manifest_path(path).read_text()) | changes
    manifest_path(path).write_text(json.dumps(document))


def save_as_another_version(path: Path) -> None:
    """Save the pipeline as if scikit-learn had another version, with a manifest that says the same."""
    script = (
        "import sys, joblib, sklearn.base as base; model = joblib.load(sys.argv[1])\n"
        "base.__version__ = '0.1'; joblib.dump(model, sys.argv[2])"
    )
    saved = path.parent.parent / "another"
    subprocess.run([sys.executable, "-c", script, path, saved], check=True)
    content = saved.read_bytes()
    path.write_bytes(content)
    change_manifest(path, sha256=hashlib.sha256(content).hexdigest(), bytes=len(content))


def make_bomb(path: Path) -> None:
    joblib.dump(Bomb(path.parent / "ran"), path)


def make_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


def make_unreadable(path: Path) -> None:
    path.unlink()
    path.symlink_to(path)  # round and round: not even root can read it


def make_pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def make_zeros(path: Path) -> None:
    os.truncate(path, 0)
    os.truncate(path, 10**9)


DAMAGES: dict[str, tuple[Callable[[Path], object], str]] = {
    "deleted": (Path.unlink, "unreadable"),
    "truncated": (lambda path: os.truncate(path, 100), "wrong size"),
    "a flipped bit": (flip, "wrong digest"),
    "a wrong digest": (lambda path: change_manifest(path, sha256="0" * 64), "wrong digest"),
    "another scikit-learn": (save_as_another_version, "saved by another scikit-learn"),
    "code instead of a model": (make_bomb, "wrong size"),
    "a directory": (make_directory, "unreadable"),
    "unreadable": (make_unreadable, "unreadable"),
    "a pipe": (make_pipe, "unreadable"),
    "1 GB of zeros": (make_zeros, "wrong size"),
    "a manifest that is none": (lambda path: manifest_path(path).write_text("{"), "wrong manifest"),
}


@pytest.fixture(scope="module")
def swapping(trained_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Server, Path]]:
    """A server whose model is damaged and put right again."""
    folder = tmp_path_factory.mktemp("swapping")
    for file in trained_path.parent.iterdir():
        shutil.copy(file, folder)
    with two_workers(folder, folder / trained_path.name) as server:
        yield server, folder / trained_path.name


@pytest.mark.parametrize("damage", DAMAGES)
def test_a_damaged_model_is_refused_and_the_old_one_goes_on(
    swapping: tuple[Server, Path], trained_path: Path, damage: str
) -> None:
    server, path = swapping
    do, reason = DAMAGES[damage]
    refused, loaded = said(server, "is refused"), said(server, "answers from now on")
    before = [memory(pid) for pid in workers(server)]
    with load(server) as answers:
        do(path)
        eventually(lambda: said(server, "is refused") >= refused + 2)
        status, ready = get(server, "/readyz")
        assert status == 200
        assert json.loads(ready)["warnings"] == [f"A model that was published since is refused: {reason}."]
        assert eventually(lambda: read(get(server, "/metrics")[1], "iris_app_model_loads_total", outcome=reason)) >= 2
        after = [memory(pid) for pid in workers(server)]
        if path.is_dir():
            path.rmdir()
        else:
            path.unlink(missing_ok=True)
        for file in trained_path.parent.iterdir():
            shutil.copy(file, path.parent)
        eventually(lambda: said(server, "answers from now on") >= loaded + 2)
    assert not answers.failures
    assert len({str(document) for document in answers.documents}) == 1
    assert not (path.parent / "ran").exists()
    assert all(new < old + 50e6 for old, new in zip(before, after, strict=True))


def test_code_that_poses_as_a_model_is_what_the_test_of_it_takes_it_for(tmp_path: Path) -> None:
    path = tmp_path / "bomb"
    make_bomb(path)
    with path.open("rb") as file, suppress(Exception):
        pickle.load(file)  # noqa: S301 -- that it runs is the point
    assert (tmp_path / "ran").exists()


# ---- the processes --------------------------------------------------------------------------------------------------


def test_a_killed_worker_fails_its_own_requests_alone_and_is_back_soon(tmp_path: Path, model_path: Path) -> None:
    clients, kills = 3, full(10, 3)
    longest = 0.0
    with two_workers(tmp_path, model_path) as server, load(server, clients) as answers:
        for number in range(kills):
            time.sleep(0.5)
            killed = workers(server)[number % 2]
            os.kill(killed, signal.SIGKILL)
            began = time.monotonic()
            eventually(lambda: len(set(workers(server)) - {killed}) == 2)  # noqa: B023
            eventually(lambda: said(server, "Answering with") >= number + 3)  # noqa: B023
            longest = max(longest, time.monotonic() - began)
        ready, _ = get(server, "/readyz")
    assert ready == 200
    assert answers.failures.total() <= kills * clients
    assert longest < 2 if SOAK else longest < 10
    report(f"{kills} kills: {answers.failures.total()} requests failed, a worker was back in {longest:.1f} s at most")


def test_a_reload_loses_no_request_and_takes_new_settings(tmp_path: Path, model_path: Path) -> None:
    with two_workers(tmp_path, model_path) as server:
        with load(server) as answers:
            for number in range(full(10, 2)):
                old = set(workers(server))
                server.process.send_signal(signal.SIGHUP)
                eventually(lambda: not old & set(workers(server)), server.process)  # noqa: B023
                eventually(lambda: said(server, "Answering with") >= 2 * (number + 2))  # noqa: B023
        assert get(server, "/readyz")[0] == 200
    assert not answers.failures
    report(f"{full(10, 2)} reloads: {len(answers.statuses):,} requests, none failed")


def test_a_stop_loses_no_request_that_has_begun(tmp_path: Path, model_path: Path) -> None:
    with two_workers(tmp_path, model_path) as server:
        with load(server, pause=0) as answers:
            time.sleep(0.5)
            answers.clear()
            server.process.send_signal(signal.SIGTERM)
            stopped = server.process.wait(30)
        # What fails was sent on connections that nobody accepted any more: each client had one when the stop began.
        assert set(answers.failures) <= {"ConnectionRefusedError", "ConnectionResetError", "RemoteDisconnected"}
        assert stopped == 0


# ---- the clients ----------------------------------------------------------------------------------------------------


def test_clients_that_hang_up_leave_nothing_behind(tmp_path: Path, model_path: Path) -> None:
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
    chance = random.Random(0)

    def hang_up(server: Server) -> None:
        with server.connect() as client:
            client.sendall(request[: chance.randrange(1, len(request) + 1)])
            if chance.random() < 0.5:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")

    with two_workers(tmp_path, model_path) as server:
        for _ in range(100):
            hang_up(server)
        before = settled(server)
        with load(server) as answers:
            for _ in range(full(1000, 200)):
                hang_up(server)
        after = settled(server)
        assert "exception" not in server.log
    assert not answers.failures
    assert {pid: files for pid, (files, _) in after.items()} == {pid: files for pid, (files, _) in before.items()}
    grown = max(after[pid][1] - before[pid][1] for pid in after)
    report(f"{full(1000, 200)} clients hung up: a worker grew by {grown / 1e6:.1f} MB at most, no descriptor was left")
    assert grown < 5e6


def settled(server: Server) -> dict[int, tuple[int, int]]:
    """Return the open files and the memory of each worker when its clients have gone."""
    held: dict[int, int] = {}

    def is_settled() -> bool:
        before = held.copy()
        held.update({pid: descriptors(pid) for pid in workers(server)})
        time.sleep(0.3)
        return before == held

    eventually(is_settled)
    return {pid: (descriptors(pid), memory(pid)) for pid in workers(server)}


LIMIT = 16 * 1024 * 1024
BODIES = {
    "a byte over the limit": (b"[" + b" " * (LIMIT - 1) + b"]", b"", 413),
    "a bomb": (gzip.compress(b" " * 500_000_000, 1), b"Content-Encoding: gzip\r\n", 413),
    "100,000 deep": (b"[" * 100_000, b"", 400),
    "100,000 deep in objects": (b'{"a":' * 100_000, b"", 400),
}


@pytest.mark.parametrize("body", BODIES)
def test_a_monstrous_body_is_refused_and_costs_no_memory(server: Server, body: str) -> None:
    content, header, status = BODIES[body]
    head = HEAD + header + b"Connection: close\r\nContent-Length: %d\r\n\r\n" % len(content)
    with ThreadPoolExecutor(8) as clients:  # every worker has met some, and keeps what they took
        answered = list(clients.map(lambda _: send(server, head, [content]), range(32)))
    before = {pid: memory(pid) for pid in workers(server)}
    answered += [send(server, head, [content]) for _ in range(full(100, 6))]
    assert set(answered) == {status}
    grown = max(memory(pid) - held for pid, held in before.items())
    report(f"{body}, {len(answered)} times: a worker grew by {grown / 1e6:.1f} MB at most")
    assert grown < 2 * LIMIT


def test_chunks_without_end_are_refused_at_the_limit(server: Server) -> None:
    head = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"
    chunk = b"10000\r\n" + b" " * 65536 + b"\r\n"
    with ThreadPoolExecutor(16) as clients:  # every thread of the server has met one, and keeps what it took for it
        answered = list(clients.map(lambda _: send(server, head, (chunk for _ in range(10_000))), range(48)))
    before = {pid: memory(pid) for pid in workers(server)}
    answered += [send(server, head, (chunk for _ in range(10_000))) for _ in range(full(100, 6))]
    assert set(answered) == {413}
    grown = max(memory(pid) - held for pid, held in before.items())
    report(f"chunks without end, {len(answered)} times: a worker grew by {grown / 1e6:.1f} MB at most")
    assert grown < 2 * LIMIT


def send(server: Server, head: bytes, body: Iterable[bytes]) -> int:
    """Send a request until it was sent or is answered, and return the status of its answer."""
    with server.connect() as client:
        with suppress(ConnectionError):
            client.sendall(head)
            for part in body:
                client.sendall(part)
        return status_of(client.recv(65536))


# ---- the machine ----------------------------------------------------------------------------------------------------


def test_without_room_for_counts_flowers_are_classified_and_the_log_says_why(tmp_path: Path, model_path: Path) -> None:
    """A limit on the size of files stands for a full disk: both fail where room is taken."""
    with two_workers(tmp_path, model_path, under=["prlimit", "--fsize=100000"]) as server:
        with load(server) as answers:
            time.sleep(1)
        status, _ = get(server, "/metrics")
        assert said(server, "/metrics is off") == 2  # a line a worker
    assert not answers.failures
    assert status == 503


def test_an_instance_folder_that_cannot_be_written_is_no_trouble(tmp_path: Path, trained_path: Path) -> None:
    checkout = tmp_path / "checkout"
    instance = Path(shutil.copytree(trained_path.parent, checkout / "instance"))
    for name in ("iris_app", "config.py", "wsgi.py", "gunicorn.conf.py"):
        (checkout / name).symlink_to(CHECKOUT / name)
    instance.chmod(0o555)
    bare = ["setpriv", "--bounding-set=-all"] if os.geteuid() == 0 else []  # even root, with none of its powers
    with two_workers(tmp_path, Path(trained_path.name), under=bare, checkout=checkout) as server:
        with load(server) as answers:
            time.sleep(1)
        assert get(server, "/metrics")[0] == 200
    assert not answers.failures


# What Python runs as it starts: its clock then goes wrong by as many seconds as a file says.
WRONG_CLOCK = """
import os, time
right = time.time
time.time = lambda: right() + int(open(os.environ["CLOCK"]).read() or 0)
"""


def test_a_clock_that_is_set_back_changes_nothing(tmp_path: Path, model_path: Path) -> None:
    clock = tmp_path / "clock"
    clock.write_text("0")
    (tmp_path / "sitecustomize.py").write_text(WRONG_CLOCK)
    with two_workers(tmp_path, model_path, PYTHONPATH=str(tmp_path), CLOCK=str(clock)) as server:
        with load(server) as answers:
            time.sleep(1)
            clock.write_text("-200000")
            time.sleep(full(40, 2))  # in full, longer than a worker may be silent
            version = publish(model_path, 2.0)
            eventually(lambda: said(server, f"Model {version} answers from now on") == 2)
        assert lines(server)[-1]["time"] < lines(server)[0]["time"]
        assert said(server, "Booting worker") == 2
    assert not answers.failures


def test_a_port_that_is_taken_stops_the_start_and_is_named(trained_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        environment = os.environ | {"PORT": port, "IRIS_SECRET_KEY": SECRET_KEY, "IRIS_MODEL_PATH": str(trained_path)}
        gunicorn = Path(sys.executable).parent / "gunicorn"
        run = subprocess.run(
            [gunicorn, "wsgi:app"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
        )
    assert run.returncode != 0
    assert f"127.0.0.1', {port}" in run.stdout
    assert "Traceback" not in run.stdout + run.stderr


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"IRIS_SECRET_KEY": ""}, "IRIS_SECRET_KEY in the environment is wrong"),
        ({"IRIS_MAX_BATCH_ROW": "1"}, "IRIS_MAX_BATCH_ROW in the environment is not a setting of iris_app"),
    ],
)
def test_a_setting_that_is_wrong_stops_the_start_with_one_line(settings: dict[str, str], sentence: str) -> None:
    environment = os.environ | {"IRIS_SECRET_KEY": SECRET_KEY} | settings
    gunicorn = Path(sys.executable).parent / "gunicorn"
    run = subprocess.run(
        [gunicorn, "wsgi:app"], cwd=CHECKOUT, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == 1
    assert run.stderr.startswith(f"iris_app cannot start: {sentence}")
    assert run.stderr.count("\n") == 1


def test_memory_is_flat_under_long_traffic(tmp_path: Path, model_path: Path) -> None:
    requests = full(200_000, 6_000)
    with two_workers(tmp_path, model_path) as server, load(server, pause=0) as answers:
        eventually(lambda: len(answers.statuses) > requests / 10, seconds=3600)
        before = {pid: memory(pid) for pid in workers(server)}
        eventually(lambda: len(answers.statuses) >= requests, seconds=3600)
        grown = max(memory(pid) - held for pid, held in before.items())
    report(f"{requests:,} requests: after the first tenth, a worker grew by {grown / 1e6:.1f} MB at most")
    assert not answers.failures
    assert grown < 3e6
