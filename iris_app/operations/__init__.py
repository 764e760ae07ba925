"""The blueprint for operators: ``/healthz``, ``/readyz`` and ``/metrics``."""

from iris_app.operations.views import bp

__all__ = ["bp"]
