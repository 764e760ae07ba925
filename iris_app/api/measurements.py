"""Read measurements from JSON.

What is right is read in one pass, by msgspec. What it refuses is read again without types, to name all that is wrong.
"""

import difflib
import json
from collections.abc import Iterator
from itertools import chain, islice
from types import GenericAlias
from typing import Any, NoReturn

import msgspec
import numpy as np
from numpy.typing import NDArray

from iris_app.exceptions import InvalidMeasurements, InvalidValue, MalformedDocument, TooManyRows
from iris_app.iris import FEATURES, FEATURES_BY_NAME, Measurement

Floats = NDArray[np.float64]

# How many wrong values an answer names; the others are counted.
ERRORS_NAMED = 100

# How many characters of an unknown field's name an error repeats.
LONGEST_NAME = 60

_decoder = msgspec.json.Decoder(Measurement | GenericAlias(list, (Measurement,)))


def read(body: bytes, max_rows: int) -> tuple[Floats, bool]:
    """Read one measurement or an array of them.

    Parameters
    ----------
    body : bytes
        A JSON object with the features' names, or an array of such objects.
    max_rows : int
        How many objects the array may hold.

    Returns
    -------
    measurements : ndarray of shape (n, 4), float64
        ``FEATURES`` in their order and units; n is 1 for an object.
    one : bool
        Whether it was an object.

    Raises
    ------
    MalformedDocument
        Where the body is not JSON in UTF-8.
    TooManyRows
        Where the array is longer than ``max_rows``.
    InvalidMeasurements
        Where it is JSON but something in it is missing, unknown, no number or out of bounds.
    """
    try:
        document = _decoder.decode(body)
    except (msgspec.DecodeError, UnicodeDecodeError):
        _explain(body, max_rows)
    one = not isinstance(document, list)
    rows = [document] if one else document
    _limit(rows, max_rows)
    values = chain.from_iterable(map(msgspec.structs.astuple, rows))
    return np.fromiter(values, np.float64, len(rows) * len(FEATURES)).reshape(-1, len(FEATURES)), one


def _limit(rows: list[Any], max_rows: int) -> None:
    if len(rows) > max_rows:
        raise TooManyRows(f"{len(rows):,} measurements are more than the {max_rows:,} that one request may hold.")


def _explain(body: bytes, max_rows: int) -> NoReturn:
    """Raise what is wrong with a body that could not be read as measurements."""
    try:
        document = json.loads(body.decode(), parse_int=float, parse_constant=_refuse_constant)
    except RecursionError as error:
        raise MalformedDocument("The body is nested too deeply to be read.") from error
    except UnicodeDecodeError as error:
        raise MalformedDocument(f"The body is not UTF-8: byte {error.start} cannot be read.") from error
    except ValueError as error:
        raise MalformedDocument(f"The body is not JSON: {error}.") from error
    rows = {"": document}
    if isinstance(document, list):
        _limit(document, max_rows)
        rows = {f"/{index}": row for index, row in enumerate(document)}
    wrong = chain.from_iterable(_wrong_in_row(pointer, row) for pointer, row in rows.items())
    named = [InvalidValue(pointer, detail or _unknown(name)) for pointer, name, detail in islice(wrong, ERRORS_NAMED)]
    raise InvalidMeasurements(named, omitted=sum(1 for _ in wrong))


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not a JSON value")


def _wrong_in_row(pointer: str, row: object) -> Iterator[tuple[str, str, str | None]]:
    """Yield pointer, name and complaint of each wrong value in a row; for an unknown field, no complaint yet.

    To find the nearest right name takes long, and most wrong values are only counted.
    """
    if not isinstance(row, dict):
        yield pointer, "", f"A measurement is an object with the fields {', '.join(FEATURES_BY_NAME)}."
        return
    for name, feature in FEATURES_BY_NAME.items():
        complaint = feature.complaint(row[name]) if name in row else feature.missing
        if complaint:
            yield f"{pointer}/{name}", name, complaint
    for name in row:
        if name not in FEATURES_BY_NAME:
            yield f"{pointer}/{_readable(name).replace('~', '~0').replace('/', '~1')}", name, None


def _unknown(name: str) -> str:
    """Say that there is no such field, and which was meant where that can be guessed."""
    shown = _readable(name[:LONGEST_NAME]) + ("…" if len(name) > LONGEST_NAME else "")
    meant = difflib.get_close_matches(name[:LONGEST_NAME].lower(), FEATURES_BY_NAME, n=1)
    return f'There is no field "{shown}".' + (f' Did you mean "{meant[0]}"?' if meant else "")


def _readable(name: str) -> str:
    """Replace what JSON can escape and UTF-8 cannot write: half of a surrogate pair."""
    return name.encode(errors="replace").decode()
