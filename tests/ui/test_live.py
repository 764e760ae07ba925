"""The script that answers in place, in a real Chromium with the real server."""

import re
from collections.abc import Callable
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Locator, Page, Route, expect

from iris_app.iris import SCHEMA
from tests.support import FORM

OpenPage = Callable[..., Page]

ANSWER = f"/classify?{urlencode(FORM)}"
EARLIER = "This answer is for other values: " + ", ".join(
    f"{feature.label} {feature.example} cm" for feature in SCHEMA.features
)
LENGTH, WIDTH = "Petal length", "Petal width"


def field(page: Page, label: str) -> Locator:
    return page.get_by_role("textbox", name=label)


def heading(page: Page) -> Locator:
    return page.get_by_role("heading", level=1)


def change(page: Page, label: str, text: str) -> None:
    """Enter a value and leave the field."""
    field(page, label).fill(text)
    field(page, label).blur()


def hold_back(page: Page) -> list[Route]:
    """Hold back the requests for answers, until they are continued."""
    held: list[Route] = []
    page.route("**/classify?*", lambda route: held.append(route))  # noqa: PLW0108 -- Playwright inspects it
    return held


def stop_the_clock(page: Page) -> None:
    """Let time pass only when a test says so, however long it takes itself."""
    page.clock.install()
    page.clock.pause_at(page.evaluate("Date.now() + 1"))


def test_a_value_that_is_being_typed_is_told_no_error(open_page: OpenPage) -> None:
    page = open_page(ANSWER)
    stop_the_clock(page)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/classify" in request.url else None)
    title = page.title()
    field(page, WIDTH).press("ControlOrMeta+A")
    for key in ("0", ".", "2"):
        page.keyboard.press(key)
        page.clock.run_for(1400)
        expect(page.get_by_role("alert")).to_have_count(0)
        expect(heading(page)).to_have_text("Predicted class: Setosa")
        expect(page.get_by_role("status")).to_have_text("")
        expect(field(page, WIDTH)).to_have_attribute("aria-invalid", "false")
        assert page.title() == title
    assert asked == []
    page.keyboard.press("5")
    with page.expect_request("**/classify?*"):
        page.clock.run_for(1500)


def test_a_value_is_told_its_error_when_its_field_is_left(open_page: OpenPage) -> None:
    page = open_page(ANSWER)
    stop_the_clock(page)
    field(page, WIDTH).fill("wide")
    page.clock.run_for(2000)
    expect(field(page, WIDTH)).to_have_attribute("aria-invalid", "false")
    field(page, WIDTH).blur()
    page.clock.resume()
    expect(field(page, WIDTH)).to_have_attribute("aria-invalid", "true")
    expect(page.get_by_role("status")).to_contain_text("Petal width must be a number in cm")
    expect(heading(page)).to_have_text("Predicted class: Setosa")
    field(page, WIDTH).fill("wid")
    expect(field(page, WIDTH)).to_have_attribute("aria-invalid", "false")


def test_a_first_value_is_told_its_error_and_the_empty_ones_are_not(open_page: OpenPage) -> None:
    page = open_page()
    change(page, SCHEMA.features[0].label, "wide")
    expect(field(page, SCHEMA.features[0].label)).to_have_attribute("aria-invalid", "true")
    expect(page.locator("[aria-invalid=true]")).to_have_count(1)
    expect(heading(page)).to_have_text("Which iris is it?")
    expect(page.get_by_role("alert")).to_have_count(0)


@pytest.mark.parametrize("text", ["", "wide", "31"])
def test_the_last_answer_stays_and_names_its_values(open_page: OpenPage, text: str) -> None:
    page = open_page(ANSWER)
    change(page, WIDTH, text)
    expect(field(page, WIDTH)).to_have_attribute("aria-invalid", "true")
    expect(heading(page)).to_have_text("Predicted class: Setosa")
    expect(page.get_by_text(EARLIER)).to_be_visible()
    expect(page.locator("#verdict")).to_have_class(re.compile("earlier"))
    expect(page.locator("#verdict")).to_have_attribute("aria-busy", "false")
    change(page, WIDTH, FORM["pwid"])
    expect(page.get_by_text(EARLIER)).to_be_hidden()
    expect(page.locator("#verdict")).not_to_have_class(re.compile("earlier"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_an_earlier_answer_is_accessible(open_page: OpenPage, scheme: str) -> None:
    page = open_page(f"/classify?{urlencode(FORM | {'pwid': '2.6'})}", color_scheme=scheme)
    change(page, WIDTH, "wide")
    expect(field(page, WIDTH)).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#details")).to_have_class(re.compile("earlier"))
    assert Axe().run(page).response["violations"] == []


def test_a_slow_server_is_seen_and_announced(open_page: OpenPage) -> None:
    page = open_page(ANSWER)
    held = hold_back(page)
    change(page, WIDTH, "0.3")
    for part in ("#verdict", "#details"):
        expect(page.locator(part)).to_have_attribute("aria-busy", "true")
        expect(page.locator(part)).to_have_class(re.compile("earlier"))
    expect(page.get_by_text(f"Classifying… {EARLIER}")).to_be_visible()
    expect(page.get_by_role("status")).to_have_text("Classifying…")
    held.pop().continue_()
    expect(page.locator("#verdict")).to_have_attribute("aria-busy", "false")
    expect(page.get_by_role("row", name="Petal width 0.3 cm", exact=True)).to_be_visible()
    expect(page.get_by_text("Classifying…")).to_be_hidden()


def test_a_first_answer_that_is_slow_says_so(open_page: OpenPage) -> None:
    page = open_page()
    for feature in SCHEMA.features[:-1]:
        change(page, feature.label, str(feature.example))
    held = hold_back(page)
    change(page, SCHEMA.features[-1].label, "0.2")
    expect(page.locator("#note")).to_have_text("Classifying…")
    held.pop().continue_()
    expect(heading(page)).to_have_text("Predicted class: Setosa")


def test_an_answer_that_was_overtaken_is_not_shown(open_page: OpenPage) -> None:
    page = open_page(ANSWER)
    hold_back(page)
    change(page, LENGTH, "5.1")
    expect(page.locator("#verdict")).to_have_attribute("aria-busy", "true")
    field(page, WIDTH).press("ControlOrMeta+A")
    page.keyboard.type("2")
    expect(page.locator("#verdict")).to_have_attribute("aria-busy", "false")
    expect(heading(page)).to_have_text("Predicted class: Setosa")
    page.unroute("**/classify?*")
    field(page, WIDTH).blur()
    expect(heading(page)).to_have_text("Predicted class: Virginica")
    expect(page.locator(".alert-danger")).to_have_count(0)


def test_a_form_that_is_sent_says_that_it_is_on_its_way(open_page: OpenPage) -> None:
    page = open_page(ANSWER)
    page.evaluate("document.querySelector('#entry form').dispatchEvent(new Event('submit', { bubbles: true }))")
    expect(page.get_by_text("Classifying…")).to_be_visible()
    page.evaluate("dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true }))")  # Back leads to it again
    expect(page.get_by_text("Classifying…")).to_be_hidden()


def test_a_lost_server_is_told_where_no_answer_stands(open_page: OpenPage) -> None:
    page = open_page()
    page.route("**/classify?*", lambda route: route.abort())
    change(page, WIDTH, "0.2")
    expect(page.locator(".alert")).to_have_text(
        "Nothing was classified: the server could not be reached. Press Classify to try again."
    )


def test_errors_that_were_sent_go_one_by_one(open_page: OpenPage) -> None:
    page = open_page(f"/classify?{urlencode(FORM | {'swid': 'x', 'pwid': ''})}")
    expect(page.get_by_text("2 values need another look.")).to_be_visible()
    change(page, "Sepal width", "3.5")
    expect(page.get_by_text("one value needs another look.")).to_be_visible()
    expect(page).to_have_title("Error: Classify flowers · Which iris?")
    change(page, WIDTH, "0.2")
    expect(heading(page)).to_have_text("Predicted class: Setosa")


def test_edits_of_an_answer_are_one_entry_before_which_it_stands(open_page: OpenPage) -> None:
    page = open_page("/model")
    page.goto(ANSWER)
    length = page.evaluate("history.length")
    change(page, LENGTH, "5.1")
    expect(page.get_by_role("row", name="Petal length 5.1 cm", exact=True)).to_be_visible()
    change(page, WIDTH, "2")
    expect(heading(page)).to_have_text("Predicted class: Virginica")
    assert page.evaluate("history.length") == length + 1
    edited = page.url
    page.go_back()
    expect(heading(page)).to_have_text("Predicted class: Setosa")
    expect(field(page, WIDTH)).to_have_value("0.2")
    expect(page).to_have_title("Setosa · Which iris?")
    assert page.url.endswith(ANSWER)
    page.go_forward()
    expect(heading(page)).to_have_text("Predicted class: Virginica")
    assert page.url == edited
    page.reload()
    expect(heading(page)).to_have_text("Predicted class: Virginica")


def test_back_from_a_first_answer_leads_to_the_form(open_page: OpenPage) -> None:
    page = open_page()
    for feature in SCHEMA.features:
        change(page, feature.label, str(feature.example))
    expect(heading(page)).to_have_text("Predicted class: Setosa")
    page.go_back()
    expect(heading(page)).to_have_text("Which iris is it?")
    change(page, LENGTH, "wide")
    expect(field(page, LENGTH)).to_have_attribute("aria-invalid", "true")


def test_a_link_within_the_page_keeps_what_was_typed(open_page: OpenPage) -> None:
    page = open_page(f"/classify?{urlencode(FORM | {'swid': 'x', 'pwid': 'y'})}")
    field(page, LENGTH).fill("1.5")
    page.get_by_role("link", name="Petal width must be a number").click()
    page.go_back()
    expect(field(page, LENGTH)).to_have_value("1.5")


@pytest.mark.parametrize("javascript", [True, False])
def test_a_reload_after_classify_sends_no_form(open_page: OpenPage, javascript: bool) -> None:
    page = open_page(java_script_enabled=javascript)
    for feature in SCHEMA.features:
        field(page, feature.label).fill(str(feature.example))
    page.get_by_role("button", name="Classify").click()
    expect(heading(page)).to_have_text("Predicted class: Setosa")
    assert page.url.endswith(ANSWER)
    with page.expect_request("**/classify*") as reloaded:
        page.reload()
    assert reloaded.value.method == "GET"
    expect(heading(page)).to_have_text("Predicted class: Setosa")


def test_the_link_to_an_answer_is_copied(open_page: OpenPage) -> None:
    page = open_page(ANSWER)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    expect(page.get_by_role("link", name="Link to this result")).to_be_hidden()
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("status")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_the_link_to_an_answer_that_came_while_typing_is_copied(open_page: OpenPage) -> None:
    page = open_page("/home?slen=5.1&swid=3.5&plen=1.4")
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    change(page, WIDTH, "0.2")
    page.get_by_role("button", name="Copy link").click()
    expect(page.get_by_role("status")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.url


def test_a_link_that_cannot_be_copied_is_shown(open_page: OpenPage) -> None:
    page = open_page(ANSWER)
    shown: list[str] = []

    def dismiss(dialog: object) -> None:
        shown.append(dialog.default_value)  # type: ignore[attr-defined]
        dialog.dismiss()  # type: ignore[attr-defined]

    page.on("dialog", dismiss)
    page.evaluate("Object.defineProperty(navigator, 'clipboard', { value: undefined })")
    page.get_by_role("button", name="Copy link").click()
    assert shown == [page.url]


def test_the_last_ten_answers_are_kept_downloaded_and_cleared(open_page: OpenPage) -> None:
    page = open_page(ANSWER)
    widths = [f"0.{hundredths}" for hundredths in range(11, 20)] + ["0.21", "0.22"]
    for width in widths:
        change(page, WIDTH, width)
        expect(page.get_by_role("row", name=f"Petal width {width} cm", exact=True)).to_be_visible()
    page.reload()
    page.get_by_text("Last answers in this tab").click()
    rows = page.locator("#history tbody tr")
    expect(rows).to_have_count(10)
    assert rows.first.locator("td").all_inner_texts()[:4] == ["5.1 cm", "3.5 cm", "1.4 cm", "0.22 cm"]
    with page.expect_download() as download:
        page.get_by_role("link", name="Download as CSV").click()
    assert download.value.suggested_filename == "irises-answers.csv"
    lines = download.value.path().read_text().splitlines()
    assert lines[0].startswith("sepal_length,sepal_width,petal_length,petal_width,species,")
    assert [line.split(",")[3] for line in lines[1:]] == widths[1:]
    assert Axe().run(page).response["violations"] == []
    page.get_by_role("button", name="Clear the list").click()
    expect(page.locator("#history")).to_be_hidden()
    page.goto("/home")
    expect(page.locator("#history")).to_be_hidden()
