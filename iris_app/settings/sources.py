"""The sources of settings: overrides, the file in the instance folder, and the environment."""

import ast
import os
import re
import runpy
import stat
import traceback
import warnings
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

import msgspec

from iris_app.exceptions import ConfigurationError
from iris_app.formatting import truncate
from iris_app.settings.known import MAX_NAME_LENGTH, known_types

PREFIX = "IRIS_"

# The variable that names the instance folder, which is no setting.
INSTANCE_PATH = "IRIS_INSTANCE_PATH"

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
SET_BY_PLATFORMS = ("AIP_PREDICT_ROUTE", "AIP_HEALTH_ROUTE")

# Variables that Kubernetes sets for each Service whose name begins as ours do, beside NAME_PORT with an address:
# https://kubernetes.io/docs/concepts/services-networking/service/#environment-variables
SET_BY_KUBERNETES = re.compile(
    rf"{PREFIX[:-1]}(_[A-Z0-9_]+)?"
    r"_(SERVICE_HOST|SERVICE_PORT(_[A-Z0-9_]+)?|PORT_\d+_(TCP|UDP|SCTP)(_(ADDR|PORT|PROTO))?)"
)
KUBERNETES_PORT = re.compile(rf"{PREFIX[:-1]}(_[A-Z0-9_]+)?_PORT=(tcp|udp|sctp)://.*")

IN_QUOTES = "it stands in quotes"
IS_NONE = "it is no text"
QUOTED = re.compile(r"(['\"]).*\1", re.DOTALL)


class Source:
    """Settings by their names, as one source holds them."""

    place: str
    # Whether messages leave out the values, which may be secrets under a wrong name.
    is_quiet = False
    # What keeps the source from being read.
    error = ""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self.values = values

    def spell(self, name: str) -> str:
        """Return a setting's name as this source spells it."""
        return truncate(name, MAX_NAME_LENGTH)

    def locate(self, name: str) -> str:
        """Return a setting's name and where it is set."""
        return f"{self.spell(name)} in {self.place}"

    def write(self, value: object) -> str:
        """Return a value as it is written in this source."""
        return repr(value)

    def convert(self, value: Any, kind: Any) -> object:
        """Return a value as the type of its setting, or raise ``msgspec.ValidationError``."""
        return convert(value, kind)


class Overrides(Source):
    """Settings that a program passes."""

    place = "the overrides"


class InstanceFile(Source):
    """Settings in ``instance/config.py``, whose errors name the line and repeat no value."""

    place = INSTANCE_FILE
    is_quiet = True

    def __init__(self, instance_path: str) -> None:
        self.path = Path(instance_path, "config.py")
        try:
            names = _run(self.path) if _is_present(self.path) else {}
        except ConfigurationError as error:
            names, self.error = {}, str(error)
        # A setting in the wrong case would else be passed over.
        super().__init__({name: names[name] for name in names if name.isupper() or name.upper() in known_types()})

    def locate(self, name: str) -> str:
        """Return a setting's name, the file and the line."""
        return f"{self.spell(name)} in {INSTANCE_FILE}{_assignment(self.path, name)}"


class Environment(Source):
    """Settings in variables that begin with ``IRIS_``: text as it stands, and JSON for all else."""

    place = "the environment"

    def __init__(self) -> None:
        platforms = {name: os.environ[name] for name in SET_BY_PLATFORMS if name in os.environ}
        ours = {name: text for name, text in os.environ.items() if _is_ours(name, text)}
        self.names = {name.removeprefix(PREFIX): name for name in platforms | ours}
        super().__init__({name: os.environ[variable] for name, variable in self.names.items()})

    def spell(self, name: str) -> str:
        """Return the variable of a setting."""
        return truncate(self.names.get(name, PREFIX + name), MAX_NAME_LENGTH)

    def write(self, value: object) -> str:
        """Return text as it is, and all else as JSON."""
        return value if isinstance(value, str) else msgspec.json.encode(value).decode()

    def convert(self, value: str, kind: Any) -> object:
        """Take text where the setting is text, and JSON elsewhere."""
        if value == "null" or kind is Any:
            try:
                return msgspec.json.decode(value, type=kind)
            except msgspec.DecodeError:  # text is meant
                pass
        try:
            text = convert(value, kind)
        except msgspec.ValidationError as error:
            return _decode(value, kind, error)
        if QUOTED.fullmatch(value):
            raise msgspec.ValidationError(IN_QUOTES)
        if value.casefold() == "none" and _allows_none(kind):
            raise msgspec.ValidationError(IS_NONE)
        return text


def convert(value: object, kind: Any) -> object:
    """Return a value as a type; a callable stays as it is."""
    converted: object = msgspec.convert(value, kind, dec_hook=lambda _, value: value)
    return converted


def _decode(text: str, kind: Any, error: msgspec.ValidationError) -> object:
    """Decode JSON, or raise an error that fits text that is no JSON."""
    try:
        decoded: object = msgspec.json.decode(text, type=kind, dec_hook=lambda _, value: value)
    except msgspec.ValidationError:
        raise
    except msgspec.DecodeError:
        raise error from None
    return decoded


def _allows_none(kind: Any) -> bool:
    return type(None) in get_args(kind)


def _is_ours(name: str, text: str) -> bool:
    """Return whether a variable is a setting."""
    return name.startswith(PREFIX) and name != INSTANCE_PATH and not _is_link(name, text)


def _is_link(name: str, text: str) -> bool:
    """Return whether Kubernetes sets a variable for a Service."""
    return bool(SET_BY_KUBERNETES.fullmatch(name) or KUBERNETES_PORT.fullmatch(f"{name}={text}"))


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
