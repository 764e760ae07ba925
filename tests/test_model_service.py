import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier, Event, Thread

import numpy as np
import pytest
from flask import Flask

import iris_app.model.classifier
from iris_app import model_service
from iris_app.exceptions import ModelUnavailable
from iris_app.model.artifact import read_manifest
from iris_app.model_service import ModelService, get_model, model_path
from tests.support import CHECKOUT, FLOWER, SECRET_KEY, classify, eventually, publish


def test_the_app_starts_without_scikit_learn() -> None:
    code = "import sys, wsgi; assert 'sklearn' not in sys.modules"
    environment = {"IRIS_SECRET_KEY": SECRET_KEY}
    subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, env=environment, check=True)


def test_threads_that_ask_at_once_share_one_load(trained_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Path] = []
    load = iris_app.model.classifier.load

    def count(path: Path, pinned: str | None) -> iris_app.model.classifier.Model:
        loads.append(path)
        return load(path, pinned)

    monkeypatch.setattr(iris_app.model.classifier, "load", count)
    service, barrier = ModelService(trained_path), Barrier(8)

    def ask(_: int) -> iris_app.model.classifier.Model:
        barrier.wait()
        return service.model

    with ThreadPoolExecutor(8) as threads:
        models = set(threads.map(ask, range(8)))
    assert len(models) == 1
    assert loads == [trained_path]


def test_nothing_is_loaded_before_it_is_asked_for(tmp_path: Path) -> None:
    ModelService(tmp_path / "missing")


def test_a_failed_load_is_not_remembered(model_path: Path) -> None:
    content = model_path.read_bytes()
    model_path.write_bytes(content[:-1])
    service = ModelService(model_path)
    with pytest.raises(ModelUnavailable):
        _ = service.model
    model_path.write_bytes(content)
    assert service.model.version


def test_a_relative_path_is_under_the_instance_folder(app: Flask) -> None:
    app.config["MODEL_PATH"] = "models/best.joblib"
    assert model_path(app) == CHECKOUT / "instance" / "models" / "best.joblib"


def test_a_test_swaps_the_service_with_one_assignment(app: Flask, model_path: Path) -> None:
    service = app.extensions["model_service"] = ModelService(model_path)
    with app.app_context():
        assert get_model() is service.model


# Python 3.12 warns of every fork of a process with threads, such as those of the tests.
forks = pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")


@forks
def test_a_model_that_was_loaded_before_a_fork_is_taken_and_counted(model_path: Path) -> None:
    counted: list[str] = []
    service = ModelService(model_path, count=counted.append)
    service.load_before_fork(60)
    shared = service.loaded
    assert shared
    assert counted == []
    service.adopt()
    assert service.model is shared
    assert counted == ["loaded"]


@forks
def test_a_model_that_was_published_since_the_load_before_the_fork_is_loaded(model_path: Path) -> None:
    service = ModelService(model_path)
    service.load_before_fork(60)
    shared = service.model
    publish(model_path, regularisation=2)
    service.adopt()
    assert service.loaded is None
    assert service.model.version != shared.version


@forks
def test_a_model_that_cannot_be_loaded_before_a_fork_may_be_after_it(model_path: Path) -> None:
    content = model_path.read_bytes()
    model_path.unlink()
    service = ModelService(model_path)
    service.load_before_fork(60)
    service.adopt()
    assert service.loaded is None
    model_path.write_bytes(content)
    assert service.model


@forks
def test_a_model_that_takes_too_long_is_not_waited_for(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ModelService, "_read", lambda _service: time.sleep(60))
    service = ModelService(model_path)
    service.load_before_fork(0.1)
    assert service.loaded is None


def test_a_trial_passes_with_a_model_that_starts_no_thread(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(SystemExit, match=r"^False$"):
        ModelService(model_path)._try_load()
    with pytest.raises(SystemExit, match=r"^1$"):
        ModelService(model_path.with_name("missing"))._try_load()
    monkeypatch.setattr(model_service, "THREADS", Path("/nowhere"))  # as where they cannot be counted
    with pytest.raises(SystemExit, match=r"^True$"):
        ModelService(model_path)._try_load()


def test_a_trial_fails_with_a_model_that_starts_a_thread(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    load, done = iris_app.model.classifier.load, Event()

    def start_thread(path: Path, pinned: str | None) -> iris_app.model.classifier.Model:
        Thread(target=done.wait).start()
        return load(path, pinned)

    monkeypatch.setattr(iris_app.model.classifier, "load", start_thread)
    with pytest.raises(SystemExit, match=r"^True$"):
        ModelService(model_path)._try_load()
    done.set()


@pytest.fixture
def watched(model_path: Path) -> ModelService:
    """A service that has its model and watches for another."""
    service = ModelService(model_path)
    assert service.model
    service.watch(0.1)
    return service


def test_a_model_that_is_published_answers_from_then_on(watched: ModelService) -> None:
    old = watched.model
    publish(watched.path, regularisation=2)
    eventually(lambda: watched.model is not old)
    assert watched.model.version != old.version
    assert classify(old, np.array([list(FLOWER.values())]))[0].predicted_class == "setosa"


def test_a_bad_model_is_refused_once_and_the_old_one_goes_on(
    watched: ModelService, caplog: pytest.LogCaptureFixture
) -> None:
    old, content = watched.model, watched.path.read_bytes()
    watched.path.write_bytes(content[:-1])
    eventually(lambda: watched.refused)
    time.sleep(0.5)
    assert watched.model is old
    (record,) = (record for record in caplog.records if "is refused" in record.getMessage())
    assert f"{watched.path} is not the artifact that its manifest describes" in record.getMessage()


def test_a_model_that_was_refused_is_taken_when_it_is_put_right(watched: ModelService) -> None:
    content = watched.path.read_bytes()
    watched.path.unlink()
    eventually(lambda: watched.refused)
    watched.path.write_bytes(content)
    eventually(lambda: watched.refused is None)
    assert watched.model


def test_a_model_that_comes_late_is_taken_without_being_asked_for(model_path: Path) -> None:
    content = model_path.read_bytes()
    model_path.unlink()
    service = ModelService(model_path)
    service.watch(0.1)
    time.sleep(0.3)
    model_path.write_bytes(content)
    eventually(lambda: service._model)


def test_only_the_pinned_model_is_loaded(model_path: Path) -> None:
    assert ModelService(model_path, read_manifest(model_path).digest).model
    with pytest.raises(ModelUnavailable, match=f"MODEL_SHA256 allows only {'0' * 64}"):
        _ = ModelService(model_path, "0" * 64).model


def test_a_path_that_no_file_can_have_is_watched_in_vain() -> None:
    service = ModelService(Path("a\0b"))
    service.watch(0.1)
    assert service._file_stamps() == [None, None]
