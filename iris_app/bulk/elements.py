"""Where objects of JSON stand: one a line, or as the elements of an array."""

import re
from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from iris_app.bulk.pieces import Piece, Rules
from iris_app.exceptions import MalformedDocument

Numbered = Sequence[tuple[int, bytes]]

# How an array of objects begins.
ARRAY = re.compile(rb"\s*\[(?=\s*[{\]])")

ESCAPED = re.compile(rb"\\.", re.DOTALL)


class Elements(Protocol):
    """How objects stand in a file: in pieces, and each with its line in a piece."""

    rules: Rules

    def split(self, piece: Piece) -> Numbered:
        """Return each object's text, and the number of the line where it begins."""


def count_lines(content: bytes) -> int:
    """Count the ends of lines."""
    return content.count(b"\n")


class Lines:
    """One a line."""

    rules = Rules(lambda content: content.rfind(b"\n") + 1, count_lines)

    def split(self, piece: Piece) -> Numbered:
        """Return each line that is not blank, and its number."""
        return [(at, line) for at, line in enumerate(piece.content.split(b"\n"), piece.line) if line.strip()]


class Array:
    """In an array, on as many lines as it may be."""

    def __init__(self) -> None:
        self.rules = Rules(self._last_ends, count_lines)

    def split(self, piece: Piece) -> Numbered:
        """Return each element as one line, and the number of the line where it begins."""
        line, content = piece
        commas, end = _separators(content)
        if end is None and not (commas and not content[commas[-1] + 1 :].strip()):
            raise MalformedDocument("The array does not end.")
        if end is not None and content[end + 1 :].strip():
            raise MalformedDocument(f"Line {line + count_lines(content[:end])} ends the array, and more follows.")
        ends = commas if end is None else [*commas, end]
        starts = [0, *(comma + 1 for comma in ends[:-1])]
        numbered = []
        for start, stop in zip(starts, ends, strict=True):
            element = content[start:stop]
            blank = element[: len(element) - len(element.lstrip())]
            numbered.append((line + count_lines(blank), element.strip().replace(b"\n", b" ").replace(b"\r", b" ")))
            line += count_lines(element)
        return numbered

    @staticmethod
    def _last_ends(content: bytes) -> int:
        commas, _ = _separators(content)
        return commas[-1] + 1 if commas else 0


def _separators(content: bytes) -> tuple[list[int], int | None]:
    """Return where the commas between elements stand, and where the array ends, if it does."""
    plain = ESCAPED.sub(b"__", content) if b"\\" in content else content
    characters = np.frombuffer(plain, np.uint8)
    outside = ~np.logical_xor.accumulate(characters == ord('"'))
    depth = np.cumsum(_any(characters, b"{[") & outside, dtype=np.int32)
    depth -= np.cumsum(_any(characters, b"}]") & outside, dtype=np.int32)
    end = int(np.argmax(depth < 0)) if len(depth) and depth.min() < 0 else None
    commas = np.flatnonzero((characters == ord(",")) & outside & (depth == 0))
    return commas[: None if end is None else np.searchsorted(commas, end)].tolist(), end


def _any(characters: NDArray[np.uint8], which: bytes) -> NDArray[np.bool_]:
    found: NDArray[np.bool_] = (characters == which[0]) | (characters == which[1])
    return found
