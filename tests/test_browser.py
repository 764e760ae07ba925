"""What a person sees and does, in a real Chromium with the real server."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlencode

import pytest
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, FilePayload, Locator, Page, expect

from iris_app.iris import SCHEMA
from tests.models import WIDE, package
from tests.schemas import MIXED
from tests.support import FORM, Server, eventually, running

OpenPage = Callable[..., Page]

# The beginning of an answer's heading.
VERDICT = re.compile("Predicted class: |Closest match: ")

FLOWER = "/classify?" + "&".join(f"{name}={value}" for name, value in FORM.items())
WRONG = "/classify?slen=&swid=31&plen=wide&pwid=0.2"
UNUSUAL = "/classify?slen=30&swid=30&plen=30&pwid=30"


def field(page: Page, label: str) -> Locator:
    return page.get_by_role("textbox", name=label)


def fill(page: Page, values: dict[str, str]) -> None:
    for feature in SCHEMA.features:
        field(page, feature.label).fill(values[feature.form_name])


def typed(page: Page) -> dict[str, str]:
    return {feature.form_name: field(page, feature.label).input_value() for feature in SCHEMA.features}


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("width", [360, 1280])
def test_a_flower_is_classified_and_tried_again(open_page: OpenPage, javascript: bool, width: int) -> None:
    page = open_page(java_script_enabled=javascript, viewport={"width": width, "height": 800})
    fill(page, FORM)
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Setosa")
    expect(page.get_by_role("row", name="Setosa")).to_contain_text("98.1 %")
    page.get_by_role("button", name="Retry").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Which iris is it?")
    assert typed(page) == FORM


def test_the_keyboard_is_enough(open_page: OpenPage) -> None:
    page = open_page()
    field(page, SCHEMA.features[0].label).focus()
    for value in FORM.values():
        page.keyboard.type(value)
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Classify")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Setosa")


def test_enter_in_a_field_sends_the_form(open_page: OpenPage) -> None:
    page = open_page()
    fill(page, FORM)
    field(page, SCHEMA.features[-1].label).press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Setosa")


@pytest.mark.parametrize("javascript", [True, False])
def test_an_error_is_met_and_mended(open_page: OpenPage, javascript: bool) -> None:
    page = open_page(java_script_enabled=javascript)
    wrong = FORM | {"swid": "", "plen": "1.4 kg"}
    fill(page, wrong)
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("alert")).to_contain_text("2 values need another look.")
    expect(field(page, "Sepal width")).to_be_focused()
    expect(field(page, "Sepal width")).to_have_accessible_description(
        "cm The same sepal, across where it is widest. Usual: 2 to 4.4 cm. "
        "Sepal width is missing. Enter a number in cm."
    )
    assert typed(page) == wrong
    fill(page, FORM)
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Setosa")


def test_an_error_s_link_leads_to_its_field(open_page: OpenPage) -> None:
    page = open_page(WRONG)
    page.get_by_role("link", name="Petal length must be a number").click()
    expect(field(page, "Petal length")).to_be_focused()


@pytest.mark.parametrize("species", SCHEMA.classes, ids=lambda species: species.name)
def test_a_typical_flower_is_of_its_species(open_page: OpenPage, species: object) -> None:
    label = species.label  # type: ignore[attr-defined]
    page = open_page()
    page.get_by_role("link", name=f"Typical {label}").click()
    expect(page.get_by_role("heading", level=1)).to_have_text(f"Predicted class: {label}")


def test_a_result_is_shared_and_survives_a_reload(open_page: OpenPage) -> None:
    page = open_page()
    fill(page, FORM)
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Setosa")
    address = page.url
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Setosa")
    friend = open_page(address)
    expect(friend.get_by_role("heading", level=1)).to_have_text("Predicted class: Setosa")


def test_a_form_whose_cookie_is_gone_comes_back_and_can_be_sent(open_page: OpenPage) -> None:
    page = open_page()
    fill(page, FORM)
    page.context.clear_cookies()
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("alert")).to_contain_text("please press Classify again")
    assert typed(page) == FORM
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Setosa")


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("path", ["/home", FLOWER, WRONG, UNUSUAL, "/batch", "/model", "/api/docs", "/missing"])
def test_a_page_is_accessible_and_fits(open_page: OpenPage, path: str, scheme: str, width: int) -> None:
    page = open_page(path, color_scheme=scheme, viewport={"width": width, "height": 800})
    page.wait_for_load_state("networkidle")
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_page_follows_the_system_s_colours(open_page: OpenPage, scheme: str) -> None:
    page = open_page(color_scheme=scheme)
    red = int(page.evaluate("getComputedStyle(document.body).backgroundColor").split("(")[1].split(",")[0])
    assert (red > 200) == (scheme == "light")


TABLE = "Sepal.Length,Sepal.Width,Petal.Length,Petal.Width,Species\n5.1,3.5,1.4,0.2,setosa\n6.5,3.0,5.6,9,virginica\n"


def choose(page: Page, text: str) -> None:
    file = FilePayload(name="my irises.csv", mimeType="text/csv", buffer=text.encode())
    page.get_by_label("Choose a file").set_input_files(file)


@pytest.mark.parametrize("javascript", [True, False])
@pytest.mark.parametrize("width", [360, 1280])
def test_a_file_is_classified_and_downloaded(open_page: OpenPage, javascript: bool, width: int) -> None:
    page = open_page("/batch", java_script_enabled=javascript, viewport={"width": width, "height": 800})
    choose(page, TABLE)
    page.get_by_role("button", name="Classify the file").click()
    expect(page.get_by_role("heading", name="2 flowers in my irises.csv")).to_be_focused()
    expect(page.get_by_text("1 of them has values unlike those that the model was trained on.")).to_be_visible()
    expect(page.get_by_role("heading", name="Compared with the species in your file")).to_be_visible()
    if not javascript:
        expect(page.get_by_text("Choose the file again first")).to_be_visible()
        choose(page, TABLE)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download all answers").click()
    assert download.value.suggested_filename == "my_irises-classified.csv"
    assert download.value.path().read_text().count("\n") == 3
    if javascript:
        expect(page.get_by_role("status")).to_have_text("Downloaded my_irises-classified.csv.")
        assert Axe().run(page).response["violations"] == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("javascript", [True, False])
def test_a_file_is_downloaded_without_its_summary(open_page: OpenPage, javascript: bool) -> None:
    page = open_page("/batch", java_script_enabled=javascript)
    choose(page, TABLE)
    with page.expect_download() as download:
        page.get_by_role("button", name="Download the answers as CSV").click()
    assert download.value.path().read_text().splitlines()[2].endswith("out_of_range:petal_width")
    expect(page.get_by_role("heading", level=2)).to_have_count(0)


def test_the_result_of_a_file_goes_when_another_is_chosen(open_page: OpenPage) -> None:
    page = open_page("/batch")
    choose(page, TABLE)
    page.get_by_role("button", name="Classify the file").click()
    expect(page.get_by_role("heading", level=2)).to_be_focused()
    choose(page, TABLE)
    expect(page.get_by_role("heading", level=2)).to_have_count(0)


def test_a_bad_file_is_told_and_its_rest_classified_without_choosing_it_again(open_page: OpenPage) -> None:
    page = open_page("/batch")
    choose(page, TABLE.replace("5.1", "wide"))
    page.get_by_role("button", name="Classify the file").click()
    expect(page.locator(".alert")).to_contain_text("Line 2, column Sepal.Length: Sepal length must be a number")
    expect(page.locator(".alert")).to_be_focused()
    page.get_by_label("Leave out rows that cannot be read").check()
    page.get_by_role("button", name="Classify the file").click()
    expect(page.get_by_text("Rows with 1 value that cannot be used were left out.")).to_be_visible()
    expect(page.get_by_role("heading", name="1 flower in my irises.csv")).to_be_focused()


def test_no_file_is_told_in_place(open_page: OpenPage) -> None:
    page = open_page("/batch")
    page.get_by_role("button", name="Classify the file").click()
    expect(page.get_by_text("Choose a file first.").first).to_be_visible()
    expect(page.get_by_label("Choose a file")).to_be_focused()


def test_the_keyboard_is_enough_for_a_file(open_page: OpenPage) -> None:
    page = open_page("/batch")
    choose(page, TABLE)
    page.get_by_label("Choose a file").focus()
    for _ in range(3):
        page.keyboard.press("Tab")
    expect(page.get_by_role("button", name="Classify the file")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_role("heading", name="2 flowers")).to_be_visible()


def test_a_large_file_shows_that_it_is_at_work(open_page: OpenPage) -> None:
    page = open_page("/batch")
    choose(page, "slen,swid,plen,pwid\n" + "5.1,3.5,1.4,0.2\n" * 50_000)
    page.get_by_role("button", name="Classify the file").click()
    expect(page.get_by_role("progressbar")).to_be_visible()
    expect(page.get_by_role("heading", name="50,000 flowers")).to_be_visible(timeout=30_000)
    expect(page.get_by_role("progressbar")).to_be_hidden()


def test_the_navigation_leads_to_every_page(open_page: OpenPage) -> None:
    page = open_page()
    for name, heading in [
        ("Whole file", "A whole file at once"),
        ("The model", "The model"),
        ("API", "The API"),
        ("Classify", "Which iris is it?"),
    ]:
        page.get_by_role("navigation").get_by_role("link", name=name, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(heading)


def test_the_picture_of_the_data_is_seen(open_page: OpenPage) -> None:
    page = open_page("/model")
    picture = page.get_by_role("img", name="The flowers of the training")
    expect(picture).to_be_visible()
    page.wait_for_function("document.querySelector('.pairplot').naturalWidth > 0")


def test_no_model_is_a_page_that_keeps_what_was_typed(browser: Browser, tmp_path: Path) -> None:
    with running(tmp_path / "log", IRIS_MODEL_PATH="missing.joblib") as server:
        page = browser.new_page(base_url=server.url)
        page.goto(FLOWER)
        expect(page.get_by_role("heading", level=1)).to_have_text("No answer at the moment")
        assert Axe().run(page).response["violations"] == []
        expect(page.get_by_role("link", name="Try again")).to_have_attribute("href", FLOWER)
        page.get_by_role("link", name="Go to the form").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("No answer at the moment")
        page.close()


def test_a_change_is_answered_in_place(open_page: OpenPage) -> None:
    page = open_page(FLOWER)
    petal = field(page, "Petal length")
    petal.fill("5.1")
    field(page, "Petal width").fill("2,0")
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Virginica")
    expect(page.get_by_role("status")).to_contain_text("Virginica")
    expect(page).to_have_title("Virginica · Which iris?")
    expect(field(page, "Petal width")).to_be_focused()
    expect(page.get_by_role("row", name="Petal width 2.0 cm", exact=True)).to_be_visible()
    assert "pwid=2%2C0" in page.url
    page.reload()
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Virginica")


def test_a_form_that_is_filled_is_answered_in_place(open_page: OpenPage) -> None:
    page = open_page()
    for name, value in zip(SCHEMA.features, FORM.values(), strict=True):
        expect(page.get_by_role("heading", level=1)).to_have_text("Which iris is it?")
        field(page, name.label).press_sequentially(value)
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Setosa")
    expect(page.locator(".panel:visible")).to_have_count(2)
    page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Setosa")


def test_what_if_is_one_edit_and_enter_without_javascript(open_page: OpenPage) -> None:
    page = open_page(FLOWER, java_script_enabled=False)
    field(page, "Petal length").fill("5.1")
    field(page, "Petal width").fill("2")
    field(page, "Petal width").press("Enter")
    expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Virginica")


def test_a_lost_server_is_told(open_page: OpenPage) -> None:
    page = open_page(FLOWER)
    page.route("**/classify?*", lambda route: route.abort())
    field(page, "Petal length").fill("5.1")
    expect(page.locator(".alert")).to_contain_text("The answer is not up to date: the server could not be reached.")
    expect(page.get_by_role("status")).to_contain_text("Press Classify to try again.")
    page.unroute("**/classify?*")
    field(page, "Petal length").fill("5.2")
    expect(page.locator(".alert")).to_contain_text("Check these values first.")


def test_an_answer_that_is_no_page_is_told(open_page: OpenPage) -> None:
    page = open_page(FLOWER)
    page.route("**/classify?*", lambda route: route.fulfill(body="Bad Gateway", content_type="text/plain"))
    field(page, "Petal length").fill("5.1")
    expect(page.locator(".alert")).to_contain_text("The answer is not up to date")


def test_an_upload_that_is_too_large_is_told(open_page: OpenPage) -> None:
    page = open_page("/batch")
    choose(page, "x" * (17 * 1024 * 1024))
    page.get_by_role("button", name="Classify the file").click()
    expect(page.locator("#outcome .alert")).to_contain_text("That was too much at once")
    expect(page.get_by_role("button", name="Classify the file")).to_be_focused()


def test_a_file_that_changed_since_it_was_chosen_is_asked_for_again(open_page: OpenPage, tmp_path: Path) -> None:
    page = open_page("/batch")
    file = tmp_path / "irises.csv"
    file.write_text(TABLE.replace("5.1", "wide"))
    page.get_by_label("Choose a file").set_input_files(file)
    page.get_by_role("button", name="Classify the file").click()
    expect(page.locator("#outcome .alert")).to_contain_text("One value cannot be used.")
    file.write_text(TABLE)
    page.get_by_role("button", name="Classify the file").click()
    expect(page.locator("#outcome .alert")).to_contain_text("The file has changed since you chose it.")
    page.get_by_label("Choose a file").set_input_files(file)
    page.get_by_role("button", name="Classify the file").click()
    expect(page.get_by_role("heading", name="2 flowers")).to_be_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("text", ["good", "bad"])
def test_what_came_of_a_file_is_accessible(open_page: OpenPage, scheme: str, text: str) -> None:
    page = open_page("/batch", color_scheme=scheme)
    choose(page, TABLE if text == "good" else TABLE.replace("5.1", "wide"))
    page.get_by_role("button", name="Classify the file").click()
    expect(page.locator("#outcome > *").first).to_be_visible()
    assert Axe().run(page).response["violations"] == []


def test_a_result_prints_without_what_only_a_screen_needs(open_page: OpenPage) -> None:
    page = open_page(FLOWER, color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    expect(page.get_by_role("heading", level=1)).to_be_visible()
    expect(page.get_by_role("navigation")).to_be_hidden()
    expect(page.get_by_role("button", name="Classify")).to_be_hidden()
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"


def test_a_bad_file_is_told_without_javascript(open_page: OpenPage) -> None:
    page = open_page("/batch", java_script_enabled=False)
    choose(page, TABLE.replace("5.1", "wide"))
    page.get_by_role("button", name="Classify the file").click()
    expect(page.get_by_role("alert")).to_contain_text("Line 2, column Sepal.Length")
    expect(page.get_by_role("alert")).to_be_focused()


def open_documentation(open_page: OpenPage, **settings: object) -> Page:
    page = open_page("/api/docs", **settings)
    page.get_by_role("button", name="Show and try all requests").click()
    page.get_by_role("button", name="Classify one flower or many").click()
    expect(page.get_by_role("button", name="Try it out")).to_be_visible()
    return page


def test_the_example_is_classified_in_the_documentation(open_page: OpenPage) -> None:
    page = open_documentation(open_page)
    classify = page.locator("#operations-Classification-classify")
    classify.get_by_role("button", name="Try it out").click()
    classify.get_by_role("button", name="Execute").click()
    answer = classify.locator(".live-responses-table .response-col_description .highlight-code").first
    expect(answer).to_contain_text('"species": "setosa"')
    expect(classify.locator(".live-responses-table .response-col_status").last).to_contain_text("200")
    for scheme in ("light", "dark"):
        page.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        page.evaluate("Promise.allSettled(document.getAnimations().map((fade) => fade.finished)).then(() => null)")
        assert Axe().run(page).response["violations"] == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 1280])
def test_the_documentation_fits_and_follows_the_system_s_colours(open_page: OpenPage, scheme: str, width: int) -> None:
    page = open_documentation(open_page, color_scheme=scheme, viewport={"width": width, "height": 800})
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    expect(page.locator("#swagger-ui .scheme-container")).to_be_hidden()  # empty without keys
    background = page.evaluate("getComputedStyle(document.querySelector('#swagger-ui .swagger-ui')).backgroundColor")
    assert (background == "rgb(23, 20, 31)") == (scheme == "dark")


def test_the_documentation_says_what_it_needs_without_javascript(open_page: OpenPage) -> None:
    page = open_page("/api/docs", java_script_enabled=False)
    expect(page.get_by_role("link", name="openapi.json")).to_be_visible()
    expect(page.get_by_role("button", name="Show and try all requests")).to_be_hidden()


def test_documentation_that_cannot_be_loaded_can_be_asked_for_again(open_page: OpenPage) -> None:
    page = open_page("/api/docs")
    page.route("**/swagger-ui-bundle.js*", lambda route: route.abort())
    page.get_by_role("button", name="Show and try all requests").click()
    expect(page.get_by_role("status")).to_have_text("It could not be loaded. Please try again.")
    page.unroute("**/swagger-ui-bundle.js*")
    page.get_by_role("button", name="Show and try all requests").click()
    expect(page.get_by_role("heading", name="All requests")).to_be_focused()


MIXED_FORM = {one.form_name: one.format(one.encode(one.example)) for one in MIXED.features}
MIXED_RESULT = f"/classify?{urlencode(MIXED_FORM)}"
MIXED_WRONG = f"/classify?{urlencode(MIXED_FORM | {'age': '', 'ward': '7', 'smoker': 'perhaps'})}"


@pytest.fixture(scope="module")
def mixed_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mixed") / "model.joblib"
    package(path, MIXED)
    return path


@pytest.fixture(scope="module")
def mixed_server(mixed_path: Path) -> Iterator[Server]:
    """The real server with a model of numbers, booleans and categories, some of which may be missing."""
    settings = {
        "IRIS_MODEL_PATH": str(mixed_path),
        "IRIS_MODEL_ALLOW_SCHEMA_CHANGE": "true",
        "IRIS_MODEL_CHECK_SECONDS": "0.3",
    }
    with running(mixed_path.with_name("log"), "--workers=1", **settings) as server:
        yield server


@pytest.mark.parametrize(("width", "scheme"), [(320, "light"), (1280, "dark")])
@pytest.mark.parametrize("path", ["/home", MIXED_RESULT, MIXED_WRONG, "/batch", "/model"])
def test_a_page_of_a_mixed_model_is_accessible_and_fits(
    open_page: OpenPage, mixed_server: Server, path: str, width: int, scheme: str
) -> None:
    page = open_page(mixed_server.url + path, color_scheme=scheme, viewport={"width": width, "height": 800})
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("javascript", [True, False])
def test_a_row_of_every_kind_is_entered_and_classified(
    open_page: OpenPage, mixed_server: Server, javascript: bool
) -> None:
    page = open_page(f"{mixed_server.url}/home", java_script_enabled=javascript)
    page.get_by_role("textbox", name="Age").fill("41")
    page.get_by_label("Temperature change").fill("-0,5")
    page.get_by_label("Smoker").select_option("No")
    page.get_by_label("Región").select_option("sur")
    page.get_by_label("Ward").select_option("10")
    if not javascript:
        page.get_by_role("button", name="Classify").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text(VERDICT)
    expect(page.get_by_role("row", name="Temperature change -0.5 K", exact=True)).to_be_visible()
    expect(page.get_by_role("row", name="BMI Not known", exact=True)).to_be_visible()
    expect(page.get_by_label("Ward")).to_have_value("10")


def test_another_value_is_chosen_and_answered_in_place(open_page: OpenPage, mixed_server: Server) -> None:
    page = open_page(mixed_server.url + MIXED_RESULT)
    page.get_by_label("Smoker").select_option("Yes")
    expect(page.get_by_role("row", name="Smoker Yes", exact=True)).to_be_visible()
    assert "smoker=true" in page.url
    assert "schema=" not in page.url
    page.get_by_role("textbox", name="Age").fill("old")
    page.keyboard.press("Tab")
    expect(page.get_by_role("status")).to_contain_text("Age must be a whole number in years")
    expect(page.get_by_role("textbox", name="BMI")).to_be_focused()


def test_a_form_is_renewed_once_another_model_took_over(
    open_page: OpenPage, mixed_server: Server, mixed_path: Path
) -> None:
    live = open_page(mixed_server.url + MIXED_RESULT)
    plain = open_page(mixed_server.url + MIXED_RESULT, java_script_enabled=False)
    version = package(mixed_path, WIDE).version
    eventually(lambda: version in mixed_server.log)
    live.get_by_role("textbox", name="Age").fill("42")
    plain.get_by_role("button", name="Classify").click()
    for page in (live, plain):
        expect(page.get_by_role("alert")).to_contain_text("The model has changed since you opened this form")
        expect(page.get_by_role("alert")).to_contain_text("No longer asked for: age, bmi")
        expect(page.get_by_label("Signal 0", exact=True)).to_be_visible()
    expect(live.get_by_role("status")).to_contain_text("The model has changed")
    _filter_fields(live)
    _answer_a_long_form(live)


def _filter_fields(page: Page) -> None:
    page.get_by_label("Find a field").fill("signal 19")
    expect(page.get_by_label("Signal 0", exact=True)).to_be_hidden()
    expect(page.get_by_label("Signal 199")).to_be_visible()
    page.get_by_label("Find a field").fill("")


def _answer_a_long_form(page: Page) -> None:
    """Enter so long values that no address can hold them."""
    page.evaluate(f"document.querySelectorAll('[data-feature]').forEach((field) => field.value = '1.{'0' * 40}')")
    page.get_by_label("Signal 0", exact=True).fill("2")
    expect(page.get_by_role("heading", level=1)).to_contain_text(VERDICT)
    expect(page.get_by_text("20 more kinds, less likely")).to_be_visible()
    assert page.url.endswith(MIXED_RESULT)
