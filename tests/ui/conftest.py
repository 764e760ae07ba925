"""Models of any schema, packaged once a run."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.models import SCHEMAS, package


@pytest.fixture(scope="session")
def packaged(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """Return where the model of a schema lies; leave it as it is."""

    @cache
    def make(name: str) -> Path:
        path = tmp_path_factory.mktemp(name) / "model.joblib"
        package(path, SCHEMAS[name])
        return path

    return make


@pytest.fixture
def open_client(make_app: Callable[..., Flask], packaged: Callable[[str], Path]) -> Callable[[str], FlaskClient]:
    return lambda name: make_app(MODEL_PATH=str(packaged(name))).test_client()
