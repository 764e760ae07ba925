"""The Containerfile: its promises, its health check and what it installs, as far as no engine is needed to try them."""

import importlib.metadata
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import tempfile
import venv
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest

from tests.support import CHECKOUT, FLOWER, SECRET_KEY, Server, eventually, running

TEXT = re.sub(r"\s*\\\n\s*", " ", (CHECKOUT / "deploy" / "Containerfile").read_text())
LOCKED = re.findall(r"^([\w.-]+)==", (CHECKOUT / "requirements.txt").read_text(), re.MULTILINE)

# Without capabilities, root too may write only where the modes of files say so.
UNPRIVILEGED = ["setpriv", "--no-new-privs", "--bounding-set=-all", "--inh-caps=-all"] if os.geteuid() == 0 else []


def stages() -> dict[str, str]:
    """Return the stages of the build by their names; the last has none."""
    found = re.findall(r"^(FROM \S+(?: AS (\w+))?\n.*?)(?=^FROM |\Z)", TEXT, re.MULTILINE | re.DOTALL)
    return {name: stage for stage, name in found}


STAGES = stages()
FINAL = STAGES[""]


def words(stage: str, instruction: str) -> Iterator[list[str]]:
    """Yield what stands behind each instruction of a kind in a stage."""
    for line in stage.splitlines():
        if line.startswith(f"{instruction} "):
            yield line.split()[1:]


def lineage(name: str) -> str:
    """Return a stage and all that it stands on."""
    ((base, *_),) = words(STAGES[name], "FROM")
    return STAGES[name] + (lineage(base) if base in STAGES else "")


def copy(stage: str, folder: Path) -> None:
    """Copy what a stage copies from the checkout."""
    for *sources, target in words(stage, "COPY"):
        for source in map(CHECKOUT.joinpath, [] if "--from" in sources[0] else sources):
            if source.is_dir():
                shutil.copytree(source, folder / target)
            else:
                (folder / target).mkdir(parents=True, exist_ok=True)
                shutil.copy(source, folder / target)


def link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        target.hardlink_to(source)
    except FileExistsError:
        pass  # it is listed twice
    except OSError:
        shutil.copy(source, target)


def install(site_packages: Path) -> None:
    """Put there what requirements.txt locks, from the environment of the tests, which has the same and more."""
    for name in LOCKED:
        with suppress(importlib.metadata.PackageNotFoundError):  # what another Python or system needs
            for file in importlib.metadata.files(name) or []:
                if ".." not in file.parts:
                    link(Path(str(file.locate())), site_packages / file)


@pytest.fixture(scope="module")
def image(trained_path: Path) -> Iterator[Path]:
    """What the final stage holds, made as the Containerfile makes it, in folders that cannot be written to."""
    with tempfile.TemporaryDirectory() as folder:
        built, root = Path(folder, "build"), Path(folder, "srv")
        for place in (built, root):
            place.mkdir()
        copy(STAGES["train"], built)
        pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation"]
        subprocess.run([*pip, "--wheel-dir", built / "wheels", "."], cwd=built, check=True, capture_output=True)
        venv.create(root / "venv")
        (site_packages,) = root.glob("venv/lib/*/site-packages")
        install(site_packages)
        with zipfile.ZipFile(next(built.glob("wheels/*.whl"))) as wheel:
            wheel.extractall(site_packages)
        copy(FINAL, root)
        shutil.copytree(trained_path.parent, root / "model")
        places = [root, *(place for place in root.rglob("*") if place.is_dir() and not place.is_symlink())]
        for place in places:
            place.chmod(0o555)
        yield root
        for place in places:
            place.chmod(0o755)


@pytest.fixture(scope="module")
def contained(image: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The server of the image, which may write nothing but temporary files."""
    log_path = tmp_path_factory.mktemp("contained") / "log"
    settings = {
        "IRIS_SECRET_KEY": SECRET_KEY,
        "IRIS_MODEL_PATH": str(image / "model" / "model.joblib"),
        "WEB_CONCURRENCY": "2",
        "HOME": "/nowhere",
        "TMPDIR": str(log_path.parent),
    }
    gunicorn = [image / "venv" / "bin" / "python3", "-m", "gunicorn", "wsgi:app", "--bind", "127.0.0.1:0"]
    command = [*UNPRIVILEGED, *gunicorn]
    with (
        log_path.open("wb") as log,
        subprocess.Popen(command, cwd=image, env=settings, stdout=log, stderr=log) as process,
    ):
        try:
            port = eventually(lambda: re.search(r"Listening at: http://127.0.0.1:(\d+)", log_path.read_text()), process)
            yield Server(process, int(port[1]), log_path)
        finally:
            process.terminate()


def test_the_image_does_not_run_as_root() -> None:
    *_, (user,) = words(FINAL, "USER")
    assert int(user.partition(":")[0]) > 0


def test_the_image_holds_what_serves_and_not_what_trains_or_tests() -> None:
    (source,) = (source for source, *what in words(FINAL, "COPY") if "venv" in what)
    assert set(re.findall(r"requirements[\w-]*\.txt", lineage(source.removeprefix("--from=")))) == {"requirements.txt"}


def test_every_package_has_the_hash_that_is_locked() -> None:
    installs = re.findall(r"pip install .*?(?= &&|\n)", TEXT)
    assert len(installs) == 4
    assert all("--require-hashes" in install or install.endswith("--no-deps wheels/*.whl") for install in installs)


def test_no_secret_is_copied_into_the_image() -> None:
    copied = {source for stage in STAGES.values() for *sources, _ in words(stage, "COPY") for source in sources}
    assert copied.isdisjoint({".", "./", "*", "instance"})


@pytest.mark.parametrize("path", ["/home", "/model", "/api/docs", "/v2/models/iris", "/metrics", "/readyz"])
def test_what_the_image_holds_is_enough(contained: Server, path: str) -> None:
    assert httpx.get(contained.url + path).status_code == 200


def test_the_files_of_the_pages_are_in_the_image(contained: Server) -> None:
    for page in ("/home", "/api/docs"):
        files = re.findall(r'(?:href|src)="(/[^"]*static/[^"]+)"', httpx.get(contained.url + page).text)
        assert {file: httpx.get(contained.url + file).status_code for file in files} == dict.fromkeys(files, 200)


def test_a_flower_is_classified_where_nothing_can_be_written(contained: Server, image: Path) -> None:
    assert httpx.post(f"{contained.url}/api/classify", json=FLOWER).json()["species"] == "setosa"
    assert not {"ERROR", "WARNING", "Traceback"} & set(re.findall(r"\w+", contained.log))
    touch = [*UNPRIVILEGED, "touch", image / "model" / "new"]
    assert subprocess.run(touch, check=False, capture_output=True).returncode != 0


def check_health(port: int) -> int:
    (line,) = words(FINAL, "HEALTHCHECK")
    command = json.loads(" ".join(line).partition("CMD ")[2].replace(":8000", f":{port}"))
    path = {"PATH": str(Path(sys.executable).parent)}
    return subprocess.run(command, env=path, check=False, capture_output=True).returncode


def test_the_health_check_sees_a_server_that_is_ready(server: Server) -> None:
    assert check_health(server.port) == 0


def test_the_health_check_sees_a_server_without_a_model(tmp_path: Path) -> None:
    with running(tmp_path / "log", "--workers=1", IRIS_MODEL_PATH="/nowhere") as server:
        assert check_health(server.port) != 0


def test_the_health_check_sees_that_nobody_answers(tmp_path: Path) -> None:
    with running(tmp_path / "log", "--workers=1", IRIS_MODEL_PATH="/nowhere") as server:
        pass
    assert check_health(server.port) != 0


def environment(**settings: str) -> dict[str, str]:
    others = ("IRIS_", "GUNICORN", "WEB_", "AIP_", "COVERAGE_PROCESS_")
    given = {name: text for name, text in os.environ.items() if not name.startswith(others)}
    return given | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"} | settings


@pytest.mark.parametrize(
    ("command", "settings", "bind"),
    [
        (["deploy/serve"], {}, "0.0.0.0:8080"),
        (["deploy/serve"], {"SAGEMAKER_BIND_TO_PORT": "9000"}, "0.0.0.0:9000"),
        (["gunicorn", "wsgi:app"], {"IRIS_SECRET_KEY": SECRET_KEY, "AIP_HTTP_PORT": "9001"}, "0.0.0.0:9001"),
        (["gunicorn", "wsgi:app"], {"IRIS_SECRET_KEY": SECRET_KEY, "PORT": "9002"}, "127.0.0.1:9002"),
        (json.loads(FINAL.rpartition("CMD ")[2]), {"IRIS_SECRET_KEY": SECRET_KEY, "PORT": "9003"}, "0.0.0.0:9003"),
    ],
)
def test_the_port_is_that_of_the_platform(command: list[str], settings: dict[str, str], bind: str) -> None:
    # gunicorn prints its settings and exits
    given = environment(GUNICORN_CMD_ARGS="--print-config", **settings)
    printed = subprocess.run(command, cwd=CHECKOUT, env=given, check=True, capture_output=True, text=True).stdout
    assert re.search(r"^bind\s+= \['(.*)'\]$", printed, re.MULTILINE)[1] == bind  # type: ignore[index]


def test_below_a_path_the_application_is_served_there_and_probes_are_answered_where_they_were(
    tmp_path: Path, trained_path: Path
) -> None:
    with running(tmp_path / "log", "--workers=1", IRIS_MODEL_PATH=str(trained_path), SCRIPT_NAME="/iris") as server:
        assert {path: httpx.get(server.url + path).status_code for path in ("/readyz", "/iris/readyz", "/none")} == {
            "/readyz": 200,
            "/iris/readyz": 200,
            "/none": 404,
        }
        assert 'action="/iris/classify"' in httpx.get(f"{server.url}/iris/home").text
        assert httpx.get(f"{server.url}/iris/api/openapi.json").json()["servers"] == [{"url": "/iris"}]
        assert httpx.post(f"{server.url}/iris/api/classify", json=FLOWER).json()["species"] == "setosa"


def ping(url: str) -> bool:
    with suppress(httpx.TransportError):
        return httpx.get(f"{url}/ping").status_code == 200
    return False


@pytest.mark.skipif(
    "CONTAINER_RUN" not in os.environ, reason="CONTAINER_RUN, such as podman run, runs an image iris_app"
)
def test_an_engine_runs_the_image_as_its_user_where_nothing_can_be_written_until_it_is_stopped() -> None:
    url = "http://127.0.0.1:18080"
    options = "--rm --network host --read-only --tmpfs /tmp --cap-drop all --security-opt no-new-privileges"
    command = [*shlex.split(os.environ["CONTAINER_RUN"]), *options.split(), "--env", "SAGEMAKER_BIND_TO_PORT=18080"]
    with subprocess.Popen([*command, "iris_app", "serve"]) as process:
        try:
            eventually(lambda: ping(url), process, seconds=60)
            assert httpx.post(f"{url}/api/classify", json=FLOWER).json()["species"] == "setosa"
        finally:
            process.terminate()
        assert process.wait(timeout=30) == 0
