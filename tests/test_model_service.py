import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier

import pytest
from flask import Flask

import iris_app.model
from iris_app.exceptions import ModelUnavailable
from iris_app.model_service import ModelService, get_model, model_path
from tests.support import CHECKOUT, SECRET_KEY


def test_the_app_starts_without_scikit_learn() -> None:
    code = "import sys, wsgi; assert 'sklearn' not in sys.modules"
    environment = {"IRIS_SECRET_KEY": SECRET_KEY}
    subprocess.run([sys.executable, "-c", code], cwd=CHECKOUT, env=environment, check=True)


def test_threads_that_ask_at_once_share_one_load(trained_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    loads: list[Path] = []
    load = iris_app.model.load

    def count(path: Path) -> iris_app.model.Model:
        loads.append(path)
        return load(path)

    monkeypatch.setattr(iris_app.model, "load", count)
    service, barrier = ModelService(trained_path), Barrier(8)

    def ask(_: int) -> iris_app.model.Model:
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
