"""Media types: how a body is read, and how an answer is written."""

import re
from collections.abc import Collection, Sequence

from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import NotAcceptable, UnsupportedMediaType
from werkzeug.http import parse_accept_header

from iris_app.formatting import truncate
from iris_app.web.request import Request

JSON = "application/json"
CSV = "text/csv"
NDJSON = "application/x-ndjson"
TSV = "text/tab-separated-values"

# The names of each format: its own, and those that clients use besides.
NAMES = {
    JSON: ("text/json", "application/x-json"),
    CSV: (
        TSV,
        "text/tsv",
        "application/csv",
        "application/x-csv",
        "text/x-csv",
        "text/comma-separated-values",
        "text/x-comma-separated-values",
        "application/vnd.ms-excel",  # browsers on Windows, of .csv
    ),
    NDJSON: (
        "application/jsonlines",
        "application/x-jsonlines",
        "application/jsonl",
        "application/x-jsonl",
        "application/ndjson",
        "application/json-lines",
        "application/x-ldjson",
        "application/x-json-stream",
        "application/stream+json",
        "text/jsonl",
        "text/ndjson",
        "text/x-ndjson",
    ),
}
FORMATS = {name: media_type for media_type, others in NAMES.items() for name in (media_type, *others)}


# Weights without a digit before or behind the point, and a star alone, as Java sends them.
WEIGHT = re.compile(r";\s*q=(\.\d{1,9}|\d{1,9}\.)(?!\d)")
ANYTHING = re.compile(r"(?<![^\s,])\*(?=[\s,;]|\Z)")


def read_format(request: Request, offered: Collection[str]) -> str:
    """Return the format of the body, one of those that are offered, or raise ``UnsupportedMediaType``."""
    media_type = FORMATS.get(request.mimetype, JSON if request.mimetype.endswith("+json") else "")
    if media_type in offered:
        return media_type
    found = f"Content-Type is {truncate(request.mimetype)}" if request.mimetype else "There is no Content-Type"
    raise UnsupportedMediaType(f"{found}; send {_list(offered)}, and say which in Content-Type.")


def has_header(request: Request) -> bool | None:
    """Return whether CSV has a header, as its media type says (RFC 4180), or None if it does not."""
    return {"present": True, "absent": False}.get(request.mimetype_params.get("header", "").lower())


def select_media_type(request: Request, offered: Sequence[str]) -> str:
    """Return the name of the format that the client prefers, among equals the first, or raise ``NotAcceptable``."""
    if request.environ.get("HTTP_ACCEPT", "*/*") in {"*/*", ""}:
        return offered[0]
    sent = parse_accept_header(WEIGHT.sub(_weigh, ANYTHING.sub("*/*", request.headers["Accept"])), MIMEAccept)
    # Parameters, such as a charset, do not matter.
    accepted = MIMEAccept([(name.partition(";")[0], quality) for name, quality in sent])
    names = [*offered, *(name for media_type in offered for name in NAMES.get(media_type, ()))]
    best = max(names, key=accepted.quality)
    if accepted.quality(best) > 0:
        return best
    raise NotAcceptable(f"The answer can be {_list(dict.fromkeys(FORMATS.get(name, name) for name in offered))}.")


def _weigh(match: re.Match[str]) -> str:
    return f";q={float(match[1])}"


def wants_json(request: Request) -> bool:
    """Check whether a client prefers JSON to a page."""
    accepted = request.accept_mimetypes
    return max(accepted[JSON], accepted["application/problem+json"]) > accepted["text/html"]


def _list(names: Collection[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} or {last}" if first else last
