"""The servers that are compared: this application, three baselines, and foreign servers on demand."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from pathlib import Path

import pandas as pd

from benchmarks import environments, requests
from benchmarks.environments import Environment
from benchmarks.servers import Contestant, ServedModel

HERE = Path(__file__).parent
BASELINES = HERE / "baselines"
OTHERS = HERE / "foreign"
GUNICORN = str(Path(sys.executable).parent / "gunicorn")


def ours(model: ServedModel, *options: str, app: str = "wsgi:app") -> Contestant:
    """Return ``gunicorn wsgi:app`` as in production, with a model."""
    forms = {
        "JSON": partial(requests.objects, "/api/classify"),
        "CSV": partial(requests.csv, "/api/classify"),
        "binary": partial(requests.binary_tensor, "/v2/models/iris/infer"),
    }
    command = [GUNICORN, app, "--bind", "127.0.0.1:{0}", *options]
    settings = {"IRIS_MODEL_PATH": str(model.path)}
    described = "`gunicorn wsgi:app`, everything on, its log in a file"
    return Contestant("ours", model, command, forms, settings, described=described)


def silent(model: ServedModel, *options: str) -> Contestant:
    """Return the application without metrics, logs and headers."""
    whole = ours(model, *options, "--pythonpath", "scripts", app="benchmarks.silent:app")
    described = "ours, with metrics, logs and headers off"
    return replace(whole, name="silent", forms={"JSON": whole.forms["JSON"]}, described=described)


def baselines(model: ServedModel) -> list[Contestant]:
    """Return the baselines, under gunicorn; the floor knows affine maps alone."""
    floor = _baseline("floor", model, "a bare WSGI function that decodes JSON, computes and encodes JSON")
    hello = _baseline("flask", model, "a Flask view that says hello", partial(_get, "/"))
    return [floor, hello, naive(model)]


def naive(model: ServedModel) -> Contestant:
    """Return the view that most people would write."""
    return _baseline("naive", model, "a Flask view over `pipeline.predict_proba`")


def foreign(name: str, model: ServedModel, folder: Path) -> Contestant:
    """Return a foreign server, installed into its own environment under ``folder``."""
    return FOREIGN[name](environments.make(name, PACKAGES[name], folder), model)


def _get(path: str, _rows: pd.DataFrame) -> requests.Request:
    return requests.Request(path)


def _baseline(
    name: str, model: ServedModel, described: str, ask: Callable[[pd.DataFrame], requests.Request] | None = None
) -> Contestant:
    command = [GUNICORN, f"{name}_app:app", "--config", "plain.conf.py", "--bind", "127.0.0.1:{0}"]
    forms = {"JSON": ask or partial(requests.objects, "/classify")}
    return Contestant(name, model, command, forms, _settings(model), BASELINES, described)


def _settings(model: ServedModel, environment: Environment | None = None) -> dict[str, str]:
    """Return the environment variables of a server."""
    path = {"PATH": f"{environment.bin}{os.pathsep}{os.environ['PATH']}"} if environment else {}
    # The home is temporary, too.
    return path | {"BENCHMARK_MODEL": str(model.folder), "DO_NOT_TRACK": "true", "HOME": str(model.folder)}


def _fastapi(environment: Environment, model: ServedModel) -> Contestant:
    command = [environment.command("uvicorn"), "fastapi_app:app", "--port", "{0}"]
    forms = {"JSON": _by_number}
    return Contestant("fastapi", model, command, forms, _settings(model, environment), OTHERS, environment.described)


def _by_number(rows: pd.DataFrame) -> requests.Request:
    return requests.objects("/classify" if len(rows) == 1 else "/classify/many", rows)


def _mlserver(environment: Environment, model: ServedModel) -> Contestant:
    ports = {"HTTP": "{0}", "GRPC": "{1}", "METRICS": "{2}"}
    settings = _settings(model, environment) | {f"MLSERVER_{name}_PORT": port for name, port in ports.items()}
    # One process, its leanest way. By itself it has another for the model, which does not start beside uvloop 0.23.
    settings |= {"MLSERVER_HOST": "127.0.0.1", "MLSERVER_DEBUG": "false", "MLSERVER_PARALLEL_WORKERS": "0"}
    settings |= {
        "MLSERVER_MODEL_NAME": "model",
        "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_sklearn.SKLearnModel",
        "MLSERVER_MODEL_URI": str(model.path),
    }
    forms = {"JSON": partial(requests.tensors, "/v2/models/model/infer")}  # it takes no tensors as bytes
    command = [environment.command("mlserver"), "start", "."]
    return Contestant("mlserver", model, command, forms, settings, model.folder, environment.described)


def _bentoml(environment: Environment, model: ServedModel) -> Contestant:
    settings = _settings(model, environment) | {"BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": str(model.folder)}
    command = [environment.command("bentoml"), "serve", "bentoml_service:Classifier"]
    command += ["--host", "127.0.0.1", "--port", "{0}"]
    forms = {"JSON": partial(requests.member, "/classify", "rows")}
    return Contestant("bentoml", model, command, forms, settings, OTHERS, environment.described)


def _mlflow(environment: Environment, model: ServedModel) -> Contestant:
    saved = str(model.folder / "mlflow")
    settings = _settings(model, environment) | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    # The pipeline was fitted on arrays, and would warn about the names of a table's columns.
    settings |= {"PYTHONWARNINGS": "ignore::UserWarning"}
    if not Path(saved).exists():
        environment.run(str(OTHERS / "mlflow_save.py"), str(model.path), saved)
    command = [environment.command("mlflow"), "models", "serve", "--model-uri", saved, "--env-manager", "local"]
    command += ["--workers", "1", "--host", "127.0.0.1", "--port", "{0}"]
    forms = {
        "JSON": partial(requests.split, "/invocations"),
        "CSV": partial(requests.csv, "/invocations"),
    }
    return Contestant("mlflow", model, command, forms, settings, model.folder, environment.described)


def _litserve(environment: Environment, model: ServedModel) -> Contestant:
    command = [environment.command("python"), "litserve_app.py", "{0}"]
    forms = {"JSON": partial(requests.member, "/predict", "rows")}
    return Contestant("litserve", model, command, forms, _settings(model, environment), OTHERS, environment.described)


FOREIGN: Mapping[str, Callable[[Environment, ServedModel], Contestant]] = {
    "fastapi": _fastapi,
    "mlserver": _mlserver,
    "bentoml": _bentoml,
    "mlflow": _mlflow,
    "litserve": _litserve,
}

# The packages of each.
PACKAGES = {
    "fastapi": ["fastapi", "uvicorn[standard]", "pandas"],
    "mlserver": ["mlserver", "mlserver-sklearn"],
    "bentoml": ["bentoml", "pandas"],
    "mlflow": ["mlflow"],
    "litserve": ["litserve", "pandas"],
}
