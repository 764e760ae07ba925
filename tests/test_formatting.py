import unicodedata

import pytest

from iris_app.formatting import printable

HARMFUL = {"Cc", "Cf", "Zl", "Zp", "Cs", "Co"}


def test_what_is_harmful_on_a_terminal_is_escaped() -> None:
    characters = map(chr, range(0x110000))
    harmful = "".join(character for character in characters if unicodedata.category(character) in HARMFUL)
    assert not {unicodedata.category(character) for character in printable(harmful)} & HARMFUL


@pytest.mark.parametrize("text", ["", "a b", "é", "花", "😀"])
def test_what_a_person_reads_stays(text: str) -> None:
    assert printable(text) == text


@pytest.mark.parametrize(
    ("text", "escaped"),
    [("\x7f", r"\u007f"), ("é\u202e", r"é\u202e"), ("\U000e0041", r"\udb40\udc41"), ("\n", r"\u000a")],
)
def test_an_escape_is_that_of_json(text: str, escaped: str) -> None:
    assert printable(text) == escaped
