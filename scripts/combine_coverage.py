#!/usr/bin/env -S sh -c 'exec "$(dirname "$0")/../.venv/bin/python" "$0" "$@"'
"""Combine the coverage data in the current folder, without files that a killed process left half written."""

import sqlite3
from pathlib import Path

from coverage import Coverage, CoverageData
from coverage.exceptions import CoverageException


def is_whole(path: Path) -> bool:
    """Check whether a data file can be read and added to others; print the name of one that cannot."""
    try:
        part = CoverageData(basename=str(path))
        part.read()
        CoverageData(no_disk=True).update(part)
    except (CoverageException, sqlite3.Error) as error:
        print(f"coverage: left out {path.name}, which is broken: {error}")
        return False
    return True


def main() -> None:
    """Write ``.coverage`` from all whole data files, and remove every part."""
    parts = sorted(Path().glob(".coverage.*"))
    whole = [path for path in parts if is_whole(path)]
    coverage = Coverage()
    coverage.combine([str(path) for path in whole], keep=True)
    coverage.save()
    for path in parts:
        path.unlink(missing_ok=True)


if __name__ == "__main__":
    main()
