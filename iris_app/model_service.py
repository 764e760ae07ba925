"""The model service: load the model lazily, reload it when its files change, and predict.

Only ``init_app`` and the accessors ``get_...`` and ``model_path`` know Flask.
"""

import contextlib
import logging
import time
from collections.abc import Callable
from multiprocessing import get_context
from pathlib import Path
from threading import Lock, Thread
from typing import TYPE_CHECKING

from flask import Flask, current_app, has_request_context

from iris_app.exceptions import ModelUnavailable
from iris_app.files import FileStamp, read_stamp
from iris_app.model.manifest import manifest_path
from iris_app.observability.recorder import get_metrics, record_predictions
from iris_app.schema import Floats
from iris_app.schema.changes import breaking_changes
from iris_app.web.request import request

if TYPE_CHECKING:
    from iris_app.model.classifier import Model
    from iris_app.model.predictions import PredictionBatch
    from iris_app.model.registry import Registry

EXTENSION = "model_service"

# The changes of a schema that a message names.
CHANGES_NAMED = 10

# Linux lists the threads of a process here.
THREADS = Path("/proc/self/task")

logger = logging.getLogger(__name__)

# The stamps of the artifact and its manifest, which change when they are replaced; None for a missing file.
FileStamps = list[FileStamp | None]


class ModelService:
    """Load the model of a process when it is first needed, and again when another is published.

    Parameters
    ----------
    path : Path
        The path of the artifact; its manifest lies beside it.
    pinned : str, optional
        The only sha256 that the artifact may have.
    count : callable, optional
        Called with the outcome of each attempt to load a model.
    allow_schema_change : bool
        Whether a model may replace another that takes other rows.

    Attributes
    ----------
    refused : ModelUnavailable, optional
        The reason why a model that was published since is refused.
    changes : list of str
        The changes since the model before that break clients.
    """

    def __init__(
        self,
        path: Path,
        pinned: str | None = None,
        count: Callable[[str], None] = lambda _outcome: None,
        *,
        allow_schema_change: bool = False,
    ) -> None:
        self.path = path
        self.refused: ModelUnavailable | None = None
        self.changes: list[str] = []
        self._allow_schema_change = allow_schema_change
        self._pinned = pinned
        self._count = count
        self._lock = Lock()
        self._model: Model | None = None
        self._last_attempt: FileStamps | None = None

    @property
    def model(self) -> "Model":
        """The current model, loaded if need be.

        Raises
        ------
        ModelUnavailable
            If it cannot be loaded; the next access tries again.
        """
        return self._model or self._load()

    @property
    def loaded(self) -> "Model | None":
        """The current model, if it is loaded."""
        return self._model

    def load_before_fork(self, seconds: float | None) -> None:
        """Load the model for the processes that will be forked, if that starts no thread.

        Threads do not survive a fork, and a library that had some would wait for them for ever. So another process,
        which has so many seconds, tries it first.
        """
        trial = get_context("fork").Process(target=self._try_load)
        trial.start()
        trial.join(seconds)
        if trial.exitcode is None:
            trial.kill()
            trial.join()
        if trial.exitcode == 0:
            with contextlib.suppress(ModelUnavailable):  # replaced since
                self._model = self._read()
        trial.close()

    def _try_load(self) -> None:
        """Exit with 0 if the model can be loaded without starting a thread."""
        before = _count_threads()
        try:
            self._read()
        except ModelUnavailable:  # each process says why
            raise SystemExit(1) from None
        raise SystemExit(before is None or _count_threads() != before)

    def adopt(self) -> None:
        """Take the model that was loaded before the fork, unless another was published since."""
        if self._model and self._file_stamps() != self._last_attempt:
            self._model = None
        elif self._model:
            self._count("loaded")

    def watch(self, seconds: float) -> None:
        """Start a thread that reloads the model within ``seconds`` after another is published."""
        Thread(target=self._watch_files, args=(seconds / 3,), name="model-watch", daemon=True).start()

    def _load(self) -> "Model":
        with self._lock:
            if self._model is None:
                self._model = self._read_and_count()
            return self._model

    def _read_and_count(self) -> "Model":
        try:
            model = self._read()
        except ModelUnavailable as error:
            self._count(error.reason)
            raise
        self._count("loaded")
        return model

    def _read(self) -> "Model":
        from iris_app.model.classifier import load  # not at import: it imports scikit-learn

        self._last_attempt = self._file_stamps()
        return load(self.path, self._pinned)

    def _watch_files(self, seconds: float) -> None:
        """Poll the files, and reload the model once they changed and are stable again."""
        stamps: FileStamps | None = None
        while True:
            time.sleep(seconds)
            previous, stamps = stamps, self._file_stamps()
            if stamps == previous and stamps != self._last_attempt:
                self._reload()

    def _file_stamps(self) -> FileStamps:
        return [read_stamp(path) for path in (self.path, manifest_path(self.path))]

    def _reload(self) -> None:
        """Replace the current model by the published one, or keep it if that cannot be trusted."""
        try:
            model = self._read_and_count()
            changes = self._check_changes(model)
        except ModelUnavailable as error:
            self.refused = error
            logger.error("A model that was published is refused, and what answered goes on: %s", error)
            return
        logger.warning("Model %s answers from now on. %s", model.version, join_changes(changes))
        self.refused, self.changes, self._model = None, changes, model

    def _check_changes(self, model: "Model") -> list[str]:
        """Return the changes that break clients of the current model, or raise ``ModelUnavailable`` for them."""
        changes = breaking_changes(self._model.schema, model.schema) if self._model else []
        if changes and not self._allow_schema_change:
            raise ModelUnavailable(
                f"Model {model.version} takes other rows: {join_changes(changes)}. To take it, restart, or set "
                "MODEL_ALLOW_SCHEMA_CHANGE.",
                f"it takes other rows: {join_changes(changes)}",
            )
        return changes


def _count_threads() -> int | None:
    """Return the number of threads of this process, those of native libraries included, if the system tells."""
    try:
        return len(list(THREADS.iterdir()))
    except OSError:
        return None


def join_changes(changes: list[str]) -> str:
    """Join the first changes, and count the others."""
    shown = "; ".join(changes[:CHANGES_NAMED])
    return f"{shown}; and {len(changes) - CHANGES_NAMED} more" if len(changes) > CHANGES_NAMED else shown


def init_app(app: Flask) -> None:
    """Create the model service of an application."""
    app.extensions[EXTENSION] = ModelService(
        model_path(app),
        app.config["MODEL_SHA256"],
        get_metrics(app).count_load,
        allow_schema_change=app.config["MODEL_ALLOW_SCHEMA_CHANGE"],
    )


def get_service(app: Flask | None = None) -> ModelService:
    """Return the model service of an application, or of the current one."""
    service: ModelService = (app or current_app).extensions[EXTENSION]
    return service


def get_model() -> "Model":
    """Return the model of the current application, the same one throughout a request, or raise ``ModelUnavailable``."""
    if not has_request_context():
        return get_service().model
    if request.model is None:
        request.model = get_service().model
    return request.model


def get_registry(app: Flask) -> "Registry":
    """Return the registry of the published versions of an application's model, which lie beside it."""
    from iris_app.model.registry import Registry  # not at import: it imports scikit-learn

    path = model_path(app)
    name = "models" if path.stem == "model" else f"{path.stem}-models"
    return Registry(path.with_name(name), path, app.config["MODEL_SHA256"])


def model_path(app: Flask) -> Path:
    """Return the path of an application's artifact."""
    return Path(app.instance_path, app.config["MODEL_PATH"])


def predict(model: "Model", rows: Floats) -> "PredictionBatch":
    """Predict the class of each row, and record the predictions for the current request if there is one.

    Parameters
    ----------
    model : Model
        The model whose schema the rows have.
    rows : ndarray of shape (n, features), float64
        The schema's features, in their order and units.
    """
    batch = model.predict(rows)
    record_predictions(batch)
    return batch
