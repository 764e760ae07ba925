"""Bounds on the contents of a body, checked by counting bytes before it is parsed."""

from collections.abc import Iterator

import numpy as np

from iris_app.exceptions import TooManyRows
from iris_app.schema import Feature, Schema

# Cells per row in CSV, and values per row in JSON, beside the features'.
OTHER_CELLS = 36
OTHER_VALUES = 6

# Lines per row: cells may hold line ends, and blank lines are skipped.
LINES_PER_ROW = 3

# Arrays and objects per row: the row itself, and one in a field.
CONTAINERS_PER_ROW = 2

# Added to these, so that a small limit of rows is checked by counting rows.
ALLOWANCE = 1000

CHUNK_SIZE = 65_536


class RowBounds:
    """The bounds on a row of a schema; ``schema.derive(RowBounds)`` makes them once.

    Attributes
    ----------
    cells, values, containers : int
        The number of cells in CSV, and of values, arrays and objects in JSON, with the characters in names and
        categories that look like their separators.
    """

    def __init__(self, schema: Schema) -> None:
        count = len(schema.features)
        self.cells = count + OTHER_CELLS + max(_count_inside(schema, delimiter) for delimiter in ",;\t| ")
        self.values = count + OTHER_VALUES + _count_inside(schema, ",")
        self.containers = CONTAINERS_PER_ROW + _count_inside(schema, "[{")


def count(body: bytes, characters: bytes) -> int:
    """Count the occurrences of some characters in a body, in chunks that fit into a processor's cache."""
    if len(body) < CHUNK_SIZE:
        return sum(map(body.count, (characters[index : index + 1] for index in range(len(characters)))))
    return sum(int(np.count_nonzero(chunk == character)) for chunk in _chunks(body) for character in characters)


def check_json(schema: Schema, body: bytes, max_rows: int) -> None:
    """Raise ``TooManyRows`` if JSON has more values, arrays or objects than ``max_rows`` rows may have."""
    bounds = schema.derive(RowBounds)
    check(count(body, b","), "values", bounds.values, max_rows)
    check(count(body, b"[{"), "arrays and objects", bounds.containers, max_rows)


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


def _count_inside(schema: Schema, characters: str) -> int:
    """Count the most occurrences of some characters in the names and categories of a row."""
    return sum(_count_in_feature(feature, character) for feature in schema.features for character in characters)


def _count_in_feature(feature: Feature, character: str) -> int:
    categories = (str(category).count(character) for category in feature.categories)
    return feature.name.count(character) + max(categories, default=0)
