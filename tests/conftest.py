"""What tests share: a model that is trained once a run, the app, a real gunicorn and a real Chromium."""

import fcntl
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import settings
from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright
from werkzeug.test import TestResponse

from iris_app import create_app
from tests.models import SERVED, ServedModel
from tests.support import SECRET_KEY, Server, running

# How long an example takes says how busy the machine is. What CI tries is the same every time; people try new examples,
# and as many as they like: IRIS_EXAMPLES=50000 scripts/test -k any
EXAMPLES = int(os.environ.get("IRIS_EXAMPLES", "40"))
settings.register_profile("iris_app", deadline=None, max_examples=EXAMPLES, derandomize="CI" in os.environ)
settings.load_profile("iris_app")

# A page of many fields may take long on a busy machine.
expect.set_options(timeout=30_000)


@pytest.fixture(scope="session")
def serve(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], ServedModel]:
    """Package a model of ``SERVED`` once a run."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:  # the parent's, so that one process packages for all
        folder = folder.parent

    def serve(name: str) -> ServedModel:
        with (folder / f"{name}.lock").open("wb") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            return SERVED[name](folder / name / "model.joblib")

    return serve


@pytest.fixture(scope="session")
def served(serve: Callable[[str], ServedModel], request: pytest.FixtureRequest) -> ServedModel:
    """The model that apps serve: the example, and with ``for_every_model`` each of ``SERVED``."""
    return serve(getattr(request, "param", "iris"))


@pytest.fixture(scope="session")
def trained_path(serve: Callable[[str], ServedModel]) -> Path:
    """Where the artifact that this run trained lies; read it, and leave it as it is."""
    return serve("iris").path


@pytest.fixture
def model_path(served: ServedModel, tmp_path: Path) -> Path:
    """A copy of the artifact and its manifest, to be broken."""
    for file in served.path.parent.iterdir():
        shutil.copy(file, tmp_path)
    return tmp_path / served.path.name


class Client(FlaskClient):
    """A client that takes each answer to its end, as a server does."""

    def open(self, *args: Any, buffered: bool = True, **settings: Any) -> TestResponse:
        return super().open(*args, buffered=buffered, **settings)


@pytest.fixture(scope="session")
def make_app(served: ServedModel) -> Callable[..., Flask]:
    def make(**overrides: object) -> Flask:
        settings = {"SECRET_KEY": SECRET_KEY, "MODEL_PATH": str(served.path), "TESTING": True}
        return create_app(settings | overrides)

    return make


@pytest.fixture
def app(make_app: Callable[..., Flask]) -> Flask:
    """An app of the test's own, to be changed."""
    return make_app()


@pytest.fixture(scope="session")
def steady_app(make_app: Callable[..., Flask]) -> Flask:
    """The app of all tests that leave it as it is."""
    app = make_app()
    app.test_client_class = Client
    return app


@pytest.fixture
def client(request: pytest.FixtureRequest, steady_app: Flask) -> FlaskClient:
    """A client of the test's own app where it has one, and otherwise of the app that all share."""
    app: Flask = request.getfixturevalue("app") if "app" in request.fixturenames else steady_app
    return app.test_client()


@pytest.fixture(scope="session")
def server(trained_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """The real server, for tests that leave it as it is."""
    with running(tmp_path_factory.mktemp("server") / "log", IRIS_MODEL_PATH=str(trained_path)) as server:
        yield server


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=os.environ.get("CHROMIUM") or shutil.which("chromium"), chromium_sandbox=os.geteuid() != 0
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser: Browser, server: Server) -> Iterator[Callable[..., Page]]:
    """Open pages of the real server in tabs that must stay silent: no console message, no error, nothing blocked."""
    contexts: list[BrowserContext] = []
    said: list[str] = []

    def open_page(path: str = "/home", **settings: object) -> Page:
        context = browser.new_context(base_url=server.url, **settings)  # type: ignore[arg-type]
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda message: said.append(message.text))
        page.on("pageerror", lambda error: said.append(str(error)))
        page.goto(path)
        return page

    yield open_page
    for context in contexts:
        context.close()
    # Chromium itself reports the status of a page that is meant to be an error, and a request that a test breaks off.
    expected = ("the server responded with a status of 4", "net::ERR_FAILED")
    assert [text for text in said if not any(part in text for part in expected)] == []
