"""Requests as people reported them of servers like this one, each with its answer; the run makes a page of them."""

import json
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient

from tests.support import CHECKOUT, FLOWER

PAGE = CHECKOUT / "build" / "public-record.md"

HEADER, ROW = ",".join(FLOWER), ",".join(map(str, FLOWER.values()))
TABLE = f"{HEADER}\n{ROW}\n"
OBJECT = json.dumps(FLOWER)
CSV, JSON, NDJSON = "text/csv", "application/json", "application/x-ndjson"
API, INVOCATIONS, INFER = "/api/classify", "/invocations", "/v2/models/iris/infer"
BOTH = (API, INVOCATIONS)

SPELT = {"sepal length (cm)": 5.1, "sepal width (cm)": 3.5, "petal length (cm)": 1.4, "petal width (cm)": 0.2}
TENSORS = [{"name": name, "shape": [1], "datatype": "FP64", "data": [value]} for name, value in SPELT.items()]


class Try(NamedTuple):
    """A request, the addresses that it is sent to, and the answer: a class, or a part of what is said."""

    what: str
    paths: tuple[str, ...]
    body: str | bytes
    content_type: str
    says: str = "setosa"
    accept: str = "*/*"


TRIES = [
    Try("a row of empty cells between rows", BOTH, f"{TABLE},,,\n{ROW}\n", CSV, "Line 3 is empty: take it out"),
    Try("the same, quoted", BOTH, f'{TABLE}"","","",""\n{ROW}\n', CSV, "Line 3 is empty: take it out"),
    Try("blank lines and empty cells at the end", BOTH, f"{TABLE}\n,,,\n\n", CSV),
    Try("a header of numbers", BOTH, f"1,2,3,4\n{ROW}\n", CSV, "may be a row or the numbers of the columns"),
    Try("a header of other words", BOTH, f"a,b,c,d\n{ROW}\n", CSV, "header with other names"),
    Try("rows without a header at the API", (API,), f"{ROW}\n{ROW}\n", CSV, "a row without a header"),
    Try("rows without a header at SageMaker's address", (INVOCATIONS,), f"{ROW}\n{ROW}\n", CSV),
    Try("the file of UCI, with classes and without a header", BOTH, f"{ROW},Iris-setosa\n", CSV),
    Try("names of scikit-learn", BOTH, f"{','.join(SPELT)}\n{ROW}\n", CSV),
    Try("names of UCI's list of attributes", BOTH, f"{','.join(SPELT).replace(' (cm)', ' in cm')}\n{ROW}\n", CSV),
    Try("names of R", BOTH, f"Sepal.Length,Sepal.Width,Petal.Length,Petal.Width,Species\n{ROW},setosa\n", CSV),
    Try(
        "a table of R's write.table",
        BOTH,
        '"Sepal.Length" "Sepal.Width" "Petal.Length" "Petal.Width" "Species"\n"1" 5.1 3.5 1.4 0.2 "setosa"\n',
        CSV,
    ),
    Try("a table of H2O", BOTH, f"C1,C2,C3,C4,C5\n{ROW},Iris-setosa\n", CSV, "It looks like a header with other names"),
    Try("vertical bars", BOTH, TABLE.replace(",", "|"), CSV),
    Try(
        "a table that was sorted with its header", BOTH, f"NA,3.5,1.4,0.2\n{TABLE}", CSV, "put the names above all rows"
    ),
    Try(
        "the same, with classes first",
        BOTH,
        f"setosa,{ROW}\nsetosa,{ROW}\nspecies,{HEADER}\nvirginica,{ROW}\n",
        CSV,
        "Line 1 looks like a row, and line 3 names the columns",
    ),
    Try(
        "classes behind a header without them",
        BOTH,
        f"{HEADER}\n7,3.2,4.7,1.4,1\n6,3.4,4.5,1.6,1\n",
        CSV,
        "name the first",
    ),
    Try(
        "classes first, without a header",
        BOTH,
        "1,6.3,3.3,4.7,1\n2,6.3,3.3,6.0,2\n",
        "text/csv; label_size=1",
        "the first or the last may be the species",
    ),
    Try(
        "a mark between thousands",
        BOTH,
        f'{HEADER}\n5.1,3.5,"1,400",0.2\n',
        CSV,
        'column petal_length: \\"1,400\\" may be a decimal, or have a mark between thousands',
    ),
    Try(
        "the same in Germany",
        BOTH,
        f"{HEADER.replace(',', ';')}\n5,1;3,5;1.400;0,2\n",
        CSV,
        'column petal_length: \\"1.400\\" may be a decimal, or have a mark between thousands',
    ),
    Try("decimal commas and decimal points", BOTH, f'{HEADER}\n"5,1",3.5,1.4,0.2\n', CSV),
    Try("decimal commas without a header", (INVOCATIONS,), "5,1;3,5;1,4;0,2\n5,1;3,5;1,4;0,2\n", CSV),
    Try("no header, in capitals", (API,), f"{ROW}\n{ROW}\n", "text/csv; header=ABSENT"),
    Try("a line end too many after each row", BOTH, f"{HEADER}\r\r\n{ROW}\r\r\n{ROW}\r\r\n", CSV, "Line 2 is empty"),
    Try("a title above the header", BOTH, f"Iris data\n\n{TABLE}", CSV),
    Try("decimal commas in quotes", BOTH, f'{HEADER}\n"5,1","3,5","1,4","0,2"\n', CSV),
    Try("decimal commas between tabs", BOTH, HEADER.replace(",", "\t") + "\n5,1\t3,5\t1,4\t0,2\n", CSV),
    Try("tabs by their own name", BOTH, TABLE.replace(",", "\t"), "text/tab-separated-values"),
    Try("CSV by another name", BOTH, TABLE, "application/csv"),
    Try("a charset of Windows", BOTH, f"{HEADER},né\n{ROW},é\n".encode("cp1252"), "text/csv; charset=windows-1252"),
    Try("NDJSON by other names", BOTH, f"{OBJECT}\n{OBJECT}", "application/jsonlines"),
    Try("NDJSON by others", BOTH, f"{OBJECT}\n{OBJECT}", "application/jsonl"),
    Try("NDJSON sent as JSON", BOTH, f"{OBJECT}\n{OBJECT}", JSON, "send it as application/x-ndjson"),
    Try("CSV sent as JSON", BOTH, TABLE, JSON, "send it as text/csv"),
    Try("JSON sent as CSV", BOTH, OBJECT, CSV, "It looks like"),
    Try(
        "compact JSON sent as CSV",
        BOTH,
        json.dumps([FLOWER], separators=(",", ":")),
        CSV,
        "send it as application/json",
    ),
    Try("JSON that was encoded twice", BOTH, json.dumps(OBJECT), JSON, "encode it only once"),
    Try(
        "JSON of another platform",
        BOTH,
        json.dumps({"input_data": {"columns": list(FLOWER), "data": [[5.1, 3.5, 1.4, 0.2]]}}),
        JSON,
        "None of the fields “columns”, “data” is one of",
    ),
    Try("JSON by a name of its own", BOTH, json.dumps([FLOWER]), "application/vnd.api+json"),
    Try(
        "what Java accepts",
        BOTH,
        json.dumps([FLOWER]),
        JSON,
        accept="text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    ),
    Try("anything accepted by a star", BOTH, json.dumps([FLOWER]), JSON, accept="*"),
    Try("a byte order mark before JSON", BOTH, b"\xef\xbb\xbf" + OBJECT.encode(), JSON),
    Try("NaN in JSON", BOTH, OBJECT.replace("0.2", "NaN"), JSON, "NaN is read as null"),
    Try("a pretty-printed object", BOTH, json.dumps(FLOWER, indent=2), JSON),
    Try("a pretty-printed object as NDJSON", BOTH, json.dumps(FLOWER, indent=2), NDJSON),
    Try("pandas' default to_json", BOTH, json.dumps({name: {"0": value} for name, value in FLOWER.items()}), JSON),
    Try("a flat list of values", BOTH, "[5.1, 3.5, 1.4, 0.2]", JSON),
    Try("a list of another length", BOTH, "[5.1, 3.5, 1.4]", JSON, "a list of 3 values"),
    Try("records as scikit-learn names them", BOTH, json.dumps({"dataframe_records": [SPELT]}), JSON),
    Try("a further field", BOTH, json.dumps({"dataframe_records": [FLOWER | {"species": "?"}]}), JSON),
    Try("instances as objects", BOTH, json.dumps({"instances": [SPELT]}), JSON),
    Try("a frame without names", BOTH, json.dumps({"dataframe_split": {"data": [[5.1, 3.5, 1.4, 0.2]]}}), JSON),
    Try(
        "a frame with numbers as names",
        BOTH,
        json.dumps({"dataframe_split": {"columns": [0, 1, 2, 3], "data": [[5.1, 3.5, 1.4, 0.2]]}}),
        JSON,
    ),
    Try("a misspelt field", BOTH, OBJECT.replace("petal_width", "petal_widht"), JSON, "petal_width"),
    Try("a field given twice", BOTH, f'{OBJECT[:-1]}, "petal_width": 1}}', JSON, "given more than once"),
    Try(
        "a form sent to a program's address",
        BOTH,
        "slen=5.1",
        "application/x-www-form-urlencoded",
        "send application/json",
    ),
    Try("an answer in CSV", BOTH, json.dumps([FLOWER]), JSON, accept="text/csv"),
    Try("an answer in XML", BOTH, OBJECT, JSON, "The answer can be", accept="application/xml"),
    Try("tensors by scikit-learn's names", (INFER,), json.dumps({"inputs": TENSORS}), JSON, '"model_name":"iris"'),
    Try(
        "a further tensor of text",
        (INFER,),
        json.dumps({"inputs": [*TENSORS, {"name": "id", "shape": [1], "datatype": "BYTES", "data": ["a"]}]}),
        JSON,
        '"model_name":"iris"',
    ),
    Try(
        "classification asked of an output",
        (INFER,),
        json.dumps({"inputs": TENSORS, "outputs": [{"name": "predict", "parameters": {"classification": 2}}]}),
        JSON,
        "classification",
    ),
    Try(
        "a tensor of all features beside one of a feature",
        (INFER,),
        json.dumps({"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP64", "data": [5, 3, 1, 1]}, TENSORS[3]]}),
        JSON,
        "There is no tensor sepal_length",
    ),
    Try("NaN in a tensor", (INFER,), json.dumps({"inputs": TENSORS}).replace("[0.2]", "[NaN]"), JSON, "petal"),
]


def shown(text: str | bytes) -> str:
    """Return a text as a cell of Markdown."""
    text = text.decode(errors="replace") if isinstance(text, bytes) else text
    return f"`{text.strip()}`".replace("\n", "⏎").replace("\t", "⇥").replace("|", "\\|")


@pytest.fixture(scope="module")
def page() -> Any:
    """Collect the lines of the page, and write it at the end."""
    lines = ["| what was sent | to | request | answer |", "| --- | --- | --- | --- |"]
    yield lines
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text("\n".join([*lines, ""]))


@pytest.mark.parametrize("case", TRIES, ids=lambda case: case.what)
def test_who_sends_it_gets_an_answer_or_learns_what_to_do(client: FlaskClient, page: list[str], case: Try) -> None:
    for path in case.paths:
        headers = {"Content-Type": case.content_type, "Accept": case.accept}
        answer = client.post(path, data=case.body, headers=headers)
        status, text = answer.status_code, answer.text
        asked = f"{case.content_type}, for {case.accept}"
        page.append(f"| {case.what} | {path}, {asked} | {shown(case.body)} | {status} {shown(text)} |")
        assert (status == 200) == (case.says in {"setosa", '"model_name":"iris"'})
        assert status < 500
        assert case.says in json.dumps(answer.get_json(), ensure_ascii=False, separators=(",", ":")) + text
