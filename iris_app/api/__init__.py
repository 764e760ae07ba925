"""The blueprint for programs, under ``/api``."""

from iris_app.api.views import bp, render_problem, swagger

__all__ = ["bp", "render_problem", "swagger"]
