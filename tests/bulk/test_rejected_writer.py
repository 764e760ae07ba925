"""The rows that could not be classified, in a table of their own."""

import csv
import io
from contextlib import ExitStack
from pathlib import Path

import numpy as np
import polars as pl

from iris_app.bulk import rows
from iris_app.bulk.rows import RejectedRows, Rejects
from iris_app.bulk.writers.rejected import COLUMNS, RejectedWriter


def rejects(*texts: str) -> Rejects:
    """Return rows with two errors each, of lines from 1."""
    numbers = list(range(len(texts)))
    errors = [(row, *error) for row in numbers for error in (("one", "One is wrong."), (None, "All is wrong."))]
    described = RejectedRows(
        np.array(numbers, np.int64) + 1, list(texts), pl.DataFrame(errors, rows.ERRORS, orient="row")
    )
    return Rejects(len(texts), lambda _count: described)


def test_rows_are_read_back_with_their_lines_and_reasons(tmp_path: Path) -> None:
    texts = ["a,b", 'say "a"', "a\rb", "a\nb", "\u00e9"]
    with ExitStack() as stack:
        rejected = RejectedWriter(stack, "flowers.csv", str(tmp_path / "rejected"))
        for text in texts:
            rejected.add(rejects(text))
        rejected.add(rejects())
    text = (tmp_path / "rejected").read_bytes().decode()
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header == COLUMNS
    reasons = ["one", "One is wrong. All is wrong."]
    assert rows == [["flowers.csv", "1", *reasons, text] for text in texts]


def test_nothing_is_written_where_no_rows_are_wrong(tmp_path: Path) -> None:
    with ExitStack() as stack:
        rejected = RejectedWriter(stack, "flowers.csv", str(tmp_path / "rejected"))
        rejected.add(rejects())
    assert list(tmp_path.iterdir()) == []


def test_rows_that_are_not_kept_are_not_written(tmp_path: Path) -> None:
    with ExitStack() as stack:
        rejected = RejectedWriter(stack, "flowers.csv", None)
        rejected.add(rejects("a"))
    assert (rejected.is_used, list(tmp_path.iterdir())) == (False, [])
