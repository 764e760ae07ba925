"""The session cookie."""

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface


class SessionInterface(SecureCookieSessionInterface):
    """Keep the session in a signed cookie that is Secure wherever the request came by HTTPS."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return whether the cookie may travel over HTTPS only."""
        return request.is_secure or super().get_cookie_secure(app)
