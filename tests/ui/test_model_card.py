import json
import re
from collections.abc import Callable
from html import unescape
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from iris_app.iris import SCHEMA
from iris_app.model.manifest import manifest_path, pairplot_path
from iris_app.ui.model_card import wilson_interval
from tests.models import ServedModel
from tests.support import FORM, trained

MINUS = "\N{MINUS SIGN}"


def test_the_card_says_how_good_the_model_is(client: FlaskClient) -> None:
    text = client.get("/model").text
    assert "It was tested with 38 flowers that it had never seen, and got 37 right: an accuracy of 0.9737." in text
    assert "between 86.5 % and 99.5 % (95 % interval by Wilson)" in text
    assert "In 5-fold cross-validation" in text
    for species in SCHEMA.classes:
        assert f'<th scope="row">{species.label}</th>' in text


def test_the_card_tells_the_rows_of_the_test_from_those_of_the_training(client: FlaskClient) -> None:
    text = " ".join(client.get("/model").text.split())
    scores, training = text.split("How good it is")[1].split("What it learned from")
    tested = re.findall(r'<th scope="row">\w+</th><td class="text-end">(\d+)</td><td class="text-end">[01]\.', scores)
    assert tested == ["13", "16", "9"]
    assert "The 112 flowers of the training data, by species. Those of the test are not among them." in training


def test_the_card_says_how_often_it_warns_of_usual_rows(client: FlaskClient) -> None:
    text = " ".join(client.get("/model").text.split())
    warned = round(38 * trained()[1].distribution.unlike_share)
    assert f"with 38 usual flowers, which it was not trained on, it warned without need about {warned} of them." in text


def test_the_confusion_matrix_is_a_table_and_a_picture(client: FlaskClient) -> None:
    text = client.get("/model").text
    assert len(re.findall(r'<text class="ink"[^>]*>\d+</text>', text)) == len(SCHEMA.classes) ** 2
    (caption,) = re.findall(r'<caption class="caption-top">(The flowers of the test[^<]*)', text)
    assert f'role="img" aria-label="{caption} The darker' in text


def test_the_card_says_what_the_model_is_and_is_not_for(client: FlaskClient) -> None:
    text = unescape(client.get("/model").text)
    manifest = client.get("/model/manifest.json").get_json()
    for words in manifest["schema"]["about"].values():
        assert words in text
    assert manifest["sha256"] in text
    assert f"scikit-learn {manifest['versions']['scikit-learn']}" in text


def test_the_card_gives_each_range(client: FlaskClient) -> None:
    text = client.get("/model").text
    for feature in SCHEMA.features:
        assert f'<th scope="row">{feature.title}</th>' in text


def test_the_manifest_is_handed_out_as_a_file(client: FlaskClient, trained_path: Path) -> None:
    answer = client.get("/model/manifest.json")
    on_disk = json.loads(trained_path.with_name("model.joblib.json").read_bytes())
    assert answer.get_json() == on_disk
    version = client.get("/api/model").get_json()["version"]
    assert answer.headers["Content-Disposition"] == f"attachment; filename=model-{version}.json"


def test_the_picture_of_the_data_is_kept_for_long_under_its_digest(client: FlaskClient, trained_path: Path) -> None:
    (address,) = re.findall(r'<img class="pairplot" src="([^"]+)"', client.get("/model").text)
    answer = client.get(address)
    assert client.get("/api/model").get_json()["version"] in address
    assert (answer.status_code, answer.mimetype) == (200, "image/svg+xml")
    assert answer.data == pairplot_path(trained_path).read_bytes()
    assert "immutable" in answer.headers["Cache-Control"]
    assert "Cache-Control" not in client.get(address.partition("?")[0]).headers
    assert "script" not in answer.headers["Content-Security-Policy"]


def test_the_picture_of_another_version_is_a_404(client: FlaskClient) -> None:
    assert client.get("/model/000000000000/pairplot.svg").status_code == 404


@pytest.mark.parametrize("change", [Path.unlink, lambda path: path.write_bytes(b"<svg/>")], ids=["missing", "foreign"])
def test_a_picture_that_is_not_the_training_s_is_not_shown(
    make_app: Callable[..., Flask], model_path: Path, change: Callable[[Path], object]
) -> None:
    change(pairplot_path(model_path))
    client = make_app(MODEL_PATH=str(model_path)).test_client()
    text = client.get("/model").text
    assert "The picture of the data is missing" in text
    assert "<img class" not in text
    version = client.get("/api/model").get_json()["version"]
    assert client.get(f"/model/{version}/pairplot.svg").status_code == 404
    assert client.get("/classify", query_string=FORM).status_code == 200


def test_without_a_model_there_is_no_card(make_app: Callable[..., Flask]) -> None:
    client = make_app(MODEL_PATH="/nowhere").test_client()
    for path in ("/model", "/model/manifest.json", "/model/x/pairplot.svg"):
        assert client.get(path).status_code == 503


def test_the_card_says_how_often_its_doubts_were_right(client: FlaskClient) -> None:
    text = " ".join(client.get("/model").text.split())
    scores = trained()[1].scores
    assert scores
    unsure = [found for found in scores.calibration if found.high <= 0.7]
    rows, right = sum(found.rows for found in unsure), round(sum(found.rows * found.accuracy for found in unsure))
    assert f"In the test that was so for {rows} answers, of which {right} were right." in text


def test_each_line_of_the_calibration_has_its_counts(client: FlaskClient) -> None:
    text = client.get("/model").text
    scores = trained()[1].scores
    assert scores
    for found in scores.calibration:
        cells = [f"{found.rows}", f"{round(found.rows * found.accuracy)}", f"{100 * found.mean_probability:.1f} %"]
        assert "".join(f'<td class="text-end">{cell}</td>' for cell in cells) in text


def test_the_formula_is_worked_through_for_a_typical_row(client: FlaskClient) -> None:
    text = unescape(client.get("/model").text)
    (table,) = re.findall(r"<caption[^>]*>The weights of each value.*?</table>", text, re.DOTALL)
    rows = {
        name: [
            float(number.replace("\N{MINUS SIGN}", "-"))
            for number in re.findall(r">(?:× )?([\d.e\N{MINUS SIGN}-]+)<", cells)
        ]
        for name, cells in re.findall(r'<th scope="row">([^<]+)</th>(.*?)</tr>', table.replace(MINUS, "-"))
    }
    values = [(row[0], row[1:]) for name, row in rows.items() if "(cm)" in name]
    sums = [
        sum(value * weights[index] for value, weights in values) + rows["Constant"][index]
        for index in range(len(SCHEMA.classes))
    ]
    assert len(values) == len(SCHEMA.features)
    assert sums == pytest.approx(rows["Sum"], abs=0.02)


def test_a_model_that_is_no_formula_has_none(
    make_app: Callable[..., Flask], serve: Callable[[str], ServedModel]
) -> None:
    text = make_app(MODEL_PATH=str(serve("mixed").path)).test_client().get("/model").text
    assert "How it works an answer out" not in text


@pytest.mark.parametrize(
    ("right", "rows", "interval"), [(37, 38, (0.8651, 0.9953)), (0, 1, (0.0, 0.7935)), (5, 5, (0.5655, 1.0))]
)
def test_the_interval_of_an_accuracy_is_wilson_s(right: int, rows: int, interval: tuple[float, float]) -> None:
    assert wilson_interval(right, rows) == pytest.approx(interval, abs=1e-4)


def test_a_model_without_a_formula_shows_which_values_matter_most(
    make_app: Callable[..., Flask], serve: Callable[[str], ServedModel]
) -> None:
    client = make_app(MODEL_PATH=str(serve("mixed").path)).test_client()
    text = client.get("/model").text
    table = text[text.index('id="importances"') : text.index('id="data"')]
    shown = [float(drop) for drop in re.findall(r"([\d.]+) ± [\d.]+</td>", table)]
    drops = client.get("/model/manifest.json").get_json()["importances"]["drops"]
    assert shown == sorted((round(max(100 * drop, 0), 1) for drop in drops), reverse=True)
    assert max(shown) > 1
    assert "visits of the training data" in table


def test_a_linear_model_shows_its_formula_in_place_of_importances(client: FlaskClient) -> None:
    assert 'id="importances"' not in client.get("/model").text


def test_a_model_that_was_packaged_without_importances_has_a_card(
    model_path: Path, make_app: Callable[..., Flask]
) -> None:
    path = manifest_path(model_path)
    document = json.loads(path.read_bytes())
    del document["importances"]
    path.write_text(json.dumps(document))
    assert make_app(MODEL_PATH=str(model_path)).test_client().get("/model").status_code == 200
