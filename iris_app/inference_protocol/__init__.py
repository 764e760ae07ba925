"""The blueprint of the Open Inference Protocol, version 2, under ``/v2``."""

from iris_app.inference_protocol.views import bp, render_problem

__all__ = ["bp", "render_problem"]
