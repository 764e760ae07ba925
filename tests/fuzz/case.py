"""A case of a fuzzer: what one client does to the server."""

import enum
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random

from tests.fuzz.messages import Session


class Ending(enum.Enum):
    """How a client goes."""

    HALF_CLOSE = enum.auto()  # it has nothing more to say, and reads what it is answered
    HANG_UP = enum.auto()
    RESET = enum.auto()


@dataclass(frozen=True)
class Case:
    """What a client sends, piece by piece, and what it must be answered.

    ``held`` is sent when another client was answered meanwhile. Where ``statuses`` are given, they are those of all
    answers; where it is ``refused``, no answer is a success. A client reads what it is answered, and hangs up when the
    server does, unless it is ``deaf``. Others ask until a ``heavy`` one is answered.
    """

    name: str
    chunks: Sequence[bytes]
    held: bytes = b""
    ending: Ending = Ending.HALF_CLOSE
    pause: float = 0.0
    connections: int = 1
    statuses: tuple[int, ...] | None = None
    refused: bool = False
    deaf: bool = False
    heavy: bool = False


Kind = Callable[[Random, Session, int], Case]


def cut(chance: Random, data: bytes, most: int = 8) -> list[bytes]:
    """Cut bytes at places of chance."""
    places = sorted(chance.randrange(len(data) + 1) for _ in range(chance.randint(0, most)))
    return [data[begin:end] for begin, end in zip([0, *places], [*places, len(data)], strict=True)]


def mutate(chance: Random, data: bytes) -> bytes:
    """Change some bytes: flip, insert, remove, repeat or move them."""
    for _ in range(chance.randint(1, 4)):
        begin = chance.randrange(len(data) + 1)
        piece = data[begin : begin + chance.randint(1, 12)]
        odd = chance.choice([chance.randbytes(1), b"\r\n", b"\0", b"\n", b" ", b":", b'"', b",", b"\xff", b"0", b"-"])
        data = (
            data[:begin]
            + chance.choice([odd, odd + piece, piece * chance.choice([2, 100]), b""])
            + data[begin + len(piece) :]
        )
    return data
