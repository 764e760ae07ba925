"""The requests of a page that count: those of a row that was submitted, once."""

import io
import re
from collections.abc import Callable

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tests.models import ServedModel, for_every_model

# What an app counts, others must not count.
pytestmark = pytest.mark.usefixtures("app")

COUNTED = re.compile(
    r"^(iris_app_(?:rows|values|warnings|invalid_values)_total.*|iris_app_drift_rows) (\S+)$", re.MULTILINE
)


def counts(client: FlaskClient) -> dict[str, float]:
    client.get("/home")  # a model that is not loaded has no drift
    return {name: float(value) for name, value in COUNTED.findall(client.get("/metrics").text)}


def drift_rows(client: FlaskClient) -> float:
    return counts(client).get("iris_app_drift_rows", 0.0)


def token(client: FlaskClient) -> dict[str, str]:
    (value,) = re.findall(r'name="csrf_token" type="hidden" value="([^"]+)"', client.get("/home").text)
    return {"csrf_token": value}


@for_every_model
def test_one_row_that_is_submitted_is_counted_once(client: FlaskClient, served: ServedModel) -> None:
    sent = served.form | token(client)
    before = drift_rows(client)
    assert client.post("/classify", data=sent, follow_redirects=True).status_code == 200
    assert drift_rows(client) == before + 1


@for_every_model
@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("wrong", [False, True])
def test_a_row_that_is_edited_is_counted_nowhere(
    client: FlaskClient, served: ServedModel, method: str, wrong: bool
) -> None:
    form = served.form | ({next(iter(served.form)): "wide"} if wrong else {})
    before = counts(client)
    options = {"query_string": form} if method == "GET" else {"data": form}
    answer = client.open("/classify", method=method, headers={"X-Live": "1"}, **options)
    assert answer.status_code == 200
    assert ("is-invalid" in answer.text) == wrong
    assert counts(client) == before


@for_every_model
def test_a_wrong_row_that_is_submitted_is_counted(client: FlaskClient, served: ServedModel) -> None:
    form = served.form | {next(iter(served.form)): "wide"}
    client.post("/classify", data=form | token(client))
    counted = counts(client)
    assert [value for name, value in counted.items() if name.startswith("iris_app_invalid_values")] == [1.0]


def test_a_file_that_a_script_sends_is_counted(make_app: Callable[..., Flask], served: ServedModel) -> None:
    client = make_app(WTF_CSRF_ENABLED=False).test_client()
    before = drift_rows(client)
    table = "\n".join(",".join(map(str, line)) for line in (served.row, served.row.values()))
    sent = {"file": (io.BytesIO(table.encode()), "rows.csv")}
    assert client.post("/batch", data=sent, headers={"X-Live": "1"}).status_code == 200
    assert drift_rows(client) == before + 1
