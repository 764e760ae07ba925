"""The benchmark still runs; what it measures is not looked at here."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from flask import Flask

from tests.support import CHECKOUT, SECRET_KEY

COMMAND = CHECKOUT / "scripts" / "benchmark"


@pytest.fixture
def _benchmarks(trained_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the parts of the benchmark be imported, and find a model and a secret."""
    monkeypatch.syspath_prepend(CHECKOUT / "scripts")
    monkeypatch.setenv("IRIS_SECRET_KEY", SECRET_KEY)
    monkeypatch.setenv("IRIS_MODEL_PATH", str(trained_path))


def run(*options: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, COMMAND, *options], capture_output=True, text=True, check=False)


@pytest.mark.usefixtures("_benchmarks")
def test_what_needs_no_server_is_measured_beside_its_bounds() -> None:
    table = run("--quick", "--only", "in-process")
    assert table.returncode in {0, 1}, table.stderr
    assert "Traceback" not in table.stderr
    measured = [line.split(" | ") for line in table.stdout.splitlines() if "in process" in line]
    assert len(measured) == 4
    assert {row[-1] for row in measured} <= {"yes |", "no |"}


@pytest.mark.usefixtures("_benchmarks")
def test_a_profile_says_where_the_time_goes() -> None:
    assert "function calls" in run("--profile", "1000").stdout


@pytest.mark.usefixtures("_benchmarks")
def test_ours_is_asked_in_every_form(app: Flask, tmp_path: Path) -> None:
    from benchmarks import contestants, models, over_http
    from benchmarks.production import caller

    ours = contestants.ours(models.lay_out("example", tmp_path))
    assert tuple(ours.forms) == over_http.FORMS
    for make in ours.forms.values():
        assert caller(app, make(ours.model.rows(2)))()


@pytest.mark.skipif(not (shutil.which("wrk") and shutil.which("taskset")), reason="needs wrk")
@pytest.mark.usefixtures("_benchmarks")
def test_servers_are_measured_one_beside_the_other(tmp_path: Path) -> None:
    from benchmarks import contestants, models, over_http, parts, report
    from benchmarks.rounds import QUICK

    model = models.lay_out("example", tmp_path)
    compared = [contestants.ours(model, "--workers", "1"), contestants.naive(model)]
    figures = over_http.compare(compared, [1], QUICK, parts.cores(), ["JSON"])
    assert list(figures.loads["JSON", 1]) == ["ours", "naive"]
    assert report.of_loads(figures).count("| 1 as JSON |") == 2
    assert "| naive |" in report.of_servers(figures)
    assert "| example |" in report.of_models({"example": figures.loads["JSON", 1]})


@pytest.mark.usefixtures("_benchmarks")
def test_what_is_measured_takes_turns_and_is_compared_round_by_round() -> None:
    from benchmarks.rounds import alternate, ratio

    order: list[str] = []
    alternate(3, {name: lambda name=name: order.append(name) for name in "AB"})  # type: ignore[misc]
    assert "".join(order) == "ABBAAB"
    assert ratio([1, 4, 9], [1, 2, 3]) == 2


@pytest.mark.usefixtures("_benchmarks")
def test_a_bound_that_was_not_kept_or_not_measured_is_seen() -> None:
    from benchmarks import bounds

    assert bounds.broken({"floor": 0.49, "hello": 2.5}) == ["floor"]
    shown = {row[0]: row[1:] for row in bounds.rows_of({"floor": 0.49})}
    assert shown[bounds.BOUNDS["floor"].measure] == ["0.49 ×", "at least 0.50 × (aim: 0.60 ×)", "no"]
    assert shown[bounds.BOUNDS["hello"].measure][0] == "not measured"


def test_an_unknown_server_is_refused_by_name() -> None:
    refused = run("--against", "fastapi,apache")
    assert refused.returncode == 2
    assert "there is no apache, but fastapi," in refused.stderr
