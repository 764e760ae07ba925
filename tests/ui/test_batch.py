import base64
import csv
import io
import json
import re
from collections.abc import Callable
from html import unescape
from importlib.resources import files

import numpy as np
import pandas as pd
import pytest
from flask import Flask
from flask.testing import FlaskClient
from sklearn.datasets import load_iris
from werkzeug.test import TestResponse

from iris_app.iris import SCHEMA

HEADER = "slen,swid,plen,pwid"
GOOD = f"{HEADER}\n5.1,3.5,1.4,0.2\n6.5,3.0,5.6,2.0\n"
BAD = f"{HEADER}\n5.1,3.5,1.4,x\n6.5,3.0,5.6,2.0\n,3.0,5.6,99\n"


def upload(client: FlaskClient, text: str | bytes, filename: str = "irises.csv", **boxes: str) -> TestResponse:
    (token,) = re.findall(r'name="csrf_token" type="hidden" value="([^"]+)"', client.get("/batch").text)
    content = text.encode() if isinstance(text, str) else text
    return client.post("/batch", data={"csrf_token": token, "file": (io.BytesIO(content), filename)} | boxes)


def downloaded(answer: TestResponse) -> tuple[str, str]:
    """Return the name and the text of the file that the page offers."""
    ((name, content),) = re.findall(r'download="([^"]+)" href="data:text/csv;base64,([^"]*)"', answer.text)
    return name, base64.b64decode(content).decode()


def test_the_page_asks_for_a_file(client: FlaskClient) -> None:
    text = client.get("/batch").text
    assert 'type="file"' in text
    assert "Sepal length (cm), Sepal width (cm), Petal length (cm) and Petal width (cm), and up to 100,000 rows" in text


def test_a_file_is_summed_up(client: FlaskClient) -> None:
    answer = upload(client, GOOD + "5.1,3.5,1.4,9\n")
    assert answer.status_code == 200
    assert "<h2>3 flowers</h2>" in answer.text
    assert "1 of them is unlike those that the model was trained on." in answer.text
    counts = re.findall(r'<th scope="row">(\w+)</th>.*?<td class="text-end">([\d,]+)</td>', answer.text, re.DOTALL)
    assert counts == [("Setosa", "1"), ("Versicolor", "0"), ("Virginica", "2")]


def test_the_first_rows_are_shown_and_the_unusual_marked(client: FlaskClient) -> None:
    text = upload(client, GOOD + "5.1,3.5,1.4,9\n" * 60).text
    assert text.count('<tr class="table-warning">') == 48
    assert "Petal width 9 cm is outside what the model was trained on" in text


def test_the_whole_result_can_be_downloaded(client: FlaskClient) -> None:
    name, text = downloaded(upload(client, GOOD, "Fred's irises.csv"))
    assert name == "Freds_irises-classified.csv"
    api = client.post("/api/classify", data=GOOD, content_type="text/csv").text
    assert text == api


@pytest.mark.parametrize(
    ("filename", "name"),
    [
        ("../../etc/passwd", "passwd"),
        ("a/b\\c.csv", "bc"),
        ("é è.csv", "e_e"),
        ("\u202e", "irises"),
        ("ирис.csv", "irises"),
        ("x" * 5000, "x" * 80),
    ],
)
def test_file_names_are_made_harmless(client: FlaskClient, filename: str, name: str) -> None:
    assert downloaded(upload(client, GOOD, filename))[0] == f"{name}-classified.csv"


def test_bad_cells_are_listed_with_line_and_column(client: FlaskClient) -> None:
    answer = upload(client, BAD)
    assert answer.status_code == 422
    text = unescape(answer.text)
    assert "3 values cannot be used." in text
    assert 'Line 2, column pwid: Petal width must be a number in cm, not "x".' in text
    assert "Line 4, column slen: Sepal length is missing." in text
    assert "Leave out rows that cannot be read" in text
    assert "Download all answers" not in text


def test_the_rest_can_be_downloaded_where_that_is_asked_for(client: FlaskClient) -> None:
    answer = upload(client, BAD, skip_bad_rows="y")
    assert answer.status_code == 200
    text = unescape(answer.text)
    assert "Rows were left out, with 3 values that cannot be used." in text
    assert "Line 4, column slen: Sepal length is missing." in text
    (row,) = csv.DictReader(io.StringIO(downloaded(answer)[1]))
    assert row["species"] == "virginica"


def test_more_than_a_hundred_bad_cells_are_counted(client: FlaskClient) -> None:
    assert "There are 20 more." in upload(client, HEADER + "\n1,1,1,x" * 120).text


def test_a_missing_column_is_named_and_cannot_be_left_out(client: FlaskClient) -> None:
    answer = upload(client, "slen,swid\n1,1\n")
    assert answer.status_code == 422
    assert "There is no column petal_length." in answer.text
    assert "Correct them, or tick" not in answer.text


@pytest.mark.parametrize(
    ("content", "status", "sentence"),
    [
        (b"", 400, "It is empty"),
        (b"\xff", 400, "This is not UTF-8"),
        (b"PK\3\4\0\0", 400, "There is a NUL character in it"),
    ],
)
def test_what_is_no_table_is_told_why(client: FlaskClient, content: bytes, status: int, sentence: str) -> None:
    answer = upload(client, content)
    assert answer.status_code == status
    assert sentence in answer.text


def test_too_many_rows_are_told_the_limit(make_app: Callable[..., Flask]) -> None:
    answer = upload(make_app(MAX_BATCH_ROWS=1).test_client(), GOOD)
    assert answer.status_code == 413
    assert "There are more rows than the 1 that one request may hold." in answer.text


def test_no_file_is_told_beside_the_field(client: FlaskClient) -> None:
    (token,) = re.findall(r'name="csrf_token" type="hidden" value="([^"]+)"', client.get("/batch").text)
    answer = client.post("/batch", data={"csrf_token": token})
    assert answer.status_code == 422
    assert 'id="file-error">Choose a file first.</p>' in answer.text


def test_a_form_without_a_token_says_why(client: FlaskClient) -> None:
    answer = client.post("/batch", data={"file": (io.BytesIO(GOOD.encode()), "irises.csv")})
    assert answer.status_code == 400
    assert "This form had been open too long" in answer.text


def test_a_file_that_names_the_species_is_compared(client: FlaskClient) -> None:
    data = load_iris()
    frame = pd.DataFrame(data.data, columns=data.feature_names)
    frame["Species"] = ["Iris-" + data.target_names[index] for index in data.target]
    text = upload(client, frame.to_csv(index=False)).text
    cells = re.findall(r'<td class="text-end">(\d+)</td>', text.split("Compared with the species in your file")[1])
    matrix = np.array(cells[:9], int).reshape(3, 3)
    assert matrix.sum(axis=1).tolist() == [50, 50, 50]
    assert np.trace(matrix) > 140


def test_a_name_that_is_no_species_is_not_compared(client: FlaskClient) -> None:
    text = upload(client, f"{HEADER},class\n5.1,3.5,1.4,0.2,rose\n5.1,3.5,1.4,0.2,setosa\n").text
    cells = re.findall(r'<td class="text-end">(\d+)</td>', text.split("Compared with the species in your file")[1])
    assert list(map(int, cells[:9])) == [1, 0, 0, 0, 0, 0, 0, 0, 0]


def test_a_file_that_names_none_is_not_compared(client: FlaskClient) -> None:
    assert "Compared with the species in your file" not in upload(client, GOOD).text


def test_formulas_behind_other_separators_are_guarded_too(client: FlaskClient) -> None:
    text = downloaded(upload(client, f'{HEADER},note\n5.1,3.5,1.4,0.2,"a;=1+1"\n'))[1]
    assert '"\'a;=1+1"' in text


FORMULAS = f'{HEADER},=note\n5.1,3.5,1.4,0.2,"=HYPERLINK(""x"")"\n5.1,3.5,1.4,0.2,-5\n5.1,3.5,1.4,0.2,@SUM(1)\n'


def test_cells_that_a_spreadsheet_would_compute_are_guarded(client: FlaskClient) -> None:
    header, *rows = csv.reader(io.StringIO(downloaded(upload(client, FORMULAS))[1]))
    assert header[4] == "'=note"
    assert [row[4] for row in rows] == ['\'=HYPERLINK("x")', "-5", "'@SUM(1)"]


def test_formulas_stay_as_they_are_where_that_is_asked_for(client: FlaskClient) -> None:
    _, *rows = csv.reader(io.StringIO(downloaded(upload(client, FORMULAS, keep_formulas="y"))[1]))
    assert rows[0][4] == '=HYPERLINK("x")'


def test_a_header_alone_is_no_flowers(client: FlaskClient) -> None:
    answer = upload(client, HEADER)
    assert "<h2>No flowers to classify</h2>" in answer.text
    assert "Download all answers" not in answer.text


@pytest.mark.parametrize(("width", "words"), [("0.2", "It is like those"), ("9", "It is unlike those")])
def test_one_flower_is_told_as_one(client: FlaskClient, width: str, words: str) -> None:
    text = upload(client, f"{HEADER}\n5.1,3.5,1.4,{width}\n").text
    assert "<h2>1 flower</h2>" in text
    assert words in text


def test_columns_without_a_name_are_numbered_for_who_cannot_see_them(client: FlaskClient) -> None:
    text = upload(client, f",{HEADER}\n1,5.1,3.5,1.4,0.2\n").text
    assert '<th scope="col"><span class="visually-hidden">Column 1</span></th>' in text


def test_the_column_that_names_most_species_is_compared(client: FlaskClient) -> None:
    text = upload(client, f"label,{HEADER},species\nplot 7,5.1,3.5,1.4,0.2,setosa\nplot 8,6.5,3.0,5.6,2.0,rose\n").text
    assert "1 of 1 agree (100.0 %)." in text
    assert "1 row names none of the species that the model knows." in text


def test_a_column_of_other_names_is_not_compared(client: FlaskClient) -> None:
    assert "in your file" not in upload(client, f"{HEADER},label\n5.1,3.5,1.4,0.2,plot 7\n").text


def test_a_script_that_shows_the_page_gets_it_whatever_it_says(client: FlaskClient) -> None:
    answer = client.post("/batch", headers={"X-Live": "1"})
    assert answer.status_code == 200
    assert "This form had been open too long" in answer.text


def test_the_sample_file_is_classified_as_it_says(client: FlaskClient) -> None:
    sample = client.get("/batch/sample.csv")
    assert sample.headers["Content-Disposition"] == "attachment; filename=irises.csv"
    rows = list(csv.DictReader(io.StringIO(downloaded(upload(client, sample.data))[1])))
    assert [row["predicted_species"] for row in rows] == [row["species"] for row in rows] == SCHEMA.class_names


def vega() -> str:
    """The data as vega_datasets ships them: JSON, here turned into CSV."""
    data = load_iris()
    names = ["sepalLength", "sepalWidth", "petalLength", "petalWidth"]
    rows = [
        dict(zip(names, row, strict=True)) | {"species": data.target_names[target]}
        for row, target in zip(data.data.tolist(), data.target, strict=True)
    ]
    return pd.read_json(io.StringIO(json.dumps(rows))).to_csv(index=False)


def spelt(*names: str, index: bool = False, quoting: int = csv.QUOTE_MINIMAL) -> str:
    data = load_iris()
    frame = pd.DataFrame(data.data, columns=list(names[:4]))
    frame[names[4]] = [data.target_names[target] for target in data.target]
    return frame.to_csv(index=index, quoting=quoting)  # type: ignore[arg-type]


FILES = {
    "scikit-learn": files("sklearn.datasets.data").joinpath("iris.csv").read_text(),
    "scikit-learn's data frame": load_iris(as_frame=True).frame.to_csv(index=False),
    "plotly": spelt("sepal_length", "sepal_width", "petal_length", "petal_width", "species"),
    "vega_datasets": vega(),
    "R": spelt(
        "Sepal.Length",
        "Sepal.Width",
        "Petal.Length",
        "Petal.Width",
        "Species",
        index=True,
        quoting=csv.QUOTE_NONNUMERIC,
    ),
    "Kaggle": spelt("SepalLengthCm", "SepalWidthCm", "PetalLengthCm", "PetalWidthCm", "Species", index=True),
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_the_files_that_circulate_are_classified(client: FlaskClient, text: str) -> None:
    answer = upload(client, text)
    assert answer.status_code == 200
    assert "<h2>150 flowers</h2>" in answer.text
    assert "Compared with the species in your file" in answer.text
