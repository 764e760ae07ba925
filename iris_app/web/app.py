"""Flask, with what of it is ours."""

from collections.abc import Callable
from typing import Any

from flask import Flask
from werkzeug.routing import Map, MapAdapter

from iris_app.web.request import Request
from iris_app.web.response import Response
from iris_app.web.sessions import Sessions


class UrlMap(Map):
    """The addresses of the app, which take from a request what it has read of its environment already."""

    def bind_to_environ(self, environ: Any, server_name: str | None = None, subdomain: str | None = None) -> MapAdapter:
        """Return what finds the view for a request."""
        request: Request = environ["werkzeug.request"]
        query = request.query_string.decode(errors="replace")
        return self.bind(
            server_name or request.host,
            request.root_path,
            subdomain,
            request.scheme,
            request.method,
            request.path,
            query_args=query,
        )


class Application(Flask):
    """An application whose requests have ids, whose responses are protected, and whose sessions cost who uses them."""

    request_class = Request
    response_class = Response
    session_interface = Sessions()
    url_map_class = UrlMap

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a view or a hook as it is: none of ours is a coroutine, and each request would ask of each again."""
        return func
