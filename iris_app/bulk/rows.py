"""What is read of a file, piece by piece, and what is answered."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any, Protocol

import numpy as np
import polars as pl
from numpy.typing import NDArray

from iris_app.exceptions import InvalidValue
from iris_app.iris import SCHEMA
from iris_app.json_types import PredictionWarning
from iris_app.model.classifier import MAYBE_SWAPPED, OUT_OF_RANGE, UNLIKE_TRAINING, Model

Floats = NDArray[np.float64]

_SWAPS = len(MAYBE_SWAPPED) + 1


@dataclass(frozen=True, slots=True)
class Reject:
    """A row that cannot be classified: its line, what it is as it came, and what is wrong with it."""

    line: int
    row: str
    errors: Sequence[InvalidValue]


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows of a file, in their order.

    Attributes
    ----------
    frame : DataFrame of n rows
        The columns as they came; without any where ``lines`` are enough.
    measurements : ndarray of shape (n, 4), float64
        ``SCHEMA.features`` in their order and units; not a number in a row that is kept though it cannot be classified.
    rejects : sequence of Reject
        The rows that cannot be classified, whether they are among the n or not.
    read : int
        How many rows were read.
    lines : sequence of bytes, optional
        The rows as they came, where they are objects of JSON.
    given : Series of n values, optional
        What a column of the file says of each row's species, where there is one.
    plain : bool
        Whether it is known that no cell needs quotes in CSV with the delimiter that it came with.
    """

    frame: pl.DataFrame
    measurements: Floats
    rejects: Sequence[Reject]
    read: int
    lines: Sequence[bytes] = ()
    given: pl.Series | None = None
    plain: bool = False

    @classmethod
    def joined(cls, parts: Sequence["Rows"]) -> "Rows":
        """Join pieces that follow each other."""
        return cls(
            pl.concat([part.frame for part in parts]),
            np.concatenate([part.measurements for part in parts]),
            list(chain.from_iterable(part.rejects for part in parts)),
            sum(part.read for part in parts),
            list(chain.from_iterable(part.lines for part in parts)),
            None if parts[0].given is None else pl.concat([part.given for part in parts if part.given is not None]),
        )


def species_in(frame: pl.DataFrame, columns: Sequence[str]) -> pl.Series | None:
    """Return the column that names each flower's species, where there is one; ``columns`` are the names that came."""
    place = next((place for place, name in enumerate(columns) if SCHEMA.is_target_column(name)), None)
    return None if place is None else frame.to_series(place)


class Reader(Protocol):
    """A file that is read piece by piece: the pieces one after the other, what is in them in any thread."""

    columns: list[str]
    places: list[int]

    def pieces(self) -> Iterator[Any]:
        """Yield what is read next."""

    def read(self, piece: Any) -> Rows:
        """Read the rows in a piece."""

    def done(self) -> float:
        """Say which share of the file has been handed out, from 0 to 1."""


@dataclass(frozen=True, slots=True)
class Answers:
    """What a model says of n rows, by columns; null in rows that cannot be classified.

    Attributes
    ----------
    species : Series of str
    probabilities : list of Series of float
        One a species.
    warnings : Series of str
        The words of each flower's warnings, and an empty text where there are none.
    counts : list of int
        How many flowers are of each species.
    unusual : int
        How many flowers have warnings.
    """

    species: pl.Series
    probabilities: list[pl.Series]
    warnings: pl.Series
    counts: list[int]
    unusual: int

    @property
    def columns(self) -> list[pl.Series]:
        """All columns, as ``csv_rows.answer_columns`` names them."""
        return [self.species, *self.probabilities, self.warnings]


def answer(model: Model, measurements: Floats) -> Answers:
    """Classify flowers, as ``Model.classify`` does, to columns.

    Parameters
    ----------
    model : Model
    measurements : ndarray of shape (n, 4), float64
        ``SCHEMA.features`` in their order and units; a row with what is not a number gets no answer.
    """
    known = np.logical_not(np.isnan(measurements).any(axis=1))
    if known.all():
        return _answer(model, measurements)
    answers, rows = _answer(model, measurements[known]), np.flatnonzero(known)
    places = np.full(len(known), len(rows))
    places[rows] = np.arange(len(rows))

    def spread(column: pl.Series) -> pl.Series:
        return column.append(pl.Series([None], dtype=column.dtype)).gather(places)

    probabilities = list(map(spread, answers.probabilities))
    return Answers(spread(answers.species), probabilities, spread(answers.warnings), answers.counts, answers.unusual)


def _answer(model: Model, measurements: Floats) -> Answers:
    found = model.assess(measurements)
    words = np.zeros(len(measurements), np.uint32)
    words[found.unusual] = 1 + _bits @ found.outside * _SWAPS + found.swaps + 1
    return Answers(
        _names.gather(found.species),
        list(map(pl.Series, found.probabilities)),
        _words.gather(words),
        np.bincount(found.species, minlength=len(SCHEMA.classes)).tolist(),
        len(found.unusual),
    )


def _all_words() -> Iterable[str]:
    """Yield the words of every set of warnings that a flower can have: none, then by the bits of what is outside."""
    yield ""
    for bits in range(2 ** len(SCHEMA.features)):
        outside = [
            PredictionWarning(OUT_OF_RANGE, "", one.name)
            for place, one in enumerate(SCHEMA.features)
            if bits >> place & 1
        ]
        for swapped in ([], *([one] for one in MAYBE_SWAPPED)):
            yield " ".join(one.label for one in (outside or [UNLIKE_TRAINING]) + swapped)


_bits = 2 ** np.arange(len(SCHEMA.features))
_names = pl.Series(SCHEMA.class_names)
_words = pl.Series(list(_all_words()))
