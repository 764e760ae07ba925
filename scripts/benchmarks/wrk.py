"""The load generator wrk."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import msgspec

from benchmarks.requests import Request
from benchmarks.servers import TIMEOUT, Failed, Server

CONNECTIONS = 4

# Print the results as JSON beside wrk's own report.
DONE = """
done = function(summary, latency)
   local failed = summary.errors
   io.write(string.format('\\n{"requests": %d, "seconds": %f, "p50": %f, "p99": %f, "errors": %d}\\n',
      summary.requests, summary.duration / 1e6, latency:percentile(50) / 1e3, latency:percentile(99) / 1e3,
      failed.connect + failed.read + failed.write + failed.status + failed.timeout))
end
"""


class Report(NamedTuple):
    """The report of wrk, latencies in milliseconds."""

    requests: int
    seconds: float
    p50: float
    p99: float
    errors: int


def write_script(path: Path, request: Request) -> Path:
    """Write the script by which wrk sends a request."""
    body = path.with_suffix(".body")
    body.write_bytes(request.body)
    headers = "\n".join(f'wrk.headers["{name}"] = "{text}"' for name, text in request.headers.items())
    read = f'wrk.body = io.open([[{body}]], "rb"):read("*a")' if request.body else ""
    path.write_text(f'wrk.method = "{request.method}"\n{headers}\n{read}\n{DONE}')
    return path


def drive(
    server: Server, path: str, script: Path, seconds: int, cores: Sequence[int], connections: int = CONNECTIONS
) -> Report:
    """Send a request repeatedly over persistent connections.

    Raises
    ------
    Failed
        Where one was not answered, or with an error.
    """
    command = ["taskset", "--cpu-list", ",".join(map(str, cores)), "wrk", "--threads", "1"]
    command += ["--connections", str(connections), "--duration", str(seconds), "--timeout", str(TIMEOUT)]
    command += ["--script", str(script), f"http://127.0.0.1:{server.port}{path}"]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    lines = [line for line in run.stdout.splitlines() if line.startswith("{")]
    if not lines:
        raise Failed(f"wrk failed: {run.stdout}{run.stderr}")
    report = Report(**msgspec.json.decode(lines[-1]))
    if report.errors or not report.requests:
        raise Failed(f"{server.contestant.name}: {report}; see {server.log}\n{run.stdout}")
    return report
