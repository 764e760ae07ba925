"""The pages of models that have nothing in common with the example."""

import csv
import io
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient

from iris_app.model.manifest import CalibrationBin, ClassScore, Scores
from iris_app.model_service import get_service
from iris_app.schema import About, Class, Feature, Schema, Value
from iris_app.ui import blueprint
from iris_app.ui.charts import MAX_CLASSES
from tests.models import ONE, SCHEMAS, WIDE, ServedModel, package
from tests.schemas import MIXED, NAMES
from tests.ui.test_batch import download, upload

OpenClient = Callable[[str], FlaskClient]
PAGES = ["/home", "/classify?nothing=1", "/typical/0", "/batch", "/model", "/nowhere"]


def texts(schema: Schema, row: tuple[Value, ...] | None = None) -> dict[str, str]:
    """Return the form of a row, by default of the typical one of the first class."""
    values = schema.encode(row or schema.classes[0].typical)
    return {one.form_name: one.format(value) for one, value in zip(schema.features, values, strict=True)}


def visible(page: str) -> str:
    """Return the text of a page, with the attributes that are read aloud, and without programs."""
    page = re.sub(r"<pre.*?</pre>", "", page, flags=re.DOTALL)
    spoken = " ".join(re.findall(r'(?:aria-label|alt|content|title)="([^"]*)"', page))
    return " ".join(unescape(f"{spoken} {re.sub(r'<[^>]*>', ' ', page)}").split())


@pytest.mark.parametrize("name", SCHEMAS)
def test_no_page_says_a_word_of_the_example_or_an_empty_one(open_client: OpenClient, name: str) -> None:
    client = open_client(name)
    for path in [*PAGES, f"/classify?{urlencode(texts(SCHEMAS[name]))}"]:
        answer = client.get(path)
        assert answer.status_code in {200, 302, 404, 422}
        text = visible(answer.text)
        assert re.findall(r"\b(iris|flower|petal|sepal|species|setosa|cm)", text, re.IGNORECASE) == []
        assert re.findall(r"\(\)|\bin :|\bNone\b|\bnan\b| ,|\. \.|\bin \.", text) == []
        assert '<span class="input-group-text" id="f0-unit"></span>' not in answer.text


def test_no_page_of_the_wine_model_says_a_word_of_the_example(
    serve: Callable[[str], ServedModel], make_app: Callable[..., Flask]
) -> None:
    wine = serve("wine")
    client = make_app(MODEL_PATH=str(wine.path)).test_client()
    row = texts(wine.schema)
    pages = [*PAGES, f"/classify?{urlencode(row)}", f"/classify?{urlencode(dict.fromkeys(row, '1e9'))}", "/api/docs"]
    found = {page: visible(client.get(page).text) for page in [*pages, "/api/openapi.json", "/api/model", "/v2/models"]}
    said = {
        page: re.findall(r"\b(iris|flower|petal|sepal|species|setosa|cm)", text, re.I) for page, text in found.items()
    }
    assert [page for page, words in said.items() if words] == []


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_typical_row_is_answered_at_once_in_the_form_beside(open_client: OpenClient, name: str) -> None:
    client = open_client(name)
    assert client.get("/typical/99").status_code == 404
    answer = client.get("/typical/0", follow_redirects=True)
    assert answer.status_code == 200
    for field, text in texts(SCHEMAS[name]).items():
        assert re.search(rf'name="{field}"[^>]* value="{text}"|<option value="{text}" selected', answer.text)
    assert 'id="probabilities"' in answer.text


def test_a_typical_row_whose_answer_has_no_address_is_filled_in(
    open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(blueprint, "MAX_URL_LENGTH", 10)
    answer = open_client("one").get("/typical/0")
    assert answer.status_code == 200
    assert 'name="hue"' in answer.text
    assert 'value="0.5"' in answer.text


def test_a_class_without_a_typical_row_has_no_link_and_no_line_in_the_sample(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    package(tmp_path / "model.joblib", ONE, untypical=[0])
    client = make_app(MODEL_PATH=str(tmp_path / "model.joblib")).test_client()
    assert client.get("/typical/0").status_code == 404
    assert "/typical/0" not in client.get("/home").text
    assert client.get("/batch/sample.csv").text == "hue,class\n9.5,1\n"


def test_without_typical_rows_there_are_neither_links_nor_a_sample(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    package(tmp_path / "model.joblib", ONE, untypical=[0, 1])
    client = make_app(MODEL_PATH=str(tmp_path / "model.joblib")).test_client()
    assert "at hand?" not in client.get("/home").text
    assert "sample" not in client.get("/batch").text


def test_each_kind_has_its_field(open_client: OpenClient) -> None:
    text = open_client("mixed").get("/home").text
    names = [feature.form_name for feature in MIXED.features]
    assert re.findall(r'<input class="form-control"[^>]* name="(\w+)"', text) == names[:3]
    assert re.findall(r'<select class="form-select"[^>]* name="(\w+)"', text) == names[3:]
    optional = [feature.label for feature in MIXED.features if feature.optional]
    assert re.findall(r'">([^<]*) <span class="fw-normal text-body-secondary">\(optional\)</span>', text) == optional
    assert len(re.findall(" required", text)) == len(MIXED.features) - len(optional)
    assert text.count('class="input-group-text"') == 3


def test_missing_and_unknown_values_are_answered(open_client: OpenClient) -> None:
    row = texts(MIXED) | {"bmi": "", "sex": "NA", "zip": "999", "region": "centro"}
    answer = open_client("mixed").get("/classify", query_string=row)
    assert answer.status_code == 200
    for label, shown in (("BMI", "Not known"), ("Sex", "Not known"), ("Zip", "999"), ("Región", "centro")):
        assert f'<th scope="row">{label}</th><td class="text-end">{shown}</td>' in answer.text
    assert 'value="centro" selected' in answer.text
    (link,) = re.findall(r'href="([^"]+)">Link to this result', answer.text)
    assert "zip=999" in link


def test_wrong_values_of_every_kind_are_told(open_client: OpenClient) -> None:
    row = {"age": "4.5", "temperature_change": "-50", "smoker": "perhaps", "sex": "mal", "ward": "3", "region": "sur"}
    answer = open_client("mixed").get("/classify", query_string=row)
    assert answer.status_code == 422
    text = unescape(answer.text)
    for sentence in (
        "Age must be a whole number in years, not 4.5.",
        "Temperature change must be at least -40 and at most 40 K, not -50.",
        'Smoker must be Yes or No, not "perhaps".',
        'Sex must be one of female or male, not "mal". Did you mean "male"?',
        'Ward must be one of 1, 2 or 10, not "3".',
    ):
        assert f">{sentence}</a>" in text
    assert "5 values need another look." in text
    assert "Correct them and press Classify." in text


def test_rows_of_the_training_are_nowhere(open_client: OpenClient) -> None:
    client = open_client("mixed")
    assert "training-row" not in client.get("/classify", query_string=texts(MIXED)).text
    manifest = client.get("/model/manifest.json").get_json()
    assert (manifest["training_rows"], manifest["golden_rows"]) == ([], [])


def test_one_feature_has_no_panel(open_client: OpenClient) -> None:
    answer = open_client("one").get("/classify?hue=3")
    assert answer.status_code == 200
    assert "among others" not in answer.text
    assert '<th scope="row">Hue</th><td class="text-end">3</td>' in answer.text


class TestTwoHundredFeaturesAndThirtyClasses:
    def test_the_form_has_columns_and_a_filter(self, open_client: OpenClient) -> None:
        text = open_client("wide").get("/home").text
        assert text.count("data-feature") == len(WIDE.features)
        assert 'id="filter-text"' in text

    def test_the_form_can_be_sent_in_parts(self, open_client: OpenClient) -> None:
        client = open_client("wide")
        (token,) = re.findall(r'name="csrf_token" type="hidden" value="([^"]+)"', client.get("/home").text)
        data = texts(WIDE) | {"csrf_token": token}
        answer = client.post("/classify", data=data, content_type="multipart/form-data", follow_redirects=True)
        assert answer.status_code == 200

    def test_the_most_probable_classes_come_first_and_the_others_are_folded(self, open_client: OpenClient) -> None:
        text = open_client("wide").get("/classify", query_string=texts(WIDE)).text
        shown, folded = text.split("<summary>20 more kinds, less likely</summary>")
        rows = re.findall(r'bar-value" width="([\d.e-]+)%"', shown)
        assert len(rows) == MAX_CLASSES
        assert [float(width) for width in rows] == sorted(map(float, rows), reverse=True)
        assert folded.count("bar-value") == len(WIDE.classes) - MAX_CLASSES

    def test_every_class_has_its_own_symbol(self, open_client: OpenClient) -> None:
        text = open_client("wide").get("/classify", query_string=texts(WIDE)).text
        table = text[text.index('id="probabilities"') : text.index('id="reasons"')]
        symbols = re.findall(r'<use href="(#mark-\d)" class="(class-\d)"', table)
        assert len(set(symbols)) == len(WIDE.classes)

    def test_an_address_that_is_too_long_is_not_offered(
        self, open_client: OpenClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        client = open_client("wide")
        text = client.get("/classify", query_string=texts(WIDE)).text
        assert "Link to this result" in text
        assert "Retry" in text
        monkeypatch.setattr(blueprint, "MAX_URL_LENGTH", 1000)
        text = client.get("/classify", query_string=texts(WIDE)).text
        assert 'id="probabilities"' in text
        assert "Link to this result" not in text
        assert "Retry" not in text


class TestAnotherModelTookOver:
    def swap(self, app: Flask, path: Path) -> None:
        get_service(app).path = path
        get_service(app)._reload()

    @pytest.fixture
    def app(self, make_app: Callable[..., Flask], packaged: Callable[[str], Path]) -> Flask:
        return make_app(MODEL_PATH=str(packaged("one")), MODEL_ALLOW_SCHEMA_CHANGE=True)

    def test_a_form_of_the_old_one_names_what_is_new_and_gone(
        self, app: Flask, packaged: Callable[[str], Path]
    ) -> None:
        client = app.test_client()
        sent = dict(re.findall(r'name="(csrf_token|schema)" type="hidden" value="([^"]+)"', client.get("/home").text))
        self.swap(app, packaged("mixed"))
        answer = client.post("/classify", data=sent | {"hue": "5", "age": "41", "ward": "7"})
        assert answer.status_code == 422
        text = visible(answer.text)
        assert "The model has changed since you opened this form, so nothing was classified." in text
        assert "New: BMI, Temperature change, Smoker, Vaccinated, Sex, Región, Zip." in text
        assert "No longer asked for: hue." in text
        assert re.search(r'name="age"[^>]* value="41"', answer.text)
        assert "is-invalid" not in answer.text

    def test_a_program_of_the_old_one_is_told_what_changed(self, app: Flask, packaged: Callable[[str], Path]) -> None:
        client = app.test_client()
        assert client.post("/api/classify", json={"hue": 5}).status_code == 200
        self.swap(app, packaged("mixed"))
        answer = client.post("/api/classify", json={"hue": 5})
        assert answer.status_code == 422
        assert "The model was replaced, and takes other rows since: " in answer.json["detail"]

    def test_one_that_takes_other_rows_is_refused_unless_that_is_allowed(
        self, make_app: Callable[..., Flask], packaged: Callable[[str], Path]
    ) -> None:
        app = make_app(MODEL_PATH=str(packaged("one")))
        client = app.test_client()
        assert client.post("/api/classify", json={"hue": 5}).status_code == 200
        self.swap(app, packaged("mixed"))
        assert client.post("/api/classify", json={"hue": 5}).status_code == 200
        assert "it takes other rows: " in client.get("/readyz").text

    def test_a_script_gets_the_new_form_with_200(self, app: Flask, packaged: Callable[[str], Path]) -> None:
        client = app.test_client()
        sent = dict(re.findall(r'name="(schema)" type="hidden" value="([^"]+)"', client.get("/home").text))
        self.swap(app, packaged("mixed"))
        answer = client.get("/classify", query_string=sent | {"hue": "5"}, headers={"X-Live": "1"})
        assert answer.status_code == 200
        assert "The model has changed" in answer.text


@pytest.mark.parametrize("path", [*PAGES, "/classify?hue=5"])
def test_without_a_model_the_words_are_neutral(make_app: Callable[..., Flask], path: str) -> None:
    answer = make_app(MODEL_PATH="/nowhere").test_client().get(path)
    assert answer.status_code == (404 if path == "/nowhere" else 503)
    assert "· Classifier</title>" in answer.text
    assert ("What you entered is kept" in answer.text) == ("?" in path)


@pytest.mark.parametrize("path", ["/home?hue=", "/classify?hue=%20", "/home?schema=0", "/batch?hue=5"])
def test_without_a_model_and_a_value_nothing_is_said_to_be_kept(make_app: Callable[..., Flask], path: str) -> None:
    text = make_app(MODEL_PATH="/nowhere").test_client().get(path).text
    assert "kept" not in text
    assert "Try again" not in text


def test_names_of_any_kind_are_served(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    names = ["csrf_token", "schema", "_external", "endpoint", "<b>", "a b&c", "größe", "action"]
    features = tuple(Feature(name=name, form_name=name, label=name, at_least=0.0) for name in names)
    package(tmp_path / "model.joblib", msgspec.structs.replace(NAMES, features=features))
    client = make_app(MODEL_PATH=str(tmp_path / "model.joblib")).test_client()
    row = dict.fromkeys(names, "5")
    text = client.get("/home", query_string=row).text
    assert text.count(' value="5"') == len(names)
    sent = dict(re.findall(r'name="(csrf_token_|schema_)" type="hidden" value="([^"]+)"', text))
    answer = client.post("/classify", data=row | sent, follow_redirects=True)
    assert answer.status_code == 200
    (link,) = re.findall(r'href="([^"]+)">Link to this result', answer.text)
    assert client.get(unescape(link)).status_code == 200


def test_a_file_is_classified_and_compared(open_client: OpenClient) -> None:
    client = open_client("mixed")
    rows = list(csv.DictReader(io.StringIO(client.get("/batch/sample.csv").text)))
    assert [row["outcome"] for row in rows] == ["fraud", "no_fraud"]
    lines = io.StringIO()
    writer = csv.DictWriter(lines, [*rows[0]])
    writer.writeheader()
    writer.writerows(rows * 30)
    answer = upload(client, lines.getvalue(), "visits.csv")
    text = visible(answer.text)
    assert "60 visits" in text
    assert "Compared with the outcomes in your file" in text
    assert text.count("Fraud") > 25
    assert len(download(client, lines.getvalue()).text.splitlines()) == 61


def test_many_columns_are_folded(open_client: OpenClient) -> None:
    text = visible(open_client("wide").get("/batch").text)
    assert "a column for each of the 200 values that the model takes" in text
    assert "Signal 199 (mV)" in text


def test_the_card_says_what_is_known_and_no_more(open_client: OpenClient) -> None:
    text = visible(open_client("mixed").get("/model").text)
    assert "Nobody has measured it on visits that it was not trained on." in text
    assert "with 400 usual visits, each left out of the training data in turn, it warned without need about" in text
    assert "cross-validation" not in text
    assert "Not made for" not in text
    assert "picture" not in text
    for row in ("Age (years) whole number", "Smoker yes or no No", "Ward category", "BMI (kg/m²) number"):
        assert row in text
    assert re.search(r"Sex category (female|male) \d+ %, (female|male) \d+ % \d+ %", text)
    assert "not allowed" in text


def card(make_app: Callable[..., Flask], path: Path, schema: Schema, **more: object) -> str:
    package(path / "model.joblib", schema, **more)
    return visible(make_app(MODEL_PATH=str(path / "model.joblib")).test_client().get("/model").text)


def test_the_card_gives_every_score(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    scores = Scores(
        held_out_accuracy=0.9,
        held_out_rows=1000,
        classes=[ClassScore("0", 0.8, 0.7), ClassScore("1", 0.95, 0.85)],
        confusion_matrix=[[90, 10], [90, 810]],
        balanced_accuracy=0.775,
        log_loss=0.25,
        brier=0.125,
        calibration=[CalibrationBin(0.5, 0.6, 0, 0.0, 0.0), CalibrationBin(0.9, 1.0, 1000, 0.96, 0.9)],
    )
    text = card(make_app, tmp_path, ONE, scores=scores)
    assert "It was tested with 1,000 rows that it had never seen, and got 900 right: an accuracy of 0.9000." in text
    assert "Balanced accuracy 0.7750" in text
    assert "Log loss 0.2500" in text
    assert "Brier score 0.1250" in text
    assert "90 to 100 % 1,000 900 96.0 % 90.0 %" in text
    assert "50 to 60 %" not in text
    assert "cross-validation" not in text


def test_the_card_says_what_the_model_is_for(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    about = About(model="A forest.", purpose="Games.", limits="Anything that matters.")
    text = card(make_app, tmp_path, msgspec.structs.replace(ONE, about=about))
    assert "A forest. Made for Games. Not made for Anything that matters. Packaged" in text


def test_of_many_categories_the_most_frequent_are_named(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    feature = Feature(name="x", form_name="x", label="X", kind="category", categories=tuple(map(str, range(20))))
    assert "12 more" in card(
        make_app, tmp_path, msgspec.structs.replace(ONE, features=(feature,), classes=untyped(ONE))
    )


def untyped(schema: Schema) -> tuple[Class, ...]:
    """Return the classes of a schema without their typical rows."""
    return tuple(msgspec.structs.replace(class_, typical=()) for class_ in schema.classes)


def test_a_confusion_matrix_of_many_classes_is_a_picture_with_a_folded_table(
    make_app: Callable[..., Flask], tmp_path: Path
) -> None:
    classes = [ClassScore(one.name, 1.0, 1.0) for one in WIDE.classes]
    matrix = [[int(row == column) for column in range(30)] for row in range(30)]
    scores = Scores(held_out_accuracy=1.0, held_out_rows=30, classes=classes, confusion_matrix=matrix)
    text = card(
        make_app,
        tmp_path,
        msgspec.structs.replace(WIDE, features=WIDE.features[:1], classes=untyped(WIDE)),
        scores=scores,
    )
    assert "The same as a table" in text
    assert "answer Kind" not in text
