"""The blueprint for hosting services: ``/invocations`` and ``/ping`` of SageMaker and MLflow, and Vertex AI's."""

from iris_app.invocations.views import bp, render_problem, routes

__all__ = ["bp", "render_problem", "routes"]
