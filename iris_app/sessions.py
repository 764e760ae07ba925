"""The session cookie: sent over HTTPS only wherever the request came over it, and opened only where there is one."""

from flask import Flask, Request, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface


class Sessions(SecureCookieSessionInterface):
    """Sessions in a signed cookie, as Flask has them."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        """Open the session of a request; who brings none costs nothing."""
        return super().open_session(app, request) if "HTTP_COOKIE" in request.environ else self.session_class()

    def get_cookie_secure(self, app: Flask) -> bool:
        """Say whether the cookie may travel over HTTPS only."""
        return request.is_secure or super().get_cookie_secure(app)
