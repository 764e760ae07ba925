import time
import unicodedata

import pytest

from iris_app.formatting import find_nearest, format_count, printable, with_article

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


@pytest.mark.parametrize(
    ("text", "names", "nearest"),
    [
        ("femal", ["female", "male"], "female"),
        ("xyz", ["female", "male"], None),
        ("", [], None),
        ("naem 77", [f"name {number}" for number in range(100)], "name 7"),
        ("oame 77", [f"name {number}" for number in range(100)], "name 77"),
        ("name 77", [f"other {number}" for number in range(70)], None),
    ],
)
def test_the_nearest_name_is_found(text: str, names: list[str], nearest: str | None) -> None:
    assert find_nearest(text, names) == nearest


def test_a_name_is_compared_with_few_of_many() -> None:
    names = ["ab" + f"{number:05}" * 10 for number in range(10_000)]
    begun = time.process_time()
    find_nearest("ab" + "43210" * 10_000, names)
    assert time.process_time() - begun < 0.5


@pytest.mark.parametrize(
    ("article", "nouns"),
    [
        ("a", "flower row user unit universe European one-pager house USB UFO"),
        ("an", "iris hour honest unusual onion umbrella MRI e-mail uninsured EU"),
    ],
)
def test_the_article_follows_the_sound_of_the_noun(article: str, nouns: str) -> None:
    assert [with_article(noun) for noun in nouns.split()] == [f"{article} {noun}" for noun in nouns.split()]


@pytest.mark.parametrize(("count", "text"), [(0, "0 rows"), (1, "1 row"), (2, "2 rows"), (12345, "12,345 rows")])
def test_a_count_is_in_the_singular_for_one(count: int, text: str) -> None:
    assert format_count(count, "row", "rows") == text
