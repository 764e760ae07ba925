"""Layer the settings: ``config.py``, then ``instance/config.py``, then ``IRIS_*`` from the environment."""

import os
import re
import runpy
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, get_type_hints

import msgspec
from flask import Flask

import config
from iris_app.exceptions import ConfigurationError

PREFIX = "IRIS_"

# Settings whose values no log may hold.
SECRETS = re.compile("SECRET|TOKEN|KEY")

# Variables that platforms set under names of their own.
SET_BY_PLATFORMS = {"AIP_PREDICT_ROUTE", "AIP_HEALTH_ROUTE"}


def configure(app: Flask, overrides: Mapping[str, object] | None) -> None:
    """Fill the app's configuration and check each setting against its name and type in ``config.py``.

    ``overrides``, when given, stand in place of the instance folder and the environment.

    Raises
    ------
    ConfigurationError
        Where a setting is unknown or has a value that it does not allow, or where there is no secret key.
    """
    app.config.from_object(config)
    if overrides is None:
        _apply(app, "instance/config.py", _instance_settings(app), msgspec.convert)
        _apply(app, "the environment", _environment_settings(), _parse)
    else:
        _apply(app, "the overrides", overrides, msgspec.convert)
    if not app.config["SECRET_KEY"]:
        raise ConfigurationError(
            "SECRET_KEY is not set. Run scripts/setup, which writes one to instance/config.py, or set IRIS_SECRET_KEY."
        )


def _apply(app: Flask, source: str, settings: Mapping[str, Any], convert: Callable[[Any, Any], object]) -> None:
    types = get_type_hints(config, include_extras=True)
    for name, value in settings.items():
        if name not in types:
            raise ConfigurationError(f"{name} in {source} is not a setting of iris_app; config.py lists all of them.")
        try:
            app.config[name] = convert(value, types[name])
        except msgspec.DecodeError as error:
            wrong = "is wrong" if SECRETS.search(name) else f"cannot be {value!r}"
            raise ConfigurationError(f"{name} in {source} {wrong}: {error}.") from error


def _instance_settings(app: Flask) -> Mapping[str, Any]:
    """Read what looks like a setting, in the wrong case too, for that would else be passed over."""
    path = Path(app.instance_path, "config.py")
    try:
        names = runpy.run_path(str(path)) if path.exists() else {}
    except (Exception, SystemExit) as error:  # whatever a person may write there
        raise ConfigurationError(f"instance/config.py{_line(error, path)} cannot be read: {error!r}.") from error
    return {name: value for name, value in names.items() if name.isupper() or name.upper() in vars(config)}


def _line(error: BaseException, path: Path) -> str:
    """Say in which line of a file something went wrong, where that is known."""
    if isinstance(error, SyntaxError):
        return f", line {error.lineno},"
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    return f", line {lines[-1]}," if lines else ""


def _environment_settings() -> Mapping[str, str]:
    return {
        name.removeprefix(PREFIX): text
        for name, text in os.environ.items()
        if name.startswith(PREFIX) or name in SET_BY_PLATFORMS
    }


def _parse(text: str, kind: Any) -> object:
    """Take a variable of the environment as it stands where its setting is text, and as JSON elsewhere."""
    try:
        return msgspec.convert(text, kind)
    except msgspec.ValidationError as error:
        try:
            return msgspec.json.decode(text, type=kind)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:  # no JSON was meant
            raise error from None
