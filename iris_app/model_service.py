"""The one way to a prediction: every door asks ``get_model()`` and hands a float array to its ``classify``.

Only ``init_app``, ``get_model`` and ``model_path`` know Flask.
"""

from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING

from flask import Flask, current_app

if TYPE_CHECKING:
    from iris_app.model import Model

EXTENSION = "model_service"


class ModelService:
    """Hold the model of a process: loaded when it is first asked for, once, and again only after a failure."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock = Lock()
        self._model: Model | None = None

    @property
    def model(self) -> "Model":
        """The model that was loaded from ``path``.

        Raises
        ------
        ModelUnavailable
            Where it cannot be; the next one who asks tries again.
        """
        return self._model or self._load()

    def _load(self) -> "Model":
        from iris_app.model import load  # here, and not above, to keep scikit-learn out of start-up

        with self._lock:
            if self._model is None:
                self._model = load(self.path)
            return self._model


def init_app(app: Flask) -> None:
    """Give the app its model service."""
    app.extensions[EXTENSION] = ModelService(model_path(app))


def get_model() -> "Model":
    """Return the current app's model, loading it if need be, or raise ``ModelUnavailable``."""
    service: ModelService = current_app.extensions[EXTENSION]
    return service.model


def model_path(app: Flask) -> Path:
    """Say where the app's artifact lies."""
    return Path(app.instance_path, app.config["MODEL_PATH"])
