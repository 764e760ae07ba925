"""Layer the settings: ``config.py``, then ``instance/config.py``, then ``IRIS_*`` from the environment."""

import ast
import os
import re
import runpy
import stat
import traceback
import warnings
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

INSTANCE_FILE = "instance/config.py"

# Why a file of settings cannot be read. Python's own messages may repeat what stands in it.
REASONS: dict[type[BaseException], str] = {
    SyntaxError: "it is not Python, or not UTF-8; is a quote, a bracket or a comma missing",
    NameError: "a name is not defined; text stands in quotes",
    OSError: "a file cannot be opened",
    ImportError: "a module cannot be imported",
    SystemExit: "it ends the process",
    BaseException: "an error is raised",
}

# Variables that platforms set under names of their own.
SET_BY_PLATFORMS = {"AIP_PREDICT_ROUTE", "AIP_HEALTH_ROUTE"}


class WrongValue(msgspec.DecodeError):
    """Refuse a value without repeating it."""


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
        _apply_file(app)
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
            msgspec.json.encode(app.config[name])  # which refuses text that nothing could be signed or compared with
        except msgspec.DecodeError as error:
            is_secret = SECRETS.search(name) or isinstance(error, WrongValue)
            wrong = "is wrong" if is_secret else f"cannot be {value!r}"
            raise ConfigurationError(f"{name} in {source} {wrong}: {error}.") from None
        except UnicodeEncodeError:
            raise ConfigurationError(f"{name} in {source} is wrong: it is not UTF-8.") from None


def _apply_file(app: Flask) -> None:
    """Apply the settings in ``instance/config.py``, whose errors name the file and the line and repeat no value."""
    path = Path(app.instance_path, "config.py")
    for name, value in _instance_settings(path).items():
        try:
            _apply(app, INSTANCE_FILE, {name: value}, _convert_quietly)
        except ConfigurationError as error:
            line = _assignment(path, name)
            raise ConfigurationError(str(error).replace(INSTANCE_FILE, INSTANCE_FILE + line, 1)) from None


def _convert_quietly(value: object, kind: Any) -> object:
    """Convert a value; an error names types and lengths, and never the value."""
    try:
        converted: object = msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        reason = str(error).partition(" '")[0] if str(error).startswith("Invalid enum") else str(error)
        raise WrongValue(reason) from None
    return converted


def _instance_settings(path: Path) -> Mapping[str, Any]:
    """Read what looks like a setting, in the wrong case too, for that would else be passed over."""
    names = _run(path) if _is_present(path) else {}
    return {name: value for name, value in names.items() if name.isupper() or name.upper() in vars(config)}


def _is_present(path: Path) -> bool:
    try:
        mode = path.stat().st_mode if path.exists() or path.is_symlink() else None
    except OSError as error:
        raise ConfigurationError(f"{INSTANCE_FILE} cannot be read: {error.strerror}.") from None
    if mode is not None and not stat.S_ISREG(mode):
        raise ConfigurationError(f"{INSTANCE_FILE} cannot be read: it is not a file.")
    return mode is not None


def _run(path: Path) -> dict[str, Any]:
    """Run a file of settings; neither its errors nor Python's warnings repeat what stands in it."""
    try:
        with warnings.catch_warnings(action="ignore"):
            return runpy.run_path(str(path))
    except KeyboardInterrupt:
        raise
    except BaseException as error:  # whatever a person may write there
        reason = next(text for kind, text in REASONS.items() if isinstance(error, kind))
        raise ConfigurationError(f"{INSTANCE_FILE}{_line(error, path)} cannot be read: {reason}.") from None


def _line(error: BaseException, path: Path) -> str:
    """Name the line of a file where something went wrong, where that is known."""
    lines = [frame.lineno for frame in traceback.extract_tb(error.__traceback__) if frame.filename == str(path)]
    if isinstance(error, SyntaxError) and error.filename == str(path):
        lines.append(error.lineno)
    return f", line {lines[-1]}," if lines and lines[-1] else ""


def _assignment(path: Path, name: str) -> str:
    """Name the last line of a file that assigns a name, where there is one."""
    tree = ast.parse(path.read_bytes())
    lines = [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id == name]
    return f", line {max(lines)}," if lines else ""


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
