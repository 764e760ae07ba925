"""Columns of any type, read as numbers."""

import numpy as np
import polars as pl

from iris_app.bulk.rows import Floats
from iris_app.formatting import parse_number


def read_numbers(column: pl.Series, decimal: str = ".") -> Floats:
    """Read a column as numbers, text as a cell of CSV is read.

    Parameters
    ----------
    column : Series of length n
        Of numbers or of text.
    decimal : str
        What parts a text's decimals may stand behind, beside a point.

    Returns
    -------
    ndarray of shape (n,), float64
        Not a number where there is none.
    """
    if column.dtype != pl.String:
        return column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    if decimal != ".":
        column = column.str.replace_all(decimal, ".", literal=True)
    numbers = column.cast(pl.Float64, strict=False)
    if numbers.null_count() > column.null_count():
        numbers = column.str.strip_chars().cast(pl.Float64, strict=False)
    values = numbers.fill_null(np.nan).to_numpy()
    if numbers.null_count() > column.null_count():  # what Python reads and polars does not
        values = values.copy()
        for row in (numbers.is_null() & column.is_not_null()).arg_true():
            values[row] = parse_number(column[row])
    return values
