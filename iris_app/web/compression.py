"""Compression of responses."""

from flask import Flask, request
from flask_compress import Compress

from iris_app.web.response import Response


def init_app(app: Flask) -> None:
    """Compress the responses of an application, unless COMPRESS_REGISTER is off."""
    if not app.config.get("COMPRESS_REGISTER", True):
        return
    app.config["COMPRESS_REGISTER"] = False  # it would compress for clients that do not ask, too
    compress = Compress(app)

    @app.after_request
    def _compress(response: Response) -> Response:
        if "HTTP_ACCEPT_ENCODING" in request.environ:
            close = getattr(response.response, "close", None)
            compress.after_request(response)  # it modifies the response
            if close:  # of a file, which would else be open until it is collected
                response.call_on_close(close)
        return response
