"""Quotes in CSV: what is within them, and where rows end that may hold more lines than one."""

import re
from functools import cache

import numpy as np

QUOTE = ord('"')


def are_regular(content: bytes, delimiter: bytes) -> bool:
    """Say whether each quote opens a cell, closes it or is one of two within it, from the beginning of a row on.

    Others may stand in a cell that is not quoted (a 5" pot), and are text as any.
    """
    characters = np.frombuffer(b"\n" + content + b"\n", np.uint8)
    quotes = np.flatnonzero(characters == QUOTE)
    beside = np.zeros(256, bool)
    beside[list(delimiter + b'\r\n"')] = True
    return bool(beside[characters[quotes[::2] - 1]].all() and beside[characters[quotes[1::2] + 1]].all())


def outside(content: bytes, delimiter: bytes) -> int:
    """Count the delimiters that are not within quotes, where these are regular."""
    characters = np.frombuffer(content, np.uint8)
    within = np.logical_xor.accumulate(characters == QUOTE)
    return int(np.count_nonzero((characters == delimiter[0]) & ~within))


def last_row_ends(content: bytes, delimiter: bytes) -> int:
    """Say where the last row ends that is whole: behind a line's end that is not within quotes."""
    if b'"' in content and not (b"\n" in content and are_regular(content, delimiter)):
        content = _quoted(delimiter).sub(lambda cell: b" " * len(cell[0]), content).replace(b'"', b" ")
    end = content.rfind(b"\n") + 1
    if not end:  # a carriage return at the very end may be half of a line's end
        return content.rfind(b"\r", 0, max(len(content) - 1, 0)) + 1
    quotes = content.count(b'"', 0, end)
    while end and quotes % 2:
        quote = content.rfind(b'"', 0, end)
        before = content.rfind(b"\n", 0, quote) + 1
        quotes -= content.count(b'"', before, end)
        end = before
    return end


@cache
def _quoted(delimiter: bytes) -> re.Pattern[bytes]:
    """Make the pattern of a cell in quotes, which may not be closed yet."""
    return re.compile(rb'(?:\A|(?<=[%b\r\n]))"[^"]*(?:""[^"]*)*"?' % re.escape(delimiter))


def count_lines(content: bytes) -> int:
    """Count the ends of lines, as ``csv`` knows them."""
    returns = content.count(b"\r") - content.count(b"\r\n") if b"\r" in content else 0  # two are sought slowly
    return content.count(b"\n") + returns
