"""Bounds on what a body may hold, checked by counting bytes before anything is made of them."""

from collections.abc import Iterator

import numpy as np

from iris_app.exceptions import TooManyRows

# Values for each row that one request may hold: dozens of columns in CSV, a few fields beside the features' in JSON.
CELLS_PER_ROW = 40
VALUES_PER_ROW = 10

# Lines for each row: cells may hold line ends, and blank lines are passed over.
LINES_PER_ROW = 3

# Arrays and objects for each row: itself, and another in one of its fields.
CONTAINERS_PER_ROW = 2

# Allowed beyond these, so that small limits do not decide before the rows are counted.
ALLOWANCE = 1000

CHUNK = 65_536


def count(body: bytes, characters: bytes) -> int:
    """Count the bytes of a body that are one of some characters, in chunks that fit into a processor's cache."""
    if len(body) < CHUNK:
        return sum(map(body.count, (characters[at : at + 1] for at in range(len(characters)))))
    return sum(int(np.count_nonzero(chunk == character)) for chunk in _chunks(body) for character in characters)


def check_json(body: bytes, max_rows: int) -> None:
    """Raise ``TooManyRows`` where JSON has more values, or more arrays and objects, than so many rows may have."""
    check(count(body, b","), "values", VALUES_PER_ROW, max_rows)
    check(count(body, b"[{"), "arrays and objects", CONTAINERS_PER_ROW, max_rows)


def check_lines(body: bytes, max_rows: int) -> None:
    """Raise ``TooManyRows`` where a body has more lines than so many rows may have."""
    check(max(count(body, b"\n"), count(body, b"\r")), "lines", LINES_PER_ROW, max_rows)


def check(found: int, what: str, per_row: int, max_rows: int) -> None:
    """Raise ``TooManyRows`` where more was found than so many rows may have."""
    most = per_row * max_rows + ALLOWANCE
    if found > most:
        raise TooManyRows(f"There are more than {most:,} {what}, which are more than {max_rows:,} rows may have.")


def _chunks(body: bytes) -> Iterator[np.ndarray[tuple[int], np.dtype[np.uint8]]]:
    characters = np.frombuffer(body, np.uint8)
    for start in range(0, len(body), CHUNK):
        yield characters[start : start + CHUNK]
