"""Models of other schemas that take over from each other, in a real gunicorn under load."""

import http.client
import json
import os
import shutil
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event, Thread
from typing import Any

import msgspec
import pytest
from flask import Flask

from iris_app.model.manifest import manifest_path
from iris_app.model_service import get_service
from iris_app.schema import Feature, Schema
from tests.models import ServedModel, package
from tests.schemas import MIXED, MIXED_ROW
from tests.support import Server, eventually, running
from tests.test_gunicorn import get, lines

SWAPS = int(os.environ.get("IRIS_SWAPS", "10"))
NAMES = ("iris", "wine", "mixed")

JSON = "application/json"


@dataclass(frozen=True)
class Request:
    """A request of a client of one model."""

    path: str
    body: bytes
    content_type: str


def requests_of(served: ServedModel) -> list[Request]:
    """Return a row, rows, a table and an invocation for a model."""
    objects = served.objects[:3]
    table = "\n".join(",".join(map(str, line)) for line in (served.row, served.row.values()))
    return [
        Request("/api/classify", json.dumps(objects[0]).encode(), JSON),
        Request("/api/classify", json.dumps(objects).encode(), JSON),
        Request("/api/classify", table.encode(), "text/csv"),
        Request("/invocations", json.dumps({"dataframe_records": objects}).encode(), JSON),
    ]


@dataclass
class Told:
    """What the clients of a model were answered."""

    statuses: Counter[int] = field(default_factory=Counter)
    schemas: set[str | None] = field(default_factory=set)
    texts: set[str] = field(default_factory=set)
    refusals: set[str] = field(default_factory=set)
    failures: list[str] = field(default_factory=list)


def ask(server: Server, served: ServedModel, done: Event, told: Told) -> None:
    """Send the requests of a model in turn, until it is ``done``."""
    requests = requests_of(served)
    number = 0
    while not done.is_set():
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=30)
        try:
            for _ in range(20):
                request = requests[number % len(requests)]
                number += 1
                connection.request("POST", request.path, request.body, {"Content-Type": request.content_type})
                answer = connection.getresponse()
                record(told, answer, answer.read().decode())
        except (OSError, http.client.HTTPException) as error:
            told.failures.append(repr(error))
        finally:
            connection.close()


def record(told: Told, answer: http.client.HTTPResponse, text: str) -> None:
    told.statuses[answer.status] += 1
    if answer.status == 200:
        told.schemas.add(answer.headers["X-Model-Schema"])
        told.texts.add(text)
    else:
        told.refusals.add(text)


@contextmanager
def clients_of(server: Server, models: list[ServedModel]) -> Iterator[list[Told]]:
    """Let a client of each model ask, from now until the end of the block."""
    done, told = Event(), [Told() for _ in models]
    threads = [Thread(target=ask, args=(server, model, done, one)) for model, one in zip(models, told, strict=True)]
    for thread in threads:
        thread.start()
    try:
        yield told
    finally:
        done.set()
        for thread in threads:
            thread.join()


@pytest.fixture(scope="module")
def models(serve: Callable[[str], ServedModel]) -> list[ServedModel]:
    return [serve(name) for name in NAMES]


def publish(model: ServedModel, path: Path) -> str:
    """Put a model at a path, each file at once, and return the beginning of the digest of its schema."""
    for source, target in ((model.path, path), (manifest_path(model.path), manifest_path(path))):
        shutil.copy(source, target.with_suffix(".new"))
        target.with_suffix(".new").replace(target)
    return model.schema.digest[:12]


@contextmanager
def serving(path: Path, log_path: Path, **settings: str) -> Iterator[Server]:
    settings = {"IRIS_MODEL_PATH": str(path), "IRIS_MODEL_CHECK_SECONDS": "0.1"} | settings
    with running(log_path, "--workers=2", **settings) as server:
        yield server


def ready(server: Server) -> dict[str, Any]:
    status, text = get(server, "/readyz")
    assert status == 200
    document: dict[str, Any] = json.loads(text)
    return document


def loaded(server: Server) -> int:
    return sum("answers from now on" in line["message"] for line in lines(server))


def swap(server: Server, model: ServedModel, path: Path) -> None:
    """Publish a model, and wait until both workers answer with it."""
    before = loaded(server)
    digest = publish(model, path)
    eventually(lambda: loaded(server) == before + 2, server.process)
    assert ready(server)["schema"] == digest


def test_models_of_other_schemas_take_over_under_load(tmp_path: Path, models: list[ServedModel]) -> None:
    path = tmp_path / "model" / "model.joblib"
    path.parent.mkdir()
    publish(models[0], path)
    with serving(path, tmp_path / "log", IRIS_MODEL_ALLOW_SCHEMA_CHANGE="true") as server:
        swap(server, models[1], path)  # a model that took over from none has no changes to name
        with clients_of(server, models) as answered:
            for number in range(2, SWAPS + 2):
                swap(server, models[number % len(models)], path)
                time.sleep(0.2)
        assert "Traceback" not in server.log
    for model, told in zip(models, answered, strict=True):
        assert set(told.statuses) == {200, 400, 422}
        assert told.failures == []
        assert told.schemas == {model.schema.digest[:12]}
        assert len(told.texts) == len(requests_of(model))  # the same answers each time
        assert all(f'"{model.schema.answer_key}"' in text for text in told.texts if '"probabilities"' in text)
        for text in told.refusals:
            assert "The model was replaced, and takes other rows since: " in text
    print(f"\n    {SWAPS} swaps: {sum((told.statuses for told in answered), Counter())}")


def test_a_model_of_another_schema_is_refused_while_the_old_one_answers(
    tmp_path: Path, models: list[ServedModel]
) -> None:
    path = tmp_path / "model" / "model.joblib"
    path.parent.mkdir()
    iris, wine, _ = models
    publish(iris, path)
    with serving(path, tmp_path / "log") as server:
        with clients_of(server, [iris]) as (told,):
            publish(wine, path)
            eventually(lambda: server.log.count("is refused, and what answered goes on") == 2, server.process)
            document = ready(server)
            time.sleep(0.2)
        assert loaded(server) == 0
    assert set(told.statuses) == {200}
    assert told.schemas == {iris.schema.digest[:12]}
    assert document["schema"] == iris.schema.digest[:12]
    (warning,) = document["warnings"]
    assert warning.startswith("A model that was published since is refused: it takes other rows: alcohol is new")


ALTERED: dict[str, Callable[[Feature], dict[str, object]]] = {
    "wider bounds": lambda feature: {"at_most": 200.0} if feature.name == "age" else {},
    "a further category": lambda feature: {"categories": (*feature.categories, 20)} if feature.name == "ward" else {},
    "nothing but words": lambda feature: {"label": feature.label.upper()},
}


def altered(schema: Schema, change: Callable[[Feature], dict[str, object]]) -> Schema:
    features = tuple(msgspec.structs.replace(feature, **change(feature)) for feature in schema.features)
    return msgspec.structs.replace(schema, features=features)


@pytest.mark.parametrize("name", ALTERED)
def test_compatible_changes_are_taken(make_app: Callable[..., Flask], tmp_path: Path, name: str) -> None:
    path = tmp_path / "model.joblib"
    package(path, MIXED, size=60)
    app = make_app(MODEL_PATH=str(path))
    client = app.test_client()
    before = client.get("/readyz").get_json()
    package(path, altered(MIXED, ALTERED[name]), size=60)
    get_service(app)._reload()
    after = client.get("/readyz").get_json()
    assert after["warnings"] == []
    assert after["schema"] != before["schema"]
    assert client.post("/api/classify", json=MIXED_ROW).status_code == 200
