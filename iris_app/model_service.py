"""The one way to a prediction: a model that is loaded lazily, and ``predict``.

Only ``init_app`` and the accessors ``get_...`` and ``model_path`` know Flask.
"""

import logging
import time
from collections.abc import Callable
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from flask import Flask, current_app

from iris_app.exceptions import ModelUnavailable
from iris_app.files import FileStamp, read_stamp
from iris_app.model.manifest import manifest_path
from iris_app.observability.recorder import get_metrics, record_predictions
from iris_app.schema import Floats

if TYPE_CHECKING:
    from iris_app.model.classifier import Model
    from iris_app.model.predictions import PredictionBatch
    from iris_app.model.registry import Registry

EXTENSION = "model_service"

logger = logging.getLogger(__name__)

# What of the artifact and its manifest changes when they are replaced; None for one that is not there.
FilesState = list[FileStamp | None]


class ModelService:
    """Hold the model of a process: loaded when it is first asked for, and again when another is published.

    Parameters
    ----------
    path : Path
        Where the artifact lies; its manifest lies beside it.
    pinned : str, optional
        The only sha256 that the artifact may have.
    count : callable, optional
        Called with the outcome of each attempt to load a model.
    """

    def __init__(
        self, path: Path, pinned: str | None = None, count: Callable[[str], None] = lambda _outcome: None
    ) -> None:
        self.path = path
        self.refused: ModelUnavailable | None = None
        self._pinned = pinned
        self._count = count
        self._lock = Lock()
        self._model: Model | None = None
        self._tried: FilesState | None = None

    @property
    def model(self) -> "Model":
        """The model that answers.

        Raises
        ------
        ModelUnavailable
            Where none can be loaded; the next one who asks tries again.
        """
        return self._model or self._load()

    @property
    def loaded(self) -> "Model | None":
        """The model that answers, where one was loaded already."""
        return self._model

    def watch(self, seconds: float) -> None:
        """Take a model that is published over this one within so many seconds, from now until the process ends."""
        Thread(target=self._keep_up, args=(seconds / 3,), name="model-watch", daemon=True).start()

    def _load(self) -> "Model":
        with self._lock:
            if self._model is None:
                self._model = self._read()
            return self._model

    def _read(self) -> "Model":
        from iris_app.model.classifier import load  # here, and not above, to keep scikit-learn out of start-up

        self._tried = self._state()
        try:
            model = load(self.path, self._pinned)
        except ModelUnavailable as error:
            self._count(error.reason)
            raise
        self._count("loaded")
        return model

    def _keep_up(self, seconds: float) -> None:
        """Look at the files now and then; one that changed is taken when it has stopped changing."""
        seen: FilesState | None = None
        while True:
            time.sleep(seconds)
            before, seen = seen, self._state()
            if seen == before and seen != self._tried:
                self._replace()

    def _state(self) -> FilesState:
        return [read_stamp(path) for path in (self.path, manifest_path(self.path))]

    def _replace(self) -> None:
        """Load what was published beside what answers, and let it answer if it can be trusted."""
        try:
            model = self._read()
        except ModelUnavailable as error:
            self.refused = error
            logger.error("A model that was published is refused, and what answered goes on: %s", error)
            return
        logger.warning("Model %s answers from now on.", model.version)
        self.refused, self._model = None, model


def init_app(app: Flask) -> None:
    """Give the app its model service."""
    app.extensions[EXTENSION] = ModelService(model_path(app), app.config["MODEL_SHA256"], get_metrics(app).count_load)


def get_service(app: Flask | None = None) -> ModelService:
    """Return the model service of an app, or of the current one."""
    service: ModelService = (app or current_app).extensions[EXTENSION]
    return service


def get_model() -> "Model":
    """Return the current app's model, loading it if need be, or raise ``ModelUnavailable``."""
    return get_service().model


def get_registry(app: Flask) -> "Registry":
    """Return the registry of an app's published versions, under ``instance/models``."""
    from iris_app.model.registry import Registry  # here, and not above, to keep scikit-learn out of start-up

    return Registry(Path(app.instance_path, "models"), model_path(app), app.config["MODEL_SHA256"])


def model_path(app: Flask) -> Path:
    """Say where the app's artifact lies."""
    return Path(app.instance_path, app.config["MODEL_PATH"])


def predict(model: "Model", rows: Floats) -> "PredictionBatch":
    """Predict the class of each row, and record it for the current request if there is one.

    Every view, and the command for files, predicts by this function.

    Parameters
    ----------
    model : Model
        The model that the rows were read for.
    rows : ndarray of shape (n, features), float64
        The schema's features, in their order and units.
    """
    batch = model.predict(rows)
    record_predictions(batch)
    return batch
