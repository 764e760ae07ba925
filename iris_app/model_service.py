"""The one way to a prediction: every door hands a float array to ``get_model()``, most by way of ``classify``.

Only ``init_app``, ``get_service``, ``get_model``, ``model_path`` and ``classify`` know Flask.
"""

import logging
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

import numpy as np
from flask import Flask, current_app
from numpy.typing import NDArray

from iris_app.exceptions import ModelUnavailable
from iris_app.json_types import Prediction
from iris_app.model.manifest import manifest_path
from iris_app.observability.recorder import get_metrics, record_predictions, record_probabilities

if TYPE_CHECKING:
    from iris_app.model.classifier import Model, PredictionBatch

Floats = NDArray[np.float64]

EXTENSION = "model_service"

logger = logging.getLogger(__name__)

# What of the artifact and its manifest changes when they are replaced; None for one that is not there.
FilesState = list[tuple[int, int, int] | None]


class ModelService:
    """Hold the model of a process: loaded when it is first asked for, and again when another is published.

    Parameters
    ----------
    path : Path
        Where the artifact lies; its manifest lies beside it.
    pinned : str, optional
        The only sha256 that the artifact may have.
    count : callable, optional
        RequestRecord what became of each attempt to load a model.
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
        return [_stamp(path) for path in (self.path, manifest_path(self.path))]

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


def _stamp(path: Path) -> tuple[int, int, int] | None:
    """Return what of a file changes when it is replaced."""
    try:
        state = path.stat()
    except (OSError, ValueError):
        return None
    return state.st_mtime_ns, state.st_size, state.st_ino


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


def model_path(app: Flask) -> Path:
    """Say where the app's artifact lies."""
    return Path(app.instance_path, app.config["MODEL_PATH"])


def classify(measurements: Floats, *, explain: bool = False) -> "tuple[Model, Iterable[list[Prediction]]]":
    """Classify flowers for the current request, note what it was answered, and return the predictions block by block.

    Parameters
    ----------
    measurements : ndarray of shape (n, 4), float64
        A row a flower: ``FEATURES`` in their order and units.
    explain : bool
        Whether to say why each flower is of its species.
    """
    model = get_model()
    if len(measurements) == 1:  # which is answered sooner by itself
        predictions = model.classify(measurements, explain=explain)
        record_predictions(model, measurements, predictions)
        return model, [predictions]
    found = model.assess(measurements)
    _note(model, measurements, found)
    return model, model.to_predictions(measurements, found, explain=explain)


def _note(model: "Model", measurements: Floats, found: "PredictionBatch") -> None:
    record_probabilities(model, measurements, found.probabilities.T)
    get_metrics().count_warnings(found.codes())
