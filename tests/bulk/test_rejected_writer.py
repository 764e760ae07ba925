"""The rows that could not be classified, in a table of their own."""

import csv
import io
from contextlib import ExitStack
from pathlib import Path

from iris_app.bulk.rows import Reject
from iris_app.bulk.writers.rejected import COLUMNS, RejectedWriter
from iris_app.exceptions import InvalidValue

ERRORS = [InvalidValue("One is wrong.", line=1, column="one"), InvalidValue("All is wrong.", line=1)]


def test_rows_are_read_back_with_their_lines_and_reasons(tmp_path: Path) -> None:
    texts = ["a,b", 'say "a"', "a\rb", "a\nb", "\u00e9"]
    with ExitStack() as stack:
        rejected = RejectedWriter(stack, "flowers.csv", str(tmp_path / "rejected"))
        for at, text in enumerate(texts):
            rejected.add([Reject(at, text, ERRORS)])
        rejected.add([])
    text = (tmp_path / "rejected").read_bytes().decode()
    header, *rows = csv.reader(io.StringIO(text, newline=""), strict=True)
    assert header == COLUMNS
    reasons = ["one", "One is wrong. All is wrong."]
    assert rows == [["flowers.csv", str(at), *reasons, text] for at, text in enumerate(texts)]


def test_nothing_is_written_where_no_rows_are_wrong(tmp_path: Path) -> None:
    with ExitStack() as stack:
        rejected = RejectedWriter(stack, "flowers.csv", str(tmp_path / "rejected"))
        rejected.add([])
    assert list(tmp_path.iterdir()) == []


def test_rows_that_are_not_kept_are_not_written(tmp_path: Path) -> None:
    with ExitStack() as stack:
        rejected = RejectedWriter(stack, "flowers.csv", None)
        rejected.add([Reject(1, "a", ERRORS)])
    assert (rejected.is_used, list(tmp_path.iterdir())) == (False, [])
