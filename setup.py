"""Build the package with copies of the files above it to which it links: an unpacked zip has no links."""

from pathlib import Path
from shutil import copyfile

from setuptools import setup
from setuptools.command.build_py import build_py

LINKED = {"config.py": "settings/defaults.py", "gunicorn.conf.py": "cli/gunicorn_conf.py"}


class BuildPy(build_py):
    """Build the package, whatever became of its links."""

    def run(self) -> None:
        """Copy the modules, and then the files that links name."""
        super().run()
        for source, target in LINKED.items():
            if Path(source).exists() and not self.editable_mode:  # a source distribution has the copies alone
                copyfile(source, Path(self.build_lib, "iris_app", target))


setup(cmdclass={"build_py": BuildPy})
