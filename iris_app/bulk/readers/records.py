"""The bounds of the records of CSV, with quotes that may be irregular.

A quoted cell that is not closed before a delimiter or a line's end, or that makes a record of several lines longer than
``LIMIT``, invalidates the line where it begins; the next line begins a record.
"""

import csv
import re
from functools import cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

QUOTE = ord('"')

# The maximum bytes of a record of several lines, and characters of a cell.
LIMIT = csv.field_size_limit()

Offsets = NDArray[np.intp]


class Layout(NamedTuple):
    """The offsets of the records in a chunk, of shape (n,), without comments.

    ``irregular`` marks blank lines, and records with quotes that are not around a whole cell; ``lines`` holds the end
    of each line.
    """

    starts: Offsets
    ends: Offsets
    irregular: NDArray[np.bool_]
    lines: Offsets


def find_records(content: bytes, delimiter: bytes, comment: bytes = b"", *, final: bool = True) -> Layout:
    """Find the records in a chunk; if it is not ``final``, only those that are whole."""
    characters = np.frombuffer(content, np.uint8)
    lines = _line_ends(content, characters, final=final)
    ends, irregular = lines, np.zeros(len(lines), bool)
    if b'"' in content:
        regular = None if comment else _regular_ends(content, lines, delimiter, final=final)
        ends, irregular = (
            _irregular_ends(content, lines, delimiter, comment, final=final)
            if regular is None
            else (regular, np.zeros(len(regular), bool))
        )
    starts = np.concatenate([[0], ends[:-1]])[: len(ends)].astype(np.intp)
    irregular |= np.isin(characters[starts], [ord("\n"), ord("\r")])
    if comment:
        used = np.array([not content.startswith(comment, start) for start in starts.tolist()], bool)
        starts, ends, irregular = starts[used], ends[used], irregular[used]
    return Layout(starts, ends, irregular, lines)


def last_record_end(content: bytes, delimiter: bytes, comment: bytes = b"") -> int:
    """Return the end of the last record that is whole."""
    if b'"' not in content:  # a carriage return at the very end may be half of a line's end
        return content.rfind(b"\n") + 1 or content.rfind(b"\r", 0, max(len(content) - 1, 0)) + 1
    layout = find_records(content, delimiter, comment, final=False)
    return int(layout.ends[-1]) if len(layout.ends) else 0


def drop_empty_rows(content: bytes, delimiter: bytes) -> int:
    """Return the end of the last row with a cell that is not blank."""
    filled = content.rstrip(delimiter + b'" \t\r\n')
    end = len(content)
    lines = content[len(filled) :].splitlines(keepends=True)
    for line in reversed(lines[1:] if filled else lines):
        if not _empty_row(delimiter).fullmatch(line.rstrip(b"\r\n")):
            break
        end -= len(line)
    return end


def count_lines(content: bytes) -> int:
    """Count the line ends, as ``csv`` does."""
    returns = content.count(b"\r") - content.count(b"\r\n") if b"\r" in content else 0  # counting two bytes is slow
    return content.count(b"\n") + returns


def are_regular(content: bytes, delimiter: bytes) -> bool:
    """Return whether each quote opens a cell, closes it, or is doubled within it.

    Irregular quotes stand in cells without quotes around (a 5" pot), and are text.
    """
    characters = np.frombuffer(content, np.uint8)
    quotes = np.flatnonzero(characters == QUOTE)
    before, after = _quote_context(characters, quotes, delimiter)
    return bool(before[::2].all() and after[1::2].all())


def count_cells(content: bytes, layout: Layout, delimiter: bytes) -> Offsets:
    """Count the cells of each record, of shape (n,); the counts of irregular ones are undefined."""
    characters = np.frombuffer(content, np.uint8)
    found = characters == delimiter[0]
    if b'"' in content:
        regular = bytes_of(layout, ~layout.irregular, len(content))
        found &= ~np.logical_xor.accumulate((characters == QUOTE) & regular)
    delimiters = np.flatnonzero(found)
    return np.searchsorted(delimiters, layout.ends) - np.searchsorted(delimiters, layout.starts) + 1


def bytes_of(layout: Layout, chosen: NDArray[np.bool_], size: int) -> NDArray[np.bool_]:
    """Return a mask of the bytes that belong to the chosen records."""
    steps = np.zeros(size + 1, np.int8)
    steps[layout.starts[chosen]] += 1
    steps[layout.ends[chosen]] -= 1
    return np.cumsum(steps[:-1], dtype=np.int8).astype(bool)


def _line_ends(content: bytes, characters: NDArray[np.uint8], *, final: bool) -> Offsets:
    ends = np.flatnonzero(characters == ord("\n")) + 1
    if b"\r" in content:
        returns = np.flatnonzero(characters == ord("\r")) + 1
        returns = returns[returns < len(content)] if not final else returns
        following = characters[np.minimum(returns, len(content) - 1)]
        lone = (following != ord("\n")) | (returns == len(content))
        ends = np.sort(np.concatenate([ends, returns[lone]]))
    if final and content and not (len(ends) and ends[-1] == len(content)):
        ends = np.append(ends, len(content))
    return ends


def _quote_context(
    characters: NDArray[np.uint8], quotes: Offsets, delimiter: bytes
) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Return masks of the quotes that may open a cell, and that may close one, by the bytes beside them."""
    bounds = np.zeros(256, bool)
    bounds[list(delimiter + b'\r\n"')] = True
    before = bounds[characters[quotes - 1]] | (quotes == 0)
    after = bounds[characters[np.minimum(quotes + 1, len(characters) - 1)]] | (quotes == len(characters) - 1)
    return before, after


def _regular_ends(content: bytes, lines: Offsets, delimiter: bytes, *, final: bool) -> Offsets | None:
    """Return the records' ends if all quotes are regular, else None."""
    if not are_regular(content, delimiter):
        return None
    within = np.logical_xor.accumulate(np.frombuffer(content, np.uint8) == QUOTE)
    ends = lines[~within[lines - 1]]
    last = int(ends[-1]) if len(ends) else 0
    whole = len(content) - last <= (0 if final else LIMIT)
    longest = np.diff(ends, prepend=0).max(initial=0)
    return ends if whole and longest <= LIMIT else None


def _irregular_ends(
    content: bytes, lines: Offsets, delimiter: bytes, comment: bytes, *, final: bool
) -> tuple[Offsets, NDArray[np.bool_]]:
    """Return the records' ends, and a mask of the irregular ones; only lines with irregular quotes are parsed."""
    record, is_end, irregular = _record(delimiter), np.ones(len(lines), bool), np.zeros(len(lines), bool)
    begun = 0
    for line in _irregular_lines(content, lines, delimiter).tolist():
        start = int(lines[line - 1]) if line else 0
        if start < begun or (comment and content.startswith(comment, start)):
            continue
        found = record.match(content, start)
        end = found.end() if found else 0
        last = int(np.searchsorted(lines, end)) if found else len(lines)
        if not final and (last == len(lines) if found else _is_open(content, start, delimiter)):
            return lines[:line][is_end[:line]], irregular[:line][is_end[:line]]
        if line < len(lines):
            last = last if found and (last == line or end - start <= LIMIT) else line
            is_end[line:last] = False
            irregular[last] = True
            begun = int(lines[last])
    return lines[is_end], irregular[is_end]


def _irregular_lines(content: bytes, lines: Offsets, delimiter: bytes) -> Offsets:
    """Return the lines with irregular quotes."""
    characters = np.frombuffer(content, np.uint8)
    quotes = np.flatnonzero(characters == QUOTE)
    line = np.searchsorted(lines, quotes, "right")
    closing = (np.arange(len(quotes)) - np.searchsorted(line, line)) % 2 == 1
    before, after = _quote_context(characters, quotes, delimiter)
    wrong = np.where(closing, ~after, ~before)
    last = np.append(line[1:] != line[:-1], True)
    return np.unique(line[wrong | (last & ~closing)])


def _is_open(content: bytes, start: int, delimiter: bytes) -> bool:
    """Return whether a quoted cell of the record may be closed in the next chunk."""
    return len(content) - start <= LIMIT and _open_record(delimiter).match(content, start) is not None


@cache
def _record(delimiter: bytes) -> re.Pattern[bytes]:
    cell = rb'(?:"[^"]*+(?:""[^"]*+)*+"(?=[%(d)b\r\n]|\Z)|(?!")[^%(d)b\r\n]*+)' % {b"d": re.escape(delimiter)}
    return re.compile(cell + rb"(?:[%b]" % re.escape(delimiter) + cell + rb")*+(?:\r\n|\n|\r|\Z)")


@cache
def _open_record(delimiter: bytes) -> re.Pattern[bytes]:
    parts = {b"d": re.escape(delimiter)}
    cell = rb'(?:"[^"]*+(?:""[^"]*+)*+"(?=[%(d)b\r\n])|(?!")[^%(d)b\r\n]*+)' % parts
    return re.compile(rb"(?:%b[%b])*+" % (cell, parts[b"d"]) + rb'"[^"]*+(?:""[^"]*+)*+"?\Z')


@cache
def _empty_row(delimiter: bytes) -> re.Pattern[bytes]:
    blanks = b" \t".replace(delimiter, b"")
    cell = rb'(?:"[ \t]*+"|[%b]*+)' % blanks
    return re.compile(rb"%b(?:%b%b)*+" % (cell, re.escape(delimiter), cell))
