"""The CPU time and the memory of processes, from /proc."""

import contextlib
import os
from pathlib import Path

PROC = Path("/proc")
TICK = 1 / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """Return a process and all its descendants."""
    members = [pid]
    children: dict[int, list[int]] = {}
    for folder in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            children.setdefault(int(_stat(folder)[1]), []).append(int(folder.name))
    for member in members:  # the list grows
        members += children.get(member, [])
    return members


def cpu_seconds(*pids: int) -> float:
    """Return the CPU seconds of processes and of their ended children."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            ticks += sum(map(int, _stat(PROC / str(pid))[11:15]))
    return ticks * TICK


def memory(*pids: int) -> float:
    """Return the memory of processes in bytes (PSS)."""
    return sum(map(_pss, pids))


def peak_memory() -> float:
    """Return the peak memory of this process in bytes."""
    lines = (PROC / "self" / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _stat(folder: Path) -> list[str]:
    """Return the fields of ``stat`` after the name, which may contain spaces."""
    return (folder / "stat").read_text().rpartition(")")[2].split()
