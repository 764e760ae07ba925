"""Select the media type of an answer."""

from collections.abc import Sequence

from werkzeug.datastructures import MIMEAccept
from werkzeug.exceptions import NotAcceptable

from iris_app.web.request import Request


def select_mimetype(request: Request, offered: Sequence[str]) -> str:
    """Select the offered media type that the client prefers, among equals the first, or raise ``NotAcceptable``."""
    if request.environ.get("HTTP_ACCEPT", "*/*") in {"*/*", ""}:
        return offered[0]
    # Parameters, such as a charset, do not matter.
    accepted = MIMEAccept([(name.partition(";")[0], quality) for name, quality in request.accept_mimetypes])
    mimetype = accepted.best_match(offered)
    if mimetype is None:
        raise NotAcceptable(f"The answer can be {' or '.join(offered)}.")
    return mimetype
