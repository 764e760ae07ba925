"""``iris-app serve``: serve a model with gunicorn."""

import os
import secrets
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import click

from iris_app import create_app
from iris_app.exceptions import ConfigurationError, IrisError
from iris_app.model.manifest import manifest_path
from iris_app.model_service import model_path
from iris_app.settings import defaults

SETTINGS = Path(__file__).with_name("gunicorn_conf.py")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("arguments", metavar="[MODEL] [GUNICORN OPTIONS]", nargs=-1, type=click.UNPROCESSED)
def serve(arguments: tuple[str, ...]) -> None:
    """Serve MODEL, a model.joblib that was packaged, on http://127.0.0.1:8000 or the port in PORT.

    Without MODEL it serves the one that MODEL_PATH names, or the example, which it trains. Options go to gunicorn, as
    in: iris-app serve wine.joblib --workers 1
    """
    options = list(arguments)
    if options and not options[0].startswith("-"):
        os.environ["IRIS_MODEL_PATH"] = str(_find(Path(options.pop(0))))
    _write_secret(Path(os.environ["IRIS_INSTANCE_PATH"]))
    try:
        _train_if_missing(create_app())
    except (ConfigurationError, IrisError) as error:
        raise click.ClickException(str(error)) from None
    # -P: modules of the current folder do not take the place of those that gunicorn imports.
    command = [sys.executable, "-P", "-m", "gunicorn", "--config", str(SETTINGS), "iris_app:create_app()", *options]
    os.execv(sys.executable, command)  # noqa: S606 -- gunicorn takes the place of this process


def _find(path: Path) -> Path:
    """Return the absolute path of a model, or refuse what is none."""
    for file in (path, manifest_path(path)):
        if not file.is_file():
            raise click.ClickException(f"There is no {file}. Package a classifier with: iris-app package")
    return path.resolve()


def _write_secret(instance: Path) -> None:
    """Write a secret key to the instance folder, unless it has settings, or the environment has a key."""
    if "IRIS_SECRET_KEY" in os.environ:
        return
    instance.mkdir(parents=True, exist_ok=True)
    path = instance / "config.py"
    with suppress(FileExistsError), open(path, "x", encoding="utf-8", opener=_open_private) as file:
        file.write(f'SECRET_KEY = "{secrets.token_hex(32)}"\n')
        click.echo(f"iris-app: writing a secret key to {path}", err=True)


def _open_private(path: str, flags: int) -> int:
    """Open a file that only its owner may read."""
    return os.open(path, flags, 0o600)


def _train_if_missing(app: Any) -> None:
    """Train the example if there is no model, and none was named."""
    path = model_path(app)
    if path.exists():
        return
    if app.config["MODEL_PATH"] != defaults.MODEL_PATH:
        raise click.ClickException(f"There is no model at {path}. Package one with: iris-app package")
    try:
        from iris_app.training import save_example
    except ImportError as error:
        raise click.ClickException(
            f"There is no model at {path}. Package one with: iris-app package. To train the example, install "
            f"iris_app[train] ({error})."
        ) from None
    click.echo(f"iris-app: training the example at {path}", err=True)
    save_example(path)
