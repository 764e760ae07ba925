"""The blueprint of the pages: the form and its result, the upload of a file, and the model card."""

from iris_app.ui import batch, model_card, views
from iris_app.ui.blueprint import bp
from iris_app.ui.errors import render_problem

__all__ = ["batch", "bp", "model_card", "render_problem", "views"]
