import os
import re
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from itertools import product
from pathlib import Path

import msgspec
import numpy as np
import pytest
from axe_playwright_python.sync_playwright import Axe
from flask import Flask
from playwright.sync_api import Browser

from iris_app.bulk.outcomes import MAX_OUTLIERS, Outcomes, Summary
from iris_app.bulk.plan import plan
from iris_app.bulk.report import REASONS_OPEN, check_report, share
from iris_app.bulk.storage.sources import Source
from iris_app.iris import SCHEMA
from iris_app.model.manifest import Manifest
from iris_app.observability.drift import expected_counts, population_stability_index
from iris_app.training import load_data
from tests.bulk.conftest import Classify
from tests.support import CHECKOUT

HEADING = ",".join(one.name for one in SCHEMA.features)
USUAL = [",".join(map(str, one.typical)) for one in SCHEMA.classes]
UNUSUAL = "5.1,3.5,1.4,9"
BAD = "5.1,wide,1.4,0.2"

VOID = {"meta", "br"}


@dataclass
class Node:
    """An element of a page."""

    tag: str
    attributes: dict[str, str | None] = field(default_factory=dict)
    children: list["Node | str"] = field(default_factory=list)

    @property
    def text(self) -> str:
        words = "".join(one if isinstance(one, str) else f" {one.text} " for one in self.children)
        return re.sub(r"\s+([.,:;)])", r"\1", " ".join(words.split()))

    def all(self, *tags: str) -> list["Node"]:
        found = [self] if self.tag in tags else []
        return found + [node for one in self.children if isinstance(one, Node) for node in one.all(*tags)]

    def rows(self) -> list[list[str]]:
        """The cells below the heading of a table."""
        (body,) = self.all("tbody")
        return [[cell.text for cell in row.all("th", "td")] for row in body.all("tr")]


class Page(HTMLParser):
    """A page, read strictly: each element that begins must end."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.root = Node("page")
        self._open = [self.root]
        self.feed(text)
        self.close()
        assert self._open == [self.root]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        node = Node(tag, dict(attrs))
        self._open[-1].children.append(node)
        if tag not in VOID:
            self._open.append(node)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._open[-1].children.append(Node(tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop().tag == tag

    def handle_data(self, data: str) -> None:
        self._open[-1].children.append(data)

    def section(self, heading: str) -> Node:
        (found,) = (one for one in self.root.all("section") if one.all("h2")[0].text == heading)
        return found

    @property
    def lead(self) -> str:
        return next(one.text for one in self.root.all("p") if one.attributes.get("class") == "lead")

    @property
    def counts(self) -> dict[str, str]:
        (found,) = (one for one in self.root.all("dl") if one.attributes.get("class") == "counts")
        return {one.all("dt")[0].text: one.all("dd")[0].text for one in found.all("div")}


Report = Callable[..., Page]


@pytest.fixture
def report(classify: Classify, tmp_path: Path) -> Report:
    """Classify tables, given as their lines below the heading, by their names, and read the page that shows it."""

    def run(*options: object, heading: str = HEADING, exit_code: int = 0, **tables: list[str]) -> Page:
        inputs = [tmp_path / f"{name}.csv" for name in tables]
        for path, lines in zip(inputs, tables.values(), strict=True):
            if not path.exists():
                path.write_text("\n".join([heading, *lines]) + "\n")
        output = tmp_path / ("out" if len(inputs) > 1 else "out.csv")
        result = classify(*inputs, "-o", output, "--report", tmp_path / "page.html", *options)
        assert result.exit_code == exit_code, result.output
        return Page((tmp_path / "page.html").read_text())

    return run


def test_the_counts_add_up(report: Report) -> None:
    page = report("--bad-rows", "skip", flowers=[*USUAL, UNUSUAL, BAD])
    assert page.counts == {"read": "5", "classified": "4", "rejected": "1", "unusual": "1"}
    assert page.lead == (
        "5 rows were read: 4 classified and 1 rejected. "
        "One has values unlike those of the flowers that the model was trained on."
    )


def test_the_flowers_of_each_species_are_all_that_were_classified(report: Report) -> None:
    page = report(flowers=[USUAL[0], *USUAL])
    assert page.root.all("table")[0].rows() == [
        ["Setosa", "", "2", "50.0 %"],
        ["Versicolor", "", "1", "25.0 %"],
        ["Virginica", "", "1", "25.0 %"],
    ]
    widths = [float(bar.attributes["width"] or 0) for bar in page.root.all("table")[0].all("rect")]
    assert widths == [50, 25, 25]


@pytest.mark.parametrize(
    ("part", "text"), [(0, "0 %"), (1, "< 0.1 %"), (500, "25.0 %"), (1999, "> 99.9 %"), (2000, "100 %")]
)
def test_a_share_is_rounded_neither_to_nothing_nor_to_all(part: int, text: str) -> None:
    assert share(part, 2000).split() == text.split()


def test_nothing_has_no_shares() -> None:
    assert share(0, 0) == "none"


def test_the_drift_of_each_feature_is_told_in_a_number_and_in_words(report: Report, manifest: Manifest) -> None:
    measurements, _ = load_data()
    measurements[:, 3] += 0.5
    measurements[:, 2] += 0.05
    page = report(flowers=[",".join(map(str, row)) for row in measurements.round(2).tolist()])
    found = page.section("Are these flowers like those of the training data?")
    told = [heading.text.partition(": ") for heading in found.all("h3")]
    assert [(name, words) for name, _, words in told] == [
        ("Sepal length", "little change"),
        ("Sepal width", "little change"),
        ("Petal length", "some change"),
        ("Petal width", "a great change"),
    ]
    histogram = manifest.features[3].histogram
    places = np.searchsorted(histogram.edges, measurements[:, 3].round(2))
    index = population_stability_index(
        expected_counts(manifest.features[3]), [*np.bincount(places, minlength=len(histogram.counts)).tolist(), 0]
    )
    assert f"Index {index:.2f}." in found.text


def test_the_shares_of_each_interval_are_a_picture_and_numbers(report: Report, manifest: Manifest) -> None:
    found = report(flowers=USUAL).section("Are these flowers like those of the training data?")
    pictures = [one for one in found.all("svg") if one.attributes.get("role") == "img"]
    assert [(one.attributes["aria-label"] or "").split(":")[0] for one in pictures] == [
        one.title for one in SCHEMA.features
    ]
    for picture, table, summary in zip(pictures, found.all("table"), manifest.features, strict=True):
        rows = table.rows()
        assert [int(row[3]) for row in rows] == summary.histogram.counts
        assert sum(int(row[1]) for row in rows) == len(USUAL)
        heights = [float(bar.attributes["height"] or 0) for bar in picture.all("rect")]
        assert [height > 0 for height in heights] == [row[1] != "0" for row in rows]
        assert picture.all("text")[-1].text == found.all("caption")[pictures.index(picture)].text.split(":")[0]


def test_few_flowers_are_not_said_to_have_moved(report: Report) -> None:
    found = report(flowers=USUAL).section("Are these flowers like those of the training data?")
    assert {heading.text.split(": ")[1] for heading in found.all("h3")} == {"too few flowers to say"}
    assert "With fewer than 100 flowers it means little." in found.text


def test_an_unusual_flower_is_shown_with_what_the_model_warns_of(report: Report) -> None:
    found = report(flowers=[*USUAL, UNUSUAL]).section("Unusual flowers")
    why = "Petal width is 9 cm, outside what the model was trained on: 0.1 to 2.5 cm."
    assert found.all("table")[0].rows() == [["4", "5.1", "3.5", "1.4", "9", "virginica", why]]
    assert "1 flower has values unlike those that the model was trained on (25.0 %)" in found.text


def test_the_first_unusual_flowers_are_shown_and_all_are_counted(report: Report) -> None:
    found = report(flowers=[UNUSUAL] * (MAX_OUTLIERS + 1)).section("Unusual flowers")
    assert [row[0] for row in found.all("table")[0].rows()] == [str(at + 1) for at in range(MAX_OUTLIERS)]
    assert f"{MAX_OUTLIERS + 1} flowers have values unlike" in found.text
    assert f"These are the first {MAX_OUTLIERS};" in found.text


def test_rows_are_counted_in_each_file_s_own_answers(report: Report, tmp_path: Path) -> None:
    page = report("--bad-rows", "skip", a=[*USUAL, UNUSUAL], b=[BAD, *USUAL, UNUSUAL])
    rows = page.section("Unusual flowers").all("table")[0].rows()
    assert [row[:2] for row in rows] == [["a.csv", "4"], ["b.csv", "4"]]
    for name, row, *_ in rows:
        assert (tmp_path / "out" / name).read_text().splitlines()[int(row)].startswith(UNUSUAL)


def test_the_species_of_a_column_are_compared_with_the_answers(report: Report) -> None:
    lines = [f"{USUAL[0]},setosa", f"{USUAL[0]},Iris-setosa", f"{USUAL[1]},setosa", f"{USUAL[2]},2", f"{USUAL[2]},rose"]
    page = report(heading=f"{HEADING},variety", flowers=lines)
    found = page.section("How often it is right")
    assert "3 of 4 flowers (75.0 %) are of the species that the file names." in found.text
    assert "1 more cell names no species that the model knows." in found.text
    (table,) = found.all("table")
    assert table.rows() == [
        ["Setosa", "2", "1", "0", "66.7 %"],
        ["Versicolor", "0", "0", "0", "none"],
        ["Virginica", "0", "0", "1", "100 %"],
    ]
    assert [heading.text for heading in table.all("th")[:4]] == [
        "answer Setosa",
        "answer Versicolor",
        "answer Virginica",
        "found",
    ]
    assert [one.text for one in found.all("svg")[0].all("text")][:3] == ["66.7 %", "33.3 %", "0 %"]
    assert page.counts["as the file says"] == "75.0 %"


def test_a_column_that_names_no_known_species_is_told(report: Report) -> None:
    page = report(heading=f"{HEADING},label", flowers=[f"{USUAL[0]},rose"])
    found = page.section("How often it is right")
    assert "none of its cells names one that the model knows" in found.text
    assert not found.all("table")
    assert "as the file says" not in page.counts


def test_files_without_a_column_for_the_species_are_told(report: Report, tmp_path: Path) -> None:
    (tmp_path / "named.csv").write_text(f"{HEADING},species\n{USUAL[0]},setosa\n")
    page = report(tmp_path / "named.csv", a=USUAL, b=USUAL)
    found = page.section("How often it is right")
    assert "1 of 1 flower (100 %) is of the species that the files name." in found.text
    assert "6 flowers are in files without a column for the species." in found.text


def test_no_column_for_the_species_is_told(report: Report) -> None:
    found = report(flowers=USUAL).section("How often it is right")
    assert "(class, label, species, target or variety)" in found.text


def test_skipped_rows_are_told_with_where_all_of_them_are(report: Report, tmp_path: Path) -> None:
    found = report("--bad-rows", "skip", flowers=[*USUAL, BAD]).section("Rejected rows")
    assert [one.text for one in found.all("li")] == [
        'Line 5, column sepal_width: Sepal width must be a number in cm, not "wide".'
    ]
    assert "1 row cannot be classified. The reasons:" in found.text
    assert [one.text for one in found.all("code")] == [str(tmp_path / "out.csv.rejected")]


def test_kept_rows_are_said_to_stay_and_are_no_flowers(report: Report) -> None:
    page = report("--bad-rows", "null", flowers=[BAD, UNUSUAL])
    assert "stay among the answers, which are empty" in page.section("Rejected rows").text
    assert page.section("Unusual flowers").all("table")[0].rows()[0][0] == "2"
    numbers = page.section("Are these flowers like those of the training data?").all("table")[0].rows()
    assert sum(int(row[1]) for row in numbers) == 1


def test_many_reasons_are_folded(report: Report) -> None:
    found = report("--bad-rows", "skip", flowers=[*USUAL, *[BAD] * 150]).section("Rejected rows")
    assert "150 rows cannot be classified. These are the first reasons:" in found.text
    (folded,) = found.all("details")
    assert folded.all("summary")[0].text == f"{100 - REASONS_OPEN} more"
    assert len(found.all("li")) == 100


def test_a_refused_file_is_told_and_the_command_ends_as_without_a_report(report: Report) -> None:
    page = report(flowers=[*USUAL, BAD], exit_code=1)
    (alert,) = (one for one in page.root.all("div") if one.attributes.get("class") == "alert")
    assert alert.text.startswith("Nothing was written: 1 of 4 rows cannot be classified.")
    assert "With --bad-rows skip these rows are left out" in alert.text
    assert page.counts["classified"] == "3"
    assert page.section("The file").all("table")[0].rows()[0][-1] == "none: 1 of 4 rows cannot be classified."


def test_refused_files_come_first_and_lead_to_why(report: Report) -> None:
    page = report(a=USUAL, b=[BAD, UNUSUAL], exit_code=1)
    (alert,) = (one for one in page.root.all("div") if one.attributes.get("class") == "alert")
    assert "No answers were written for 1 file of 2" in alert.text
    assert [row[0].rpartition("/")[2] for row in page.section("Files").all("table")[0].rows()] == ["b.csv", "a.csv"]
    assert page.section("Rejected rows").all("li")[0].text.startswith("b.csv: Line 2, column sepal_width:")
    assert "In a file of which nothing was written, those rows are counted" in page.section("Unusual flowers").text


def test_a_file_that_cannot_be_read_is_told_with_why(report: Report) -> None:
    page = report(heading=HEADING.replace("petal_width", "colour"), flowers=USUAL, exit_code=1)
    assert page.lead == "No row could be read."
    assert (
        page.section("The file")
        .all("table")[0]
        .rows()[0][-1]
        .startswith("none: There is no column petal_width; the columns are ")
    )
    assert "--bad-rows" not in page.root.all("main")[0].text


def test_an_empty_table_reads_well(report: Report) -> None:
    page = report(flowers=[])
    assert page.lead == "There were no rows to classify."
    assert "Nothing was classified, so there is nothing to compare." in page.root.text
    assert "Nothing was classified, so nothing is unusual." in page.root.text
    assert "No row was rejected." in page.root.text


def test_nothing_unusual_and_nothing_rejected_reads_well(report: Report) -> None:
    page = report(flowers=USUAL)
    assert page.lead.endswith("None has values unlike those of the flowers that the model was trained on.")
    assert "No flower has values unlike those that the model was trained on." in page.section("Unusual flowers").text
    assert "No row was rejected." in page.section("Rejected rows").text


def test_several_unusual_flowers_are_counted_in_the_lead(report: Report) -> None:
    assert "2 have values unlike those of the flowers" in report(flowers=[UNUSUAL, UNUSUAL]).lead


def test_what_an_earlier_run_did_is_shown_too(report: Report) -> None:
    tables = {"a": [*USUAL, UNUSUAL], "b": USUAL}
    first, second = report(**tables), report(**tables)
    assert second.counts == first.counts
    assert second.section("Unusual flowers").text == first.section("Unusual flowers").text
    answers = [row[-1] for row in second.section("Files").all("table")[0].rows()]
    assert all(answer.endswith(".csv, by an earlier run") for answer in answers)


def test_what_is_told_of_files_is_in_their_order_whichever_ends_first(tmp_path: Path) -> None:
    for name in "ab":
        (tmp_path / f"{name}.csv").touch()
    jobs = plan([str(tmp_path)], str(tmp_path / "out")).jobs
    outcomes = Outcomes(jobs)
    for job in reversed(jobs):
        outcomes.add(job, Summary(read=1))
    assert [file.name for file in outcomes.files] == ["a.csv", "b.csv"]
    assert outcomes.total.read == 2


def test_many_files_are_named_up_to_a_number_and_all_counted(report: Report, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("iris_app.bulk.report.FILES_NAMED", 2)
    page = report(a=USUAL, b=USUAL, c=USUAL)
    assert page.root.all("h1")[0].text == "Results for 3 files"
    assert len(page.section("Files").all("table")[0].rows()) == 2
    assert "1 more is counted above." in page.section("Files").text


def test_the_secrets_of_an_address_are_not_shown(tmp_path: Path) -> None:
    (job,) = plan([str(CHECKOUT / "setup.cfg")], str(tmp_path / "out.csv"), input_form="csv").jobs
    address = Source("https://me:secret@example.org/irises.csv?signature=secret", "csv", "irises.csv")
    job = type(job)(address, job.output, job.form, job.bad_rows, job.rejected)
    outcomes = Outcomes([job])
    outcomes.add(job, Summary())
    assert (outcomes.files[0].name, outcomes.files[0].path) == ("irises.csv", "https://example.org/irises.csv")


def test_standard_input_and_output_are_called_so(classify: Classify, tmp_path: Path) -> None:
    content = "\n".join([HEADING, *USUAL]).encode()
    classify("-", "-o", "-", "--report", tmp_path / "page.html", content=content)
    page = Page((tmp_path / "page.html").read_text())
    assert page.root.all("h1")[0].text == "Results for standard input"
    assert page.section("The file").all("table")[0].rows()[0][-1] == "standard output"


def test_the_model_is_named_with_its_digest_and_scores(report: Report, manifest: Manifest) -> None:
    text = report(flowers=USUAL).section("The model").text
    for word in (manifest.version, manifest.digest, "0.9737 on 38 flowers", str(manifest.created.year)):
        assert word in text


def test_what_a_file_holds_is_text_and_nothing_else(report: Report) -> None:
    page = report("--bad-rows", "skip", "--max-bad", "100%", **{"<i>a<i>": ["5.1,<script>,1.4,0.2"]})
    assert not page.root.all("script", "i")
    assert 'not "<script>"' in page.section("Rejected rows").text


def test_a_file_whose_name_is_no_text_can_be_shown(classify: Classify, tmp_path: Path) -> None:
    table = tmp_path / "b\udcff.csv"
    table.write_text("\n".join([HEADING, *USUAL]))
    assert classify(table, "-o", tmp_path / "out.csv", "--report", tmp_path / "page.html").exit_code == 0
    assert r"Results for b\xff.csv" in (tmp_path / "page.html").read_text()


def test_the_page_asks_for_nothing_else(report: Report) -> None:
    page = report(heading=f"{HEADING},species", flowers=[f"{line},setosa" for line in USUAL])
    (policy,) = (one for one in page.root.all("meta") if one.attributes.get("http-equiv"))
    assert (policy.attributes["content"] or "").startswith("default-src 'none'; style-src 'sha256-")
    assert not page.root.all("script", "link", "img", "iframe")
    outward = [one for one in page.root.all("a", "svg", "path", "rect", "use") if {"src", "href"} & set(one.attributes)]
    assert all((one.attributes["href"] or "").startswith("#") for one in outward)
    assert "url(" not in page.root.all("style")[0].text


def test_the_page_wears_the_colours_of_the_others(report: Report) -> None:
    style = report(flowers=USUAL).root.all("style")[0].text
    palette = (CHECKOUT / "iris_app/ui/static/palette.css").read_text()
    assert "".join(palette.split()) in "".join(style.split())


@pytest.mark.parametrize("name", ["page.txt", "page", "folder.html"])
def test_a_report_that_is_no_page_is_refused_before_anything_is_done(
    classify: Classify, table: Path, tmp_path: Path, name: str
) -> None:
    (tmp_path / "folder.html").mkdir()
    result = classify(table, "-o", tmp_path / "out.csv", "--report", tmp_path / name)
    assert result.exit_code == 2
    assert "name a file that ends in .html" in result.stderr
    assert not (tmp_path / "out.csv").exists()


def test_a_report_is_not_written_over_what_is_read_or_written(classify: Classify, table: Path, tmp_path: Path) -> None:
    page = shutil.copy(table, tmp_path / "flowers.html")
    result = classify(page, "--input-format", "csv", "-o", tmp_path / "out.csv", "--report", page)
    assert result.exit_code == 2
    assert "flowers.html would be written over by the report." in " ".join(result.stderr.split())
    assert page.read_bytes() == table.read_bytes()


def test_a_report_that_cannot_be_written_is_told(classify: Classify, table: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = classify(table, "-o", tmp_path / "out.csv", "--report", tmp_path / "file" / "page.html")
    assert result.exit_code == 4
    assert "page.html cannot be written" in result.stderr


def test_a_run_that_does_not_end_well_leaves_an_older_page(classify: Classify, table: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    assert classify(table, "-o", tmp_path / "out.csv", "--report", page).exit_code == 0
    older = page.read_bytes()
    assert classify(table, "-o", tmp_path / "out.csv", "--report", page, "--engine", "steam").exit_code == 2
    assert page.read_bytes() == older


@pytest.fixture
def manifest(trained_path: Path) -> Manifest:
    return msgspec.json.decode(trained_path.with_name(f"{trained_path.name}.json").read_bytes(), type=Manifest)


@pytest.fixture(scope="module")
def pages(make_app: Callable[..., Flask], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Pages of files that are as different as can be."""
    folder = tmp_path_factory.mktemp("pages")
    measurements, species = load_data()
    named = [f"{','.join(map(str, row))},{one}" for row, one in zip(measurements.tolist(), species, strict=True)]
    long = "a-name-that-is-far-longer-than-any-screen-of-a-telephone-is-wide-in-any-hand"
    tables = {
        "all": [*named, f"{UNUSUAL},setosa", f"{BAD},setosa"],
        "none": [],
        long: [f"{BAD},"] * 40,
    }
    for name, lines in tables.items():
        (folder / f"{name}.csv").write_text("\n".join([f"{HEADING},species", *lines]))
    runner = make_app().test_cli_runner()
    found = {"several": sorted(folder.glob("*.csv"))} | {name: [folder / f"{name}.csv"] for name in ("all", "none")}
    for name, paths in found.items():
        output = folder / f"out-{name}" / ("" if len(paths) > 1 else "out.csv")
        runner.invoke(args=["classify", *map(str, paths), "-o", str(output), "--report", str(folder / f"{name}.html")])
    return {name: folder / f"{name}.html" for name in found}


@pytest.fixture
def said() -> Iterator[list[str]]:
    """What a browser complains of, which must be nothing."""
    said: list[str] = []
    yield said
    assert said == []


@pytest.mark.parametrize(
    ("name", "scheme", "width"),
    [
        *product(["several"], ["light", "dark"], [360, 1280]),
        ("all", "light", 1280),
        ("all", "dark", 360),
        ("none", "light", 360),
    ],
)
def test_the_page_is_accessible_and_fits_from_the_disk(
    browser: Browser, pages: dict[str, Path], said: list[str], name: str, scheme: str, width: int
) -> None:
    page = browser.new_page(color_scheme=scheme, viewport={"width": width, "height": 800})  # type: ignore[arg-type]
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: said.append(request.url) if request.url != pages[name].as_uri() else None)
    page.goto(pages[name].as_uri())
    page.evaluate("for (const one of document.querySelectorAll('details')) one.open = true")
    assert Axe().run(page).response["violations"] == []
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    red = int(page.evaluate("getComputedStyle(document.body).backgroundColor").split("(")[1].split(",")[0])
    assert (red > 200) == (scheme == "light")
    page.close()


def test_the_page_prints_on_white(browser: Browser, pages: dict[str, Path]) -> None:
    page = browser.new_page(color_scheme="dark")
    page.emulate_media(media="print", color_scheme="dark")
    page.goto(pages["all"].as_uri())
    assert page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(255, 255, 255)"
    page.close()


def test_a_page_can_go_to_a_pipe(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "page.html")
    check_report(str(tmp_path / "page.html"))
    assert (tmp_path / "page.html").is_fifo()
