"""Read the table that a classifier was trained on, from CSV or Parquet."""

from pathlib import Path
from typing import Any

import pandas as pd

from iris_app.exceptions import PackagingRefused
from iris_app.formatting import truncate

PARQUET = {".parquet", ".pq"}
CSV = {".csv", ".tsv", ".txt"}
DECIMAL_COMMA = r"\s*[+-]?\d+(,\d+)?\s*"
DELIMITERS = ",;\t|"

# What pandas reads as a missing value in CSV, unless it is told otherwise.
NOT_AVAILABLE = ("#N/A", "#N/A N/A", "#NA", "<NA>", "N/A", "NA", "n/a", "NULL", "null", "None")
NOT_A_NUMBER = ("NaN", "nan", "-NaN", "-nan", "1.#IND", "-1.#IND", "1.#QNAN", "-1.#QNAN")
MISSING_TEXTS = frozenset((*NOT_AVAILABLE, *NOT_A_NUMBER))

# Bytes of a file, and values of a table, that fit into the memory of a usual machine.
MAX_FILE_SIZE = 2 * 1024**3
MAX_VALUES = 500_000_000

MAX_COLUMNS = 10_000


def read_table(path: Path) -> pd.DataFrame:
    """Read a table: CSV as texts that stand as they were written; Parquet with its own types.

    Raises
    ------
    PackagingRefused
        If it is no such table, or too large.
    """
    try:
        size = path.stat().st_size
        if size > MAX_FILE_SIZE:
            raise PackagingRefused(f"{path} has {size:,} bytes, more than {MAX_FILE_SIZE:,}: {SAMPLE_HINT}")
        frame = _read(path)
    except (OSError, ValueError) as error:  # ValueError: of pandas, pyarrow and Unicode
        raise PackagingRefused(f"{path} cannot be read: {_reason(error)}.") from error
    if not len(frame):
        raise PackagingRefused(f"{path} has no rows.")
    return frame


def missing_texts(path: Path) -> frozenset[str]:
    """Return the texts of a table that stand for a missing value."""
    return MISSING_TEXTS if path.suffix.lower() in CSV else frozenset()


SAMPLE_HINT = "give a sample of its rows, drawn by chance."


def _reason(error: OSError | ValueError) -> str:
    return (isinstance(error, OSError) and error.strerror) or truncate(str(error), 200).rstrip(".")


def _read(path: Path) -> pd.DataFrame:
    match path.suffix.lower():
        case suffix if suffix in PARQUET:
            return _read_parquet(path)
        case suffix if suffix in CSV:
            return _read_csv(path)
    raise PackagingRefused(f"{path} is neither CSV ({', '.join(sorted(CSV))}) nor Parquet (.parquet, .pq).")


def _read_csv(path: Path) -> pd.DataFrame:
    with path.open(encoding="utf-8-sig") as file:
        heading = file.readline(1024 * 1024)
    delimiter = max(DELIMITERS, key=heading.count)
    if heading.count(delimiter) >= MAX_COLUMNS:
        raise PackagingRefused(f"{path} has more than {MAX_COLUMNS:,} columns.")
    # Names that stand twice are read as a row, since pandas would number them.
    names = pd.read_csv(path, sep=delimiter, header=None, nrows=1, dtype=str, encoding="utf-8-sig").iloc[0]
    _refuse_duplicates(path, names.dropna().tolist())
    frame = pd.read_csv(
        path, sep=delimiter, dtype=str, encoding="utf-8-sig", index_col=False, keep_default_na=False, na_values=[""]
    )
    if delimiter == ";":
        frame = frame.apply(_read_decimal_commas)
    return frame.drop(columns=[name for name in frame.columns[:1] if name == "Unnamed: 0"])  # an index


def _read_decimal_commas(texts: "pd.Series[Any]") -> "pd.Series[Any]":
    """Put points in place of commas in a column of numbers that have them before their decimals."""
    numbers = texts[~texts.isin(MISSING_TEXTS)].dropna().str.fullmatch(DECIMAL_COMMA)
    return texts.str.replace(",", ".") if len(numbers) and numbers.all() else texts


def _read_parquet(path: Path) -> pd.DataFrame:
    try:
        import pyarrow.parquet as parquet  # here, since CSV is read without it
    except ModuleNotFoundError as error:
        raise PackagingRefused(f"{path} needs pyarrow to be read: install iris_app[bulk].") from error
    metadata = parquet.read_metadata(path)
    if metadata.num_rows * metadata.num_columns > MAX_VALUES:
        raise PackagingRefused(f"{path} has {metadata.num_rows:,} rows: {SAMPLE_HINT}")
    _refuse_duplicates(path, parquet.read_schema(path).names)
    return pd.read_parquet(path)


def _refuse_duplicates(path: Path, names: list[Any]) -> None:
    twice = sorted({str(name) for name in names if names.count(name) > 1})
    if twice:
        raise PackagingRefused(*(f'{path} has two columns with the name "{truncate(name)}".' for name in twice))
