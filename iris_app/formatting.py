"""Formatting and parsing of numbers and text for people."""

import difflib
import math
import re
import sys
from collections.abc import Collection
from itertools import islice

MAX_FLOAT = sys.float_info.max

# The names that are compared with a misspelt one, and the characters of it that are; comparing takes long.
MAX_COMPARED = 20
MAX_COMPARED_LENGTH = 40

WHOLE_NUMBER = re.compile(r"-?[0-9]{1,15}")

# The beginnings of words that begin with a vowel as they are spoken, and not as "user" and "one" do. Abbreviations are
# spelt: an MRI, a USB stick.
VOWEL_SOUND = re.compile(
    r"\A(?:(?:[AEFHILMNORSX](?:[A-Z0-9]|\b))|(?i:hour|honest|honou?r|heir)"
    r"|(?![UO](?:[A-Z0-9]|\b))(?!(?i:uni(?!n)|us[aeiu]|ut[ei]l|eu|ewe|one|once|u\b))(?i:[aeiou]))"
)

NOT_PRINTABLE_ASCII = re.compile(r"[^ -~]")


def parse_number(text: str) -> float:
    """Parse a number; return NaN if the text is not one."""
    try:
        return math.nan if "_" in text else float(text)  # float() accepts 1_0
    except ValueError:
        return math.nan


def parse_int(text: str) -> int | None:
    """Parse a whole number of at most 15 digits; return None if the text is not one."""
    return int(text) if WHOLE_NUMBER.fullmatch(text) else None


def format_number(value: float) -> str:
    """Format a number as the shortest text that parses to the same float."""
    if not -MAX_FLOAT <= value <= MAX_FLOAT:
        return "NaN" if value != value else "a number that is too large"
    return repr(value).removesuffix(".0")


def format_percent(probability: float) -> str:
    """Format a probability in percent, never as 0 % or 100 %."""
    if probability < 0.001:
        return "< 0.1 %"
    if probability > 0.999:
        return "> 99.9 %"
    return f"{100 * probability:.1f} %"


def format_count(count: int, one: str, many: str) -> str:
    """Format a count of things, in the singular if it is one of them."""
    return f"{count:,} {one if count == 1 else many}"


def with_article(noun: str) -> str:
    """Put the indefinite article before a noun, by its first sound."""
    return f"{'an' if VOWEL_SOUND.match(noun) else 'a'} {noun}"


def truncate(text: str, length: int = 40) -> str:
    """Truncate a text of a client for an error message, and escape unprintable characters."""
    return printable(text if len(text) <= length else f"{text[:length]}…")


def printable(text: str) -> str:
    r"""Escape unprintable characters, such as ``\u202e``, which could hide or reorder text on a terminal."""
    return text if text.isascii() and text.isprintable() else NOT_PRINTABLE_ASCII.sub(_escape, text)


def _escape(match: re.Match[str]) -> str:
    character = match[0]
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[index]:02x}{units[index + 1]:02x}" for index in range(0, len(units), 2))


def find_nearest(text: str, names: Collection[str], similarity: float = 0.6) -> str | None:
    """Return the name that is most similar to a text, if one is; of many, one that begins or ends like it.

    ``similarity`` is the least that counts, from 0 to 1, where names are equal.
    """
    text = text[:MAX_COMPARED_LENGTH]
    folded = text.casefold()
    alike = (name for name in names if len(names) <= MAX_COMPARED or _begins_or_ends_alike(name.casefold(), folded))
    compared = [name for name in islice(alike, MAX_COMPARED) if len(name) <= 2 * MAX_COMPARED_LENGTH]
    return next(iter(difflib.get_close_matches(text, compared, n=1, cutoff=similarity)), None)


def _begins_or_ends_alike(name: str, text: str) -> bool:
    return name[:2] == text[:2] or name[-2:] == text[-2:]
