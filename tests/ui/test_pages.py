import re
import time
from html import unescape
from urllib.parse import parse_qsl, urlsplit

import pytest
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import given
from hypothesis import strategies as st
from itsdangerous import URLSafeTimedSerializer

from iris_app.iris import SCHEMA
from iris_app.json_types import JsonTypes
from iris_app.model.predictions import PredictionBatch
from tests.support import FORM

MINUS = "\N{MINUS SIGN}"
SENT_AGAIN = "please press Classify again"


def token(client: FlaskClient) -> dict[str, str]:
    """Open the form, and return its token as it sends it."""
    (value,) = re.findall(r'name="csrf_token" type="hidden" value="([^"]+)"', client.get("/home").text)
    return {"csrf_token": value}


def typed(text: str) -> dict[str, str]:
    """Return what stands in the inputs of a page."""
    return {name: unescape(value) for name, value in re.findall(r'name="(\w+)"[^>]* value="([^"]*)"', text)}


def test_the_root_leads_to_the_form(client: FlaskClient) -> None:
    answer = client.get("/")
    assert (answer.status_code, answer.location) == (302, "/home")


def test_the_form_has_a_labelled_field_with_its_unit_for_each_feature(client: FlaskClient) -> None:
    text = client.get("/home").text
    for index, feature in enumerate(SCHEMA.features):
        assert f'for="f{index}">{feature.label}</label>' in text
        assert re.search(f'id="f{index}" name="{feature.form_name}" [^>]* required', text)
        assert f'id="f{index}-unit">cm</span>' in text
    assert text.count('inputmode="decimal"') == len(SCHEMA.features)


def test_the_form_is_empty_and_says_nothing_wrong(client: FlaskClient) -> None:
    text = client.get("/home").text
    assert {name: typed(text)[name] for name in FORM} == dict.fromkeys(FORM, "")
    assert "is-invalid" not in text
    assert 'role="alert"' not in text


def test_the_form_is_filled_with_what_the_address_holds(client: FlaskClient) -> None:
    text = client.get("/home", query_string=FORM | {"plen": "a <b>"}).text
    assert {name: typed(text)[name] for name in FORM} == FORM | {"plen": "a <b>"}


def test_the_examples_answer_typical_flowers_and_fill_the_form_with_them(client: FlaskClient) -> None:
    addresses = re.findall(r'href="(/typical/[^"]+)">Typical (\w+)', client.get("/home").text)
    assert [label for _, label in addresses] == [species.label for species in SCHEMA.classes]
    for (address, _), species in zip(addresses, SCHEMA.classes, strict=True):
        filled = typed(client.get(unescape(address), follow_redirects=True).text)
        assert tuple(float(filled[feature.form_name]) for feature in SCHEMA.features) == species.typical


def test_the_drawing_shows_each_feature(client: FlaskClient) -> None:
    drawing = re.search(r"<svg.*?</svg>", client.get("/home").text, re.DOTALL)
    assert drawing
    for feature in SCHEMA.features:
        assert f">{feature.label}</text>" in drawing[0]
    assert 'role="img" aria-label="How to measure: ' in drawing[0]


def test_a_form_that_was_sent_is_answered(client: FlaskClient) -> None:
    answer = client.post("/classify", data=FORM | token(client), follow_redirects=True)
    assert answer.status_code == 200
    assert "<h1" in answer.text
    assert "Predicted class: Setosa</h1>" in answer.text


def test_a_form_that_was_sent_leads_to_the_address_of_its_answer(client: FlaskClient) -> None:
    answer = client.post("/classify", data=FORM | {"slen": " 5,1 cm"} | token(client))
    assert answer.status_code == 303
    address = urlsplit(answer.location)
    assert address.path == "/classify"
    assert dict(parse_qsl(address.query)) == FORM | {"slen": " 5,1 cm"}


def test_a_form_whose_address_would_be_too_long_is_answered_in_place(client: FlaskClient) -> None:
    answer = client.post("/classify", data=FORM | {"slen": "5." + "1" * 8000} | token(client))
    assert answer.status_code == 200
    assert "Predicted class: " in answer.text


def test_the_answer_shows_every_probability_as_a_bar_and_a_number(client: FlaskClient) -> None:
    text = client.get("/classify", query_string=FORM).text
    rows = re.findall(
        r'</svg> (\w+)</th>.*?class="bar-value" width="([\d.e-]+)%".*?<data [^>]*>([^<]+)<', text, re.DOTALL
    )
    assert [label for label, _, _ in rows] == [species.label for species in SCHEMA.classes]
    assert sum(float(width) for _, width, _ in rows) == pytest.approx(100)
    assert [unescape(number) for _, _, number in rows] == ["98.1 %", "1.9 %", "< 0.1 %"]


def test_the_answer_shows_the_measurements(client: FlaskClient) -> None:
    text = client.get("/classify", query_string=FORM).text
    for feature in SCHEMA.features:
        assert f'<th scope="row">{feature.label}</th><td class="text-end">{feature.example} cm</td>' in text


def test_the_answer_shows_its_warnings_in_plain_words(client: FlaskClient) -> None:
    text = client.get("/classify", query_string=FORM | {"pwid": "2.6"}).text
    assert "Check these values first." in text
    assert "Petal width is 2.6 cm, outside what the model was trained on: 0.1 to 2.5 cm." in text


def test_the_answer_says_how_sure_it_is(client: FlaskClient) -> None:
    text = unescape(client.get("/classify", query_string=FORM).text)
    assert "This is very likely Setosa: 98.1 %, against 1.9 % for Versicolor." in text


def test_the_answer_to_an_unusual_flower_is_not_sure(client: FlaskClient) -> None:
    text = unescape(client.get("/classify", query_string=FORM | {"pwid": "2.6"}).text)
    assert "Closest match: " in text
    assert "The model has never seen a flower like this, so " in text


def test_the_answer_says_why(client: FlaskClient) -> None:
    text = client.get("/classify", query_string=FORM).text
    parts = [float(part.replace(MINUS, "-")) for part in re.findall(rf">([+{MINUS}][\d.]+)</td>", text)]
    assert sum(parts[:-1]) == pytest.approx(parts[-1], abs=0.03)
    assert len(parts) == len(SCHEMA.features) + 2


def test_an_answer_without_reasons_says_so(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    types = SCHEMA.derive(JsonTypes)
    prediction = types.Prediction("setosa", types.Probabilities(1.0, 0.0, 0.0), (), None)
    monkeypatch.setattr(PredictionBatch, "to_predictions", lambda _batch, **_options: [[prediction]])
    text = client.get("/classify", query_string=FORM).text
    assert "This model gives no reasons for its answers." in text
    assert 'class="table align-middle contributions"' not in text


def test_reasons_that_are_estimated_say_how_far_they_may_be_off(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    types = SCHEMA.derive(JsonTypes)
    explanation = types.Explanation("virginica", 2.0, 0.5, types.Contributions(1.0, 0.5, 0.0, 0.0), "Because.", 0.03)
    prediction = types.Prediction("setosa", types.Probabilities(1.0, 0.0, 0.0), (), explanation)
    monkeypatch.setattr(PredictionBatch, "to_predictions", lambda _batch, **_options: [[prediction]])
    text = client.get("/classify", query_string=FORM).text
    assert text.count(" ± 0.03</td>") == len(SCHEMA.features)
    assert "They are estimates; the number after ± is how far they may be off." in text


def test_the_answer_shows_where_the_flower_lies(client: FlaskClient) -> None:
    text = client.get("/classify", query_string=FORM).text
    labels = [unescape(label) for label in re.findall(r'<svg class="panel"[^>]*aria-label="(\w+: this [^"]+)"', text)]
    among = "The 10 nearest flowers of the training are 10 Setosa. It lies where the model answers Setosa."
    assert labels == [
        f"Sepals: this flower, with Sepal length 5.1 cm and Sepal width 3.5 cm. {among}",
        f"Petals: this flower, with Petal length 1.4 cm and Petal width 0.2 cm. {among}",
    ]
    groups = re.findall(r'<g class="training-row class-\d">(.*?)</g>', text)
    assert sum(group.count("<use") for group in groups) == 2 * 112
    assert text.count('class="this"') >= 2


def test_the_form_stays_beside_the_answer_with_what_was_typed(client: FlaskClient) -> None:
    text = client.get("/classify", query_string=FORM | {"slen": "5,1"}).text
    (form,) = re.findall(r'<form action="/classify".*?</form>', text, re.DOTALL)
    assert {name: typed(form)[name] for name in FORM} == FORM | {"slen": "5,1"}


def test_the_form_hints_at_what_is_usual(client: FlaskClient) -> None:
    assert "Usual: 4.3 to 7.9 cm." in client.get("/home").text


def test_static_files_are_kept_for_long_under_their_version(client: FlaskClient) -> None:
    (address,) = re.findall(r'href="(/static/app.css[^"]+)"', client.get("/home").text)
    with client.get(address) as kept, client.get("/static/app.css") as asked_again:
        assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert asked_again.headers["Cache-Control"] == "no-cache"
    with client.get("/static/app.css?v=another") as foreign:
        assert foreign.headers["Cache-Control"] == "no-cache"
    assert client.get("/static/missing.css?v=x").status_code == 404


@pytest.mark.parametrize("page", ["/home", "/api/docs", "/batch"])
def test_every_style_and_script_has_a_versioned_address(client: FlaskClient, page: str) -> None:
    addresses = re.findall(r'<(?:script src|link rel="stylesheet" href)="([^"]+)"', client.get(page).text)
    assert len(addresses) >= 3
    for address in addresses:
        with client.get(address) as answer:
            assert "immutable" in answer.headers["Cache-Control"]


def test_a_script_that_shows_the_answer_gets_it_whatever_it_says(client: FlaskClient) -> None:
    answer = client.get("/classify?slen=x", headers={"X-Live": "1"})
    assert answer.status_code == 200
    assert "is-invalid" in answer.text


def test_a_usual_flower_is_answered_without_warnings(client: FlaskClient) -> None:
    assert 'role="alert"' not in client.get("/classify", query_string=FORM).text


def test_the_answer_links_to_itself(client: FlaskClient) -> None:
    sent = client.post("/classify", data=FORM | token(client), follow_redirects=True).text
    (link,) = re.findall(r'href="([^"]+)">Link to this result', sent)
    assert dict(parse_qsl(urlsplit(unescape(link)).query)) == FORM
    shared = client.get(unescape(link)).text
    assert "Predicted class: Setosa" in shared


def test_retry_brings_back_what_was_typed(client: FlaskClient) -> None:
    typed_form = FORM | {"slen": " 5,1 cm"}
    answer = client.post("/classify", data=typed_form | token(client), follow_redirects=True).text
    (retry,) = re.findall(r'<form [^>]*action="/home" method="get">.*?</form>', answer, re.DOTALL)
    assert typed(retry) == typed_form
    assert ">Retry</button>" in retry


@pytest.mark.parametrize("text", ["5.1", "5,1", " 5.1 ", "5.1cm", "5.1 cm", "+5.1", "51e-1"])
def test_a_number_is_read_as_people_write_it(client: FlaskClient, text: str) -> None:
    answer = client.get("/classify", query_string=FORM | {"slen": text})
    assert answer.status_code == 200
    assert "5.1 cm</td>" in answer.text


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("", "Sepal length is missing. Enter a number in cm."),
        ("wide", 'Sepal length must be a number in cm, not "wide".'),
        ("nan", "Sepal length is missing. Enter a number in cm."),
        ("1_0", 'Sepal length must be a number in cm, not "1_0".'),
        ("5.1.2", 'Sepal length must be a number in cm, not "5.1.2".'),
        ("0", "Sepal length must be greater than 0 and at most 30 cm, not 0."),
        ("-1", "Sepal length must be greater than 0 and at most 30 cm, not -1."),
        ("51", "Sepal length must be greater than 0 and at most 30 cm, not 51. In millimetres? Then it is 5.1 cm."),
        ("inf", 'Sepal length must be a number in cm, not "inf".'),
        ("1e400", 'Sepal length must be a number in cm, not "1e400".'),
    ],
)
def test_a_wrong_value_is_told_beside_its_field_and_kept(client: FlaskClient, text: str, sentence: str) -> None:
    answer = client.post("/classify", data=FORM | {"slen": text} | token(client))
    assert answer.status_code == 422
    assert f'id="f0-error">{sentence}</p>' in unescape(answer.text)
    field = re.search(r'<input class[^>]*name="slen"[^>]*>', answer.text)
    assert field
    assert 'aria-describedby="f0-unit f0-how f0-error"' in field[0]
    assert 'aria-invalid="true"' in field[0]
    assert {name: typed(answer.text)[name] for name in FORM} == FORM | {"slen": text}


def test_every_wrong_field_is_told_at_once(client: FlaskClient) -> None:
    answer = client.post("/classify", data={"slen": "x", "swid": "31", "pwid": "0.2"} | token(client))
    assert answer.status_code == 422
    assert "3 values need another look." in answer.text
    assert re.findall(r'class="alert-link" href="#(\w+)"', answer.text) == ["f0", "f1", "f2"]


def test_the_first_wrong_field_has_the_focus(client: FlaskClient) -> None:
    text = client.get("/classify", query_string=FORM | {"swid": "x", "plen": "x"}).text
    assert re.findall(r'<input [^>]*name="(\w+)"[^>]* autofocus', text) == ["swid"]


def test_an_address_with_wrong_values_is_a_422(client: FlaskClient) -> None:
    answer = client.get("/classify?slen=5.1")
    assert answer.status_code == 422
    assert SENT_AGAIN not in answer.text


def test_the_address_of_the_answer_alone_leads_to_the_form(client: FlaskClient) -> None:
    answer = client.get("/classify")
    assert (answer.status_code, answer.location) == (302, "/home")


def test_a_form_without_a_token_comes_back_with_what_was_typed_and_says_why(client: FlaskClient) -> None:
    answer = client.post("/classify", data=FORM)
    assert answer.status_code == 400
    assert SENT_AGAIN in answer.text
    assert {name: typed(answer.text)[name] for name in FORM} == FORM


def test_a_form_that_came_back_can_be_sent(client: FlaskClient) -> None:
    back = typed(client.post("/classify", data=FORM).text)
    assert client.post("/classify", data=back, follow_redirects=True).status_code == 200


def test_an_expired_token_brings_the_form_back(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    expired = token(client)
    now = time.time()
    monkeypatch.setattr(time, "time", lambda: now + 5 * 60 * 60)
    answer = client.post("/classify", data=FORM | expired)
    assert answer.status_code == 400
    assert SENT_AGAIN in answer.text
    assert {name: typed(answer.text)[name] for name in FORM} == FORM


def test_a_token_of_another_session_brings_the_form_back(app: Flask, client: FlaskClient) -> None:
    foreign = token(app.test_client())
    token(client)
    assert client.post("/classify", data=FORM | foreign).status_code == 400


def test_a_token_that_somebody_else_signed_brings_the_form_back(client: FlaskClient) -> None:
    token(client)
    forged = URLSafeTimedSerializer("another secret", salt="wtf-csrf-token").dumps("forged")
    assert client.post("/classify", data=FORM | {"csrf_token": str(forged)}).status_code == 400


def test_wrong_values_without_a_token_are_told_as_well(client: FlaskClient) -> None:
    answer = client.post("/classify", data=FORM | {"slen": "x"})
    assert answer.status_code == 400
    assert SENT_AGAIN in answer.text
    assert 'id="f0-error">Sepal length must be' in answer.text


def test_json_sent_to_the_form_is_no_form(client: FlaskClient) -> None:
    assert client.post("/classify", json=[1, 2]).status_code == 400


@pytest.mark.parametrize(
    ("probability", "text"),
    [
        (0.0, "< 0.1 %"),
        (0.0009, "< 0.1 %"),
        (0.001, "0.1 %"),
        (0.5, "50.0 %"),
        (0.999, "99.9 %"),
        (0.9999, "> 99.9 %"),
        (1.0, "> 99.9 %"),
    ],
)
def test_a_probability_is_never_rounded_to_a_certainty(app: Flask, probability: float, text: str) -> None:
    assert app.jinja_env.filters["format_percent"](probability) == text


@given(texts=st.dictionaries(st.sampled_from([*FORM, "other"]), st.text(max_size=20)))
def test_no_address_is_a_fault_of_ours(steady_app: Flask, texts: dict[str, str]) -> None:
    assert steady_app.test_client().get("/classify", query_string=texts).status_code in {200, 302, 422}


@given(body=st.binary(), content_type=st.sampled_from(["application/x-www-form-urlencoded", "multipart/form-data"]))
def test_no_form_is_a_fault_of_ours(steady_app: Flask, body: bytes, content_type: str) -> None:
    content_type += "; boundary=x"
    assert steady_app.test_client().post("/classify", data=body, content_type=content_type).status_code in {400, 413}


def test_a_link_to_an_answer_logs_nothing_of_a_missing_token(
    client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "flask_wtf")
    assert client.get("/classify", query_string=FORM).status_code == 200
    assert caplog.messages == []
    assert client.post("/classify", data=FORM).status_code in {303, 400}
