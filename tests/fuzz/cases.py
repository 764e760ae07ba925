"""The cases of a fuzzer, each made of a seed and its number alone."""

from random import Random

from tests.fuzz import content, framing
from tests.fuzz.case import Case, Kind
from tests.fuzz.messages import Session

FRAMING: tuple[Kind, ...] = (
    *(framing.splits, framing.pipelines, framing.chunks, framing.broken_chunks, framing.lengths, framing.codings),
    *(framing.expectations, framing.heads, framing.hosts, framing.targets, framing.prefaces, framing.leavers),
)
CONTENT: tuple[Kind, ...] = (content.mutations, content.bodies, content.encodings)
LIGHT: tuple[Kind, ...] = (*FRAMING, *CONTENT, content.mutations, content.bodies, framing.targets, framing.heads)
HEAVY: tuple[Kind, ...] = (content.worst_alone, content.floods, content.worst_alone, content.unread)


def kind_of(number: int) -> Kind:
    """Choose the kind of a case: every twentieth is heavy."""
    turn, place = divmod(number, len(LIGHT) + 1)
    return LIGHT[place] if place < len(LIGHT) else HEAVY[turn % len(HEAVY)]


def make_case(seed: int, number: int, session: Session) -> Case:
    """Make the case of a number."""
    return kind_of(number)(Random(f"{seed} {number}"), session, number // (len(LIGHT) + 1))
