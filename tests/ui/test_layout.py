"""The layout of the pages in a real Chromium: order, width, focus, contrast, print and legibility."""

from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from urllib.parse import urlencode

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from playwright.sync_api import Page, expect

from iris_app.iris import SCHEMA
from tests.models import ServedModel
from tests.support import FORM, Server, running

OpenPage = Callable[..., Page]

FLOWER = f"/classify?{urlencode(FORM)}"
WRONG = "/classify?slen=&swid=31&plen=wide&pwid=0.2"
BORDERLINE = "/classify?slen=6.0&swid=2.7&plen=4.95&pwid=1.7"
UNUSUAL = "/classify?slen=6.5&swid=3.0&plen=5.6&pwid=9"
PAGES = ["/home", FLOWER, BORDERLINE, UNUSUAL, WRONG, "/batch", "/model", "/missing"]
MIXED_PAGES = ["/home", "result", "/batch", "/model"]

# Everything that the Tab key reaches, and where it lies on the page; the first is the skip link.
FOCUSED = """() => {
  const element = document.activeElement;
  if (element === document.body) return null;
  const { x, y, width, height } = element.getBoundingClientRect();
  return { x: x + scrollX, y: y + scrollY, width, height, html: element.outerHTML.slice(0, 120) };
}"""

BOXES = """() => ["verdict", "entry", "details"].map((id) => {
  const { x, y, width, height } = document.getElementById(id).getBoundingClientRect();
  return [x + scrollX, y + scrollY, width, height].map(Math.round);
})"""

SMALL_TEXTS = """() => [...document.querySelectorAll("svg text")].map((text) => {
  const scale = text.getScreenCTM();
  const size = parseFloat(getComputedStyle(text).fontSize) * Math.hypot(scale.a, scale.b);
  return [text.textContent, size];
}).filter(([, size]) => size < 11)"""


@pytest.fixture(scope="module")
def mixed(serve: Callable[[str], ServedModel]) -> ServedModel:
    return serve("mixed")


@pytest.fixture(scope="module")
def mixed_server(mixed: ServedModel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    log = tmp_path_factory.mktemp("mixed-server") / "log"
    with running(log, "--workers=1", IRIS_MODEL_PATH=str(mixed.path)) as server:
        yield server


@pytest.fixture
def open_mixed(open_page: OpenPage, mixed: ServedModel, mixed_server: Server) -> OpenPage:
    def open_mixed(path: str, **settings: object) -> Page:
        path = f"/classify?{urlencode(mixed.form)}" if path == "result" else path
        return open_page(f"{mixed_server.url}{path}", **settings)

    return open_mixed


def open_details(page: Page) -> None:
    page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")


def stops(page: Page) -> Iterator[dict[str, float]]:
    """Press Tab from the top of the page to its end, and yield where the focus is."""
    page.evaluate("document.activeElement.blur(); getSelection().removeAllRanges(); scrollTo(0, 0)")
    page.locator("body").focus()
    for _ in range(300):
        page.keyboard.press("Tab")
        found = page.evaluate(FOCUSED)
        if found is None:
            return
        yield found


def check_order(page: Page) -> None:
    open_details(page)
    found = [stop for stop in stops(page) if "skip-link" not in str(stop["html"])]
    assert len(found) >= 5
    for first, second in pairwise(found):
        # Of two on one line, the left one comes first.
        assert second["y"] + second["height"] > first["y"], (first, second)
        above = second["y"] < first["y"] - 1
        assert not above or second["x"] > first["x"], (first, second)


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("path", PAGES)
def test_the_keyboard_goes_from_top_to_bottom(open_page: OpenPage, path: str, width: int) -> None:
    check_order(open_page(path, viewport={"width": width, "height": 800}))


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("path", MIXED_PAGES)
def test_the_keyboard_goes_from_top_to_bottom_for_any_model(open_mixed: OpenPage, path: str, width: int) -> None:
    check_order(open_mixed(path, viewport={"width": width, "height": 800}))


@pytest.mark.parametrize("path", [*PAGES, "/api/docs"])
def test_a_page_fits_into_320_pixels_with_all_of_it_open(open_page: OpenPage, path: str) -> None:
    page = open_page(path, viewport={"width": 320, "height": 800})
    page.wait_for_load_state("networkidle")
    open_details(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("path", MIXED_PAGES)
def test_a_page_of_any_model_fits_into_320_pixels_with_all_of_it_open(open_mixed: OpenPage, path: str) -> None:
    page = open_mixed(path, viewport={"width": 320, "height": 800})
    open_details(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("width", [320, 1280])
def test_an_answer_in_place_is_laid_out_as_when_it_is_loaded(open_page: OpenPage, width: int) -> None:
    live = open_page("/home", viewport={"width": width, "height": 800})
    for feature in SCHEMA.features:
        live.get_by_role("textbox", name=feature.label).fill(FORM[feature.form_name])
    expect(live.get_by_role("heading", level=1)).to_have_text("Predicted class: Setosa")
    loaded = open_page(live.url, viewport={"width": width, "height": 800})
    assert live.evaluate(BOXES) == loaded.evaluate(BOXES)
    headings = "() => [...document.querySelectorAll('h1, h2, summary')].map((part) => part.textContent)"
    assert live.evaluate(headings) == loaded.evaluate(headings)


def picture(page: Page, path: Path) -> NDArray[np.uint8]:
    page.screenshot(path=path)
    with Image.open(path) as image:
        return np.asarray(image.convert("RGB"))


OUTLINE = """() => {
  const { outlineStyle, outlineWidth } = getComputedStyle(document.activeElement);
  return [outlineStyle, outlineWidth];
}"""


IN_VIEW = """() => {
  const { top, bottom } = document.activeElement.getBoundingClientRect();
  return top < innerHeight && bottom > 0;
}"""


@pytest.mark.parametrize("path", ["/home", FLOWER, WRONG, "/batch", "/model"])
def test_everything_that_takes_the_focus_shows_it_in_forced_colours(
    open_page: OpenPage, tmp_path: Path, path: str
) -> None:
    page = open_page(path, viewport={"width": 700, "height": 500}, forced_colors="active")
    open_details(page)
    for stop in stops(page):
        assert page.evaluate(OUTLINE) == ["solid", "3px"], stop
        page.wait_for_function(IN_VIEW)  # the browser scrolls there in its own time
        shown = picture(page, tmp_path / "focused.png")
        page.evaluate("() => { window.focused = document.activeElement; document.activeElement.blur(); }")
        assert (shown != picture(page, tmp_path / "blurred.png")).sum() > 100, stop
        page.evaluate("window.focused.focus({ preventScroll: true })")


def contrast(page: Page, first: str, second: str) -> float:
    """Return the contrast of two colours in CSS, as WCAG computes it."""
    luminances = page.evaluate(
        """(colours) => colours.map((colour) => {
          const canvas = document.createElement("canvas").getContext("2d");
          canvas.fillStyle = colour;
          canvas.fillRect(0, 0, 1, 1);
          const channels = [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3).map((one) => one / 255);
          const [r, g, b] = channels.map((one) => (one <= 0.04045 ? one / 12.92 : ((one + 0.055) / 1.055) ** 2.4));
          return 0.2126 * r + 0.7152 * g + 0.0722 * b;
        })""",
        [first, second],
    )
    dark, light = sorted(luminances)
    return float((light + 0.05) / (dark + 0.05))


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_fields_and_the_outline_stand_out_from_the_page(open_page: OpenPage, scheme: str) -> None:
    page = open_page("/home", color_scheme=scheme)
    background = page.evaluate("getComputedStyle(document.body).backgroundColor")
    field = page.get_by_role("textbox").first
    field.focus()
    border, outline = field.evaluate(
        "(field) => [getComputedStyle(field).borderColor, getComputedStyle(field).outlineColor]"
    )
    assert contrast(page, border, background) >= 3
    assert contrast(page, outline, background) >= 3


@pytest.mark.parametrize("width", [320, 1280])
@pytest.mark.parametrize("path", ["/home", FLOWER, UNUSUAL, "/model"])
def test_the_text_of_charts_can_be_read(open_page: OpenPage, path: str, width: int) -> None:
    page = open_page(path, viewport={"width": width, "height": 800})
    open_details(page)
    assert page.evaluate(SMALL_TEXTS) == []


@pytest.mark.parametrize("path", MIXED_PAGES)
def test_the_text_of_charts_of_any_model_can_be_read(open_mixed: OpenPage, path: str) -> None:
    page = open_mixed(path, viewport={"width": 320, "height": 800})
    open_details(page)
    assert page.evaluate(SMALL_TEXTS) == []


def test_the_picture_of_the_data_scrolls_on_a_phone_instead_of_shrinking(open_page: OpenPage) -> None:
    page = open_page("/model", viewport={"width": 320, "height": 800})
    box = page.locator(".pairplot").bounding_box()
    assert box
    assert box["width"] >= 700
    region = page.get_by_role("region", name="Picture of the data")
    assert region.evaluate("(region) => region.scrollWidth > region.clientWidth && region.tabIndex === 0")


def test_the_verdicts_differ_without_colours(open_page: OpenPage) -> None:
    looks = []
    for path in (FLOWER, BORDERLINE, UNUSUAL):
        page = open_page(path, forced_colors="active")
        style = page.locator(".verdict").evaluate("(part) => getComputedStyle(part).borderLeftStyle")
        mark = page.locator(".verdict h1").evaluate("(part) => getComputedStyle(part, '::before').content")
        hatched = page.locator(".hatch").first.evaluate("(part) => getComputedStyle(part).display !== 'none'")
        looks.append((style, mark.split(" ")[0], hatched))
    assert looks == [("solid", '"✓"', False), ("double", '"?"', False), ("dotted", '"!"', True)]


def test_a_print_keeps_charts_with_their_legends_and_names_time_model_and_address(open_page: OpenPage) -> None:
    page = open_page(FLOWER)
    page.emulate_media(media="print")
    stamp = page.locator(".stamp")
    expect(stamp).to_contain_text("Answered on")
    expect(stamp).to_contain_text("version")
    expect(page.locator(".print-only")).to_contain_text(FLOWER)
    expect(page.locator(".print-only")).to_be_visible()
    place = page.get_by_role("region", name="This flower among others")
    expect(place.get_by_role("list")).to_be_visible()
    assert place.evaluate("(part) => getComputedStyle(part).breakInside") == "avoid"


def test_a_print_of_many_values_has_all_of_them_and_nothing_that_is_folded(
    open_page: OpenPage, serve: Callable[[str], ServedModel], tmp_path: Path
) -> None:
    wine = serve("wine")
    with running(tmp_path / "log", "--workers=1", IRIS_MODEL_PATH=str(wine.path)) as server:
        page = open_page(f"{server.url}/classify?{urlencode(wine.form)}")
        rows = page.locator(".values-table tr")
        expect(rows.last).to_be_hidden()
        page.emulate_media(media="print")
        expect(rows).to_have_count(13)
        expect(rows.last).to_be_visible()
        expect(page.get_by_text("How the answer changes with each value")).to_be_hidden()


def test_a_program_is_copied_with_one_press(open_page: OpenPage) -> None:
    page = open_page(FLOWER)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_text("Use this from code").click()
    page.get_by_role("button", name="Copy curl").click()
    expect(page.get_by_role("status")).to_have_text("Copied")
    assert page.evaluate("navigator.clipboard.readText()") == page.locator("#code-curl").text_content()


def test_a_program_is_selected_where_it_cannot_be_copied(open_page: OpenPage) -> None:
    page = open_page(FLOWER)
    page.evaluate("() => { navigator.clipboard.writeText = () => Promise.reject(new Error()); }")
    page.get_by_text("Use this from code").click()
    page.get_by_role("button", name="Copy Python").click()
    expect(page.get_by_role("status")).to_have_text("Selected: press Ctrl+C")
    assert page.evaluate("getSelection().toString()").startswith("import json")


def test_without_javascript_there_is_no_button_that_does_nothing(open_page: OpenPage) -> None:
    page = open_page(FLOWER, java_script_enabled=False)
    page.get_by_text("Use this from code").click()
    expect(page.locator("#code-curl")).to_be_visible()
    expect(page.get_by_role("button", name="Copy curl")).to_be_hidden()
    page.get_by_text("How the answer changes with each value").click()
    expect(page.locator(".curve").first).to_be_visible()
