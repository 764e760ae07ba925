"""The agreement of predictions with the true classes that a file names."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Self


@dataclass(frozen=True, slots=True)
class Agreement:
    """The agreement of the predictions with the true classes that a file names.

    Attributes
    ----------
    matrix : list of list of int
        The confusion matrix: true classes down, predicted ones across.
    unknown : int
        The number of rows that name no class, or an unknown one.
    """

    matrix: list[list[int]]
    unknown: int

    @classmethod
    def count(cls, names: Sequence[str], pairs: Mapping[tuple[str | None, str], int]) -> Self:
        """Arrange the numbers of rows by true class, None if it is unknown, and predicted class."""
        matrix = [[pairs.get((actual, predicted), 0) for predicted in names] for actual in names]
        return cls(matrix, sum(pairs.get((None, predicted), 0) for predicted in names))

    @property
    def agreeing(self) -> int:
        """The number of rows whose classes agree."""
        return sum(counts[index] for index, counts in enumerate(self.matrix))

    @property
    def named(self) -> int:
        """The number of rows that name a known class."""
        return sum(map(sum, self.matrix))

    def __add__(self, other: Self) -> Self:
        matrix = [[a + b for a, b in zip(*rows, strict=True)] for rows in zip(self.matrix, other.matrix, strict=True)]
        return type(self)(matrix, self.unknown + other.unknown)
