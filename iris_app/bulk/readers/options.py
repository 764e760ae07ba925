"""The options of reading a table."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """What a user states about a file instead of having it detected; only ``null_values`` applies beyond CSV.

    Attributes
    ----------
    delimiter : str, optional
        The character between cells.
    encoding : str, optional
        The name of a Python codec.
    header : bool, optional
        Whether the first row names the columns.
    columns : tuple of str, optional
        The columns' names, in place of the header's where there is one.
    skip_lines : int
        How many lines above the table are left out.
    comment : str, optional
        The characters at the beginning of lines that are left out.
    decimal : str, optional
        ``.`` or ``,``; by default, both are read where the delimiter leaves no doubt.
    null_values : tuple of str
        Cells that stand for a missing value, beside empty ones.
    """

    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None
    columns: tuple[str, ...] | None = None
    skip_lines: int = 0
    comment: str | None = None
    decimal: str | None = None
    null_values: tuple[str, ...] = ()
