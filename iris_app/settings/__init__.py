"""Layer the settings: ``config.py``, then ``instance/config.py``, then ``IRIS_*`` from the environment."""

import os
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from flask import Flask

from iris_app.exceptions import ConfigurationError
from iris_app.formatting import truncate
from iris_app.settings import defaults
from iris_app.settings.hints import hint
from iris_app.settings.known import SECRETS, known_types, nearest_name
from iris_app.settings.sources import INSTANCE_PATH, Environment, InstanceFile, Overrides, Source

SECRET_KEY_ERROR = re.compile("(IRIS_)?SECRET_KEY ")


def instance_path() -> str | None:
    """Return the instance folder that the environment names, or None for Flask's own choice."""
    path = os.environ.get(INSTANCE_PATH)
    return str(Path(path).absolute()) if path else None


def configure(app: Flask, overrides: Mapping[str, object] | None) -> None:
    """Fill the app's configuration and check the name and the type of each setting.

    ``overrides``, when given, stand in place of the instance folder and the environment.

    Raises
    ------
    ConfigurationError
        Where settings are unknown or have values that they do not allow, or where there is no secret key; it names
        all of them, a line each.
    """
    app.config.from_object(defaults)
    sources = [InstanceFile(app.instance_path), Environment()] if overrides is None else [Overrides(overrides)]
    errors = [error for source in sources for error in _apply(app, source)]
    if not (app.config["SECRET_KEY"] or any(map(SECRET_KEY_ERROR.match, errors)) or any(one.error for one in sources)):
        errors.append(
            "SECRET_KEY is not set. Run scripts/setup, which writes one to instance/config.py, or set IRIS_SECRET_KEY."
        )
    if app.config.get("COMPRESS_CACHE_BACKEND") and not app.config.get("COMPRESS_CACHE_KEY"):
        errors.append("COMPRESS_CACHE_BACKEND is set without COMPRESS_CACHE_KEY; set both, or neither.")
    if errors:
        raise ConfigurationError("\n".join(errors)) from None


def _apply(app: Flask, source: Source) -> Iterator[str]:
    """Apply the settings of a source, and yield a sentence for each that is wrong."""
    if source.error:
        yield source.error
    types = known_types()
    for name, value in source.values.items():
        if name not in types:
            yield _describe_unknown(source, name)
            continue
        try:
            converted = source.convert(value, types[name])
            # Encoding refuses text that nothing could be signed or compared with.
            msgspec.json.encode(converted, enc_hook=lambda _: None)
        except msgspec.ValidationError as error:
            yield _describe_wrong(source, name, types[name], error)
        except UnicodeEncodeError:
            yield f"{source.locate(name)} is wrong: it is not UTF-8."
        else:
            app.config[name] = converted


def _describe_unknown(source: Source, name: str) -> str:
    nearest = nearest_name(name)
    advice = (
        f"Did you mean {source.spell(nearest)}?"
        if nearest
        else "config.py and the documentation of Flask and its extensions list all of them."
    )
    return f"{source.locate(name)} is not a setting of iris_app. {advice}"


def _describe_wrong(source: Source, name: str, kind: Any, error: msgspec.ValidationError) -> str:
    value = source.values[name]
    is_secret = SECRETS.search(name) is not None
    wrong = "is wrong" if is_secret or source.is_quiet else f"cannot be {truncate(repr(value), 60)}"
    advice = hint(source, name, kind, error, is_secret=is_secret)
    reason = "Invalid value" if str(error).startswith("Invalid enum") else str(error)
    return f"{source.locate(name)} {wrong}: {reason}{advice}."
