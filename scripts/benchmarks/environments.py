"""Virtual environments for foreign servers, created on demand."""

import json
import subprocess
import sys
import venv
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path

# The pipeline is unpickled by the versions that saved it.
SHARED = ("scikit-learn", "numpy", "joblib")

VERSIONS = "import json, sys, importlib.metadata as m; print(json.dumps([m.version(name) for name in sys.argv[1:]]))"


@dataclass(frozen=True)
class Environment:
    """A virtual environment: the folder of its commands, and a description of its packages."""

    bin: Path
    described: str

    def command(self, name: str) -> str:
        """Return the path of a command."""
        return str(self.bin / name)

    def run(self, *command: str) -> None:
        """Run its Python with arguments."""
        subprocess.run([self.command("python"), *command], check=True, stdout=subprocess.DEVNULL)


def make(name: str, packages: list[str], folder: Path) -> Environment:
    """Install packages into an environment under a folder, unless it has them.

    Raises
    ------
    CalledProcessError
        If they cannot be installed; pip prints the reason.
    """
    target = folder / name
    wanted = "\n".join([*packages, *(f"{package}=={version(package)}" for package in SHARED)])
    installed = target / "installed.txt"
    if not installed.exists() or installed.read_text() != wanted:
        print(f"installing {name} into {target}", file=sys.stderr)
        venv.create(target, clear=True, with_pip=True)
        command = [str(target / "bin" / "python"), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        subprocess.run([*command, *wanted.splitlines()], check=True, stdout=sys.stderr)
        installed.write_text(wanted)
    return Environment(target / "bin", _describe(target / "bin", packages))


def _describe(folder: Path, packages: list[str]) -> str:
    names = [package.partition("[")[0] for package in packages]
    command = [str(folder / "python"), "-c", VERSIONS, *names]
    versions = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return ", ".join(f"{name} {number}" for name, number in zip(names, versions, strict=True))
