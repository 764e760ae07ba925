"""Requests that nobody thought of, at every door: what is accepted is what was sent, and nothing is a fault of ours.

``IRIS_EXAMPLES=50000 scripts/test -k any_request`` tries as many of each.
"""

import csv
import gzip
import io
import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import msgspec
import numpy as np
import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from iris_app import model_service
from iris_app.iris import SCHEMA
from iris_app.model.classifier import Model
from iris_app.model.predictions import PredictionBatch
from iris_app.schema import Feature, Floats, Schema
from tests.models import package
from tests.schemas import MIXED

API, INVOCATIONS, INFER = "/api/classify", "/invocations", "/v2/models/iris/infer"
JSON, CSV, NDJSON = "application/json", "text/csv", "application/x-ndjson"

Row = Mapping[str, Any]


class Sent(NamedTuple):
    """A request: its path, its media type and its body."""

    path: str
    content_type: str
    body: bytes


def valid(feature: Feature) -> st.SearchStrategy[Any]:
    """Return values that a feature accepts."""
    if feature.categories:
        return st.sampled_from(feature.categories)
    if feature.kind == "boolean":
        return st.booleans()
    low, high = feature.limits
    low, high = max(low, -1e6), min(high, 1e6)
    return st.integers(math.ceil(low), int(high)) if feature.kind == "integer" else st.floats(low, high)


WRONG = st.sampled_from([None, math.nan, math.inf, -math.inf, 1e300, -1, "", "x", "5,1", True, [], [1.5], {}, {"a": 1}])


def rows_of(schema: Schema) -> st.SearchStrategy[list[dict[str, Any]]]:
    """Return rows of values that are nearly all accepted."""
    row = st.fixed_dictionaries({feature.name: valid(feature) for feature in schema.features})
    names = st.sampled_from(list(schema.features_by_name))
    spoilt = st.builds(lambda one, name, value: one | {name: value}, row, names, WRONG)
    ordered = (row | row | row | spoilt).map(lambda row: {name: row[name] for name in schema.features_by_name})
    return st.lists(ordered, min_size=1, max_size=4)


def columns(rows: list[Row]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def split(rows: list[Row]) -> dict[str, Any]:
    """Return a frame whose columns stand in another order, among further ones."""
    names = ["id", *reversed(rows[0])]
    return {
        "index": [7] * len(rows),
        "columns": names,
        "data": [[row.get(name, "a") for name in names] for row in rows],
    }


# Documents of JSON with the same rows.
ORIENTATIONS: list[Callable[[list[Row]], Any]] = [
    lambda rows: rows,
    lambda rows: [list(row.values()) for row in rows],
    lambda rows: [{"further": {"a": [math.nan]}} | dict(row) for row in rows],
    lambda rows: {"instances": [list(row.values()) for row in rows]},
    lambda rows: {"dataframe_records": rows},
    lambda rows: {"inputs": columns(rows)},
    lambda rows: {"dataframe_split": split(rows)},
    split,
    lambda rows: {
        name: {str(index): cell for index, cell in enumerate(cells)} for name, cells in columns(rows).items()
    },
    lambda rows: {f"row {index}": row for index, row in enumerate(rows)},
    lambda rows: {"schema": {"fields": []}, "data": rows},
]


def tensors(rows: list[Row]) -> dict[str, Any]:
    """Return an inference request with a tensor for each column, among a further one."""
    inputs = [
        {"name": name, "shape": [len(rows)], "datatype": "FP64", "data": cells} for name, cells in columns(rows).items()
    ]
    return {"inputs": [*inputs, {"name": "id", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}


def table(rows: list[Row]) -> bytes:
    text = io.StringIO()
    writer = csv.writer(text, delimiter=";")
    writer.writerows([["id", *rows[0]], *([7, *map(cell, row.values())] for row in rows)])
    return text.getvalue().encode()


def cell(value: Any) -> str:
    return "" if value is None else json.dumps(value) if isinstance(value, bool | list | dict) else str(value)


def read_cell(feature: Feature, value: Any) -> float:
    return feature.read_text(cell(value))


def accepts_cells(schema: Schema, row: Row) -> bool:
    return not any(schema.features_by_name[name].validate_text(cell(value)) for name, value in row.items())


def accepts_values(schema: Schema, row: Row) -> bool:
    return all(schema.features_by_name[name].accepts(value) for name, value in row.items())


class Served(NamedTuple):
    """An application, the schema of its model, and the rows of each prediction."""

    app: Flask
    schema: Schema
    predicted: list[Floats]


@pytest.fixture(scope="module", params=[SCHEMA, MIXED], ids=["example", "mixed"])
def served_rows(
    make_app: Callable[..., Flask], tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest
) -> Iterator[Served]:
    settings: dict[str, Any] = {"MODEL_NAME": "iris", "PROXY_COUNT": 1, "CORS_ORIGINS": ["*"]}
    if request.param is not SCHEMA:
        path = tmp_path_factory.mktemp("mixed") / "model.joblib"
        package(path, request.param)
        settings["MODEL_PATH"] = str(path)
    predicted: list[Floats] = []
    predict = model_service.predict

    def keep(model: Model, rows: Floats) -> PredictionBatch:
        predicted.append(rows)
        return predict(model, rows)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(model_service, "predict", keep)
        yield Served(make_app(**settings), request.param, predicted)


@given(data=st.data())
def test_any_request_is_answered_for_what_was_sent_or_refused(served_rows: Served, data: st.DataObject) -> None:
    app, schema, predicted = served_rows
    rows = data.draw(rows_of(schema))
    path = data.draw(st.sampled_from([API, INVOCATIONS, INFER] if schema is SCHEMA else [API, INVOCATIONS]))
    media_type = JSON if path == INFER else data.draw(st.sampled_from([JSON, JSON, NDJSON, CSV]))
    accepts = accepts_cells if media_type == CSV else accepts_values
    if media_type == CSV:
        body = table(rows)
    elif media_type == NDJSON:
        body = "\r\n".join(map(json.dumps, rows)).encode()
    else:
        body = json.dumps(tensors(rows) if path == INFER else data.draw(st.sampled_from(ORIENTATIONS))(rows)).encode()
    charset = data.draw(st.sampled_from(["", "utf-16", "utf-8-sig"]))
    body = body.decode().encode(charset or "utf-8")
    predicted.clear()
    answer = app.test_client().post(
        path,
        data=gzip.compress(body) if (is_gzip := data.draw(st.booleans())) else body,
        content_type=media_type,
        headers={"Content-Encoding": "gzip"} if is_gzip else {},
    )
    is_accepted = all(accepts(schema, row) for row in rows)
    assert answer.status_code in ({200} if is_accepted else {400, 422}), (body, answer.text)
    if is_accepted:
        read = read_cell if media_type == CSV else Feature.encode
        values = [[read(schema.features_by_name[name], value) for name, value in row.items()] for row in rows]
        assert np.array_equal(predicted[0], values, equal_nan=True)
    assert len(predicted) == is_accepted


# What bodies are made of, and what does not belong there.
PIECES = st.sampled_from(
    [
        *(bytes([byte]) for byte in b"{}[],:\"\\'-;|\n\r\t\0\xff "),
        *(b"\\u0000", b"\\ud800", b"null", b"NaN", b"Infinity", b"1e999", b"0" * 400, b"sep=;\n"),
        *(b"\xef\xbb\xbf", b"\xff\xfe"),
    ]
)
SEEDS = [json.dumps(make([{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}])).encode()
         for make in (*ORIENTATIONS, tensors)]  # fmt: skip
SEEDS += [
    b"sepal_length,sepal_width,petal_length,petal_width\n5.1,3.5,1.4,0.2\n",
    b"slen=5.1&swid=3.5&plen=1.4&pwid=0.2",
]
MEDIA_TYPES = [
    JSON,
    CSV,
    NDJSON,
    "text/tab-separated-values",
    "application/x-www-form-urlencoded",
    "a/b",
    "",
    "text/csv; header=absent",
]
HEADERS = {
    "Accept": ["*/*", JSON, CSV, "text/html", "*/*;q=0.1, text/csv", ";", "application/xml"],
    "Content-Encoding": ["gzip", "deflate", "br", "identity"],
    "Accept-Encoding": ["gzip", "zstd", "br", "identity;q=0"],
    "Inference-Header-Content-Length": ["0", "5", "100", "-1", "x", "9" * 30],
    "Origin": ["https://app.example.org", "null"],
    "Access-Control-Request-Method": ["POST"],
    "Access-Control-Request-Headers": ["x-custom", ","],
    "X-Forwarded-Prefix": ["/a", "a/", "//", "?"],
    "X-Request-ID": ["a", "\u00e9"],
    "Range": ["bytes=0-1"],
}
CHARSETS = ["", "; charset=utf-16", "; charset=latin-1", "; charset=klingon", "; charset=utf-7", "; charset="]


@st.composite
def bodies(draw: st.DrawFn) -> bytes:
    """Return a body with a few changes."""
    body = draw(st.sampled_from(SEEDS))
    for _ in range(draw(st.integers(0, 4))):
        start = draw(st.integers(0, len(body)))
        body = body[:start] + draw(PIECES | st.just(b"")) + body[start + draw(st.integers(0, 12)) :]
    return body


@given(data=st.data())
def test_no_request_of_any_kind_is_a_fault_of_ours(served_rows: Served, data: st.DataObject) -> None:
    app = served_rows.app
    paths = [
        *(str(rule) for rule in app.url_map.iter_rules()),
        API,
        INVOCATIONS,
        INFER,
        API,
        INVOCATIONS,
        INFER,
        "/batch",
    ]
    path = data.draw(st.sampled_from(paths)).replace("<name>", "iris").replace("<path:filename>", "app.css")
    names = data.draw(st.lists(st.sampled_from(list(HEADERS)), max_size=3, unique=True))
    answer = app.test_client().open(
        path + data.draw(st.sampled_from(["", "?explain=true", "?explain=\u00e9", "?%ff", "?slen=5.1&swid=a"])),
        method=data.draw(st.sampled_from(["POST", "POST", "POST", "GET", "HEAD", "OPTIONS", "PUT", "DELETE"])),
        data=data.draw(bodies()),
        content_type=data.draw(st.sampled_from(MEDIA_TYPES)) + data.draw(st.sampled_from(CHARSETS)),
        headers={name: data.draw(st.sampled_from(HEADERS[name])) for name in names},
    )
    with answer:
        assert answer.status_code < 500, answer.text
        if answer.mimetype.endswith("json") and answer.data and "Content-Encoding" not in answer.headers:
            msgspec.json.decode(answer.data)
