"""Debian's nginx with the configuration that is ours, in front of a real gunicorn."""

import json
import os
import random
import re
import shutil
import signal
import socket
import socketserver
import ssl
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from threading import Thread

import httpx
import pytest
import trustme
from playwright.sync_api import Browser, expect

from tests.support import CHECKOUT, FLOWER, FORM, Server, eventually, running

BODY = json.dumps(FLOWER).encode()
NAME = "iris.example.org"
PERSON = {"Accept": "text/html,*/*;q=0.8"}

# What a server of its own needs around the file.
MAIN = """
{user}
daemon off;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
events {{ worker_connections 2048; }}
http {{
    client_body_temp_path {folder}/body;
    proxy_temp_path {folder}/proxy;
    fastcgi_temp_path {folder}/fastcgi;
    uwsgi_temp_path {folder}/uwsgi;
    scgi_temp_path {folder}/scgi;
    include {folder}/iris-app.conf;
}}
"""


@dataclass
class Nginx:
    """An nginx that runs."""

    folder: Path
    http_port: int
    https_port: int
    trust: ssl.SSLContext

    @property
    def log(self) -> str:
        return (self.folder / "iris_app.log").read_text()

    def client(self, address: str = "127.0.0.1") -> httpx.Client:
        """Return a client at an address of its own, so that nobody else uses its allowance up."""
        transport = httpx.HTTPTransport(verify=self.trust, local_address=address)
        return httpx.Client(base_url=f"https://localhost:{self.https_port}", transport=transport, timeout=20)

    def connect(self, address: str) -> ssl.SSLSocket:
        connection = socket.create_connection(("127.0.0.1", self.https_port), 20, (address, 0))
        return self.trust.wrap_socket(connection, server_hostname="localhost")


def free_port() -> int:
    """Return a port that nobody listens at, of those that no connection is given before nginx takes it."""
    while True:
        port = random.randrange(10_000, 32_000)
        with suppress(OSError), socket.create_server(("", port)):
            return port


def configuration(folder: Path, http_port: int, https_port: int, app_port: int) -> str:
    """Return our file with other ports and folders, and nothing else changed."""
    text = (CHECKOUT / "deploy" / "nginx.conf").read_text()
    if not Path("/proc/net/if_inet6").exists():
        text = re.sub(r"    listen \[::\].*\n", "", text)
    places = {
        r"(listen (?:\[::\]:)?)80;": rf"\g<1>{http_port};",
        r"(listen (?:\[::\]:)?)443 ": rf"\g<1>{https_port} ",
        r"server 127.0.0.1:8000;": f"server 127.0.0.1:{app_port};",
        r"/etc/ssl/(certs|private)|/var/log/nginx|/var/lib/nginx": str(folder),
    }
    for pattern, place in places.items():
        text, found = re.subn(pattern, place, text)
        assert found, pattern
    return text


def certify(folder: Path) -> ssl.SSLContext:
    """Make a certificate where the configuration looks for it, and return what trusts it."""
    authority = trustme.CA()
    certificate = authority.issue_cert(NAME, "localhost")
    certificate.private_key_pem.write_to_path(str(folder / f"{NAME}.key"))
    for blob in certificate.cert_chain_pems:
        blob.write_to_path(str(folder / f"{NAME}.pem"), append=True)
    trust = ssl.create_default_context()
    authority.configure_trust(trust)
    return trust


@pytest.fixture(scope="module")
def app_server(trained_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """One worker, whose few threads would soon be held."""
    settings = {"IRIS_PROXY_COUNT": "1", "IRIS_SESSION_COOKIE_SECURE": "true", "IRIS_MODEL_PATH": str(trained_path)}
    with running(tmp_path_factory.mktemp("app") / "log", "--workers=1", **settings) as server:
        yield server


@pytest.fixture(scope="module")
def nginx(app_server: Server, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nginx]:
    with serving(tmp_path_factory.mktemp("nginx"), app_server.port) as nginx:
        yield nginx


@contextmanager
def serving(folder: Path, app_port: int) -> Iterator[Nginx]:
    """Run nginx in front of what listens at a port."""
    http_port, https_port = free_port(), free_port()
    nginx = Nginx(folder, http_port, https_port, certify(folder))
    (folder / "iris-app.conf").write_text(configuration(folder, http_port, https_port, app_port))
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(MAIN.format(folder=folder, user=user))
    command = [shutil.which("nginx") or "/usr/sbin/nginx", "-e", folder / "nginx.log", "-c", folder / "nginx.conf"]
    with subprocess.Popen(command) as process:
        try:
            eventually((folder / "nginx.pid").exists, process)
            yield nginx
        finally:
            process.send_signal(signal.SIGQUIT)


def test_http_is_sent_on_to_https(nginx: Nginx) -> None:
    answer = httpx.get(f"http://localhost:{nginx.http_port}/classify?slen=5.1", headers={"Host": NAME})
    assert (answer.status_code, answer.headers["Location"]) == (308, f"https://{NAME}/classify?slen=5.1")


def test_a_form_is_sent_with_a_cookie_that_only_https_carries(nginx: Nginx) -> None:
    with nginx.client() as client:
        page = client.get("/home")
        assert "Secure" in page.headers["Set-Cookie"]
        token = re.search(r'name="csrf_token"[^>]* value="([^"]+)"', page.text)
        assert token
        headers = {"Referer": str(page.url)}
        answer = client.post("/classify", data=FORM | {"csrf_token": token[1]}, headers=headers, follow_redirects=True)
    assert answer.status_code == 200
    assert "Predicted class: Setosa" in answer.text


def test_a_browser_sends_the_form(nginx: Nginx, browser: Browser) -> None:
    page = browser.new_page(base_url=f"https://localhost:{nginx.https_port}", ignore_https_errors=True)
    page.goto("/home")
    for name, value in FORM.items():
        page.locator(f"[name={name}]").fill(value)
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Setosa")
    page.close()


def test_programs_are_answered(nginx: Nginx) -> None:
    with nginx.client() as client:
        answer = client.post("/api/classify", json=FLOWER)
    assert (answer.status_code, answer.json()["species"]) == (200, "setosa")


def test_the_log_of_the_app_names_the_client_and_not_the_proxy(nginx: Nginx, app_server: Server) -> None:
    with nginx.client("127.0.0.7") as client:
        client.get("/home")
    assert eventually(lambda: "127.0.0.7" in app_server.log)


@pytest.mark.parametrize("header", ["X-Forwarded-For", "Forwarded", "X-Real-IP"])
def test_a_client_cannot_pretend_to_be_another(nginx: Nginx, app_server: Server, header: str) -> None:
    with nginx.client("127.0.0.6") as client:
        request_id = client.get("/home", headers={header: "192.0.2.1"}).headers["X-Request-ID"]
    line = eventually(lambda: next((line for line in app_server.log.splitlines() if request_id in line), None))
    assert "127.0.0.6" in line
    assert "192.0.2.1" not in app_server.log


def test_a_client_cannot_pretend_to_be_sent_by_another_host(nginx: Nginx) -> None:
    with nginx.client() as client:
        answer = client.get("/", headers={"X-Forwarded-Host": "evil.example", "X-Forwarded-Prefix": "/evil"})
    assert "evil" not in answer.headers["Location"]


def test_a_static_file_is_answered_from_the_cache(nginx: Nginx) -> None:
    with nginx.client() as client:
        path = re.search(r'href="(/bootstrap/static/[^"]+)"', client.get("/home").text)
        assert path
        answers = [client.get(path[1]) for _ in range(2)]
    assert [answer.headers["X-Cache"] for answer in answers] == ["MISS", "HIT"]
    assert {answer.headers["Cache-Control"] for answer in answers} == {"public, max-age=31536000, immutable"}
    assert answers[0].content == answers[1].content


def until_refused(ask: Callable[[], httpx.Response]) -> list[httpx.Response]:
    """Ask until there is a 429, which comes the later the slower the machine is."""
    answers = [ask()]
    while answers[-1].status_code != 429 and len(answers) < 5000:
        answers.append(ask())
    return answers


def test_who_asks_too_often_is_told_to_wait(nginx: Nginx) -> None:
    with nginx.client("127.0.0.8") as client:
        *answered, refused = until_refused(lambda: client.post("/api/classify", json=FLOWER))
        page = until_refused(lambda: client.get("/home", headers=PERSON))[-1]
    assert len(answered) >= 100
    assert {answer.status_code for answer in answered} == {200}
    assert (refused.json()["status"], refused.headers["Content-Type"]) == (429, "application/problem+json")
    assert refused.headers["Retry-After"] == "1"
    assert page.headers["Content-Type"] == "text/html"
    assert "Too many requests came from your address" in page.text


def test_a_body_above_the_limit_never_reaches_the_app(nginx: Nginx, app_server: Server) -> None:
    with nginx.client() as client:
        answer = client.post("/api/classify", content=b" " * (16 * 1024 * 1024 + 1))
        behind = client.get("/home").headers["X-Request-ID"]
    assert (answer.status_code, answer.json()["title"]) == (413, "Request Entity Too Large")
    eventually(lambda: behind in app_server.log)
    assert answer.headers["X-Request-ID"] not in app_server.log


def test_a_head_above_the_limit_is_refused(nginx: Nginx) -> None:
    with nginx.client() as client:
        assert client.get("/home", headers={"X-Long": "x" * 40_000}).status_code == 400


def test_an_app_that_is_away_is_a_502_that_says_so(tmp_path: Path) -> None:
    with serving(tmp_path, free_port()) as nginx, nginx.client() as client:
        answer = client.post("/api/classify", json=FLOWER)
        assert (answer.status_code, answer.json()["status"], answer.headers["Retry-After"]) == (502, 502, "5")
        assert "cannot be reached" in client.get("/home", headers=PERSON).text


def test_the_metrics_are_not_for_the_world(nginx: Nginx) -> None:
    with nginx.client() as client:
        assert client.get("/metrics").status_code == 404


@pytest.mark.parametrize("given", ["an-id.of_mine", 'an id "of" mine', ""])
def test_a_request_has_one_id_in_both_logs(nginx: Nginx, app_server: Server, given: str) -> None:
    with nginx.client("127.0.0.5") as client:
        answer = client.post("/api/classify", json=FLOWER, headers={"X-Request-ID": given})
    request_id = answer.headers["X-Request-ID"]
    assert (request_id == given) == (given == "an-id.of_mine")
    assert eventually(lambda: request_id in app_server.log)
    assert eventually(lambda: any(line.split()[-1] == request_id for line in nginx.log.splitlines()))


HEAD = b"POST /api/classify HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
WHOLE = HEAD + b"Content-Length: %d\r\n\r\n" % len(BODY) + BODY
MANY = json.dumps([FLOWER] * 20_000).encode()

# What a client sends before it sends nothing more, and reads nothing.
SLOW = {
    "no handshake": None,
    "nothing": b"",
    "half a head": HEAD,
    "half a body": HEAD + b"Content-Length: 99\r\n\r\n{",
    "a request and a byte": WHOLE + b"P",
    "no body, but leave for it": HEAD + b"Content-Length: 99\r\nExpect: 100-continue\r\n\r\n",
    "a chunk that begins with an empty line": HEAD + b"Transfer-Encoding: chunked\r\n\r\n\r\n5\r\n",
    "a length with many zeros": HEAD + b"Content-Length: 0000000000000000000083\r\n\r\n",
}


@pytest.mark.parametrize("sent", SLOW.values(), ids=SLOW)
def test_two_hundred_slow_clients_hold_nobody_up(nginx: Nginx, app_server: Server, sent: bytes | None) -> None:
    booted = app_server.log.count("Booting worker")
    with ExitStack() as stack:
        for number in range(200):
            address = (f"127.0.1.{number + 1}", 0)
            if sent is None:
                stack.enter_context(socket.create_connection(("127.0.0.1", nginx.https_port), 20, address))
            else:
                stack.enter_context(nginx.connect(address[0])).sendall(sent)
        assert longest_of(nginx, 10) < 1
    assert app_server.log.count("Booting worker") == booted
    assert "Traceback" not in app_server.log


def test_clients_that_do_not_take_their_answers_hold_nobody_up(nginx: Nginx, app_server: Server) -> None:
    request = HEAD + b"Content-Length: %d\r\n\r\n" % len(MANY) + MANY
    answered = app_server.log.count("POST /api/classify")
    with ExitStack() as stack:
        for number in range(40):  # more than there are threads
            stack.enter_context(nginx.connect(f"127.0.1.{number + 1}")).sendall(request)
        eventually(lambda: app_server.log.count("POST /api/classify") >= answered + 40)  # some of them by a 503
        assert longest_of(nginx, 10) < 1


def longest_of(nginx: Nginx, count: int) -> float:
    """Return the seconds that the slowest of some requests took, each on a connection of its own."""
    seconds = []
    for _ in range(count):
        with nginx.client("127.0.0.9") as client:
            started = time.monotonic()
            assert client.post("/api/classify", json=FLOWER).status_code == 200
            seconds.append(time.monotonic() - started)
    return max(seconds)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_request_that_ends_its_worker_is_not_sent_again(tmp_path: Path, method: str) -> None:
    received: list[bytes] = []

    class HangUp(socketserver.BaseRequestHandler):
        def handle(self) -> None:
            received.append(self.request.recv(65536))

    with (
        socketserver.ThreadingTCPServer(("127.0.0.1", 0), HangUp) as workers,
        serving(tmp_path, workers.server_address[1]) as nginx,
        nginx.client() as client,
    ):
        Thread(target=workers.serve_forever, args=(0.05,)).start()
        answers = [client.request(method, "/api/classify", json=FLOWER) for _ in range(3)]
        workers.shutdown()
    assert [answer.status_code for answer in answers] == [502] * 3
    assert len(received) == 3
