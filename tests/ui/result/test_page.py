import re
import shlex
import subprocess
import sys
from collections.abc import Callable
from html import unescape
from pathlib import Path
from urllib.parse import urlencode
from urllib.request import urlopen

import msgspec
import pytest
from flask import Flask
from flask.testing import FlaskClient

from iris_app.schema import Class, Feature, Schema
from tests.models import ServedModel, for_every_model, package
from tests.support import FORM, Server

BORDERLINE = {"slen": "6.0", "swid": "2.7", "plen": "4.95", "pwid": "1.7"}


QUOTES = Schema(
    name="quotes",
    features=(
        Feature(name="it's", form_name="it", label="It", kind="category", categories=("it's", 'a "b"'), example="it's"),
        Feature(name="n", form_name="n", label="N", at_least=0.0, example=1.0),
    ),
    classes=(Class(name="no", label="No", value="no"), Class(name="yes", label="Yes", value="yes")),
)


def page_of(client: FlaskClient, form: dict[str, str]) -> str:
    answer = client.get("/classify", query_string=form)
    assert answer.status_code == 200
    return unescape(answer.text)


def snippet(text: str, name: str) -> str:
    return re.findall(rf'<code id="code-{name}">(.*?)</code>', text, re.DOTALL)[0]


def read(address: str) -> str:
    with urlopen(address) as response:  # noqa: S310 -- a server of the tests
        return str(response.read().decode())


def shown_probabilities(text: str) -> list[float]:
    return [float(value) for value in re.findall(r'<data value="([^"]+)">', text)]


@for_every_model
def test_each_change_links_to_an_answer_of_the_class_that_it_names(client: FlaskClient, served: ServedModel) -> None:
    seen = 0
    for row in served.rows[:40:4]:
        text = page_of(client, served.to_form(row))
        table = text[text.index('id="changes"') : text.index('id="values"')]
        for address, label in re.findall(r'<a href="(/classify[^"]+)">([^<]+)</a>', table):
            assert re.search(rf"(Predicted class|Closest match): {label}</h1>", unescape(client.get(address).text))
            seen += 1
    assert seen


def test_no_other_value_of_a_locked_feature_is_suggested(make_app: Callable[..., Flask], tmp_path: Path) -> None:
    texts = []
    for locked in (False, True):
        features = (QUOTES.features[0], msgspec.structs.replace(QUOTES.features[1], locked=locked))
        path = tmp_path / str(locked) / "model.joblib"
        package(path, msgspec.structs.replace(QUOTES, features=features))
        text = page_of(make_app(MODEL_PATH=str(path)).test_client(), {"it": "it's", "n": "20"})
        texts.append(text[text.index('id="changes"') : text.index('id="values"')])
    assert [bool(re.search(r'<th scope="row">N</th>\s*<td>20</td>', text)) for text in texts] == [True, False]


def test_a_value_that_may_be_read_wrong_shows_what_that_does(client: FlaskClient) -> None:
    text = page_of(client, BORDERLINE)
    ((low, high),) = re.findall(r'<th scope="row">Petal width</th><td>± 0.05 cm</td><td>([\d.]+) % to ([\d.]+) %', text)
    ends = [shown_probabilities(page_of(client, BORDERLINE | {"pwid": pwid}))[2] for pwid in ("1.65", "1.75")]
    assert [float(low), float(high)] == [round(100 * end, 1) for end in ends]


def test_a_value_that_matters_little_is_not_listed(client: FlaskClient) -> None:
    exact = {name: f"{value}000" for name, value in BORDERLINE.items()}
    assert "would give nearly the same answer." in page_of(client, exact)
    assert "nearly the same answer" not in page_of(client, exact | {"pwid": "9"})


def test_a_borderline_answer_names_the_value_to_measure_first_and_what_would_change_it(client: FlaskClient) -> None:
    text = page_of(client, BORDERLINE)
    assert 'Measure again, first of all <a href="#f3">Petal width</a>, or decide by other means.' in text
    assert 'Below is <a href="#changes">what would change the answer</a>.' in text
    exact = {name: f"{value}000" for name, value in BORDERLINE.items()}
    assert "Measure again, or decide by other means." in page_of(client, exact)


def test_a_borderline_answer_to_values_that_nobody_measures_asks_to_check_them(
    make_app: Callable[..., Flask], serve: Callable[[str], ServedModel]
) -> None:
    served = serve("mixed")
    client = make_app(MODEL_PATH=str(served.path)).test_client()
    texts = (page_of(client, served.to_form(row)) for row in served.rows)
    text = next(text for text in texts if "The model is not sure" in text)
    assert "Check the values" in text
    assert "Measure again" not in text


def test_an_unusual_answer_leads_to_the_values_to_check_and_says_what_to_do(client: FlaskClient) -> None:
    text = " ".join(page_of(client, BORDERLINE | {"slen": "9", "pwid": "9"}).split())
    for name, label in (("f0", "Sepal length"), ("f3", "Petal width")):
        assert f'<a class="alert-link" href="#{name}">{label} is 9 cm, outside' in text
    assert (
        "Is each value right, in its own field and in the unit beside it? If not, correct it and press Classify."
        in text
    )
    assert "If all are right, do not rely on this answer." in text


def test_a_value_just_outside_the_range_does_not_make_the_answer_a_guess(client: FlaskClient) -> None:
    text = " ".join(page_of(client, FORM | {"slen": "4.2"}).split())
    assert "Sepal length is 4.2 cm, outside" in text
    assert "<h1>Predicted class: Setosa</h1>" in text
    assert "If all are right, take the answer with care" in text
    assert "is a guess" not in text
    assert "only a guess" not in text


@pytest.mark.parametrize("change", [{"region": "nordeste"}, {"age": "119"}])
def test_what_the_model_cannot_know_makes_the_answer_a_guess(
    make_app: Callable[..., Flask], serve: Callable[[str], ServedModel], change: dict[str, str]
) -> None:
    served = serve("mixed")
    text = page_of(make_app(MODEL_PATH=str(served.path)).test_client(), served.form | change)
    assert "is a guess" in text


def test_a_warning_of_no_single_value_is_no_link(client: FlaskClient) -> None:
    text = page_of(client, BORDERLINE | {"plen": "1.2"})
    assert "<li>Each value is normal, but not together: " in text


@for_every_model
def test_each_feature_has_a_chart(client: FlaskClient, served: ServedModel) -> None:
    text = page_of(client, served.form)
    for feature in served.schema.features:
        assert f"The answer for each {feature.title}:" in text or f">{feature.title}</caption>" in text


def test_a_chart_of_categories_marks_the_value_and_gives_the_answer_of_each(
    make_app: Callable[..., Flask], serve: Callable[[str], ServedModel]
) -> None:
    served = serve("mixed")
    text = page_of(make_app(MODEL_PATH=str(served.path)).test_client(), served.form)
    (table,) = re.findall(r"<caption[^>]*>Ward</caption>(.*?)</table>", text, re.DOTALL)
    rows = re.findall(
        r'<th scope="row">(\d+)(.*?)</th>.*?<td class="text-end[^"]*">(Fraud|No fraud) [\d.> ]+ %</td>',
        table,
        re.DOTALL,
    )
    assert [label for label, _, _ in rows] == ["1", "2", "10"]
    assert ["(yours)" in mark for _, mark, _ in rows] == [False, True, False]


def test_a_value_outside_the_range_is_not_marked(client: FlaskClient) -> None:
    text = page_of(client, BORDERLINE | {"pwid": "9"})
    assert text.count('class="here-line"') == 3
    assert "Now it is 9 cm, which is outside this range." in text


def test_the_three_verdicts_look_different(client: FlaskClient) -> None:
    kinds = [
        re.findall(r'id="verdict" class="verdict-(\w+)"', page_of(client, form))
        for form in (FORM, BORDERLINE, FORM | {"pwid": "9"})
    ]
    assert kinds == [["clear"], ["borderline"], ["unlike"]]


def test_a_value_far_outside_is_no_reason(client: FlaskClient) -> None:
    text = page_of(client, {"slen": "6.5", "swid": "3.0", "plen": "5.6", "pwid": "9"})
    assert "What the guess is based on" in text
    assert "The petal width, 9 cm, is far outside what the model learnt from, so Virginica is a guess." in text
    assert "the average of" not in text


def test_values_stay_as_they_were_typed(client: FlaskClient) -> None:
    text = page_of(client, FORM | {"slen": "6.0", "swid": "3,50 cm"})
    assert ">6.0 cm</td>" in text
    assert ">3.50 cm</td>" in text
    (link,) = re.findall(r'href="([^"]+)">Link to this result', text)
    assert "slen=6.0&swid=3.50&" in link


def test_the_answer_names_its_time_its_model_and_its_address(client: FlaskClient) -> None:
    text = page_of(client, FORM)
    version = client.get("/api/model").get_json()["version"]
    (stamp,) = re.findall(r'<p class="stamp.*?</p>', text)
    assert re.search(r'<time datetime="\d{4}-\d\d-\d\dT', stamp)
    assert f"<code>{version}</code>" in stamp
    assert f"http://localhost/classify?{urlencode(FORM)}" in stamp


def test_the_icon_of_the_example_is_its_own(
    make_app: Callable[..., Flask], serve: Callable[[str], ServedModel], client: FlaskClient
) -> None:
    other = make_app(MODEL_PATH=str(serve("wine").path)).test_client()
    for one, icon in ((client, "icons/iris.svg"), (other, "favicon.svg")):
        found = re.findall(r'(?:rel="icon" href|<img src)="/static/([^"?]+)', one.get("/model").text)
        assert found == [icon, icon]


class TestCode:
    def test_curl_gives_the_page_s_probabilities_to_the_bit(self, server: Server) -> None:
        text = unescape(read(f"{server.url}/classify?{urlencode(BORDERLINE)}"))
        command = shlex.split(snippet(text, "curl"))
        assert command[1] == f"{server.url}/api/classify"
        answer = msgspec.json.decode(subprocess.run([*command, "-s"], capture_output=True, check=True).stdout)
        assert list(answer["probabilities"].values()) == shown_probabilities(text)

    def test_python_gives_the_page_s_probabilities_to_the_bit(self, server: Server) -> None:
        text = unescape(read(f"{server.url}/classify?{urlencode(BORDERLINE)}"))
        run = subprocess.run(
            [sys.executable, "-c", snippet(text, "python")], capture_output=True, check=True, text=True
        )
        assert all(repr(probability) in run.stdout for probability in shown_probabilities(text))

    @for_every_model
    def test_the_row_is_the_one_of_the_page(self, client: FlaskClient, served: ServedModel) -> None:
        for row in served.rows[:10]:
            text = page_of(client, served.to_form(row))
            command = shlex.split(snippet(text, "curl"))
            answer = client.post("/api/classify", data=command[-1], content_type="application/json")
            assert list(answer.get_json()["probabilities"].values()) == shown_probabilities(text)
            assert command[-1] in snippet(text, "javascript")

    def test_values_of_any_kind_are_quoted(self, make_app: Callable[..., Flask], tmp_path: Path) -> None:
        package(tmp_path / "model.joblib", QUOTES)
        client = make_app(MODEL_PATH=str(tmp_path / "model.joblib")).test_client()
        command = shlex.split(snippet(page_of(client, {"it": "it's", "n": "1"}), "curl"))
        assert msgspec.json.decode(command[-1]) == {"it's": "it's", "n": 1.0}

    def test_those_who_need_a_key_are_shown_where_to_put_it(self, make_app: Callable[..., Flask]) -> None:
        client = make_app(API_KEYS={"one": "0" * 64}).test_client()
        text = page_of(client, FORM)
        for name in ("curl", "python", "javascript"):
            assert "Bearer YOUR_KEY" in snippet(text, name)
