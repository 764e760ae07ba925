"""Excel workbooks on the page for whole files."""

import datetime as dt
import io
import zipfile
from collections.abc import Callable
from html import unescape

import openpyxl
import pytest
from flask import Flask
from flask.testing import FlaskClient

from iris_app.access import get_limits
from iris_app.ui import workbooks
from iris_app.web import concurrency
from tests.models import ServedModel, for_every_model
from tests.ui.test_batch import download, rows_of, upload
from tests.workbooks import Rows, replaced, workbook

HEADER: list[object] = ["sepal_length", "sepal_width", "petal_length", "petal_width"]
ROW: list[object] = [5.1, 3.5, 1.4, 0.2]
DAY = dt.datetime.fromisoformat("2026-05-01")


def archive(**parts: bytes) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED) as file:
        for name, part in parts.items():
            file.writestr(name.replace("__", "/") + ".xml", part)
    return content.getvalue()


@for_every_model
def test_a_workbook_is_classified_as_its_csv_is(client: FlaskClient, served: ServedModel) -> None:
    rows = [list(row.values()) for row in served.objects[:20]]
    names: list[object] = [feature.name for feature in served.schema.features]
    answers = rows_of(download(client, workbook(Sheet1=[names, *rows]), "rows.xlsx"))
    expected = client.post("/api/classify", json=served.objects[:20]).json["predictions"]
    assert [row[served.schema.target] for row in answers] == [one[served.schema.target] for one in expected]


def test_blank_rows_titles_and_cells_of_other_types_are_read(client: FlaskClient) -> None:
    rows: Rows = [
        ["Garden, 2026"],
        [],
        [*HEADER, "day", "time", "seen", None],
        [*ROW, DAY, DAY + dt.timedelta(hours=12.5), True],
        [*ROW[:3], 9, None, None, False],
    ]
    first, second = rows_of(download(client, workbook(Sheet1=rows), "garden.xlsx"))
    assert [first[name] for name in ("day", "time", "seen")] == ["2026-05-01", "2026-05-01 12:30:00", "true"]
    assert [second[name] for name in ("petal_width", "day", "seen")] == ["9", "", "false"]


def test_the_sheet_that_names_the_features_is_read_and_the_others_are_named(client: FlaskClient) -> None:
    sheets = {"Notes": [["about"]], "Data": [HEADER, ROW], **{f"Old{index}": [HEADER[:2]] for index in range(6)}}
    text = unescape(upload(client, workbook(hidden="Old5", **sheets), "garden.xlsx").text)
    assert "1 flower in garden.xlsx" in text
    assert (
        "This is the sheet “Data” of the workbook. Not read: “Notes”, “Old0”, “Old1”, “Old2”, “Old3” and 1 more."
        in text
    )


def test_errors_name_the_sheet_and_its_rows(client: FlaskClient) -> None:
    answer = upload(client, workbook(Notes=[["about"]], Data=[HEADER, ROW, ["wide", *ROW[1:]]]), "garden.xlsx")
    assert answer.status_code == 422
    assert "Line 3, column sepal_length: Sepal length must be a number" in unescape(answer.text)
    assert "This is the sheet “Data” of the workbook." in answer.text


def test_an_empty_workbook_is_named_so(client: FlaskClient) -> None:
    answer = upload(client, workbook(Sheet1=[]), "empty.xlsx")
    assert answer.status_code == 400
    assert "The table is empty" in answer.text


def bomb(text: bytes, size: int) -> bytes:
    return archive(xl__workbook=b"<workbook/>", xl__sharedStrings=text * size)


SPARSE = b"""<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>
<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>"""


BOMBS: dict[str, Callable[[], bytes]] = {
    "unpacked": lambda: bomb(b" ", 1_000_000),
    "tags": lambda: bomb(b"<si>", workbooks.MAX_TAGS + 1),
    "parts": lambda: archive(xl__workbook=b"", **{f"part{index}": b"" for index in range(1001)}),
}


@pytest.mark.parametrize("name", BOMBS)
def test_a_workbook_that_would_take_long_is_refused_before_it_is_read(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.delattr(openpyxl, "load_workbook")
    limits = {"MAX_CONTENT_LENGTH": 200_000} if name == "unpacked" else {}
    answer = upload(make_app(**limits).test_client(), BOMBS[name](), "bomb.xlsx")
    assert answer.status_code == 413
    assert "would take long to read: save it as CSV." in answer.text


def test_a_sheet_of_few_cells_far_apart_is_refused(client: FlaskClient) -> None:
    content = replaced(workbook(Sheet1=[HEADER]), "xl/worksheets/sheet1.xml", SPARSE)
    assert upload(client, content, "sparse.xlsx").status_code == 413


def test_a_workbook_whose_table_is_too_long_is_refused(make_app: Callable[..., Flask]) -> None:
    text = "x" * 30_000
    content = workbook(Sheet1=[[*HEADER, "note"], *[[*ROW, text]] * 30])
    assert len(content) < 100_000
    answer = upload(make_app(MAX_CONTENT_LENGTH=600_000).test_client(), content, "long.xlsx")
    assert answer.status_code == 413


def packed_otherwise() -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_BZIP2) as file:
        file.writestr("xl/workbook.xml", "<workbook/>")
    return content.getvalue()


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (archive(xl__workbook=b"<workbook/>"), "This Excel workbook cannot be read"),
        (workbook(Sheet1=[HEADER])[:2000] + b"xl/workbook", "This Excel workbook cannot be read"),
        (packed_otherwise(), "packed in an unusual way"),
        (
            replaced(
                workbook(Sheet1=[HEADER]), "xl/worksheets/sheet1.xml", b'<!DOCTYPE x [<!ENTITY a "b">]><x>&a;</x>'
            ),
            "This Excel workbook cannot be read",
        ),
    ],
)
def test_a_damaged_workbook_is_a_400(client: FlaskClient, content: bytes, sentence: str) -> None:
    answer = upload(client, content, "damaged.xlsx")
    assert answer.status_code == 400
    assert sentence in answer.text


def test_a_workbook_is_named_where_it_cannot_be_read(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(workbooks, "CAN_READ_WORKBOOKS", False)
    answer = upload(client, workbook(Sheet1=[HEADER, ROW]), "garden.xlsx")
    assert answer.status_code == 400
    assert "This is an Excel workbook; save the sheet as CSV." in answer.text


def test_workbooks_are_unpacked_one_after_the_other(
    make_app: Callable[..., Flask], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(concurrency, "MAX_WAIT", 0.01)
    app = make_app(MAX_CONCURRENT_BYTES=1)
    body, limits = workbook(Sheet1=[HEADER, ROW]), get_limits(app)
    limits.reserve(concurrency.MIN_COUNTED_SIZE)  # by another, which leaves less room than a workbook may take
    assert upload(app.test_client(), body, "garden.xlsx").status_code == 503
    limits.release(0, concurrency.MIN_COUNTED_SIZE)
    for _ in range(3):  # and each gives its room back
        assert upload(app.test_client(), body, "garden.xlsx").status_code == 200


def test_a_workbook_that_names_very_many_sheets_is_refused(client: FlaskClient) -> None:
    content = workbook(Sheet1=[HEADER, ROW])
    names = b"".join(b'<sheet name="s%d" sheetId="%d" r:id="rId1"/>' % (at, at) for at in range(10, 44_000))
    with zipfile.ZipFile(io.BytesIO(content)) as file:
        part = file.read("xl/workbook.xml").replace(b"<sheets>", b"<sheets>" + names)
    answer = upload(client, replaced(content, "xl/workbook.xml", part), "sheets.xlsx")
    assert part.count(b"<sheet ") > 40_000
    assert answer.status_code == 413
    assert "would take long to read: save it as CSV." in answer.text
