"""The commands that a person types, up to what a network is needed for."""

import ast
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import pytest
from flask import Flask

from iris_app.model.artifact import read_manifest
from tests.support import CHECKOUT, SECRET_KEY, copy_checkout, publish, serving

TOOLS = ["sh", "dirname", "cat", "cmp", "mkdir", "rm", "sleep"]


@pytest.fixture
def bare(tmp_path: Path) -> Path:
    """A checkout on a machine that has a shell and little else."""
    (tmp_path / "scripts").mkdir()
    (tmp_path / "bin").mkdir()
    shutil.copy(CHECKOUT / "scripts" / "setup", tmp_path / "scripts")
    for tool in TOOLS:
        (tmp_path / "bin" / tool).symlink_to(str(shutil.which(tool)))
    return tmp_path


def set_up(checkout: Path) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": str(checkout / "bin")}
    return subprocess.run(
        [checkout / "scripts" / "setup"], env=environment, capture_output=True, text=True, check=False
    )


def put_python(checkout: Path, text: str) -> None:
    python = checkout / "bin" / "python3"
    python.write_text(f"#!/bin/sh\n{text}\n")
    python.chmod(0o755)


def test_without_python_one_line_says_what_to_install(bare: Path) -> None:
    run = set_up(bare)
    assert run.returncode == 1
    assert run.stderr.startswith("setup: Python 3.11 or newer is needed: install it")
    assert run.stderr.count("\n") == 1


def test_with_an_old_python_one_line_says_what_to_install(bare: Path) -> None:
    put_python(bare, "exit 1")
    run = set_up(bare)
    assert run.returncode == 1
    assert run.stderr.startswith("setup: Python 3.11 or newer is needed: install it")
    assert run.stderr.count("\n") == 1


def test_without_venv_one_line_says_what_to_install(bare: Path) -> None:
    put_python(bare, f'case "$*" in *ensurepip*) exit 1;; esac; exec {sys.executable} "$@"')
    run = set_up(bare)
    assert run.returncode == 1
    assert run.stderr.startswith("setup: Python's venv module is needed: install it")
    assert run.stderr.count("\n") == 1


@pytest.fixture
def ready(tmp_path: Path) -> Path:
    """A checkout of this app in which everything is installed."""
    return copy_checkout(tmp_path / "checkout")


@pytest.fixture
def with_model(ready: Path, trained_path: Path) -> Path:
    """The same with a model, so that a setup trains none."""
    for file in trained_path.parent.iterdir():
        (ready / "instance").mkdir(exist_ok=True)
        shutil.copy(file, ready / "instance")
    return ready


def clean_environment() -> dict[str, str]:
    return {name: text for name, text in os.environ.items() if not name.startswith(("IRIS_", "COVERAGE_"))}


def run_in(checkout: Path, command: str, *options: str, timeout: float = 600) -> str:
    run = subprocess.run(
        [checkout / "scripts" / command, *options],
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
        timeout=timeout,
    )
    return run.stdout + run.stderr


def test_set_up_makes_a_secret_that_only_its_owner_reads_and_a_model(ready: Path) -> None:
    run_in(ready, "setup")
    secret = ready / "instance" / "config.py"
    assert secret.stat().st_mode & 0o777 == 0o600
    assert len(secret.read_text()) > 64
    assert (ready / "instance" / "model.joblib").exists()
    assert (ready / "instance" / "model.joblib.json").exists()


def test_the_example_does_not_take_the_place_of_a_model_that_was_named(with_model: Path) -> None:
    path = with_model / "instance" / "wine.joblib"
    run_in(with_model, "setup")
    (with_model / "instance" / "model.joblib").unlink()
    with (with_model / "instance" / "config.py").open("a") as settings:
        settings.write("MODEL_PATH = 'wine.joblib'\n")
    assert run_in(with_model, "setup").startswith(f"setup: there is no {path}; ")
    assert not list((with_model / "instance").glob("*.joblib"))


def test_a_second_set_up_does_nothing(with_model: Path) -> None:
    run_in(with_model, "setup")
    before = {path: path.stat().st_mtime_ns for path in (with_model / "instance").iterdir()}
    assert run_in(with_model, "setup") == ""
    assert {path: path.stat().st_mtime_ns for path in (with_model / "instance").iterdir()} == before


def test_a_set_up_waits_for_another(with_model: Path) -> None:
    run_in(with_model, "setup")
    (with_model / "instance" / "config.py").unlink()
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as other:
        (with_model / "instance" / ".setup").write_text(f"{other.pid}\n")
        with pytest.raises(subprocess.TimeoutExpired):
            run_in(with_model, "setup", timeout=3)
        assert not (with_model / "instance" / "config.py").exists()
    run_in(with_model, "setup")
    assert (with_model / "instance" / "config.py").exists()
    assert not (with_model / "instance" / ".setup").exists()


def test_a_set_up_that_failed_can_be_tried_again(bare: Path) -> None:
    first, second = set_up(bare), set_up(bare)
    assert first.stderr == second.stderr


def test_training_reports_the_score_and_where_the_files_are(tmp_path: Path) -> None:
    path = tmp_path / "other" / "flowers.joblib"
    report = run_in(CHECKOUT, "train_model.py", "--output", str(path))
    assert "held-out accuracy  0.9736842105263158 on 38 flowers" in report
    assert str(path) in report
    assert f"{path}.json" in report
    assert path.exists()


def test_training_saves_where_the_configuration_says_and_needs_no_secret(tmp_path: Path) -> None:
    path = tmp_path / "configured.joblib"
    settings = os.environ | {"IRIS_INSTANCE_PATH": str(tmp_path), "IRIS_MODEL_PATH": str(path)}
    settings.pop("IRIS_SECRET_KEY", None)  # nothing is signed
    command = CHECKOUT / "scripts" / "train_model.py"
    subprocess.run([command], env=settings, check=True, capture_output=True)
    assert path.exists()


def test_a_key_is_made_with_the_line_that_lets_it_in(make_app: Callable[..., Flask]) -> None:
    _, key, _, line = run_in(CHECKOUT, "make_api_key", "laboratory").splitlines()
    app = make_app(API_KEYS=ast.literal_eval(line.removeprefix("API_KEYS = ")))
    headers = {"Authorization": f"Bearer {key.strip()}"}
    assert app.test_client().get("/api/model", headers=headers).status_code == 200


def test_a_key_for_a_name_that_the_configuration_refuses_is_not_made() -> None:
    run = subprocess.run([CHECKOUT / "scripts" / "make_api_key", "bob smith"], capture_output=True, check=False)
    assert run.returncode == 2


def test_a_secret_is_added_to_settings_that_have_none(with_model: Path) -> None:
    (with_model / "instance" / "config.py").write_text("MAX_BATCH_ROWS = 500\n")
    run_in(with_model, "setup")
    first, second = (with_model / "instance" / "config.py").read_text().splitlines()
    assert first == "MAX_BATCH_ROWS = 500"
    assert second.startswith("SECRET_KEY = ")


def test_training_with_wrong_settings_is_told_in_one_line() -> None:
    settings = os.environ | {"IRIS_SECRET_KEY": "short"}
    command = CHECKOUT / "scripts" / "train_model.py"
    run = subprocess.run([command], env=settings, capture_output=True, text=True, check=False)
    assert run.returncode == 1
    assert run.stderr.startswith("train_model: IRIS_SECRET_KEY in the environment is wrong")
    assert run.stderr.count("\n") == 1


def versions_of(report: str) -> list[str]:
    """Return the versions that a listing names, and whether each is in place."""
    return [" ".join(line.split()[:1] + line.split()[4:]) for line in report.splitlines()[1:]]


def test_a_model_that_was_published_can_be_put_back(ready: Path) -> None:
    old = publish(ready / "instance" / "model.joblib", regularisation=2)
    new = re.search(r"version +(\w{12})", run_in(ready, "setup") + run_in(ready, "train_model.py", "--publish"))[1]  # type: ignore[index]
    assert versions_of(run_in(ready, "rollback", "--list")) == [f"{new} in place", old]
    assert f"version {old} is in place" in run_in(ready, "rollback")
    assert versions_of(run_in(ready, "rollback", "--list")) == [new, f"{old} in place"]
    assert f"version {new} is in place" in run_in(ready, "rollback", new[:6])


def test_files_are_classified_from_any_folder(tmp_path: Path, trained_path: Path) -> None:
    (tmp_path / "flowers.csv").write_text("slen,swid,plen,pwid\n5.1,3.5,1.4,0.2\n")
    environment = os.environ | {"IRIS_SECRET_KEY": SECRET_KEY, "IRIS_MODEL_PATH": str(trained_path)}
    command = [CHECKOUT / "scripts" / "classify", "flowers.csv", "--output", "answers.csv"]
    subprocess.run(command, cwd=tmp_path, env=environment, check=True)
    assert ",setosa," in (tmp_path / "answers.csv").read_text()


def test_the_model_that_is_named_is_served_from_any_folder(ready: Path, tmp_path: Path, trained_path: Path) -> None:
    shutil.copytree(trained_path.parent, tmp_path / "other")
    command = [str(ready / "scripts" / "serve"), "other/model.joblib", "--bind=127.0.0.1:0", "--workers=1"]
    with serving(command, tmp_path / "log", tmp_path, clean_environment()) as server:
        version = httpx.get(f"{server.url}/api/model").json()["version"]
    assert server.process.returncode == 0
    assert version == read_manifest(trained_path).version
    assert not (ready / "instance" / "model.joblib").exists()


@pytest.mark.parametrize("missing", ["wine.joblib", "wine.joblib.json"])
def test_a_model_that_is_not_there_is_named(ready: Path, missing: str) -> None:
    for name in {"wine.joblib", "wine.joblib.json"} - {missing}:
        (ready / name).touch()
    with pytest.raises(subprocess.CalledProcessError) as refused:
        run_in(ready, "serve", str(ready / "wine.joblib"))
    assert refused.value.stderr.startswith(f"serve: there is no {ready / missing};")
    assert refused.value.stderr.count("\n") == 1
