"""The results as tables in Markdown."""

import os
import platform
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from benchmarks import bounds
from benchmarks.bounds import MEGABYTE
from benchmarks.files import Figures as FileFigures
from benchmarks.over_http import Figures, Load, speed
from benchmarks.rounds import Effort, ratio


def title(effort: Effort) -> str:
    """Return the date, the machine and the effort of the benchmark."""
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    cores, processor = len(os.sched_getaffinity(0)), names[0] if names else platform.machine()
    return (
        f"{datetime.now(UTC):%Y-%m-%d}, Python {platform.python_version()}, {cores} cores of {processor}; "
        f"medians of {effort.rounds} rounds."
    )


def of_bounds(values: Mapping[str, float]) -> str:
    """Return the table of bounds."""
    return _table(["measure", "measured", "bound", "holds"], bounds.rows_of(values))


def of_servers(figures: Figures) -> str:
    """Return the table of servers, with their start and their memory."""
    rows = [
        [name, server.contestant.described, f"{server.started:.2f}", f"{held / MEGABYTE:.0f}"]
        for name, (server, held) in figures.servers.items()
    ]
    return _table(["server", "what it is", "start (s)", "PSS (MB)"], rows)


def of_loads(figures: Figures) -> str:
    """Return the table of loads, with the ratios to ours."""
    heads = ["asked about", "server", "requests/s", "p50 (ms)", "p99 (ms)", "CPU (µs/request)"]
    rows = [
        [f"{rows:,} as {form}", name, *_load(loads[name]), *_ratios(loads.get("ours", []), loads[name])]
        for (form, rows), loads in figures.loads.items()
        for name in loads
    ]
    return _table([*heads, "ours: requests/s", "ours: p99", "ours: CPU"], rows)


def of_models(loads: Mapping[str, Mapping[str, Sequence[Load]]]) -> str:
    """Return the table of models: requests per second, and how many times those of each other server."""
    names = list(dict.fromkeys(name for taken in loads.values() for name in taken if name != "ours"))
    rows = [
        [title, f"{median(load.rate for load in taken['ours']):,.0f}", *(_speed(taken, name) for name in names)]
        for title, taken in loads.items()
    ]
    return _table(["one row as JSON", "requests/s", *(f"against {name}" for name in names)], rows)


def _speed(loads: Mapping[str, Sequence[Load]], name: str) -> str:
    return f"{speed(loads, name):.1f} ×" if name in loads else ""


def of_rows(cost: Mapping[int, Sequence[float]]) -> str:
    """Return the table of the cost per row."""
    rows = [[f"{rows:,}", f"{median(seconds) * 1e6:.2f}"] for rows, seconds in cost.items()]
    return _table(["rows in a request", "CPU (µs/row)"], rows)


def of_seconds(taken: Mapping[str, Sequence[float]]) -> str:
    """Return the table of starts."""
    return _table(["start", "seconds"], [[name, f"{median(seconds):.2f}"] for name, seconds in taken.items()])


def of_files(figures: FileFigures) -> str:
    """Return the table of files."""
    rows = [
        [f"{count:,} rows of {form}", name, f"{count / median(taken):,.0f}", f"{peak / MEGABYTE:,.0f}"]
        for (form, name, count), costs in figures.costs.items()
        for taken, peak in [([cost.seconds for cost in costs], median(cost.peak for cost in costs))]
    ]
    return _table(["file", "by", "rows/s", "memory (MB)"], rows)


def _load(loads: Sequence[Load]) -> list[str]:
    medians = Load(*map(median, zip(*loads, strict=True)))
    return [f"{medians.rate:,.0f}", f"{medians.p50:.2f}", f"{medians.p99:.2f}", f"{medians.cpu:,.0f}"]


def _ratios(ours: Sequence[Load], theirs: Sequence[Load]) -> Iterator[str]:
    for name in ("rate", "p99", "cpu"):
        ones, others = ([getattr(load, name) for load in loads] for loads in (ours, theirs))
        yield f"{ratio(ones, others):.2f} ×"


def _table(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
