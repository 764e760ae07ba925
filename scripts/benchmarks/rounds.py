"""Rounds in turns, so that other load on the machine affects all measures alike."""

from collections.abc import Callable, Mapping, Sequence
from statistics import median
from typing import NamedTuple, TypeVar

Taken = TypeVar("Taken")


class Effort(NamedTuple):
    """The effort: the number of rounds, the seconds of one over HTTP and in process, the rows of a file."""

    rounds: int = 9
    seconds: int = 2
    moment: float = 0.3
    flowers: int = 10_000_000


QUICK = Effort(rounds=1, seconds=1, moment=0.02, flowers=100_000)


def alternate(rounds: int, measures: Mapping[str, Callable[[], Taken]]) -> dict[str, list[Taken]]:
    """Take every measure once per round, in alternating order: A B C, C B A.

    Returns
    -------
    dict of str to list
        The values of each measure, one per round.
    """
    taken: dict[str, list[Taken]] = {name: [] for name in measures}
    for number in range(rounds):
        for name in reversed(list(measures)) if number % 2 else measures:
            taken[name].append(measures[name]())
    return taken


def ratio(ones: Sequence[float], others: Sequence[float]) -> float:
    """Return the median of the ratios, round by round."""
    return median(one / other for one, other in zip(ones, others, strict=True))
