"""Bounds on the contents of a body, checked by counting bytes before it is parsed."""

from collections.abc import Iterator

import numpy as np

from iris_app.exceptions import TooManyRows

# Cells per row in CSV, and values per row in JSON: some beside the features'.
CELLS_PER_ROW = 40
VALUES_PER_ROW = 10

# Lines per row: cells may hold line ends, and blank lines are skipped.
LINES_PER_ROW = 3

# Arrays and objects per row: the row itself, and one in a field.
CONTAINERS_PER_ROW = 2

# Added to these, so that a small limit of rows is checked by counting rows.
ALLOWANCE = 1000

CHUNK_SIZE = 65_536


def count(body: bytes, characters: bytes) -> int:
    """Count the occurrences of some characters in a body, in chunks that fit into a processor's cache."""
    if len(body) < CHUNK_SIZE:
        return sum(map(body.count, (characters[index : index + 1] for index in range(len(characters)))))
    return sum(int(np.count_nonzero(chunk == character)) for chunk in _chunks(body) for character in characters)


def check_json(body: bytes, max_rows: int) -> None:
    """Raise ``TooManyRows`` if JSON has more values, arrays or objects than ``max_rows`` rows may have."""
    check(count(body, b","), "values", VALUES_PER_ROW, max_rows)
    check(count(body, b"[{"), "arrays and objects", CONTAINERS_PER_ROW, max_rows)


def check_lines(body: bytes, max_rows: int) -> None:
    """Raise ``TooManyRows`` if a body has more lines than ``max_rows`` rows may have."""
    check(max(count(body, b"\n"), count(body, b"\r")), "lines", LINES_PER_ROW, max_rows)


def check(found: int, what: str, per_row: int, max_rows: int) -> None:
    """Raise ``TooManyRows`` if ``found`` exceeds the limit for ``max_rows`` rows."""
    limit = per_row * max_rows + ALLOWANCE
    if found > limit:
        raise TooManyRows(f"There are more than {limit:,} {what}, which are more than {max_rows:,} rows may have.")


def _chunks(body: bytes) -> Iterator[np.ndarray[tuple[int], np.dtype[np.uint8]]]:
    characters = np.frombuffer(body, np.uint8)
    for start in range(0, len(body), CHUNK_SIZE):
        yield characters[start : start + CHUNK_SIZE]
