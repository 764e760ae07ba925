"""Read a whole file in the tests."""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from iris_app.bulk.rows import Reader, Rejects
from iris_app.exceptions import InvalidValue
from iris_app.schema import Floats


class Reject(NamedTuple):
    """A row that cannot be classified: the number of its line, its text and its errors."""

    line: int
    row: str
    errors: list[InvalidValue]


@dataclass(frozen=True)
class Rows:
    """What a reader reads of all pieces."""

    frame: pl.DataFrame
    values: Floats
    rejects: list[Reject]
    read: int
    lines: Sequence[bytes]
    actual: pl.Series | None
    known: NDArray[np.bool_]


def read_all(reader: Reader) -> Rows:
    """Join what a reader reads of all pieces."""
    parts = [reader.read(chunk) for chunk in reader.chunks()]
    return Rows(
        pl.concat([part.frame for part in parts]),
        np.concatenate([part.values for part in parts]),
        list(chain.from_iterable(describe(part.rejects) for part in parts)),
        sum(part.read for part in parts),
        list(chain.from_iterable(part.lines for part in parts)),
        None if parts[0].actual is None else pl.concat([part.actual for part in parts if part.actual is not None]),
        known=np.concatenate([np.ones(len(part.values), bool) if part.known is None else part.known for part in parts]),
    )


def describe(rejects: Rejects) -> list[Reject]:
    """Return the rows that cannot be classified, one by one."""
    lines, texts, errors = rejects.describe(rejects.count)
    found = [Reject(int(line), text, []) for line, text in zip(lines, texts, strict=True)]
    for row, column, detail in errors.rows():
        found[row].errors.append(InvalidValue(detail, line=found[row].line, column=column))
    assert rejects.first_errors(3) == [error for reject in found for error in reject.errors][:3]
    return found


def details(rows: Rows) -> list[str]:
    """Return all sentences."""
    return [error.detail for reject in rows.rejects for error in reject.errors]
