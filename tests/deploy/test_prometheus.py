"""Rules and dashboard by Prometheus' own tools, and a real Prometheus that asks a real gunicorn."""

import hashlib
import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import httpx
import pytest

from iris_app.observability.drift import MIN_SAMPLE
from tests.support import CHECKOUT, FLOWER, Server, eventually, running

DEPLOY = CHECKOUT / "deploy"
TOKEN = "a token of the tests, long enough"  # noqa: S105
KEY = "a key of the tests"
PROGRAM = {"Authorization": f"Bearer {KEY}"}
ODD = FLOWER | dict.fromkeys(FLOWER, 9.0)
WRONG = FLOWER | dict.fromkeys(FLOWER, -1.0)

DASHBOARD: dict[str, Any] = json.loads((DEPLOY / "grafana-dashboard.json").read_text())
PANELS: list[dict[str, Any]] = DASHBOARD["panels"]
SHOWN = {
    f"{panel['title']} {target['refId']}": target["expr"] for panel in PANELS for target in panel.get("targets", [])
}
ALERTS = re.findall(r"alert: (\w+)", (DEPLOY / "prometheus-rules.yml").read_text())
TESTED = (DEPLOY / "prometheus-rules-test.yml").read_text()

# What Grafana puts in place of its variables.
CHOSEN = {"$job": "iris_app", "$feature": next(iter(FLOWER)), "$__rate_interval": "1m"}

needs_prometheus = pytest.mark.skipif(
    not (shutil.which("prometheus") and shutil.which("promtool")), reason="Prometheus is not here"
)


def promtool(*words: str | Path, given: str = "") -> str:
    run = subprocess.run(
        [str(shutil.which("promtool")), *words], input=given, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stdout + run.stderr
    return run.stderr


@dataclass
class Prometheus:
    """A Prometheus that runs, and the server that it asks."""

    url: str
    server: Server

    def get(self, path: str, **parameters: str) -> Any:
        answer = httpx.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=20).json()
        assert answer["status"] == "success", answer
        return answer["data"]

    def samples(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = self.get("query", query=expression)["result"]
        return found


@contextmanager
def watching(folder: Path, server: Server) -> Iterator[Prometheus]:
    """Run Prometheus with our configuration, but that it asks another address, and more often."""
    text = (DEPLOY / "prometheus.yml").read_text()
    for ours, other in {
        "127.0.0.1:8000": server.url.removeprefix("http://"),
        "/etc/prometheus": str(folder),
        "15s": "200ms",
    }.items():
        assert ours in text
        text = text.replace(ours, other)
    (folder / "prometheus.yml").write_text(text)
    (folder / "iris_app.token").write_text(TOKEN)
    shutil.copy(DEPLOY / "prometheus-rules.yml", folder)
    promtool("check", "config", folder / "prometheus.yml")
    log_path = folder / "prometheus.log"
    command = [str(shutil.which("prometheus")), f"--config.file={folder}/prometheus.yml"]
    command += [f"--storage.tsdb.path={folder}/data", "--web.listen-address=127.0.0.1:0"]
    with log_path.open("wb") as log, subprocess.Popen(command, stdout=log, stderr=log) as process:
        try:
            listening = eventually(
                lambda: re.search(r'msg="Listening on" address=(\S+)', log_path.read_text()), process
            )
            yield Prometheus(f"http://{listening[1]}", server)
        finally:
            process.terminate()


def ask(server: Server) -> list[int]:
    """Come through the doors, with what is right, odd and wrong."""
    url = f"{server.url}/api/classify"
    sent = [[FLOWER] * MIN_SAMPLE, ODD, WRONG]
    return [httpx.post(url, json=one, headers=PROGRAM).status_code for one in sent]


@pytest.fixture(scope="module")
def prometheus(trained_path: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """A server that had no model at first, then one, and is asked all the while."""
    folder = tmp_path_factory.mktemp("prometheus")
    settings = {
        "IRIS_MODEL_PATH": str(folder / trained_path.name),
        "IRIS_MODEL_CHECK_SECONDS": "0.1",
        "IRIS_METRICS_TOKEN": TOKEN,
        "IRIS_API_KEYS": json.dumps({"tests": hashlib.sha256(KEY.encode()).hexdigest()}),
    }
    with running(folder / "log", "--workers=2", **settings) as server, watching(folder, server) as prometheus:
        counted = 'iris_app_http_request_duration_seconds_count{route="/api/classify", status="%s"}'
        eventually(lambda: ask(server) and prometheus.samples(f"increase({counted % 503}[1m]) > 0"))
        for file in trained_path.parent.iterdir():
            shutil.copy(file, folder)
        eventually(lambda: ask(server) and prometheus.samples(f"increase({counted % 422}[1m]) > 0"))
        eventually(lambda: ask(server) and prometheus.samples("iris_app_drift_psi"))
        yield prometheus


@needs_prometheus
def test_the_rules_do_what_their_tests_say() -> None:
    promtool("test", "rules", DEPLOY / "prometheus-rules-test.yml")


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_shown_to_fire_and_to_be_silent(alert: str) -> None:
    assert re.search(rf"eval_time: \w+, alertname: {alert}\}}", TESTED)
    assert re.search(rf"alertname: {alert}(\n +|, )exp_alerts:", TESTED)


@needs_prometheus
def test_the_metrics_are_named_as_prometheus_wants(prometheus: Prometheus) -> None:
    metrics = httpx.get(f"{prometheus.server.url}/metrics", headers={"Authorization": f"Bearer {TOKEN}"}).text
    assert promtool("check", "metrics", given=metrics) == ""


@needs_prometheus
def test_prometheus_reaches_the_app_with_its_token(prometheus: Prometheus) -> None:
    (target,) = prometheus.get("targets")["activeTargets"]
    assert (target["labels"]["job"], target["health"], target["lastError"]) == ("iris_app", "up", "")


def rules(prometheus: Prometheus) -> list[dict[str, Any]]:
    (group,) = prometheus.get("rules")["groups"]
    found: list[dict[str, Any]] = group["rules"]
    return found


@needs_prometheus
def test_every_rule_is_evaluated_without_an_error(prometheus: Prometheus) -> None:
    assert eventually(lambda: all(rule["health"] != "unknown" for rule in rules(prometheus)))
    assert {rule["name"]: rule.get("lastError") for rule in rules(prometheus) if rule["health"] != "ok"} == {}


@needs_prometheus
def test_every_alert_says_how_grave_it_is_and_what_to_do(prometheus: Prometheus) -> None:
    alerts = [rule for rule in rules(prometheus) if rule["type"] == "alerting"]
    assert [alert["name"] for alert in alerts] == ALERTS
    assert {alert["labels"]["severity"] for alert in alerts} == {"critical", "warning"}
    assert all(set(alert["annotations"]) == {"summary", "description"} for alert in alerts)


@needs_prometheus
def test_a_refused_model_is_alerted_at_once(prometheus: Prometheus) -> None:
    assert eventually(lambda: prometheus.samples('ALERTS{alertname="IrisModelRefused", alertstate="firing"}'))


@needs_prometheus
@pytest.mark.parametrize("expression", SHOWN.values(), ids=SHOWN)
def test_every_panel_shows_something(prometheus: Prometheus, expression: str) -> None:
    for variable, value in CHOSEN.items():
        expression = expression.replace(variable, value)
    assert "$" not in expression
    assert eventually(lambda: ask(prometheus.server) and prometheus.samples(f"({expression}) >= 0"))


@needs_prometheus
def test_every_metric_that_is_named_is_there(prometheus: Prometheus) -> None:
    there = set(prometheus.get("label/__name__/values"))
    named = [rule["query"] for rule in rules(prometheus)] + list(SHOWN.values())
    assert set(re.findall(r"(?<![\w.:/])(?:\w+:)?iris_\w+(?::\w+)?(?![\w\"])", " ".join(named))) <= there


def test_every_panel_has_an_id_of_its_own() -> None:
    assert len({panel["id"] for panel in PANELS}) == len(PANELS)


def test_no_panel_lies_over_another() -> None:
    places = {
        panel["title"]: {
            (panel["gridPos"]["x"] + x, panel["gridPos"]["y"] + y)
            for x in range(panel["gridPos"]["w"])
            for y in range(panel["gridPos"]["h"])
        }
        for panel in PANELS
    }
    assert [pair for pair in combinations(places, 2) if places[pair[0]] & places[pair[1]]] == []
    assert max(x for place in places.values() for x, _ in place) == 23


def test_every_panel_asks_the_source_that_was_chosen() -> None:
    (source,) = (one for one in DASHBOARD["templating"]["list"] if one["type"] == "datasource")
    asked = {panel["datasource"]["uid"] for panel in PANELS if panel["type"] != "row"}
    assert asked == {f"${{{source['name']}}}"}
