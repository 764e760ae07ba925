"""Cases that are about how requests are framed: what an HTTP parser reads."""

from dataclasses import replace
from random import Random

from tests.fuzz.case import Case, Ending, cut
from tests.fuzz.messages import OBJECT, PATHS, VALID, Message, Session, valid

CHUNKED = b"Transfer-Encoding: chunked"
LENGTH = len(OBJECT.body)


def splits(chance: Random, session: Session, number: int) -> Case:
    """Cut a request once, at each of its bytes in turn, and wait there; or everywhere."""
    message = list(VALID.values())[number % len(VALID)](session, 1)
    data = message.encode_chunked(chance) if number % 2 else message.encode()
    place = number % len(data)
    if number % 20 == 0:
        return Case(
            "every byte alone", [data[at : at + 1] for at in range(len(data))], pause=0.0005, statuses=(message.status,)
        )
    return Case(f"cut at {place}", [data[:place]], held=data[place:], statuses=(message.status,))


def pipelines(chance: Random, session: Session, _: int) -> Case:
    messages = [valid(chance, session) for _ in range(chance.randint(2, 6))]
    data = b"".join(
        message.encode_chunked(chance) if chance.random() < 0.3 else message.encode() for message in messages
    )
    return Case("pipeline", cut(chance, data), pause=0.001, statuses=tuple(message.status for message in messages))


def chunks(chance: Random, session: Session, _: int) -> Case:
    message = valid(chance, session)
    parts = cut(chance, message.encode_chunked(chance, chance.choice([1, 10, 10_000])))
    return Case("chunks", parts, statuses=(message.status,))


BROKEN_CHUNKS = (
    *(
        b"\r\n5\r\n|x\r\n|-1\r\n|+5\r\n|0x5\r\n|5 \r\n| 5\r\n|5\n|5\r|5;\r\n|5;;=\r\n|5\r\nabcdeX\r\n|"
        b"5\r\nabcdef|5\r\nabc\r\n0\r\n\r\n|0\r\n|0\r\nX\r\n\r\n|0\r\nContent-Length: 5\r\n\r\n|5_0\r\n|"
        b"5\0\r\n|\xd9\xa5\r\n|7fffffff\r\n{"
    ).split(b"|"),
    b"f" * 16 + b"\r\n",
    b"f" * 17 + b"\r\n",
    b"0" * 30 + b"5\r\n",
    b"\r\n" * 50,
    b"5;" + b"a" * 20_000 + b"\r\n",
    b"0\r\n" + b"A: b\r\n" * 2000 + b"\r\n",
    b"1\r\n{\r\n" * 2000,
)


def broken_chunks(chance: Random, _: Session, number: int) -> Case:
    before = chance.choice([b"", b"1\r\n{\r\n", b"%x\r\n%s\r\n" % (LENGTH, OBJECT.body)])
    data = before + BROKEN_CHUNKS[number % len(BROKEN_CHUNKS)] + chance.choice([b"", b"0\r\n\r\n", OBJECT.encode()])
    return Case("broken chunks", cut(chance, OBJECT.head(CHUNKED) + data), ending=chance.choice(list(Ending)))


def _lengths(chance: Random) -> list[bytes]:
    right, zeros = b"%d" % LENGTH, b"0" * chance.randint(1, 40)
    wrong = b"%d" % chance.choice([0, 1, LENGTH - 1, LENGTH + 1, 70_000, 2**31, 2**63, 2**64 + 5])
    odd = b"-1||x|0x53|8_3|8 3|\xd9\xa8\xd9\xa3|1e1| |%s, %s|%s,1|+%s|%s\t|\x0b%s|%s\0".replace(b"%s", right).split(
        b"|"
    )
    names = (b"Content-Length : ", b"Content_Length: ", b"content-LENGTH:", b"Content-Length")
    return [
        *(b"Content-Length: " + text for text in (zeros + right, wrong, zeros, b"9" * 4000, *odd)),
        *(name + right for name in names),
        *(
            b"Content-Length: %s\r\nContent-Length: %s" % pair
            for pair in ((right, right), (right, wrong), (wrong, right))
        ),
    ]


def lengths(chance: Random, _: Session, number: int) -> Case:
    """Send a length that is unusual, wrong or given twice, with a body or without, and hold the connection open."""
    options = _lengths(chance)
    data = OBJECT.head(options[number % len(options)]) + chance.choice([b"", OBJECT.body, OBJECT.body + b"{}"])
    return Case("length", [data], ending=chance.choice([Ending.HALF_CLOSE, Ending.HANG_UP]))


CODINGS = (
    b"chunked|Chunked| chunked|chunked |chunked,|,chunked|chunked, chunked|xchunked|chunked;a=b|identity|"
    b'chunked, identity|identity, chunked|gzip, chunked|gzip|chunked\x0b|"chunked"|\0chunked||'
    b"chun\xc4\xb7ed|chunked\r\n ,x|chunked\r\nTransfer-Encoding: identity|"
    b"chunked\r\nTransfer-Encoding: chunked"
).split(b"|")


def codings(chance: Random, _: Session, number: int) -> Case:
    """Name transfer codings that are unusual, beside a length or not."""
    coding = b"Transfer-Encoding: " + CODINGS[number % len(CODINGS)]
    framing = chance.choice([[coding], [coding, b"Content-Length: %d" % LENGTH], [b"Content-Length: 5", coding]])
    body = b"%x\r\n%s\r\n0\r\n\r\n" % (LENGTH, OBJECT.body)
    message = replace(OBJECT, version=chance.choice([b"HTTP/1.1", b"HTTP/1.1", b"HTTP/1.0"]))
    return Case("coding", [message.head(*framing) + body], refused=len(framing) > 1)


def expectations(chance: Random, _: Session, number: int) -> Case:
    """Ask for leave to send a body, and wait for it or not."""
    expect = chance.choice([b"100-continue", b"100-continue", b"100-Continue", b"x", b"", b"100-continue, x"])
    message = OBJECT.adding((b"Expect", expect))
    data = message.encode_chunked(chance) if number % 2 else message.encode()
    place = data.index(b"\r\n\r\n") + chance.choice([0, 4, 5])
    sent = chance.random() < 0.7
    is_known = sent and expect.lower() == b"100-continue"
    return Case("expectation", [data[:place]], held=data[place:] * sent, statuses=(200,) if is_known else None)


ODD_FIELDS = (
    *(
        b"X: a\r\n b|X: a\r\n\tb| X: a|X : a|X|: a|X\0: a|X: \0|X: a\rb|X: a\nY: b|X: \xff\xfe|X\xff: a|"
        b"X_Y: a|Host: b|Host: |X: \x1b[31m|X-Forwarded-Proto: x|SCRIPT_NAME: /x|Script-Name: /x|Upgrade: h2c|"
        b"Connection: x|Connection: close, keep-alive|Keep-Alive: x|Trailer: Content-Length|TE: trailers|"
        b"Content-Type: \0|Range: bytes=-1|X-Request-ID: \x9b|Accept: */*;q=x|Accept-Encoding: ;q|"
        b"Content-Encoding: br|Cookie: iris_session=.eJw|Cookie: \xff"
    ).split(b"|"),
    b"X:" + b" " * 5000,
    b"X: " + b"a" * 9000,
    b"X: " + b"a" * 200_000,
    b"X" * 9000 + b": a",
    b"\r\n".join([b"X: a"] * 150),
)
HOSTS = (
    *(
        b"a..b|| |a b|[|[::1|[::1]:x|a:99999|a:-1|a:80:80|\xc3\xa9|xn--|.|..|a/b|a@b|a?b|a#b|a%00b|http://a|a,b|"
        b"\xff|[v1.a]|127.1|a\tb|_|%|:|:80"
    ).split(b"|"),
    b"-" * 300,
    b"a" * 300,
    b"a" * 64 + b".b",
)


def heads(chance: Random, session: Session, number: int) -> Case:
    """Send a head with a field that is odd."""
    message = valid(chance, session)
    data = message.encode().replace(b"\r\n", b"\r\n%s\r\n" % ODD_FIELDS[number % len(ODD_FIELDS)], 1)
    if chance.random() < 0.1:
        data = data.replace(b"\r\n", chance.choice([b"\n", b"\r", b"\n\r", b"\r\r\n"]))
    return Case("head", cut(chance, data, 2))


def hosts(chance: Random, session: Session, number: int) -> Case:
    """Ask any door for a host that may be none."""
    message = chance.choice([valid(chance, session), Message(b"/nowhere", method=b"GET")])
    host = b"Host: " + HOSTS[number % len(HOSTS)]
    return Case("host", [message.encode().replace(b"Host: localhost", host, 1)])


CHARACTERS = "\0\t\n\r\x1b\x7f\x9b\u202e\u2028\ufeff\ud7ff\U0001f600 \"'<>\\^`{|}%#?;=&+:@/.."
METHODS = (
    *(b"GET|POST|HEAD|OPTIONS|PUT|DELETE|PATCH|TRACE|CONNECT|get|G|G\0T||PRI").split(b"|"),
    b"A" * 30,
)
TARGETS = (
    *(
        b"http://localhost/home|http://a/api/classify|https://a:1/|HTTP://a..b/home|http://|http:///home|//home|"
        b"//a/home|localhost:443|*||home|?|#|/#home|/%|/%00|/%ff|/%2e%2e/|/../home|/./home|\\home|/;a=b|"
        b"/static/../../config.py|/static/%2e%2e/config.py|/api/docs/..%2f..%2fconfig.py|/model/x/pairplot.svg|"
        b"/v2/models/%2f/infer|ftp://a/b|data:,a|/home HTTP/1.1 x"
    ).split(b"|"),
    b"/v2/models/" + b"a" * 5000,
    b"/" + b"a" * 8100,
    b"/" + b"a" * 9000,
    b"/home?" + b"a" * 100_000,
)


def targets(chance: Random, _: Session, number: int) -> Case:
    """Ask by any method for an address of any form."""
    text = "".join(chance.choice(CHARACTERS) for _ in range(chance.randint(0, 10)))
    spelt = text.encode() if chance.random() < 0.5 else "".join(f"%{byte:02x}" for byte in text.encode()).encode()
    target = (
        TARGETS[number % len(TARGETS)]
        if number % 2
        else chance.choice(PATHS) + chance.choice([b"", b"/", b"?"]) + spelt
    )
    message = Message(target, OBJECT.body * chance.choice([0, 1]), method=chance.choice(METHODS))
    return Case("target", [message.encode()])


PREFACES = (
    *(
        b"GET /\r\n|GET / HTTP/0.9\r\n\r\n|GET / HTTP/2.0\r\n\r\n|GET / HTTP/1.2\r\nHost: a\r\n\r\n|"
        b"GET / HTTP/1.1.1\r\n\r\n|SSH-2.0-a\r\n|*1\r\n$4\r\nPING\r\n| |GET|GET /|GET / HTTP/1.1\r\n|"
        b"HTTP/1.1 200 OK\r\n\r\n|GET  /  HTTP/1.1\r\n\r\n|GET\t/\tHTTP/1.1\r\n\r\n|GET / http/1.1\r\n\r\n|"
        b"GET / HTTP/1.1\0\r\n\r\n"
    ).split(b"|"),
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\0\0\0\4\0\0\0\0\0",
    b"PROXY TCP4 1.2.3.4 1.2.3.4 1 2\r\n" + OBJECT.encode(),
    b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c" + b"\x7f" * 12,
    b"\x16\x03\x01\0\xa5\x01\0\0\xa1\x03\x03" + b"a" * 160,
    b"\r\n" * 100 + OBJECT.encode(),
    b"\0" * 5000,
    b"a" * 100_000,
    b"\r" * 5000,
    b"\n" * 5000,
)


def prefaces(chance: Random, _: Session, number: int) -> Case:
    """Speak another protocol, or none."""
    data = PREFACES[number % len(PREFACES)] if number % 4 else chance.randbytes(chance.randint(1, 300))
    return Case("preface", cut(chance, data, 2), ending=chance.choice(list(Ending)))


def leavers(chance: Random, session: Session, _: int) -> Case:
    """Say nothing or a part of a request, from fewer clients than there are threads, and go."""
    data = valid(chance, session).encode()
    place = chance.choice([0, chance.randrange(len(data)), len(data)])
    ending = chance.choice([Ending.HANG_UP, Ending.RESET])
    return Case("leaver", [data[:place]] if place else [], ending=ending, connections=chance.randint(1, 2))
