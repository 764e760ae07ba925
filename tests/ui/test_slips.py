"""Corrections of the likeliest slips, and rows that are pasted into one field."""

import json
import re
from collections.abc import Callable
from html import unescape

import pytest
from flask.testing import FlaskClient
from playwright.sync_api import Page, expect
from sklearn.datasets import load_iris
from werkzeug.datastructures import MultiDict

from iris_app.iris import SCHEMA
from iris_app.schema import Floats, Schema
from iris_app.ui.pasted_row import spread_row
from tests.models import ServedModel, for_every_model
from tests.schemas import MIXED
from tests.support import FORM

OpenPage = Callable[..., Page]

NAMES = list(FORM)


def form_of(values: list[float]) -> dict[str, str]:
    return dict(zip(NAMES, (f"{value:.10g}" for value in values), strict=True))


def repair(client: FlaskClient, sent: dict[str, str], action: str) -> dict[str, str]:
    """Return what the button of a correction sends."""
    text = unescape(client.get("/classify", query_string=sent).text)
    (form,) = (form for form in re.findall(r"<form .*?</form>", text, re.DOTALL) if action in form)
    assert 'action="/classify" method="get"' in form
    return dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))


@pytest.mark.no_cover
@pytest.mark.parametrize("order", [[2, 3, 0, 1], [1, 0, 3, 2]])
def test_each_flower_with_two_swaps_is_restored_by_its_button(client: FlaskClient, order: list[int]) -> None:
    rows: Floats = load_iris().data
    for row in rows.tolist():
        assert repair(client, form_of([row[index] for index in order]), "Swap them") == form_of(row)


@pytest.mark.no_cover
def test_each_flower_in_millimetres_is_restored_by_its_button(client: FlaskClient) -> None:
    rows: Floats = load_iris().data
    for row in rows.tolist():
        values = ", ".join(form_of(row).values())
        action = f"All four look like millimetres: use {values}"
        assert repair(client, form_of([10 * value for value in row]), action) == form_of(row)


def test_a_correction_stands_with_the_warning_that_explains_it(client: FlaskClient) -> None:
    text = client.get("/classify", query_string=form_of([1.4, 0.2, 5.1, 3.5])).text
    (alert,) = re.findall(r'<div class="alert alert-warning.*?</div>', text, re.DOTALL)
    assert "swapped?" in alert.partition("Swap them</button>")[0]


def test_a_refused_row_is_corrected(client: FlaskClient) -> None:
    answer = client.get("/classify", query_string=form_of([51, 35, 14, 2]))
    assert answer.status_code == 422
    assert 'id="repairs"' in answer.text
    assert "All four look like millimetres: use 5.1, 3.5, 1.4, 0.2</button>" in answer.text


@pytest.mark.parametrize("change", [{}, {"slen": "wide"}, {"slen": ""}, {"slen": "1e300"}])
def test_no_correction_is_offered_where_none_fits(client: FlaskClient, change: dict[str, str]) -> None:
    text = client.get("/classify", query_string=FORM | change).text
    (repairs,) = re.findall(r'<div id="repairs".*?</div>', text, re.DOTALL)
    assert "<button" not in repairs


@pytest.mark.parametrize("javascript", [True, False])
def test_a_button_corrects_the_row(open_page: OpenPage, javascript: bool) -> None:
    page = open_page(java_script_enabled=javascript)
    for feature, text in zip(SCHEMA.features, ("51", "35", "14", "2"), strict=True):
        page.get_by_role("textbox", name=feature.label).fill(text)
    page.get_by_role("button", name="Classify").click()
    page.get_by_role("button", name="All four look like millimetres").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Setosa")
    expect(page.get_by_role("textbox", name="Sepal length")).to_have_value("5.1")


def test_a_correction_is_offered_in_place(open_page: OpenPage) -> None:
    page = open_page()
    for feature, text in zip(SCHEMA.features, ("1.4", "0.2", "5.1", "3.5"), strict=True):
        page.get_by_role("textbox", name=feature.label).fill(text)
        page.get_by_role("textbox", name=feature.label).blur()
    page.get_by_role("button", name="Swap them").click()
    expect(page.get_by_role("textbox", name="Sepal length")).to_have_value("5.1")
    expect(page.get_by_role("button", name="Swap them")).to_have_count(0)


def test_a_value_in_another_unit_is_shown_in_the_one_of_its_field(client: FlaskClient) -> None:
    text = client.get("/classify", query_string=FORM | {"slen": "51 mm", "swid": "3.5 CM"}).text
    assert '<td class="text-end">5.1 cm</td>' in text
    assert '<td class="text-end">3.5 cm</td>' in text
    assert 'name="slen"' in text
    assert 'value="51 mm"' in text


PASTED = [
    "5.1 3.5 1.4 0.2",
    " 5.1\t3.5\t1.4\t0.2\n",
    "5.1,3.5,1.4,0.2",
    "5.1, 3.5, 1.4, 0.2",
    "5,1;3,5;1,4;0,2",
    "5,1 3,5 1,4 0,2",
    "5,1, 3,5, 1,4, 0,2",
    "5.1 cm | 35 mm | 1.4 cm | 2 mm",
    "5.1\n3.5\n1.4\n0.2",
    "5.1,3.5,1.4,0.2,setosa",
    "[5.1, 3.5, 1.4, 0.2]",
    '"5.1","3.5","1.4","0.2"',
    "Petal width: 0.2, Petal length: 1.4, Sepal width: 3.5, Sepal length: 5.1",
    "sepal_length=5.1; sepal_width=3.5; petal_length=1.4; petal_width=0.2",
    '{"sepal_length": 5.1, "sepal_width": 3.5, "petal_length": 1.4, "petal_width": 0.2}',
    "Petal.Width\tPetal.Length\tSepal.Width\tSepal.Length\tSpecies\n0.2\t1.4\t3.5\t5.1\tsetosa",
]


def spread(schema: Schema, sent: dict[str, str]) -> list[float]:
    texts = spread_row(schema, MultiDict(sent))
    return [feature.read_text(texts.get(feature.form_name, "")) for feature in schema.features]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("text", PASTED)
def test_a_row_in_one_field_fills_all(text: str, name: str) -> None:
    assert spread(SCHEMA, dict.fromkeys(NAMES, "") | {name: text}) == [5.1, 3.5, 1.4, 0.2]


@pytest.mark.parametrize(
    "sent",
    [
        {"slen": "5.1 3.5 1.4"},
        {"slen": "5.1 3.5 1.4 wide"},
        {"slen": "5.1 3.5 1.4 0.2 0.1"},
        {"slen": "5.1"},
        {"slen": ""},
        {"slen": "5.1 3.5 1.4 0.2", "swid": "3"},
        {"slen": "1 " * 100_000},
    ],
)
def test_what_is_no_row_stays_in_its_field(sent: dict[str, str]) -> None:
    assert spread_row(SCHEMA, MultiDict(sent)) == MultiDict(sent)


def test_a_row_of_every_kind_fills_all_fields() -> None:
    text = "41;;-0,5;no;NA;Female;este: costa;2;001"
    values = [*spread(MIXED, {"region": text})]
    assert values[0] == 41
    assert values[2:4] == [-0.5, 0.0]
    assert values[5:] == [0.0, 2.0, 1.0, 0.0]


@for_every_model
def test_a_row_that_a_table_holds_fills_the_form(client: FlaskClient, served: ServedModel) -> None:
    form = served.form
    first = next(iter(form))
    for text in ("\t".join(form.values()), ";".join(form.values())):
        answer = client.get("/classify", query_string=dict.fromkeys(form, "") | {first: text})
        assert answer.status_code == 200
        assert re.search(rf'name="{first}"[^>]* value="{re.escape(form[first])}"', answer.text)


@pytest.mark.parametrize("javascript", [True, False])
def test_a_row_that_was_typed_into_one_field_is_classified(open_page: OpenPage, javascript: bool) -> None:
    page = open_page(java_script_enabled=javascript)
    page.get_by_role("textbox", name="Petal length").fill("5.1 3.5 1.4 0.2")
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Setosa")
    expect(page.get_by_role("textbox", name="Petal length")).to_have_value("1.4")


@pytest.mark.parametrize(("path", "text"), [("/home", PASTED[0]), *(("/typical/2", text) for text in PASTED)])
def test_a_pasted_row_fills_the_fields(open_page: OpenPage, path: str, text: str) -> None:
    page = open_page(path)
    paste(page, "Petal length", text)
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Setosa")
    for feature in SCHEMA.features:
        value = page.get_by_role("textbox", name=feature.label).input_value()
        assert feature.read_text(value) == feature.example


def test_other_text_that_is_pasted_stays_as_it_is(open_page: OpenPage) -> None:
    page = open_page("/typical/2")
    paste(page, "Petal length", "about 5")
    page.get_by_role("textbox", name="Petal length").press("End")
    page.wait_for_load_state("networkidle")
    expect(page.get_by_role("textbox", name="Petal length")).to_have_value("about 5")
    expect(page.get_by_role("textbox", name="Petal length")).to_have_attribute("aria-invalid", "false")
    expect(page.get_by_role("textbox", name="Sepal length")).to_have_value("6.5")


def paste(page: Page, label: str, text: str) -> None:
    """Paste a text as a person does, over what the field holds."""
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.evaluate(f"navigator.clipboard.writeText({json.dumps(text)})")
    page.get_by_role("textbox", name=label).press("ControlOrMeta+A")
    page.keyboard.press("ControlOrMeta+V")
