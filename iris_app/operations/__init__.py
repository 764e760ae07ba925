"""The door for whoever is on call: ``/healthz`` and ``/readyz``."""

from iris_app.operations.views import bp

__all__ = ["bp"]
