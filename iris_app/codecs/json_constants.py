"""Decode JSON that holds ``NaN`` or ``Infinity``, as clients in Python write them, though JSON has no such values."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TypeVar

import msgspec

from iris_app.exceptions import InvalidValues, MalformedDocument

Decoded = TypeVar("Decoded")

# What stands for each constant; no float holds the number, which is wrong wherever it is the value of a feature.
STANDING_FOR = {b"NaN": b"null", b"Infinity": b"1e999", b"-Infinity": b"-1e999"}

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
    """Decode JSON with constants of Python.

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
        The body, with what stands for each constant.

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
        if (json := replace_constants(body)) != body:
            return decode(decoder, json, what)
        raise MalformedDocument(f"This is no {what}: {error}.") from error


@contextmanager
def without_constants(body: bytes) -> Iterator[bytes]:
    """Return JSON with what stands for each constant, and mention that of ``NaN`` in errors of values."""
    json = replace_constants(body)
    try:
        yield json
    except InvalidValues as error:
        if json != body and b"NaN" in body:
            error.args = (f"{error} NaN is read as null.",)
        raise


def replace_constants(body: bytes) -> bytes:
    """Replace each constant outside of strings."""
    constants = body.count(b"NaN") + body.count(b"Infinity")
    # In JSON, one of these characters is before each value but the outermost.
    if not 0 < constants <= 1 + sum(map(body.count, (b",", b":", b"["))):
        return body
    return UP_TO_CONSTANT.sub(lambda match: match[1] + STANDING_FOR.get(match[2], b""), body)
