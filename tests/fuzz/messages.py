"""Valid requests for every door, as bytes to be cut, mutated and repeated."""

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import dataclass, replace
from random import Random

from tests.support import FLOWER, FORM

ROW = list(FLOWER.values())
COLUMNS = list(FLOWER)
BOUNDARY = b"boundary"

Fields = tuple[tuple[bytes, bytes], ...]


@dataclass(frozen=True)
class Session:
    """The cookie and the token of a form that was opened, without which a form is refused before it is read."""

    cookie: bytes = b""
    token: bytes = b""


@dataclass(frozen=True)
class Message:
    """A request in parts."""

    target: bytes
    body: bytes = b""
    fields: Fields = ()
    method: bytes = b"POST"
    version: bytes = b"HTTP/1.1"

    @property
    def status(self) -> int:
        """The status of its answer, if it is valid: the form leads to another address."""
        is_form = self.method == b"POST" and self.target == b"/classify"
        return 303 if is_form else 200

    def head(self, *framing: bytes) -> bytes:
        lines = [b" ".join((self.method, self.target, self.version)), b"Host: localhost"]
        return b"\r\n".join([*lines, *(b": ".join(field) for field in self.fields), *framing, b"", b""])

    def encode(self) -> bytes:
        return self.head(*([b"Content-Length: %d" % len(self.body)] if self.body else [])) + self.body

    def encode_chunked(self, chance: Random, most: int = 50) -> bytes:
        return self.head(b"Transfer-Encoding: chunked") + chunked(chance, self.body, most)

    def adding(self, *fields: tuple[bytes, bytes]) -> "Message":
        return replace(self, fields=(*self.fields, *fields))

    def compressed(self, encoding: bytes = b"gzip") -> "Message":
        body = gzip.compress(self.body, 6, mtime=0) if encoding == b"gzip" else zlib.compress(self.body)
        return replace(self, body=body).adding((b"Content-Encoding", encoding))


def chunked(chance: Random, body: bytes, most: int) -> bytes:
    """Write a body in chunks, some with an extension."""
    written = b""
    while body:
        size = chance.randint(1, most)
        part, body = body[:size], body[size:]
        written += b"%x%s\r\n%s\r\n" % (len(part), chance.choice([b"", b";a=b"]), part)
    return written + b"0\r\n\r\n"


def typed(target: bytes, media_type: bytes, body: bytes, *fields: tuple[bytes, bytes]) -> Message:
    return Message(target, body, ((b"Content-Type", media_type), *fields))


def json_message(target: bytes, document: object) -> Message:
    return typed(target, b"application/json", json.dumps(document).encode())


def table(count: int) -> bytes:
    return "\n".join([",".join(COLUMNS), *[",".join(map(str, ROW))] * count]).encode()


def form_fields(session: Session) -> dict[str, str]:
    return FORM | {"csrf_token": session.token.decode()}


def form(session: Session, body: bytes) -> Message:
    """Post an urlencoded body to the page of one row."""
    return typed(b"/classify", b"application/x-www-form-urlencoded", body, (b"Cookie", session.cookie))


def part(name: bytes, content: bytes, filename: bytes = b"") -> bytes:
    named = b'; filename="%s"' % filename if filename else b""
    return b'--%s\r\nContent-Disposition: form-data; name="%s"%s\r\n\r\n%s\r\n' % (BOUNDARY, name, named, content)


def multipart(session: Session, *parts: bytes, end: bytes = b"--" + BOUNDARY + b"--\r\n") -> Message:
    """Post parts to the page of files."""
    body = b"".join([part(b"csrf_token", session.token), *parts, end])
    media_type = b"multipart/form-data; boundary=" + BOUNDARY
    return typed(b"/batch", media_type, body, (b"Cookie", session.cookie))


def upload(session: Session, content: bytes) -> Message:
    return multipart(session, part(b"file", content, b"rows.csv"))


def tensor(count: int) -> dict[str, object]:
    return {"name": "x", "shape": [count, len(ROW)], "datatype": "FP64", "data": ROW * count}


def _binary(count: int) -> Message:
    content = base64.b64decode("AAAAAAAAFEA=") * count * len(ROW)
    about = tensor(count) | {"parameters": {"binary_data_size": len(content)}}
    del about["data"]
    head = json.dumps({"inputs": [about]}).encode()
    length = (b"Inference-Header-Content-Length", b"%d" % len(head))
    return typed(b"/v2/models/iris/infer", b"application/octet-stream", head + content, length)


def _urlencoded(session: Session) -> Message:
    return form(session, "&".join(f"{name}={value}" for name, value in form_fields(session).items()).encode())


OBJECT = json_message(b"/api/classify", FLOWER)

# A valid request of n rows for each way of sending rows, answered with 200.
VALID: dict[str, Callable[[Session, int], Message]] = {
    "object": lambda _, _n: OBJECT,
    "array": lambda _, n: json_message(b"/api/classify", [FLOWER] * n),
    "csv": lambda _, n: typed(b"/api/classify", b"text/csv", table(n)),
    "ndjson": lambda _, n: typed(b"/api/classify", b"application/x-ndjson", (json.dumps(FLOWER).encode() + b"\n") * n),
    "tensor": lambda _, n: json_message(b"/v2/models/iris/infer", {"inputs": [tensor(n)]}),
    "binary tensor": lambda _, n: _binary(n),
    "instances": lambda _, n: json_message(b"/invocations", {"instances": [ROW] * n}),
    "records": lambda _, n: json_message(b"/invocations", {"dataframe_records": [FLOWER] * n}),
    "split": lambda _, n: json_message(b"/invocations", {"dataframe_split": {"columns": COLUMNS, "data": [ROW] * n}}),
    "columns": lambda _, n: json_message(
        b"/invocations", {"inputs": {name: [value] * n for name, value in FLOWER.items()}}
    ),
    "csv invocation": lambda _, n: typed(b"/invocations", b"text/csv", table(n)),
    "form": lambda session, _: _urlencoded(session),
    "file": lambda session, n: upload(session, table(n)),
}

# Paths that are read; all but "/" are answered with 200.
PATHS = (
    *(
        b"/home",
        b"/batch",
        b"/batch/sample.csv",
        b"/model",
        b"/model/manifest.json",
        b"/healthz",
        b"/readyz",
        b"/metrics",
    ),
    *(b"/api/docs", b"/api/model", b"/api/openapi.json", b"/v2", b"/v2/health/live", b"/v2/health/ready", b"/ping"),
    *(
        b"/v2/models/iris",
        b"/v2/models/iris/ready",
        b"/classify?" + "&".join(f"{k}={v}" for k, v in FORM.items()).encode(),
    ),
)


def valid(chance: Random, session: Session) -> Message:
    """Make any request that is answered well."""
    if chance.random() < 0.2:
        return Message(chance.choice(PATHS), method=b"GET")
    return VALID[chance.choice(list(VALID))](session, chance.choice([1, 1, 2, 5, 30]))
