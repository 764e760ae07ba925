"""Decode JSON that holds ``NaN``, as clients in Python write it, though JSON has no such value."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from iris_app.exceptions import InvalidValues, MalformedDocument

Decoded = TypeVar("Decoded")

# Text up to a constant of Python's ``json`` outside of strings, or up to the end, in parts that other threads need not
# wait for. It always matches, and never goes back, so that no character is looked at twice.
UP_TO_CONSTANT = re.compile(
    rb"""
    ( (?: [^"NI\-]++
        | "[^"\\]*+ (?:\\.[^"\\]*+)*+ (?:"|\\?\Z)
        | N(?!aN) | I(?!nfinity) | -(?!Infinity)
      ){0,65536}+ )
    (NaN|-?Infinity)?
    """,
    re.DOTALL | re.VERBOSE,
)


def decode(decoder: msgspec.json.Decoder[Decoded], body: bytes, what: str) -> tuple[Decoded, bytes]:
    """Decode JSON in which ``NaN`` stands for null.

    Parameters
    ----------
    decoder : Decoder
    body : bytes
    what : str
        The name of what is decoded, for an error message.

    Returns
    -------
    decoded : object
    json : bytes
        The body, with null in place of each ``NaN``.

    Raises
    ------
    MalformedDocument
        If the body cannot be decoded.
    """
    try:
        return decoder.decode(body), body
    except RecursionError as error:
        raise MalformedDocument(f"The {what} is nested too deeply to be read.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        if (json := _replace_nan(body)) != body:
            return decode(decoder, json, what)
        raise MalformedDocument(f"This is no {what}: {error}.") from error


@contextmanager
def without_nan(body: bytes) -> Iterator[bytes]:
    """Return JSON with null in place of each ``NaN``, and mention that in errors of values."""
    json = _replace_nan(body)
    try:
        yield json
    except InvalidValues as error:
        if json != body:
            error.args = (f"{error} NaN is read as null.",)
        raise


def _replace_nan(body: bytes) -> bytes:
    """Replace each ``NaN`` outside of strings by null, or raise ``MalformedDocument`` for an infinite number."""
    constants = body.count(b"NaN") + body.count(b"Infinity")
    # In JSON, one of these characters is before each value but the outermost.
    if not 0 < constants <= 1 + sum(map(body.count, (b",", b":", b"["))):
        return body
    return UP_TO_CONSTANT.sub(_replace, body)


def _replace(match: re.Match[bytes]) -> bytes:
    text, constant = match.groups()
    if constant in {b"Infinity", b"-Infinity"}:
        raise MalformedDocument(f"{constant.decode()} at byte {match.start(2)} is no number that can be used.")
    return text + b"null" if constant else text
