"""Numbers and text as people write and read them."""

import math
import re
import sys

LARGEST = sys.float_info.max

UNUSUAL = re.compile(r"[^ -~]")


def parse_number(text: str) -> float:
    """Read a number in the usual notations; return NaN where there is none."""
    try:
        return math.nan if "_" in text else float(text)  # Python would read 1_0 as 10
    except ValueError:
        return math.nan


def format_number(value: float) -> str:
    """Write a number as short as it can be without becoming another one."""
    if not -LARGEST <= value <= LARGEST:
        return "NaN" if value != value else "a number beyond all bounds"
    return repr(value).removesuffix(".0")


def format_percent(probability: float) -> str:
    """Write a probability in percent, never rounded to a certainty."""
    if probability < 0.001:
        return "< 0.1 %"
    if probability > 0.999:
        return "> 99.9 %"
    return f"{100 * probability:.1f} %"


def truncate(text: str, length: int = 40) -> str:
    """Cut a text that a client sent to the length at which an error repeats it, and escape what is not printable."""
    return printable(text if len(text) <= length else f"{text[:length]}…")


def printable(text: str) -> str:
    r"""Escape control, format, separator, surrogate and private characters, as ``\u202e``; others stay.

    They would move, hide or reorder the text around them on a terminal.
    """
    return text if text.isascii() and text.isprintable() else UNUSUAL.sub(_escape, text)


def _escape(found: re.Match[str]) -> str:
    character = found[0]
    if character.isprintable():
        return character
    units = character.encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[index]:02x}{units[index + 1]:02x}" for index in range(0, len(units), 2))
