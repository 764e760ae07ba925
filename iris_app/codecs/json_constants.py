"""Decode JSON that holds ``NaN``, as clients in Python write it, though JSON has no such value."""

import re
from typing import TypeVar

import msgspec

from iris_app.exceptions import MalformedDocument

Decoded = TypeVar("Decoded")

# A string, closed or not, or a constant of Python's ``json``. It never looks at a character twice.
TOKEN = re.compile(rb'"(?:[^"\\]|\\.?)*+"?|NaN|-?Infinity', re.DOTALL)


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


def _replace_nan(body: bytes) -> bytes:
    """Replace each ``NaN`` outside of strings by null, or raise ``MalformedDocument`` for an infinite number."""
    return TOKEN.sub(_replace, body) if b"NaN" in body or b"Infinity" in body else body


def _replace(token: re.Match[bytes]) -> bytes:
    match token[0]:
        case b"NaN":
            return b"null"
        case b"Infinity" | b"-Infinity":
            raise MalformedDocument(f"{token[0].decode()} at byte {token.start()} is no number that can be used.")
    return token[0]
