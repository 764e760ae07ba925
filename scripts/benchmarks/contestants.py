"""The servers that are compared: this application, three baselines, and foreign servers on demand."""

import os
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path

from benchmarks import environments, flowers
from benchmarks.environments import Environment
from benchmarks.servers import Contestant

HERE = Path(__file__).parent
BASELINES = HERE / "baselines"
OTHERS = HERE / "foreign"
GUNICORN = str(Path(sys.executable).parent / "gunicorn")


def ours(*options: str) -> Contestant:
    """Return ``gunicorn wsgi:app`` as in production."""
    forms = {
        "JSON": partial(flowers.objects, "/api/classify"),
        "CSV": partial(flowers.table, "/api/classify"),
        "binary": partial(flowers.binary_tensor, "/v2/models/iris/infer"),
    }
    command = [GUNICORN, "wsgi:app", "--bind", "127.0.0.1:{0}", *options]
    return Contestant("ours", command, forms, described="`gunicorn wsgi:app`, everything on, its log in a file")


def silent(*options: str) -> Contestant:
    """Return the application without metrics, logs and headers."""
    command = [GUNICORN, "benchmarks.silent:app", "--pythonpath", "scripts", "--bind", "127.0.0.1:{0}", *options]
    forms = {"JSON": partial(flowers.objects, "/api/classify")}
    return Contestant("silent", command, forms, described="ours, with metrics, logs and headers off")


def baselines(model: Path) -> list[Contestant]:
    """Return the baselines, under gunicorn.

    ``model`` is a folder with the pipeline and its affine map.
    """
    floor = _baseline("floor", model, "a bare WSGI function that decodes JSON, computes and encodes JSON")
    hello = _baseline("flask", model, "a Flask view that says hello", partial(_get, "/"))
    naive = _baseline("naive", model, "a Flask view over `pipeline.predict_proba`")
    return [floor, hello, naive]


def foreign(name: str, model: Path, folder: Path) -> Contestant:
    """Return a foreign server, installed into its own environment under ``folder``."""
    return FOREIGN[name](environments.make(name, PACKAGES[name], folder), model)


def _get(path: str, _measurements: flowers.Floats) -> flowers.Request:
    return flowers.Request(path)


def _baseline(
    name: str, model: Path, described: str, ask: Callable[[flowers.Floats], flowers.Request] | None = None
) -> Contestant:
    command = [GUNICORN, f"{name}_app:app", "--config", "plain.conf.py", "--bind", "127.0.0.1:{0}"]
    forms = {"JSON": ask or partial(flowers.objects, "/classify")}
    return Contestant(name, command, forms, _settings(model), BASELINES, described)


def _settings(model: Path, environment: Environment | None = None) -> dict[str, str]:
    """Return the environment variables of a server."""
    path = {"PATH": f"{environment.bin}{os.pathsep}{os.environ['PATH']}"} if environment else {}
    # The home is temporary, too.
    return path | {"BENCHMARK_MODEL": str(model), "DO_NOT_TRACK": "true", "HOME": str(model)}


def _fastapi(environment: Environment, model: Path) -> Contestant:
    command = [environment.command("uvicorn"), "fastapi_app:app", "--port", "{0}"]
    forms = {"JSON": _by_number}
    return Contestant("fastapi", command, forms, _settings(model, environment), OTHERS, environment.described)


def _by_number(measurements: flowers.Floats) -> flowers.Request:
    return flowers.objects("/classify" if len(measurements) == 1 else "/classify/many", measurements)


def _mlserver(environment: Environment, model: Path) -> Contestant:
    ports = {"HTTP": "{0}", "GRPC": "{1}", "METRICS": "{2}"}
    settings = _settings(model, environment) | {f"MLSERVER_{name}_PORT": port for name, port in ports.items()}
    # One process, its leanest way. By itself it has another for the model, which does not start beside uvloop 0.23.
    settings |= {"MLSERVER_HOST": "127.0.0.1", "MLSERVER_DEBUG": "false", "MLSERVER_PARALLEL_WORKERS": "0"}
    settings |= {
        "MLSERVER_MODEL_NAME": "iris",
        "MLSERVER_MODEL_IMPLEMENTATION": "mlserver_sklearn.SKLearnModel",
        "MLSERVER_MODEL_URI": str(model / "model.joblib"),
    }
    forms = {"JSON": partial(flowers.tensor, "/v2/models/iris/infer")}  # it takes no tensors as bytes
    command = [environment.command("mlserver"), "start", "."]
    return Contestant("mlserver", command, forms, settings, model, environment.described)


def _bentoml(environment: Environment, model: Path) -> Contestant:
    settings = _settings(model, environment) | {"BENTOML_DO_NOT_TRACK": "true", "BENTOML_HOME": str(model)}
    command = [environment.command("bentoml"), "serve", "bentoml_service:Iris", "--host", "127.0.0.1", "--port", "{0}"]
    forms = {"JSON": partial(flowers.lists, "/classify", "measurements")}
    return Contestant("bentoml", command, forms, settings, OTHERS, environment.described)


def _mlflow(environment: Environment, model: Path) -> Contestant:
    saved = str(model / "mlflow")
    settings = _settings(model, environment) | {"MLFLOW_DISABLE_TELEMETRY": "true"}
    # The pipeline was fitted on arrays, and would warn about the names of a table's columns.
    settings |= {"PYTHONWARNINGS": "ignore::UserWarning"}
    environment.run(str(OTHERS / "mlflow_save.py"), str(model / "model.joblib"), saved)
    command = [environment.command("mlflow"), "models", "serve", "--model-uri", saved, "--env-manager", "local"]
    command += ["--workers", "1", "--host", "127.0.0.1", "--port", "{0}"]
    forms = {
        "JSON": partial(flowers.split, "/invocations"),
        "CSV": partial(flowers.table, "/invocations"),
    }
    return Contestant("mlflow", command, forms, settings, model, environment.described)


def _litserve(environment: Environment, model: Path) -> Contestant:
    command = [environment.command("python"), "litserve_app.py", "{0}"]
    forms = {"JSON": partial(flowers.lists, "/predict", "measurements")}
    return Contestant("litserve", command, forms, _settings(model, environment), OTHERS, environment.described)


FOREIGN: Mapping[str, Callable[[Environment, Path], Contestant]] = {
    "fastapi": _fastapi,
    "mlserver": _mlserver,
    "bentoml": _bentoml,
    "mlflow": _mlflow,
    "litserve": _litserve,
}

# The packages of each.
PACKAGES = {
    "fastapi": ["fastapi", "uvicorn[standard]"],
    "mlserver": ["mlserver", "mlserver-sklearn"],
    "bentoml": ["bentoml"],
    "mlflow": ["mlflow"],
    "litserve": ["litserve"],
}
