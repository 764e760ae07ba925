"""The door for programs: JSON in, JSON out, under ``/api``."""

from iris_app.api.views import bp, swagger, tell

__all__ = ["bp", "swagger", "tell"]
