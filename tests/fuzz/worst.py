"""Bodies and heads that cost the most for what they weigh: each is read as far as its reader will."""

import json
from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import cache, partial
from itertools import chain

from iris_app.ui.workbooks import MAX_TAGS, OTHER_TAG
from tests.fuzz.messages import (
    BOUNDARY,
    COLUMNS,
    ROW,
    Message,
    Session,
    form,
    form_fields,
    multipart,
    part,
    table,
    tensor,
    typed,
    upload,
)
from tests.support import FLOWER
from tests.workbooks import replaced, workbook

LIMIT = 16 * 1024 * 1024
FORM_LIMIT = 512 * 1024
ROOM = 2000  # for what is around a file
CELL = 131_000  # what csv takes for a cell at most

HEADER = table(0) + b"\n"
LINE = json.dumps(FLOWER).encode()


def fill(unit: bytes, before: bytes = b"", after: bytes = b"", size: int = LIMIT) -> bytes:
    """Repeat a unit until a body is as long as it may be."""
    return before + unit * ((size - len(before) - len(after)) // len(unit)) + after


def keys(count: int, before: bytes = b"{", after: bytes = b"}") -> bytes:
    """Write an object of so many different keys."""
    return before + b",".join(b'"k%d":1' % number for number in range(count)) + after


CSV: dict[str, Callable[[], bytes]] = {
    "commas": lambda: fill(b",", b"a"),
    "semicolons": lambda: fill(b";", b"a"),
    "newlines": lambda: fill(b"\n"),
    "carriage returns": lambda: fill(b"\r"),
    "quotes": lambda: fill(b'"'),
    "quoted cells": lambda: fill(b'"",'),
    "spaces": lambda: fill(b" "),
    "lines of a space": lambda: fill(b" \n", HEADER),
    "lines of commas": lambda: fill(b",,,\n", HEADER),
    "lines behind a header": lambda: fill(b"\n", HEADER),
    "commas behind a header": lambda: fill(b",", HEADER),
    "long lines": lambda: fill(b"," * 100_000 + b"\n", HEADER),
    "long cells": lambda: fill(b"1" * CELL + b",", HEADER),
    "an open quote": lambda: fill(b"a", HEADER + b'"'),
    "an open quote of lines": lambda: fill(b"\n", HEADER + b'"'),
    "wrong rows": lambda: HEADER + b"x,x,x,x\n" * 100_000,
    "short rows": lambda: HEADER + b"1\n" * 100_000,
    "too many rows": lambda: fill(b"1,1,1,1\n", HEADER),
    "a thousand columns": lambda: b"c," * 990 + table(1).replace(b"\n", b"\n" + b"," * 990) + b"\n" + b"\n" * LIMIT,
    "wide names": lambda: fill(b"_" * CELL + b","),
    "names of separators": lambda: fill(b" _-" * (CELL // 3) + b","),
}

LINES: dict[str, Callable[[], bytes]] = {
    "ones": lambda: fill(b"1\n"),
    "empty objects": lambda: fill(b"{}\n"),
    "empty lines": lambda: fill(b"\n"),
    "spaces": lambda: fill(b" \n"),
    "broken lines": lambda: fill(b"{\n"),
    "wrong lines": lambda: b'{"a":1}\n' * 100_000,
    "unknown fields": lambda: b'{"sepal_lengthh_sepal_widthh_petal_lengthh_petal":1}\n' * 100_000,
    "rows, and one that is wrong": lambda: fill(LINE + b"\n", after=b"1"),
    "a line of a list": lambda: fill(b"1,", b"[", b"1]"),
    "a line of keys": lambda: keys(1_000_000),
}

JSON: dict[str, Callable[[], bytes]] = {
    "ones": lambda: fill(b"1,", b"[", b"1]"),
    "nulls": lambda: fill(b"null,", b"[", b"1]"),
    "strings": lambda: fill(b'"",', b"[", b"1]"),
    "empty lists": lambda: fill(b"[],", b"[", b"1]"),
    "empty objects": lambda: fill(b"{},", b"[", b"1]"),
    "lists of lists": lambda: fill(b"[[[[]]]],", b"[", b"1]"),
    "one list of lists": lambda: fill(b"[],", b"[[", b"1]]"),
    "deep lists": lambda: fill(b"["),
    "deep objects": lambda: fill(b'{"a":'),
    "a long string": lambda: fill(b"a", b'"', b'"'),
    "escapes": lambda: fill(rb"\ud800", b'["', b'"]'),
    "a long number": lambda: fill(b"1", b"[", b"]"),
    "a long fraction": lambda: fill(b"1", b"[1.", b"e-999]"),
    "long numbers": lambda: fill(b"1" * 400 + b",", b"[", b"1]"),
    "spaces": lambda: fill(b" "),
    "keys": lambda: keys(1_000_000),
    "a key again and again": lambda: fill(b'"a":1,', b"{", b'"a":1}'),
    "objects of keys": lambda: b"[" + keys(20_000) + b",{}" * 90_000 + b"]",
    "rows with unknown fields": lambda: b'[{"sepal_lengthh_sepal_widthh":1' + b'},{"sepal_lenght":1' * 99_000 + b"}]",
    "rows with long names": lambda: fill(b'{"%s":1},' % (b"a" * 60), b"[", b"{}]"),
    "wrong rows": lambda: b"[" + b"[1,1,1,99]," * 90_000 + b"1]",
    "ends of objects": lambda: fill(b"},", b"["),
    "rows, and one that is wrong": lambda: fill(LINE + b",", b"[", b"1]"),
    "too many rows": lambda: fill(LINE + b",", b"[", LINE + b"]"),
}

INFERENCES: dict[str, Callable[[], bytes]] = {
    "tensors": lambda: fill(b'{"name":"x","shape":[1],"datatype":"FP64"},', b'{"inputs":[', b"{}]}"),
    "dimensions": lambda: fill(b"9,", b'{"inputs":[{"name":"x","datatype":"FP64","data":[1],"shape":[1,', b"9]}]}"),
    "digits of a shape": lambda: fill(
        b"9", b'{"inputs":[{"name":"x","datatype":"FP64","data":[1],"shape":[', b"]}]}", 5000
    ),
    "values": lambda: fill(b"1,", b'{"inputs":[{"name":"x","datatype":"FP64","shape":[1,4],"data":[', b"1]}]}"),
    "rows": lambda: fill(b"[],", b'{"inputs":[{"name":"x","datatype":"FP64","shape":[1,4],"data":[', b"[]]}]}"),
    "deep data": lambda: fill(b"[", b'{"inputs":[{"name":"x","datatype":"FP64","shape":[1,4],"data":'),
    "spaces before data": lambda: fill(
        b" ", b'{"inputs":[{"name":"x","datatype":"FP64","shape":[1,4],"data":', b"[1]}]}"
    ),
    "outputs": lambda: fill(
        b'{"name":"predict"},', b'{"inputs":[%s],"outputs":[' % json.dumps(tensor(1)).encode(), b'{"name":"x"}]}'
    ),
    "NaN": lambda: fill(
        b"NaN,", b'{"inputs":[{"name":"x","datatype":"FP64","shape":[1,4],"data":[', b"1]}]}", 4_000_000
    ),
    "texts": lambda: fill(b'"",', b'{"inputs":[{"name":"x","datatype":"BYTES","shape":[1],"data":[', b'""]}]}'),
    "a long id": lambda: fill(b"a", b'{"inputs":[%s],"id":"' % json.dumps(tensor(1)).encode(), b'"}'),
    "keys": lambda: keys(1_000_000, b'{"inputs":[],'),
    "a datatype": lambda: fill(b"F", b'{"inputs":[{"name":"x","shape":[1,4],"data":[1],"datatype":"', b'"}]}'),
}

INVOCATIONS: dict[str, Callable[[], bytes]] = {
    "ones": lambda: fill(b"1,", b'{"instances":[', b"1]}"),
    "empty lists": lambda: fill(b"[],", b'{"instances":[', b"[]]}"),
    "wide rows": lambda: fill(b"1,", b'{"instances":[[', b"1]]}"),
    "columns": lambda: fill(b'"a",', b'{"dataframe_split":{"data":[],"columns":[', b'"a"]}}'),
    "empty rows": lambda: fill(
        b"[],", b'{"dataframe_split":{"columns":%s,"data":[' % json.dumps(COLUMNS).encode(), b"[]]}}"
    ),
    "wide rows of a frame": lambda: fill(
        b"1,", b'{"dataframe_split":{"columns":%s,"data":[[' % json.dumps(COLUMNS).encode(), b"1]]}}"
    ),
    "columns of inputs": lambda: keys(1_000_000, b'{"inputs":{', b"}}").replace(b":1", b":[]"),
    "long columns": lambda: fill(b"1,", b'{"inputs":{"a":[', b"1]}}"),
    "records": lambda: fill(b"{},", b'{"dataframe_records":[', b"{}]}"),
    "spaces before inputs": lambda: fill(b" ", b'{"inputs":', b"[]}"),
    "keys": lambda: keys(1_000_000, b'{"instances":[],'),
    "keys of a row": lambda: keys(1_000_000, b'{"instances":[{', b"}]}"),
    "further fields": lambda: fill(LINE[:-1] + b',"a":"1:2"},', b'{"instances":[', LINE + b"]}", 9_000_000),
    "NaN": lambda: fill(b"NaN,", b'{"instances":[[', b"1]]}", 4_000_000),
    "quotes behind NaN": lambda: fill(b'"', b'{"instances":[NaN,'),
    "escaped quotes behind NaN": lambda: fill(b'\\"', b'{"instances":[NaN,"'),
}

CELLS: dict[str, bytes] = {
    "newlines": b"\n" * CELL,
    "spaces": b" " * CELL,
    "tabs": b"\t" * CELL,
    "separators": b",;\t " * (CELL // 4),
    "signs": b"-" * CELL,
    "signs and spaces": b"= " * (CELL // 2),
    "digits": b"1" * CELL,
    "points": b"." * CELL,
    "zero-width": "\u200b".encode() * CELL,
    "no-break spaces": "\u00a0".encode() * CELL,
}


# Units of which a field of the head is made.
FIELDS: dict[bytes, tuple[bytes, ...]] = {
    b"Accept": (b"a/b,", b"a/b;q=0.1,", b";", b'"', b"/"),
    b"Accept-Encoding": (b"gzip;q=0.1,", b"a,"),
    b"Authorization": (b"Bearer ", b" ", b"Basic "),
    b"Content-Type": (b"a/b;", b";a=", b'; a="\\', b" "),
    b"Content-Encoding": (b"gzip,", b" "),
    b"Cookie": (b"a=b;", b'a="\\', b"=", b"a;", b"iris_session=."),
    b"If-None-Match": (b'"a",', b"W/", b'"'),
    b"Range": (b"bytes=0-1,", b"0-,"),
    b"Traceparent": (b"0", b"0-"),
    b"X-Request-Id": (b"a", b"-", b" "),
    b"X-Forwarded-For": (b"a,", b" "),
}

OTHERS: dict[str, Callable[[], bytes]] = {
    "a full batch": lambda: (LINE + b"\n") * 100_000,
    "a bomb": lambda: b" " * LIMIT * 20,
}

NAMESPACE = b"http://schemas.openxmlformats.org/spreadsheetml/2006/main"


def _workbook(name: str, start: bytes, unit: bytes, end: bytes) -> bytes:
    """Return a workbook, of whose parts one has as many tags as may be."""
    count = MAX_TAGS // (unit.count(b"<") + 1) // (OTHER_TAG if name == "styles" else 1)
    head = start.replace(b">", b' xmlns="%s">' % NAMESPACE, 1)
    return replaced(workbook(Sheet1=[["slen", 1]]), f"xl/{name}.xml", head + unit * count + end)


SHEET = "worksheets/sheet1", b"<worksheet><sheetData>"
END = b"</sheetData></worksheet>"

WORKBOOKS: dict[str, Callable[[], bytes]] = {
    "rows": partial(_workbook, *SHEET, b"<row><c><v>1</v></c></row>", END),
    "cells": partial(_workbook, *SHEET, b"<c><v>1</v></c>", END),
    "rows without cells": partial(_workbook, *SHEET, b"<row/>", END),
    "other tags": partial(_workbook, *SHEET, b"<a/>", END),
    "nested tags": partial(_workbook, *SHEET, b"<a>", END),
    "styles": partial(_workbook, "styles", b"<styleSheet><cellXfs>", b"<xf/>", b"</cellXfs></styleSheet>"),
}

Factory = Callable[[], Message]


def _upload(session: Session, content: Callable[[], bytes]) -> Message:
    return upload(session, content()[: LIMIT - ROOM])


def _uploads(session: Session) -> Iterator[tuple[str, Factory]]:
    header, values = table(1).split(b"\n")
    for name, cell in CELLS.items():
        yield f"a cell of {name}", partial(upload, session, b'%s,note\n%s,"%s"\n' % (header, values, cell))
    for name in ("commas", "newlines", "quotes", "long lines", "an open quote of lines", "wrong rows"):
        yield f"a file of {name}", partial(_upload, session, CSV[name])
    formulas = b"%s,note\n" % header + b"%s,= = = = =\n" % values * 50_000
    yield "many cells of formulas", partial(upload, session, formulas)
    for name, content in WORKBOOKS.items():
        yield f"a workbook of {name}", partial(_upload, session, content)
    for unit in (b"\r\n--", b"\r\n", b"\r", b"-", b"\r\n--" + BOUNDARY[:-1]):
        yield f"a file of {unit!r}", partial(_upload, session, partial(fill, unit))


def _parts(session: Session) -> Iterator[tuple[str, Factory]]:
    make = partial(partial, multipart, session)
    yield "many parts", make(*[part(b"a", b"")] * 5000)
    yield "a head without end", make(b"--" + BOUNDARY + b"\r\n" + b"A: b\r\n" * 100_000, end=b"")
    yield "a long head of a part", make(part(b"a;" * 200_000, b""))
    yield "a long name of a file", make(part(b"file", table(1), b"../" * 20_000))
    yield "no end", make(part(b"file", b"\r" * 1_000_000, b"rows.csv"), end=b"")
    yield "a long field", make(part(b"skip_bad_rows", b"a" * FORM_LIMIT * 4))


def _forms(session: Session) -> Iterator[tuple[str, Factory]]:
    for unit in (b"&", b"a=b&", b"%C3", b"+", b"="):
        yield f"a form of {unit!r}", partial(form, session, fill(unit, size=FORM_LIMIT))
    first, *others = form_fields(session).items()
    rest = "&".join(f"{name}={value}" for name, value in others)
    for unit in (b"1", b"+", b".", b",", b"%0A", b"-", b"_"):
        body = fill(unit, f"{rest}&{first[0]}=1".encode(), size=FORM_LIMIT - 10)
        yield f"a value of {unit!r}", partial(form, session, body)


def _heads(_: Session) -> Iterator[tuple[str, Factory]]:
    valid = typed(b"/api/classify", b"application/json", LINE)
    for name, units in FIELDS.items():
        for unit in units:
            yield f"{name.decode()} of {unit!r}", partial(valid.adding, (name, fill(unit, b"a", b"a", 8000)))
    for unit in (b"a&", b"a=1&", b"%", b"%00", b"/", b"../"):
        yield f"a query of {unit!r}", partial(Message, fill(unit, b"/home?", size=8000), method=b"GET")
        yield f"a path of {unit!r}", partial(Message, fill(unit, b"/", size=8000), method=b"GET")
    yield "ninety fields", partial(valid.adding, *[(b"X-%d" % number, b"a" * 8000) for number in range(90)])


def _others(_: Session) -> Iterator[tuple[str, Factory]]:
    about = tensor(1) | {"shape": [2**61, len(ROW)], "parameters": {"binary_data_size": 2**66}}
    shape = typed(b"/v2/models/iris/infer", b"application/octet-stream", json.dumps({"inputs": [about]}).encode())
    yield "a huge shape", lambda: shape
    members = typed(b"/api/classify", b"application/json", b"").compressed()
    yield "empty members", lambda: replace(members, body=members.body * 100_000)
    for name, body in OTHERS.items():
        yield name, partial(_pack, b"/api/classify", b"application/x-ndjson", body)


@cache
def _pack(target: bytes, media_type: bytes, body: Callable[[], bytes]) -> Message:
    return typed(target, media_type, body()).compressed()


def _packed(target: bytes, media_type: bytes, bodies: dict[str, Callable[[], bytes]]) -> Iterator[tuple[str, Factory]]:
    for name, body in bodies.items():
        yield f"{media_type.decode()} to {target.decode()}: {name}", partial(_pack, target, media_type, body)


@cache
def worst(session: Session) -> dict[str, Factory]:
    """Return what makes each such request, compressed where that makes it small, by its name."""
    return dict(
        chain(
            _packed(b"/api/classify", b"text/csv", CSV),
            _packed(b"/api/classify", b"application/x-ndjson", LINES),
            _packed(b"/api/classify", b"application/json", JSON),
            _packed(b"/invocations", b"text/csv", CSV),
            _packed(b"/invocations", b"application/json", JSON | INVOCATIONS),
            _packed(b"/v2/models/iris/infer", b"application/json", JSON | INFERENCES),
            _uploads(session),
            _parts(session),
            _forms(session),
            _heads(session),
            _others(session),
        )
    )
