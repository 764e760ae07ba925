"""What Prometheus reads, by its own parser."""

from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client import values
from prometheus_client.parser import text_string_to_metric_families

from iris_app.exceptions import ConfigurationError
from iris_app.model_service import get_service
from iris_app.observability.drift import MAX_SAMPLED, MIN_SAMPLE
from iris_app.observability.metrics import DIRECTORY, FILE_SIZE, Metrics, enable_multiprocess, preallocate_files
from iris_app.observability.recorder import get_metrics, get_recorder
from tests.models import ServedModel, for_every_model
from tests.support import FLOWER, eventually
from tests.test_doors import tensor

TOKEN = "a token of the tests, long enough"  # noqa: S105


def read(text: str, name: str, /, **labels: str) -> float:
    """Add up the samples of a name that have these labels."""
    return sum(
        sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
        if sample.name == name and labels.items() <= sample.labels.items()
    )


@pytest.fixture
def scrape(app: Flask) -> Callable[..., float]:
    client = app.test_client()
    return lambda name, /, **labels: read(client.get("/metrics").text, name, **labels)


def test_requests_are_counted_by_method_route_and_status(client: FlaskClient, scrape: Callable[..., float]) -> None:
    for document in (FLOWER, FLOWER, {}):
        client.post("/api/classify", json=document)
    asked = {"method": "POST", "route": "/api/classify"}
    assert scrape("iris_app_http_request_duration_seconds_count", **asked, status="200") == 2
    assert scrape("iris_app_http_request_duration_seconds_count", **asked, status="422") == 1
    assert scrape("iris_app_http_request_duration_seconds_sum", **asked) > 0


def test_what_clients_make_up_makes_no_new_series(client: FlaskClient, scrape: Callable[..., float]) -> None:
    for number in range(3):
        client.get(f"/nowhere/{number}")
        client.open("/home", method=f"MADE{number}")
    assert scrape("iris_app_http_request_duration_seconds_count", method="GET", route="none", status="404") == 3
    assert scrape("iris_app_http_request_duration_seconds_count", method="other", status="405") == 3


DOORS: dict[str, Callable[[FlaskClient, ServedModel], object]] = {
    "api": lambda client, served: client.post("/api/classify", json=[served.row] * 2),
    "inference_protocol": lambda client, served: client.post(
        served.infer_path,
        json={
            "inputs": [tensor(feature, [feature.example] * 2, binary=False)[0] for feature in served.schema.features]
        },
    ),
    "invocations": lambda client, served: client.post(
        "/invocations", json={"instances": [list(served.row.values())] * 2}
    ),
    "ui": lambda client, served: [client.get("/classify", query_string=served.form) for _ in range(2)],
}


@for_every_model
@pytest.mark.parametrize("blueprint", DOORS)
def test_rows_are_counted_by_class_and_blueprint(
    client: FlaskClient, scrape: Callable[..., float], served: ServedModel, blueprint: str
) -> None:
    DOORS[blueprint](client, served)
    class_ = client.post("/invocations", json={"instances": [served.row]}).get_json()["predictions"][0]
    (name,) = [one.name for one in served.schema.classes if class_ in {one.name, one.output}]
    again = 1 if blueprint == "invocations" else 0
    assert scrape("iris_app_rows_total", blueprint=blueprint, **{"class": name}) == 2 + again
    assert scrape("iris_app_rows_total") == 3
    assert scrape("iris_app_drift_rows") == 3


def test_doubts_are_counted_by_their_codes(client: FlaskClient, scrape: Callable[..., float]) -> None:
    client.post("/api/classify", json=[FLOWER | {"petal_width": 9}, FLOWER])
    assert scrape("iris_app_warnings_total", code="out_of_range") == 1


def test_a_flower_is_counted_among_others_as_alone(client: FlaskClient, scrape: Callable[..., float]) -> None:
    swapped = FLOWER | {"petal_length": 0.2, "petal_width": 1.4}
    client.post("/api/classify", json=swapped)
    client.post("/api/classify", json=[swapped, swapped])
    counted = {code: scrape("iris_app_warnings_total", code=code) for code in ("out_of_range", "maybe_swapped")}
    assert counted == {"out_of_range": 3, "maybe_swapped": 3}
    assert scrape("iris_app_rows_total", **{"class": "setosa"}, blueprint="api") == 3


WRONG: dict[str, Callable[[FlaskClient, ServedModel], object]] = {
    "an object": lambda client, served: client.post("/api/classify", json=served.row | served.outside),
    "an object among others": lambda client, served: client.post(
        "/api/classify", json=[served.row, served.row | served.outside]
    ),
    "a list": lambda client, served: client.post(
        "/invocations", json={"instances": [list((served.row | served.outside).values())]}
    ),
    "a column": lambda client, served: client.post(
        "/api/classify",
        data="\n".join(",".join(map(str, line)) for line in (served.row, (served.row | served.outside).values())),
        content_type="text/csv",
    ),
    "the form": lambda client, served: client.get(
        "/classify", query_string=served.form | {next(iter(served.form)): str(*served.outside.values())}
    ),
}


@for_every_model
@pytest.mark.parametrize("where", WRONG)
def test_refused_values_are_counted_by_their_fields(
    client: FlaskClient, scrape: Callable[..., float], served: ServedModel, where: str
) -> None:
    WRONG[where](client, served)
    assert scrape("iris_app_invalid_values_total", feature=next(iter(served.outside))) == 1
    assert scrape("iris_app_invalid_values_total") == 1


@for_every_model
def test_fields_that_clients_make_up_are_counted_as_one(
    client: FlaskClient, scrape: Callable[..., float], served: ServedModel
) -> None:
    document = served.row
    for feature in list(document)[:2]:
        del document[feature]
        document[f"{feature}x"] = 1
    client.post("/api/classify", json=document)
    assert scrape("iris_app_invalid_values_total", feature="other") == 2


def test_the_model_that_answers_is_told(client: FlaskClient, scrape: Callable[..., float]) -> None:
    assert scrape("iris_app_model_info") == 0
    model = client.get("/api/model").get_json()
    assert scrape("iris_app_model_info", version=model["version"], name=model["name"]) == 1
    assert scrape("iris_app_model_loads_total", outcome="loaded") == 1


def test_a_model_that_is_refused_is_counted(make_app: Callable[..., Flask]) -> None:
    client = make_app(MODEL_PATH="/nowhere").test_client()
    client.get("/readyz")
    assert read(client.get("/metrics").text, "iris_app_model_loads_total", outcome="unreadable") == 1


@for_every_model
def test_a_few_rows_tell_nothing_of_drift(
    client: FlaskClient, scrape: Callable[..., float], served: ServedModel
) -> None:
    client.post("/api/classify", json=[served.row] * (MIN_SAMPLE - 1))
    assert "iris_app_drift_psi{" not in client.get("/metrics").text
    assert scrape("iris_app_drift_rows") == MIN_SAMPLE - 1


@for_every_model
def test_the_rows_of_the_training_have_not_drifted_and_one_row_again_and_again_has(
    app: Flask, served: ServedModel
) -> None:
    client = app.test_client()
    rows, _ = get_service(app).model.manifest.training_array()
    names = served.schema.features_by_name
    for start in range(0, len(rows), MAX_SAMPLED):
        block = [dict(zip(names, served.to_values(row), strict=True)) for row in rows[start : start + MAX_SAMPLED]]
        client.post("/api/classify", json=block)
    text = client.get("/metrics").text
    assert max(read(text, "iris_app_drift_psi", feature=name) for name in names) < 0.01
    for _ in range(20):
        client.post("/api/classify", json=[served.row] * MAX_SAMPLED)
    text = client.get("/metrics").text
    assert min(read(text, "iris_app_drift_psi", feature=name) for name in names) > 0.1


@for_every_model
def test_what_waits_is_counted_before_long(app: Flask, served: ServedModel) -> None:
    metrics = get_metrics(app)
    get_recorder(app).start()
    app.test_client().post("/api/classify", json=[served.row] * 3)
    assert eventually(lambda: sum(metrics._totals().values())) == 3 * len(served.row)


def test_what_was_before_the_window_is_no_drift(make_app: Callable[..., Flask]) -> None:
    app = make_app(DRIFT_WINDOW_SECONDS=1)
    get_recorder(app).start()
    client = app.test_client()
    client.post("/api/classify", json=[FLOWER] * 3)
    assert eventually(lambda: read(client.get("/metrics").text, "iris_app_drift_rows") == 0)
    assert read(client.get("/metrics").text, "iris_app_rows_total") == 3


def test_openmetrics_is_told_to_who_accepts_it(client: FlaskClient) -> None:
    client.get("/home")
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text; version=1.0.0"})
    assert answer.content_type.startswith("application/openmetrics-text; version=1.0.0")
    assert answer.text.endswith("# EOF\n")


def test_a_token_guards_the_metrics(make_app: Callable[..., Flask]) -> None:
    client = make_app(METRICS_TOKEN=TOKEN).test_client()
    answers = [
        client.get("/metrics", headers=headers)
        for headers in ({}, {"Authorization": "Bearer wrong"}, {"Authorization": f"Bearer {TOKEN}"})
    ]
    assert [answer.status_code for answer in answers] == [401, 401, 200]
    assert answers[0].headers["WWW-Authenticate"] == "Bearer realm=iris_app"


def test_counts_that_are_not_the_whole_are_not_told(app: Flask) -> None:
    get_metrics(app).incomplete = True
    assert app.test_client().get("/metrics").status_code == 503


@pytest.fixture
def shared(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory for the counts of processes, while this one counts as if it were several."""
    monkeypatch.setattr(values, "ValueClass", values.ValueClass)
    monkeypatch.setenv(DIRECTORY, str(tmp_path))
    return tmp_path


def count_in(directory: Path, slot: int, keyed: int) -> Metrics:
    preallocate_files(directory, slot)
    enable_multiprocess(directory, slot)
    metrics = Metrics(drift_window=60)
    for _ in range(keyed):
        metrics.count_key("known")
    return metrics


def test_what_processes_count_in_their_files_is_added_up(shared: Path) -> None:
    counts = [count_in(shared, slot, keyed) for slot, keyed in enumerate([1, 20, 300])]
    for metrics in counts:
        assert read(metrics.expose("", None)[0].decode(), "iris_app_keyed_requests_total", key="known") == 321


def test_who_takes_a_slot_over_goes_on_counting(shared: Path) -> None:
    count_in(shared, 0, 5)
    metrics = count_in(shared, 0, 6)
    assert read(metrics.expose("", None)[0].decode(), "iris_app_keyed_requests_total") == 11


def test_room_for_counts_is_taken_at_once(tmp_path: Path) -> None:
    preallocate_files(tmp_path, 3)
    assert {file.stat().st_blocks * 512 for file in tmp_path.iterdir()} == {FILE_SIZE}


def test_where_there_is_no_room_for_counts_nothing_is_left_of_them(tmp_path: Path) -> None:
    with pytest.raises(OSError, match="No such file"):
        preallocate_files(tmp_path / "nowhere", 0)


def test_what_is_counted_is_kept_where_room_was_made_before(tmp_path: Path) -> None:
    preallocate_files(tmp_path, 0)
    (tmp_path / "counter_0.db").write_bytes(b"12345678")
    preallocate_files(tmp_path, 0)
    assert (tmp_path / "counter_0.db").read_bytes() == b"12345678"


def test_the_metrics_are_those_of_their_app(make_app: Callable[..., Flask]) -> None:
    one, other = make_app(), make_app()
    one.test_client().get("/home")
    assert get_metrics(one) is not get_metrics(other)
    assert read(other.test_client().get("/metrics").text, "iris_app_http_request_duration_seconds_count") == 0


def test_a_folder_of_counts_that_does_not_exist_stops_the_start(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv(DIRECTORY, str(tmp_path / "nowhere"))
    with pytest.raises(ConfigurationError, match=r"PROMETHEUS_MULTIPROC_DIR is '.*nowhere', where nothing can be"):
        make_app()
    monkeypatch.setenv(DIRECTORY, str(tmp_path))
    assert make_app().test_client().get("/metrics").status_code == 200
