"""Columns of any type as values of features, and values as typed columns."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import numpy as np
import polars as pl

from iris_app.schema import MISSING, Feature, Floats, Schema

# The types of columns of values; categories keep the column that they came in.
DTYPES: dict[str, Any] = {"number": pl.Float64, "integer": pl.Int64, "boolean": pl.Boolean}


def read_rows(schema: Schema, columns: Sequence[pl.Series | None], count: int, decimal: str | None = None) -> Floats:
    """Convert a column for each feature, None if it is absent, to rows of shape (count, features)."""
    return np.column_stack(
        [
            np.full(count, MISSING) if column is None else read_values(feature, column, decimal)
            for feature, column in zip(schema.features, columns, strict=True)
        ]
    )


def read_values(feature: Feature, column: pl.Series, decimal: str | None = None) -> Floats:
    """Convert a column to values as rows encode them; text as ``Feature.read_text`` does.

    Parameters
    ----------
    feature : Feature
    column : Series of length n
        Of numbers, booleans or text.
    decimal : str, optional
        The character before decimals; by default a point or a comma.

    Returns
    -------
    ndarray of shape (n,), float64
        ``MISSING`` where it is null, ``UNREADABLE`` where a text is no value.
    """
    if column.dtype == pl.String:
        read = partial(feature.read_text, decimal=decimal)
        return _read_numbers(feature, column, decimal) if feature.is_numeric else _read_distinct(column, read)
    if feature.kind == "category":
        exact = column if column.dtype.is_integer() else column.cast(pl.Float64).fill_nan(None)
        return _read_distinct(exact, feature.encode)
    return column.cast(pl.Float64).fill_null(MISSING).to_numpy()


def to_column(feature: Feature, name: str, values: Floats) -> pl.Series:
    """Convert numbers or booleans to a column of their type; null where they are missing or of another kind."""
    fits = np.isfinite(values)
    if feature.kind != "number":
        fits &= np.floor(values) == values
    if feature.kind == "boolean":
        fits &= (values == 0) | (values == 1)
    column = pl.Series(name, np.where(fits, values, np.nan)).fill_nan(None)
    return column.cast(DTYPES[feature.kind], strict=False)


def has_own_type(feature: Feature, dtype: pl.DataType) -> bool:
    """Return whether a column of values needs no conversion to be written."""
    match feature.kind:
        case "number":
            return dtype.is_float()
        case "integer":
            return dtype.is_integer()
        case "boolean":
            return dtype == pl.Boolean
    return True


def _read_distinct(column: pl.Series, read: Callable[[Any], float]) -> Floats:
    """Read each value that is not null once."""
    distinct = column.drop_nulls().unique()
    values = column.replace_strict(distinct, pl.Series(map(read, distinct), dtype=pl.Float64), return_dtype=pl.Float64)
    return values.cast(pl.Float64).fill_null(MISSING).to_numpy()


def _read_numbers(feature: Feature, column: pl.Series, decimal: str | None) -> Floats:
    plain = column if decimal != "," else column.clear().extend_constant(None, len(column))
    numbers = plain.cast(pl.Float64, strict=False)
    if numbers.null_count() == column.null_count() and not (feature.optional and numbers.is_nan().any()):
        return numbers.fill_null(MISSING).to_numpy()
    unread = column.is_not_null() & (numbers.is_null() | numbers.is_nan())
    values = numbers.to_numpy(writable=True)
    values[unread.to_numpy()] = _read_texts(feature, column.filter(unread), decimal)
    return values


def _read_texts(feature: Feature, column: pl.Series, decimal: str | None) -> Floats:
    """Read numbers with spaces or decimal commas by polars, and other texts by Python."""
    texts = column if decimal != "," else column.str.replace_all(".", "_", literal=True)
    texts = texts if decimal == "." else texts.str.replace_all(",", ".", literal=True)
    numbers = texts.str.strip_chars().cast(pl.Float64, strict=False)
    values = numbers.to_numpy(writable=True)
    unread = numbers.is_null() | numbers.is_nan()
    if unread.any():
        read = partial(feature.read_text, decimal=decimal)
        values[unread.to_numpy()] = _read_distinct(column.filter(unread), read)
    return values
