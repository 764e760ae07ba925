"""The options of reading a file."""

from dataclasses import dataclass, field

from iris_app.schema import Schema


@dataclass(frozen=True, slots=True)
class ReadOptions:
    """The options of a user for reading a file; what is None is detected.

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
        The number of lines above the table to skip.
    comment : str, optional
        The prefix of lines to skip.
    decimal : str, optional
        ``.`` or ``,``; by default both, unless the delimiter is a comma.
    null_values : tuple of str
        Cells that stand for a missing value, beside the usual ones.
    """

    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None
    columns: tuple[str, ...] | None = None
    skip_lines: int = 0
    comment: str | None = None
    decimal: str | None = None
    null_values: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """The options by which a reader reads a file.

    Attributes
    ----------
    schema : Schema
        The schema of the model that classifies the rows.
    options : ReadOptions
    keep : bool
        Whether to keep the rows that cannot be classified among the others.
    typed : bool
        Whether the fields of JSON objects become columns; otherwise the objects stay as they are.
    """

    schema: Schema
    options: ReadOptions = field(default_factory=ReadOptions)
    keep: bool = False
    typed: bool = False
