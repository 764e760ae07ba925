"""Answers in JSON, which every door for programs gives."""

from typing import Any

import msgspec
from flask import Response

JSON = "application/json"

encoder = msgspec.json.Encoder()


def json_answer(document: msgspec.Struct | dict[str, Any], status: int = 200, mimetype: str = JSON) -> Response:
    """Write a document as the answer."""
    return Response(encoder.encode(document), status, mimetype=mimetype)
