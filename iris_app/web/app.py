"""The application class."""

from flask import Flask

from iris_app.web.request import Request
from iris_app.web.response import Response
from iris_app.web.sessions import SessionInterface


class Application(Flask):
    """Flask with this application's request, response and session."""

    request_class = Request
    response_class = Response
    session_interface = SessionInterface()
