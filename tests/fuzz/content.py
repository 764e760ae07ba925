"""Cases that are about what requests hold: what the doors of the application read."""

from dataclasses import replace
from random import Random

from tests.fuzz.case import Case, Ending, mutate
from tests.fuzz.messages import COLUMNS, OBJECT, Message, Session, typed, valid
from tests.fuzz.worst import worst

# Bytes up to which a request can be sent by many clients at once.
SMALL = 200_000


def mutations(chance: Random, session: Session, number: int) -> Case:
    message = valid(chance, session)
    return Case("mutation", [mutate(chance, message.encode_chunked(chance) if number % 4 == 0 else message.encode())])


SCRAPS = (
    *(
        b'1|-1|1e999|NaN|null|true|"a"|"\\ud800"|\xff|{|}|[|]|,|:|\n|\r\n|"|;|\t|=1|\0| |\xef\xbb\xbf|sep=;\n|'
        b'"data":|"inputs":|"instances":|"shape":[1,4]|[[|]]|\\|\xc2\xa0'
    ).split(b"|"),
    b"9" * 400,
    *(b'"%s":5.1' % name.encode() for name in COLUMNS),
    *(name.encode() for name in COLUMNS),
)


def _values(chance: Random) -> bytes:
    """Write something like rows, in no format or in several."""
    return b"".join(chance.choice(SCRAPS) for _ in range(chance.randint(0, 40)))


MEDIA_TYPES = (
    b"application/json|text/csv|application/x-ndjson|application/x-www-form-urlencoded|multipart/form-data; boundary=a|"
    b"multipart/form-data|application/octet-stream|text/csv; charset=utf-16|application/json; charset=x||a|/|text/html"
).split(b"|")
POSTED = (
    b"/api/classify|/v2/models/iris/infer|/invocations|/classify|/batch|/v2/models/iris/versions/1/infer|/home"
).split(b"|")


def bodies(chance: Random, session: Session, number: int) -> Case:
    """Post a body of chance, or a valid one that was changed, to any door as any media type."""
    message = valid(chance, session)
    if number % 3 or not message.body:
        fields = ((b"Content-Type", chance.choice(MEDIA_TYPES)), (b"Cookie", session.cookie))
        accept = (b"Accept", chance.choice([b"*/*", *MEDIA_TYPES]))
        message = Message(chance.choice(POSTED), _values(chance), (*fields, accept))
    else:
        message = replace(message, body=mutate(chance, message.body))
    length = (b"Inference-Header-Content-Length", chance.choice([b"0", b"5", b"-1", b"x", b"99999", b"9" * 5000]))
    return Case("body", [(message.adding(length) if chance.random() < 0.1 else message).encode()])


def encodings(chance: Random, session: Session, _: int) -> Case:
    """Compress a body, and break it or not."""
    message = valid(chance, session)
    if not message.target.startswith((b"/api/c", b"/v2/models/iris/infer", b"/invocations")):
        message = OBJECT
    packed = message.compressed(chance.choice([b"gzip", b"deflate"]))
    if chance.random() < 0.3 and b"Inference" not in message.head():
        return Case("encoding", [packed.encode()], statuses=(200,))
    broken = chance.choice([mutate(chance, packed.body), packed.body[:-1], packed.body * 2, packed.body + b"\0", b""])
    return Case("broken encoding", [replace(packed, body=broken).encode()])


def worst_alone(chance: Random, session: Session, number: int) -> Case:
    """Send the next of the requests that cost most."""
    requests = worst(session)
    name = list(requests)[number // 2 % len(requests)]
    ending = chance.choice([Ending.HALF_CLOSE, Ending.HALF_CLOSE, Ending.HANG_UP])
    return Case(name, [requests[name]().encode()], ending=ending, heavy=True)


def floods(chance: Random, session: Session, number: int) -> Case:
    """Send the next of them from several clients at once, where it is small."""
    case = worst_alone(chance, session, number // 2)
    count = 8 if sum(map(len, case.chunks)) < SMALL else 1
    return replace(case, name=f"{count} × {case.name}", connections=count)


def unread(chance: Random, _: Session, number: int) -> Case:
    """Ask for a long answer and read none of it."""
    body = (OBJECT.body + b"\n") * chance.choice([1000, 20_000])
    data = typed(b"/api/classify", b"application/x-ndjson", body).compressed().encode()
    return Case(
        "unread answer",
        [data],
        ending=chance.choice([Ending.HANG_UP, Ending.RESET]),
        connections=1 + number % 2,
        deaf=True,
    )
