"""Answers of any schema in every format."""

import csv
import io
import json
from typing import Any

import msgspec
import numpy as np
import pytest

from iris_app.api.formats import CSV, JSON, NDJSON, READERS, WRITERS, Batch
from iris_app.json_types import JsonTypes, PredictionWarning
from iris_app.schema import Schema
from tests.schemas import MANY_CLASSES, MIXED, MIXED_CODES, MIXED_ROW, NAMES, ONE, WIDE

WARNING = PredictionWarning("unknown_category", "It is unknown.", "zip")


def predict(schema: Schema) -> Any:
    """Return a prediction of the last class."""
    types = schema.derive(JsonTypes)
    count = len(schema.classes)
    return types.Prediction(
        schema.class_names[-1], types.Probabilities(*[0.0] * (count - 1), 1.0), (WARNING,), msgspec.UNSET
    )


def write(schema: Schema, media_type: str, *, is_single: bool = False) -> str:
    batch = Batch(np.ones((1, len(schema.features))), is_single)
    return b"".join(WRITERS[media_type](schema, batch, [[predict(schema)]], "v1")).decode()


@pytest.mark.parametrize("schema", [MIXED, NAMES, ONE, WIDE, MANY_CLASSES], ids=lambda schema: schema.name)
def test_an_answer_names_its_target_and_classes_in_every_format(schema: Schema) -> None:
    single = json.loads(write(schema, JSON, is_single=True))
    assert list(single) == [schema.target, "probabilities", "warnings", "model"]
    assert single[schema.target] == schema.class_names[-1]
    assert list(single["probabilities"]) == schema.class_names
    (among,) = json.loads(write(schema, JSON))["predictions"]
    assert among == {name: value for name, value in single.items() if name != "model"}
    assert json.loads(write(schema, NDJSON)) == single
    (row,) = csv.DictReader(io.StringIO(write(schema, CSV)))
    assert row[schema.target if schema is not NAMES else "predicted_class"] == schema.class_names[-1]
    assert [float(row[f"probability_{name}"]) for name in schema.class_names] == list(single["probabilities"].values())


@pytest.mark.parametrize("target", ["warnings", "probabilities", "model", "explanation"])
def test_a_target_never_hides_another_member(target: str) -> None:
    schema = msgspec.structs.replace(ONE, target=target)
    answer = json.loads(write(schema, JSON, is_single=True))
    assert list(answer) == [f"predicted_{target}", "probabilities", "warnings", "model"]


def test_every_format_reads_the_same_row() -> None:
    document = json.dumps(MIXED_ROW)
    table = b"".join(WRITERS[CSV](MIXED, Batch(np.array([MIXED_CODES])), [[predict(MIXED)]], "v1"))
    for media_type, body in ((JSON, document.encode()), (NDJSON, document.encode()), (CSV, table)):
        assert READERS[media_type](MIXED, body, 1).rows.tolist() == [MIXED_CODES]
