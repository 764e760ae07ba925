"""Read a whole file in the tests."""

from itertools import chain

import numpy as np
import polars as pl

from iris_app.bulk.rows import Reader, Rows


def read_all(reader: Reader) -> Rows:
    """Join what a reader reads of all pieces."""
    parts = [reader.read(chunk) for chunk in reader.chunks()]
    return Rows(
        pl.concat([part.frame for part in parts]),
        np.concatenate([part.values for part in parts]),
        list(chain.from_iterable(part.rejects for part in parts)),
        sum(part.read for part in parts),
        list(chain.from_iterable(part.lines for part in parts)),
        None if parts[0].actual is None else pl.concat([part.actual for part in parts if part.actual is not None]),
        known=np.concatenate([np.ones(len(part.values), bool) if part.known is None else part.known for part in parts]),
    )


def details(rows: Rows) -> list[str]:
    """Return all sentences."""
    return [error.detail for reject in rows.rejects for error in reject.errors]
