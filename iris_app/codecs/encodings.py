"""Encodings of request bodies: gzip and deflate, and character sets."""

import codecs
import encodings
import pkgutil
import zlib
from typing import Any

from werkzeug.exceptions import RequestEntityTooLarge, UnsupportedMediaType

from iris_app.exceptions import MalformedDocument
from iris_app.formatting import truncate

# The gzip members that a body may have; each costs a copy of the remaining bytes.
MAX_MEMBERS = 100


# The names of Python's codecs. Looking up any other name would keep it in memory for good.
CHARSETS = frozenset(module.name for module in pkgutil.iter_modules(encodings.__path__))

# Codecs that read escapes or domain names, some of them in quadratic time.
NOT_CHARSETS = frozenset({"idna", "punycode", "raw_unicode_escape", "undefined", "unicode_escape"})

BYTE_ORDER_MARKS = {
    codecs.BOM_UTF32_LE: "utf-32",
    codecs.BOM_UTF32_BE: "utf-32",
    codecs.BOM_UTF16_LE: "utf-16",
    codecs.BOM_UTF16_BE: "utf-16",
}


class UnknownEncoding(UnsupportedMediaType):
    """The body has a content encoding that is not supported; the response lists those that are."""

    def get_headers(self, *args: Any, **kwargs: Any) -> list[tuple[str, str]]:
        """Add ``Accept-Encoding``, as RFC 9110 requires."""
        return [*super().get_headers(*args, **kwargs), ("Accept-Encoding", "gzip, deflate")]


def inflate(body: bytes, encoding: str, limit: int) -> bytes:
    """Decode the content encoding of a body, up to a limit of bytes."""
    match encoding:
        case "gzip" | "x-gzip":
            return _inflate(body, 16 + zlib.MAX_WBITS, limit, members=MAX_MEMBERS)
        case "deflate":  # some clients send it without the zlib wrapper of the standard
            wrapped = len(body) > 1 and body[0] & 15 == zlib.DEFLATED and int.from_bytes(body[:2], "big") % 31 == 0
            return _inflate(body, zlib.MAX_WBITS if wrapped else -zlib.MAX_WBITS, limit, members=1)
    raise UnknownEncoding(f"The body is encoded as {truncate(encoding)}; send it as it is, or as gzip or deflate.")


def to_utf_8(body: bytes, charset: str, limit: int) -> bytes:
    """Return a text in UTF-8, without a byte order mark, up to a limit of bytes.

    Parameters
    ----------
    body : bytes
    charset : str
        The declared character set, or empty; a byte order mark of UTF-16 or UTF-32 counts without it.
    limit : int
    """
    codec = _find_codec(charset) or next((name for mark, name in BYTE_ORDER_MARKS.items() if body.startswith(mark)), "")
    if codec:
        try:
            body = body.decode(codec).encode()
        except LookupError:  # a codec of bytes
            raise _unknown_charset(charset) from None
        except UnicodeError as error:
            raise MalformedDocument(
                f"This is not text in {truncate(charset or codec)}, or a part of it is missing."
            ) from error
        if len(body) > limit:
            raise RequestEntityTooLarge
    return body.removeprefix(codecs.BOM_UTF8)


def _find_codec(charset: str) -> str:
    """Return the codec of a character set, or an empty string if it is UTF-8."""
    name = encodings.normalize_encoding(charset.strip(" '")[:40].lower())
    name = encodings.aliases.aliases.get(name, name)
    if name in {"", "ascii", "utf_8", "utf_8_sig"}:
        return ""
    if name not in CHARSETS or name in NOT_CHARSETS:
        raise _unknown_charset(charset)
    return name


def _unknown_charset(charset: str) -> UnsupportedMediaType:
    return UnsupportedMediaType(f"The charset {truncate(charset)} is not known; send the text as UTF-8.")


def _inflate(body: bytes, window: int, limit: int, members: int) -> bytes:
    """Inflate at most so many concatenated members, up to a limit of bytes."""
    chunks: list[bytes] = []
    remaining = limit
    for _ in range(members):
        stream = zlib.decompressobj(window)
        try:
            chunks.append(stream.decompress(body, remaining + 1))
        except zlib.error as error:
            raise MalformedDocument(f"The body cannot be inflated: {error}.") from error
        remaining -= len(chunks[-1])
        if remaining < 0:
            raise RequestEntityTooLarge
        if not stream.eof:
            raise MalformedDocument("The body cannot be inflated: it ends early.")
        body = stream.unused_data
        if not body:
            return b"".join(chunks)
    raise MalformedDocument("The body cannot be inflated: something follows behind its end.")
