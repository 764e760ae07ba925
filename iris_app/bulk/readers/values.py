"""Columns of any type as numbers."""

import numpy as np
import polars as pl

from iris_app.codecs.csv_rows import read_decimal
from iris_app.schema import Floats


def read_numbers(column: pl.Series, decimal: str | None = None) -> Floats:
    """Convert a column to numbers; text as ``csv_rows.read_decimal`` does.

    Parameters
    ----------
    column : Series of length n
        Of numbers or of text.
    decimal : str, optional
        The character before decimals; by default a point or a comma.

    Returns
    -------
    ndarray of shape (n,), float64
        NaN if a value is no number.
    """
    if column.dtype != pl.String:
        return column.cast(pl.Float64).fill_null(np.nan).to_numpy()
    plain = column if decimal != "," else column.clear().extend_constant(None, len(column))
    numbers = plain.cast(pl.Float64, strict=False)
    if numbers.null_count() == column.null_count():
        return numbers.fill_null(np.nan).to_numpy()
    unread = numbers.is_null() & column.is_not_null()
    values = numbers.to_numpy(writable=True)
    values[unread.to_numpy()] = _read_texts(column.filter(unread), decimal)
    return values


def _read_texts(column: pl.Series, decimal: str | None) -> Floats:
    """Parse numbers with spaces or decimal commas by polars, and the others by Python."""
    texts = column if decimal != "," else column.str.replace_all(".", "_", literal=True)
    texts = texts if decimal == "." else texts.str.replace_all(",", ".", literal=True)
    numbers = texts.str.strip_chars().cast(pl.Float64, strict=False)
    values = numbers.to_numpy(writable=True)
    unread = numbers.is_null()
    if unread.any():
        texts = column.filter(unread)
        distinct = texts.unique()
        read = pl.Series([read_decimal(text, decimal) for text in distinct], dtype=pl.Float64)
        values[unread.to_numpy()] = texts.replace_strict(distinct, read).to_numpy()
    return values
