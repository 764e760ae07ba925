"""The units for systemd, as far as its own tools judge them without running it."""

import http.client
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import CHECKOUT, SECRET_KEY

UNITS = [CHECKOUT / "deploy" / "iris-app.service", CHECKOUT / "deploy" / "iris-app.socket"]
GUNICORN = Path(sys.executable).parent / "gunicorn"

# systemd hands over its socket as the descriptor 3, and says to which process.
HAND_OVER = """
import os, sys
os.dup2(int(sys.argv[1]), 3)
os.environ |= {"LISTEN_FDS": "1", "LISTEN_PID": str(os.getpid())}
os.execv(sys.argv[2], ["gunicorn", "wsgi:app"])
"""

needs_systemd = pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not here")


def analyze(*words: str | Path) -> str:
    run = subprocess.run([str(shutil.which("systemd-analyze")), *words], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stderr


@needs_systemd
def test_the_units_are_well_formed(tmp_path: Path) -> None:
    for unit in UNITS:
        (tmp_path / unit.name).write_text(unit.read_text().replace("/opt/iris_app/.venv/bin/gunicorn", str(GUNICORN)))
    assert analyze("verify", "--man=no", *tmp_path.iterdir()) == ""


@needs_systemd
def test_the_service_is_exposed_to_little() -> None:
    analyze("security", "--offline=true", "--threshold=10", UNITS[0])


def test_who_comes_while_the_service_is_away_waits_at_the_socket_and_is_answered(trained_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        client = http.client.HTTPConnection("127.0.0.1", listening.getsockname()[1], timeout=30)
        client.request("GET", "/readyz")
        command = [sys.executable, "-c", HAND_OVER, str(listening.fileno()), GUNICORN]
        settings = {"IRIS_SECRET_KEY": SECRET_KEY, "IRIS_MODEL_PATH": str(trained_path)}
        with subprocess.Popen(command, cwd=CHECKOUT, env=settings, pass_fds=[listening.fileno()]) as service:
            assert client.getresponse().status == 200
            service.terminate()
        client.close()
