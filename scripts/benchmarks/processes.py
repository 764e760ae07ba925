"""What the processes of a server cost, as /proc tells it."""

import contextlib
import os
from pathlib import Path

PROC = Path("/proc")
TICK = 1 / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> list[int]:
    """Return a process and all that descend from it."""
    members = [pid]
    children: dict[int, list[int]] = {}
    for folder in PROC.glob("[0-9]*"):
        with contextlib.suppress(OSError):
            children.setdefault(int(_stat(folder)[1]), []).append(int(folder.name))
    for member in members:  # which grows meanwhile
        members += children.get(member, [])
    return members


def cpu_seconds(*pids: int) -> float:
    """Return the processor's time that processes took, and their children that have ended."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            ticks += sum(map(int, _stat(PROC / str(pid))[11:15]))
    return ticks * TICK


def memory(*pids: int) -> float:
    """Return the bytes that processes hold (PSS): what several share is divided among them."""
    return sum(map(_pss, pids))


def peak_memory() -> float:
    """Return the most bytes that this process has held at once."""
    lines = (PROC / "self" / "status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM:"))


def _pss(pid: int) -> int:
    with contextlib.suppress(OSError):
        for line in (PROC / str(pid) / "smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    return 0


def _stat(folder: Path) -> list[str]:
    """Return what stands in ``stat`` behind the name, which may hold anything."""
    return (folder / "stat").read_text().rpartition(")")[2].split()
