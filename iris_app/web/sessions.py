"""The session cookie."""

from flask import Flask, request
from flask.sessions import SecureCookieSessionInterface


class SessionInterface(SecureCookieSessionInterface):
    """Mark the session cookie Secure on every HTTPS request."""

    def get_cookie_secure(self, app: Flask) -> bool:
        """Return whether the cookie is Secure."""
        return request.is_secure or super().get_cookie_secure(app)
