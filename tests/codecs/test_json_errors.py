import json

import pytest
from flask.testing import FlaskClient

from iris_app.codecs import orientations
from iris_app.exceptions import InvalidValues
from iris_app.iris import SCHEMA
from tests.support import FLOWER


def test_a_field_given_twice_is_counted_behind_the_errors_that_are_named() -> None:
    name = next(iter(FLOWER))
    wrong = json.dumps(dict.fromkeys(FLOWER, 0))
    twice = json.dumps(FLOWER)[:-1] + f', "{name}": 1}}'
    with pytest.raises(InvalidValues) as refused:
        orientations.read(SCHEMA, f"[{','.join([wrong] * 25)},{twice}]".encode(), 100)
    assert (len(refused.value.errors), refused.value.omitted) == (100, 1)


def test_a_document_has_few_fields_beside_those_that_are_read(client: FlaskClient) -> None:
    document = {"instances": [list(FLOWER.values())]} | {f"k{index}": 1 for index in range(1002)}
    answer = client.post("/invocations", json=document)
    assert (answer.status_code, "more than 1,000 fields beside instances" in answer.text) == (400, True)
