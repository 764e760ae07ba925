"""Environments for other people's servers, made on demand and thrown away by deleting their folder."""

import json
import subprocess
import sys
import venv
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

# The pipeline is unpickled by what saved it, so that all answer with the same bits.
SHARED = ("scikit-learn", "numpy", "joblib")

VERSIONS = "import json, sys, importlib.metadata as m; print(json.dumps([m.version(name) for name in sys.argv[1:]]))"


@dataclass(frozen=True)
class Environment:
    """An environment: where its commands lie, and what is in it that matters."""

    bin: Path
    described: str

    def command(self, name: str) -> str:
        """Return the path of a command."""
        return str(self.bin / name)

    def run(self, *command: str) -> None:
        """Run something by its Python."""
        subprocess.run([self.command("python"), *command], check=True, stdout=subprocess.DEVNULL)


def make(name: str, packages: list[str], folder: Path) -> Environment:
    """Install packages into an environment under a folder, unless they are there from before.

    Raises
    ------
    CalledProcessError
        Where they cannot be installed; pip has said why.
    """
    place = folder / name
    wanted = "\n".join([*packages, *(f"{package}=={version(package)}" for package in SHARED)])
    installed = place / "installed.txt"
    if not installed.exists() or installed.read_text() != wanted:
        print(f"installing {name} into {place}", file=sys.stderr)
        venv.create(place, clear=True, with_pip=True)
        command = [str(place / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, *wanted.splitlines()], check=True, stdout=sys.stderr)
        installed.write_text(wanted)
    return Environment(place / "bin", _describe(place / "bin", packages))


def _describe(folder: Path, packages: list[str]) -> str:
    names = [package.partition("[")[0] for package in packages]
    command = [str(folder / "python"), "-c", VERSIONS, *names]
    versions = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return ", ".join(f"{name} {number}" for name, number in zip(names, versions, strict=True))
