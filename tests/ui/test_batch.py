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
from playwright.sync_api import FilePayload, Page, expect
from sklearn.datasets import load_iris
from werkzeug.test import TestResponse

from iris_app.iris import SCHEMA
from tests.models import ServedModel
from tests.support import traced_memory

HEADER = "slen,swid,plen,pwid"
GOOD = f"{HEADER}\n5.1,3.5,1.4,0.2\n6.5,3.0,5.6,2.0\n"
BAD = f"{HEADER}\n5.1,3.5,1.4,x\n6.5,3.0,5.6,2.0\n,3.0,5.6,99\n"


def upload(client: FlaskClient, text: str | bytes, filename: str = "irises.csv", **boxes: str) -> TestResponse:
    (token,) = re.findall(r'name="csrf_token" type="hidden" value="([^"]+)"', client.get("/batch").text)
    content = text.encode() if isinstance(text, str) else text
    return client.post("/batch", data={"csrf_token": token, "file": (io.BytesIO(content), filename)} | boxes)


def download(
    client: FlaskClient, text: str | bytes, filename: str = "irises.csv", again: str = "", **boxes: str
) -> TestResponse:
    return upload(client, text, filename, download=again, **boxes)


def rows_of(answer: TestResponse) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(answer.text)))


def test_the_page_asks_for_a_file(client: FlaskClient) -> None:
    text = client.get("/batch").text
    assert 'type="file"' in text
    assert "Sepal length (cm), Sepal width (cm), Petal length (cm) and Petal width (cm), and up to 100,000 rows" in text


def test_a_file_is_summed_up(client: FlaskClient) -> None:
    answer = upload(client, GOOD + "5.1,3.5,1.4,9\n")
    assert answer.status_code == 200
    assert ">3 flowers in irises.csv</h2>" in answer.text
    assert "1 of them has values unlike those that the model was trained on." in answer.text
    counts = re.findall(r'<th scope="row">(\w+)</th>.*?<td class="text-end">([\d,]+)</td>', answer.text, re.DOTALL)
    assert counts == [("Setosa", "1"), ("Versicolor", "0"), ("Virginica", "2")]


def shown(text: str, heading: str) -> list[list[str]]:
    """Return the cells of a table of rows that the page shows."""
    (part,) = re.findall(rf">{heading}</h3>.*?<tbody>(.*?)</tbody>", text, re.DOTALL)
    return [re.findall(r"<td[^>]*>(.*?)</td>", row) for row in part.split("</tr>")[:-1]]


def test_the_most_unusual_rows_are_shown_first(client: FlaskClient) -> None:
    text = upload(client, GOOD + "".join(f"5.1,3.5,1.4,{3 + index / 10}\n" for index in range(60))).text
    rows = shown(text, "The most unusual rows")
    assert [int(row[0]) for row in rows] == list(range(63, 13, -1))
    assert rows[0][-1] == "8.9"
    assert "Petal width is 8.9 cm, outside what the model was trained on" in rows[0][3]
    assert "The download has all 60." in text


def test_the_answers_that_are_least_certain_are_shown_first(client: FlaskClient, served: ServedModel) -> None:
    header = ",".join(feature.name for feature in served.schema.features)
    table = "\n".join([header, *(",".join(map(str, row)) for row in served.rows.tolist())])
    rows = shown(upload(client, table).text, "The least certain answers")
    sure = client.post("/api/classify", data=table, content_type="text/csv", headers={"Accept": "application/json"})
    highest = [max(one["probabilities"].values()) for one in sure.json["predictions"]]
    assert [int(row[0]) - 2 for row in rows] == sorted(range(150), key=lambda index: highest[index])[:50]


def test_the_answers_of_a_wide_table_are_in_view(open_page: Callable[..., Page]) -> None:
    names = [f"a note with a long name {index}" for index in range(20)]
    table = "\n".join([f"{','.join(names)},{HEADER}", *[f"{',' * 20}5.1,3.5,1.4,{width}" for width in (0.2, 9)]])
    for width in (360, 1280):
        page = open_page("/batch", viewport={"width": width, "height": 900})
        page.get_by_label("Choose a file").set_input_files(
            FilePayload(name="wide.csv", mimeType="text/csv", buffer=table.encode())
        )
        page.get_by_role("button", name="Classify the file").click()
        for heading in ("The most unusual rows", "The least certain answers"):
            for name in ("Line", "Answer", "Probability"):
                box = page.get_by_role("region", name=heading).get_by_role("columnheader", name=name).bounding_box()
                assert box is not None
                assert box["x"] + box["width"] <= width


def test_a_row_is_named_by_its_line_in_the_file_though_others_were_left_out(client: FlaskClient) -> None:
    table = f'{HEADER},note\n5.1,3.5,1.4,wide,"a\nb"\n\n5.1,3.5,1.4,9,\n'
    text = upload(client, table, skip_bad_rows="y").text
    assert "Line 2, column pwid" in text
    (row,) = shown(text, "The most unusual rows")
    assert row[0] == "5"


def test_a_file_without_unusual_rows_shows_none(client: FlaskClient) -> None:
    assert "The most unusual rows" not in upload(client, GOOD).text


def test_columns_of_features_are_shown_before_others(client: FlaskClient) -> None:
    others = ",".join(f"note {index}" for index in range(30))
    text = upload(client, f"{others},{HEADER}\n" + ",".join(["x" * 99] * 30) + ",5.1,3.5,1.4,0.2\n").text
    (row,) = shown(text, "The least certain answers")
    assert row[3:] == ["x" * 40 + "…"] * 16 + ["5.1", "3.5", "1.4", "0.2"]
    assert "14 more columns are in the download." in text


def test_a_large_file_has_a_small_page_and_all_unusual_rows_in_its_download(open_page: Callable[..., Page]) -> None:
    random = np.random.default_rng(0)
    rows = random.uniform([4, 2, 1, 0.1], [8, 4.5, 7, 2.5], (20_000, 4)).round(1)
    table = "\n".join([HEADER, *(",".join(map(str, row)) for row in rows.tolist())])
    page = open_page("/batch")
    page.get_by_label("Choose a file").set_input_files(
        FilePayload(name="large.csv", mimeType="text/csv", buffer=table.encode())
    )
    with page.expect_response("**/batch") as response:
        page.get_by_role("button", name="Classify the file").click()
    expect(page.get_by_role("heading", name="20,000 flowers in large.csv")).to_be_focused()
    assert len(response.value.body()) < 200_000
    (unusual,) = re.findall(r"([\d,]+) of them have values unlike", page.content())
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all answers").click()
    answers = list(csv.DictReader(io.StringIO(download.value.path().read_text())))
    assert len(answers) == 20_000
    assert sum(bool(row["warnings"]) for row in answers) == int(unusual.replace(",", "")) > 1000


def test_the_whole_result_can_be_downloaded(client: FlaskClient) -> None:
    answer = download(client, GOOD, "Fred's irises.csv")
    assert answer.headers["Content-Disposition"] == "attachment; filename=Freds_irises-classified.csv"
    assert answer.mimetype == "text/csv"
    assert answer.text == client.post("/api/classify", data=GOOD, content_type="text/csv").text


def test_a_download_below_a_summary_is_not_counted_again(client: FlaskClient) -> None:
    def counted() -> list[str]:
        return re.findall(r"^iris_app_rows.*", client.get("/metrics").text, re.MULTILINE)

    before = counted()
    upload(client, GOOD)
    after = counted()
    assert after != before
    download(client, GOOD, again="again")
    assert counted() == after
    download(client, GOOD)
    assert counted() != after


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
    disposition = download(client, GOOD, filename).headers["Content-Disposition"]
    assert disposition == f"attachment; filename={name}-classified.csv"


def test_bad_cells_are_listed_with_line_and_column(client: FlaskClient) -> None:
    answer = upload(client, BAD)
    assert answer.status_code == 422
    text = unescape(answer.text)
    assert "3 values cannot be used." in text
    assert 'Line 2, column pwid: Petal width must be a number in cm, not "x".' in text
    assert "Line 4, column slen: Sepal length is missing." in text
    assert "Leave out rows that cannot be read" in text
    assert "Download all answers" not in text


def test_bad_cells_are_listed_in_place_of_a_download(client: FlaskClient) -> None:
    answer = download(client, BAD)
    assert (answer.status_code, answer.mimetype) == (422, "text/html")
    assert "3 values cannot be used." in answer.text


def test_the_rest_can_be_downloaded_where_that_is_asked_for(client: FlaskClient) -> None:
    answer = upload(client, BAD, skip_bad_rows="y")
    assert answer.status_code == 200
    text = unescape(answer.text)
    assert "Rows with 3 values that cannot be used were left out." in text
    assert "Line 4, column slen: Sepal length is missing." in text
    (row,) = rows_of(download(client, BAD, skip_bad_rows="y"))
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
        (b"", 400, "The table is empty"),
        (b"\xff", 400, "This text is not UTF-8"),
        (b"slen,swid\0", 400, "The table holds a NUL character"),
        (b"PK\3\4\0\0", 400, "This is a zip archive; unpack it"),
        (b"PK\3\4\0\0word/document.xml", 400, "This is a Word document; save its table as CSV."),
        (b"\x89PNG\r\n\x1a\n\0\0", 400, "This is a picture;"),
        (b"\xff\xd8\xff\xe0\0\x10JFIF", 400, "This is a picture;"),
        (b"%PDF-1.7\n%\xb5\xed\xae\xfb", 400, "This is a PDF document; save the table as CSV."),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", 400, "This is an old Excel workbook (.xls)"),
        (b"\x1f\x8b\x08\0\0", 400, "This is compressed with gzip; unpack it first."),
        ("slen,swid".encode("utf-16-le"), 400, "This is text in UTF-16;"),
    ],
)
def test_what_is_no_table_is_told_why(client: FlaskClient, content: bytes, status: int, sentence: str) -> None:
    answer = upload(client, content)
    assert answer.status_code == status
    assert sentence in answer.text


@pytest.mark.parametrize("charset", ["utf-16", "utf-8-sig"])
def test_text_with_a_byte_order_mark_is_read(client: FlaskClient, charset: str) -> None:
    assert "2 flowers in irises.csv" in upload(client, GOOD.encode(charset)).text


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
    text = download(client, f'{HEADER},note\n5.1,3.5,1.4,0.2,"a;=1+1"\n').text
    assert '"\'a;=1+1"' in text


FORMULAS = f'{HEADER},=note\n5.1,3.5,1.4,0.2,"=HYPERLINK(""x"")"\n5.1,3.5,1.4,0.2,-5\n5.1,3.5,1.4,0.2,@SUM(1)\n'


def test_cells_that_a_spreadsheet_would_compute_are_guarded(client: FlaskClient) -> None:
    header, *rows = csv.reader(io.StringIO(download(client, FORMULAS).text))
    assert header[4] == "'=note"
    assert [row[4] for row in rows] == ['\'=HYPERLINK("x")', "-5", "'@SUM(1)"]


def test_formulas_stay_as_they_are_where_that_is_asked_for(client: FlaskClient) -> None:
    _, *rows = csv.reader(io.StringIO(download(client, FORMULAS, keep_formulas="y").text))
    assert rows[0][4] == '=HYPERLINK("x")'


def test_a_header_alone_is_no_flowers(client: FlaskClient) -> None:
    answer = upload(client, HEADER)
    assert "No flowers to classify in irises.csv</h2>" in answer.text
    assert "Download all answers" not in answer.text


@pytest.mark.parametrize(("width", "words"), [("0.2", "It is like those"), ("9", "It has values unlike those")])
def test_one_flower_is_told_as_one(client: FlaskClient, width: str, words: str) -> None:
    text = upload(client, f"{HEADER}\n5.1,3.5,1.4,{width}\n").text
    assert ">1 flower in irises.csv</h2>" in text
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
    rows = rows_of(download(client, sample.data))
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
    assert ">150 flowers in irises.csv</h2>" in answer.text
    assert "Compared with the species in your file" in answer.text


@pytest.mark.no_cover
@pytest.mark.parametrize("cell", ["\n", "wide", '"'])
def test_nothing_of_a_file_that_is_refused_is_kept(make_app: Callable[..., Flask], cell: str) -> None:
    client = make_app(WTF_CSRF_ENABLED=False).test_client()
    head = '--x\r\nContent-Disposition: form-data; name="file"; filename="irises.csv"\r\n\r\n'
    body = f'{head}{HEADER}\n5.1,3.5,1.4,"{cell * (8_000_000 // len(cell))}"\n\r\n--x--\r\n'.encode()
    client.post("/batch", data=body, content_type="multipart/form-data; boundary=x").close()
    with traced_memory() as memory:
        with client.post("/batch", data=body, content_type="multipart/form-data; boundary=x") as answer:
            assert answer.status_code in {400, 413, 422}
        del answer
    assert memory.kept < 1_000_000
