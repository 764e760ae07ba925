"""The examples of the README and of docs/, run as they stand against the real server."""

import os
import re
import shlex
import subprocess
import sys
from itertools import pairwise
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import Browser

from iris_app.iris import SCHEMA
from iris_app.packaging.overrides import ABOUT, CLASS, FEATURE
from iris_app.packaging.overrides import SCHEMA as SCHEMA_KEYS
from tests.support import CHECKOUT, SECRET_KEY, Server, copy_checkout, running, serving

PAGES = [CHECKOUT / "README.md", *sorted((CHECKOUT / "docs").glob("*.md"))]
TEXTS = [page.read_text() for page in PAGES]
BLOCKS = [re.findall(r"```(\w+)\n(.*?)```", text, re.DOTALL) for text in TEXTS]
EXAMPLES = [
    pytest.param(language, code, expected, id=f"{page.stem} {code.split()[2] if language == 'sh' else language}")
    for page, blocks in zip(PAGES, BLOCKS, strict=True)
    for (language, code), (_, expected) in pairwise(blocks)
    if language in {"sh", "python"} and ("http://127.0.0.1:8000/" in code or "tritonclient" in code)
]


def curl(words: list[str]) -> str:
    """Do what curl does with the few options that the examples use."""
    url, headers = "", {}
    body: str | None = None
    arguments = iter(words)
    for word in arguments:
        if word == "-H":
            name, _, value = next(arguments).partition(": ")
            headers[name] = value
        elif word in {"-d", "--data-binary"}:
            body = next(arguments)
        elif word != "-s":
            url = word
    return httpx.request("GET" if body is None else "POST", url, headers=headers, content=body).text


def parts(text: str) -> list[str | float]:
    """Split an answer, passing over white space and the model's version, which another Python or NumPy changes."""
    text = re.sub(r"\s", "", re.sub(r'"[0-9a-f]{12}"', '"version"', text))
    return [float(part) if re.match(r"[\d.]", part) else part for part in re.findall(r"\d[\d.e+-]*|[^\d]+", text)]


@pytest.mark.parametrize(("language", "code", "expected"), EXAMPLES)
def test_an_example_gives_what_its_page_says(server: Server, language: str, code: str, expected: str) -> None:
    code = code.replace("127.0.0.1:8000", server.url.removeprefix("http://"))
    if language == "sh":
        command, *words = shlex.split(code.replace("\\\n", ""))
        assert command == "curl"
        answer = curl(words)
    else:
        answer = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert parts(answer) == [
        pytest.approx(part, rel=1e-6) if isinstance(part, float) else part for part in parts(expected)
    ]


def test_every_way_in_has_an_example() -> None:
    code = "".join(str(example.values[1]) for example in EXAMPLES)
    for way in (
        "application/json",
        "text/csv",
        "application/x-ndjson",
        "/v2/models/iris/infer",
        "tritonclient",
        "/invocations",
    ):
        assert way in code


HELP = (CHECKOUT / "iris_app" / "bulk" / "command.py").read_text()
SHOWN = [command for text in TEXTS for command in re.findall(r"^(scripts/classify .*)", text, re.MULTILINE)]
COMMANDS = list(dict.fromkeys(SHOWN + re.findall(r"^ +(flask .*)", HELP, re.MULTILINE)))


@pytest.fixture
def flowers(tmp_path: Path) -> Path:
    """The files that the examples speak of."""
    header, rows = ",".join(SCHEMA.features_by_name), [",".join(map(str, one.typical)) for one in SCHEMA.classes]
    (tmp_path / "herbarium").mkdir()
    for name in ("flowers.csv", "herbarium/a.csv", "herbarium/b.csv"):
        (tmp_path / name).write_text("\n".join([header, *rows, ""]))
    (tmp_path / "herbarium" / "bad.csv").write_text(f"{header}\n{rows[0]}\n1,2,3,x\n")
    return tmp_path


def classify(command: str, flowers: Path, trained_path: Path) -> str:
    """Do what a command does in a folder."""
    flask = f"{shlex.quote(sys.executable)} -m flask --app {shlex.quote(str(CHECKOUT / 'wsgi.py'))} classify"
    command = command.replace("scripts/classify", flask).replace("flask --app wsgi classify", flask)
    environment = os.environ | {"IRIS_SECRET_KEY": SECRET_KEY, "IRIS_MODEL_PATH": str(trained_path)}
    run = subprocess.run(
        ["/bin/sh", "-c", command], cwd=flowers, env=environment, capture_output=True, text=True, check=False
    )
    assert run.returncode == (1 if "bad-rows" not in command and "herbarium" in command else 0), run.stderr
    return run.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_an_example_with_files_does_what_it_says(command: str, flowers: Path, trained_path: Path) -> None:
    classify(command, flowers, trained_path)
    (output,) = re.findall(r"(?:--output|-o|>) (\w[\w.]+)", command)
    assert (flowers / output).exists()


def test_the_counts_of_files_are_what_their_page_says(flowers: Path, trained_path: Path) -> None:
    (counts,) = [counts for text in TEXTS for counts in re.findall(r"```text\n(read .*?)```", text, re.DOTALL)]
    assert classify(COMMANDS[0], flowers, trained_path) == counts


def block(page: Path, language: str, word: str) -> str:
    """Return the block of a page that has a word."""
    (found,) = [code for name, code in BLOCKS[PAGES.index(page)] if name == language and word in code]
    return found


README, YOUR_MODEL = CHECKOUT / "README.md", CHECKOUT / "docs" / "your-model.md"


@pytest.mark.parametrize(("page", "title"), [(README, "cultivar?"), (YOUR_MODEL, "Which grape?")])
def test_one_s_own_model_is_served_as_a_page_says(page: Path, title: str, tmp_path: Path) -> None:
    checkout, folder = copy_checkout(tmp_path / "checkout"), tmp_path / "wines"
    folder.mkdir()
    (folder / "wine.toml").write_text(block(YOUR_MODEL, "toml", "[features.alcohol]"))
    train = block(YOUR_MODEL, "python", "load_wine") + block(page, "python", "joblib.dump")
    subprocess.run([sys.executable, "-c", train], cwd=folder, check=True)
    package, serve = block(page, "sh", "scripts/package_model").replace("\\\n", "").strip().splitlines()
    others = ("IRIS_", "COVERAGE_", "GUNICORN", "WEB_")
    environment = {name: text for name, text in os.environ.items() if not name.startswith(others)}
    subprocess.run(["/bin/sh", "-c", f"{checkout}/{package}"], cwd=folder, env=environment, check=True)
    command = [*shlex.split(f"{checkout}/{serve}"), "--bind=127.0.0.1:0", "--workers=1"]
    with serving(command, tmp_path / "log", folder, environment) as server:
        text = httpx.get(f"{server.url}/home").text
    assert title in text
    assert "Alcohol" in text
    assert not re.search("iris|flower|sepal|petal|species", re.sub("<[^>]*>", "", text), re.IGNORECASE)


def test_one_s_own_model_takes_six_lines() -> None:
    code = block(README, "python", "joblib.dump") + block(README, "sh", "scripts/package_model")
    assert code.startswith("import joblib\n\njoblib.dump(")
    assert len(list(filter(None, code.splitlines()))) == 6


@pytest.mark.parametrize("key", [*SCHEMA_KEYS, *ABOUT, *FEATURE, *CLASS])
def test_every_key_of_the_schema_is_explained(key: str) -> None:
    assert f"`{key}`" in YOUR_MODEL.read_text()


def test_the_example_in_javascript_is_answered_in_a_page_of_another_origin(
    browser: Browser, trained_path: Path, tmp_path: Path
) -> None:
    code = block(CHECKOUT / "docs" / "clients.md", "js", "fetch")
    settings = {"IRIS_MODEL_PATH": str(trained_path), "IRIS_CORS_ORIGINS": '["*"]'}
    with running(tmp_path / "log", "--workers=1", **settings) as server:
        page = browser.new_page()
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        page.evaluate(f"(async () => {{ {code.replace('http://127.0.0.1:8000', server.url)} }})()")
        page.close()
    assert said == ["setosa"]
