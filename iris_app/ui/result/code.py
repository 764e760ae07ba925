"""Commands and programs that ask the API for the answer of a page."""

import shlex
from collections.abc import Mapping
from dataclasses import dataclass

import msgspec
from flask import current_app, url_for

from iris_app.schema import Value

# What stands in for the key of those who need one.
KEY = "YOUR_KEY"

PYTHON = """\
import json
from urllib.request import Request, urlopen

row = {row}
headers = {headers}
with urlopen(Request({url}, json.dumps(row).encode(), headers)) as response:
    print(json.load(response))"""

JAVASCRIPT = """\
const response = await fetch({url}, {{
  method: "POST",
  headers: {headers},
  body: JSON.stringify({row}),
}});
console.log(await response.json());"""


@dataclass(frozen=True, slots=True)
class Snippet:
    """A program in a language, and an id for its element."""

    id: str
    language: str
    text: str


def make_snippets(row: Mapping[str, Value]) -> list[Snippet]:
    """Return programs that send a row to the API, at the address that the visitor used."""
    url = url_for("api.classify", _external=True)
    headers = {"Content-Type": "application/json"}
    if current_app.config["API_KEYS"]:
        headers["Authorization"] = f"Bearer {KEY}"
    options = " ".join(f"-H {shlex.quote(f'{name}: {value}')}" for name, value in headers.items())
    curl = f"curl {shlex.quote(url)} {options} -d {shlex.quote(_to_json(row))}"
    python = PYTHON.format(row=dict(row), headers=headers, url=_to_json(url))
    javascript = JAVASCRIPT.format(row=_to_json(row), headers=_to_json(headers), url=_to_json(url))
    return [
        Snippet("code-curl", "curl", curl),
        Snippet("code-python", "Python", python),
        Snippet("code-javascript", "JavaScript", javascript),
    ]


def _to_json(value: object) -> str:
    return msgspec.json.format(msgspec.json.encode(value), indent=0).decode()
