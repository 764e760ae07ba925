"""Half a surrogate pair, which JSON can spell and UTF-8 cannot, in any place of a document."""

import itertools
from collections.abc import Iterator

import pytest
from flask.testing import FlaskClient

from tests.support import FLOWER

HALF = '"\\ud800"'
KEY = f"{{{HALF}: 1}}"
NAMES = list(FLOWER)
OBJECT = ",".join(f'"{name}": {{}}' for name in NAMES)
BEYOND = "1e400"  # a number that only Python's parser reads


def documents() -> Iterator[str]:
    yield from (HALF, KEY, f'{{"more": {KEY}}}')
    yield from (f"[{element}]" for element in (HALF, KEY, f"[{HALF}]", f"5.1, 3.5, 1.4, {HALF}", f"{BEYOND}, {HALF}"))
    for last in (HALF, BEYOND):
        row = "{" + OBJECT.format(5.1, 3.5, 1.4, last) + "}"
        yield from (row, f"[{row}]", f"[{row}, {HALF}]", f"[{row}, {KEY}]", row[:-1] + f", {HALF}: 1}}")
        yield from (f"[[5.1, 3.5, 1.4, {last}]]", f"[[{BEYOND}, 3.5, 1.4, {last}]]")
    yield from (f'{{"{NAMES[0]}": [{HALF}]}}', f'{{"{NAMES[0]}": {KEY}}}')


INVOCATIONS = [
    "{}",
    '{{"instances": {}}}',
    '{{"inputs": {}}}',
    '{{"dataframe_records": {}}}',
    '{{"dataframe_split": {}}}',
    f'{{{{"dataframe_split": {{{{"columns": [{HALF}], "data": {{}}}}}}}}}}',
    f"{{{{{HALF}: {{}}}}}}",
]

TENSOR = '{{"inputs": [{{"name": {}, "shape": [1, 4], "datatype": "{}", "data": {}}}]{}}}'
DATA = [HALF, f"[{HALF}]", f"[[{HALF}]]", f"[{BEYOND}, {HALF}]", f"[5.1, 3.5, 1.4, {HALF}]", f"[{KEY}]"]
ENDS = ["", f', "outputs": [{{"name": {HALF}}}]', f', "id": {HALF}', f', "parameters": {KEY}']


@pytest.mark.parametrize("document", list(documents()))
@pytest.mark.parametrize("media_type", ["application/json", "application/x-ndjson"])
def test_the_api_refuses_it(client: FlaskClient, document: str, media_type: str) -> None:
    assert client.post("/api/classify", data=document, content_type=media_type).status_code in {400, 422}


@pytest.mark.parametrize("around", INVOCATIONS)
def test_invocations_refuse_it(client: FlaskClient, around: str) -> None:
    for document in documents():
        body = around.format(document)
        assert client.post("/invocations", data=body, content_type="application/json").status_code in {400, 422}, body


@pytest.mark.parametrize("kind", ["FP64", "INT64", "BOOL", "BYTES"])
def test_tensors_refuse_it(client: FlaskClient, kind: str) -> None:
    for name, data, end in itertools.product(('"x"', HALF), DATA, ENDS):
        body = TENSOR.format(name, kind, data, end)
        answer = client.post("/v2/models/iris/infer", data=body, content_type="application/json")
        assert answer.status_code in {400, 422}, body
