"""The door for people: a form, and a page that answers it."""

from iris_app.ui.errors import tell
from iris_app.ui.views import bp

__all__ = ["bp", "tell"]
