"""The door for hosting services: ``/invocations`` and ``/ping``, as SageMaker and MLflow have them, and Vertex AI's."""

from iris_app.invocations.views import health_routes, init_app, predict_routes, tell

__all__ = ["health_routes", "init_app", "predict_routes", "tell"]
