"""The door for people: a form and its answer, whole files, and the model's own page."""

from iris_app.ui import batch, model_card, views
from iris_app.ui.blueprint import bp
from iris_app.ui.errors import render_problem

__all__ = ["batch", "bp", "model_card", "render_problem", "views"]
