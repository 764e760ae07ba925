"""The README's examples, run as they stand against the real server."""

import re
import shlex
import subprocess
import sys

import httpx
import pytest

from tests.support import CHECKOUT, Server

README = (CHECKOUT / "README.md").read_text()
BLOCKS = re.findall(r"```(\w+)\n(.*?)```", README, re.DOTALL)
EXAMPLES = [
    pytest.param(language, code, BLOCKS[index + 1][1], id=code.split()[2] if language == "sh" else language)
    for index, (language, code) in enumerate(BLOCKS)
    if "http://127.0.0.1:8000/" in code or "tritonclient" in code
]


def curl(words: list[str]) -> str:
    """Do what curl does with the few options that the README uses."""
    url, headers, body = "", {}, ""
    arguments = iter(words)
    for word in arguments:
        if word == "-H":
            name, _, value = next(arguments).partition(": ")
            headers[name] = value
        elif word in {"-d", "--data-binary"}:
            body = next(arguments)
        elif word != "-s":
            url = word
    return httpx.post(url, headers=headers, content=body.encode()).text


def parts(text: str) -> list[str | float]:
    """Split an answer, passing over white space and the model's version, which another Python or NumPy changes."""
    text = re.sub(r"\s", "", re.sub(r'"[0-9a-f]{12}"', '"version"', text))
    return [float(part) if re.match(r"[\d.]", part) else part for part in re.findall(r"\d[\d.e+-]*|[^\d]+", text)]


@pytest.mark.parametrize(("language", "code", "expected"), EXAMPLES)
def test_an_example_gives_what_the_readme_says(server: Server, language: str, code: str, expected: str) -> None:
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


def test_every_door_has_an_example() -> None:
    code = "".join(str(example.values[1]) for example in EXAMPLES)
    for door in (
        "application/json",
        "text/csv",
        "application/x-ndjson",
        "/v2/models/iris/infer",
        "tritonclient",
        "/invocations",
    ):
        assert door in code
