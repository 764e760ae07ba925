"""The model on disk: an artifact (joblib), and beside it its manifest (JSON) and its picture.

An artifact is unpickled only if it has the sha256 of its manifest, and returned only if it predicts as the manifest
records. This module imports scikit-learn, which takes long.
"""

import hashlib
import io
import os
import platform
import stat
import warnings
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import joblib
import msgspec
import numpy as np
import sklearn
from sklearn.base import BaseEstimator, is_classifier
from sklearn.exceptions import InconsistentVersionWarning

from iris_app.exceptions import ModelUnavailable
from iris_app.files import atomic_write
from iris_app.model.inputs import PipelineInputs
from iris_app.model.manifest import Manifest, Training, manifest_path, pairplot_path

# Probabilities that another processor computed may differ in their last digits.
TOLERANCE = 1e-9

# Bytes of a manifest or a picture; usual ones have a hundredth of that.
MAX_FILE_SIZE = 32 * 1024 * 1024

TRAIN_HINT = "Train a model with scripts/train_model.py."
PAIR_HINT = "Put the right pair in place, or train again."
VERSIONS_HINT = "Install the same versions everywhere."


class Packed(msgspec.Struct, frozen=True):
    """A model to be sent to another process: the bytes of its artifact, and its manifest in JSON."""

    artifact: bytes
    manifest: bytes


def save(path: Path, classifier: Any, training: Training, pairplot: bytes | None) -> Manifest:
    """Write the artifact and its picture, then the manifest, each atomically.

    A reader between two of the writes sees digests that differ, and refuses the artifact or leaves out the picture.
    """
    buffer = io.BytesIO()
    joblib.dump(classifier, buffer)
    artifact = buffer.getvalue()
    manifest = Manifest(
        sha256=hashlib.sha256(artifact).hexdigest(),
        bytes=len(artifact),
        pairplot_sha256=hashlib.sha256(pairplot).hexdigest() if pairplot is not None else None,
        created=datetime.now(UTC).replace(microsecond=0),
        versions=_versions(training),
        **{name: getattr(training, name) for name in training.__struct_fields__},
    )
    _write_files(path, artifact, pairplot, msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


def _versions(training: Training) -> dict[str, str]:
    """Return the versions of the packages that the classifier needs."""
    packages = ["numpy", "scikit-learn", "joblib", *training.packages]
    return {"python": platform.python_version(), **{name: version(name) for name in packages}}


def copy(source: Path, path: Path, pinned: str | None = None) -> Manifest:
    """Verify the model at ``source``, and copy its files to ``path``.

    Raises
    ------
    ModelUnavailable
        If it cannot be trusted; nothing is written.
    """
    _, manifest, pairplot = load(source, pinned)
    _write_files(path, _read(source), pairplot, _read(manifest_path(source)))
    return manifest


def pack(path: Path, manifest: Manifest) -> Packed:
    """Read the artifact at ``path``, to send it to another process.

    Raises
    ------
    ModelUnavailable
        If it is not the one that the manifest describes.
    """
    content = _read(path, manifest.bytes)
    _verify(path, content, manifest)
    return Packed(content, msgspec.json.encode(manifest))


def unpack(packed: Packed) -> tuple[Any, Manifest]:
    """Verify and unpickle an artifact that another process sent.

    Raises
    ------
    ModelUnavailable
        If it is damaged, or saved with another version of scikit-learn; then it is not unpickled.
    """
    manifest = msgspec.json.decode(packed.manifest, type=Manifest)
    name = f"The model that was sent to {platform.node()}"
    _verify(name, packed.artifact, manifest)
    saved_with = manifest.versions.get("scikit-learn")
    if saved_with != sklearn.__version__:
        raise ModelUnavailable(
            f"{name} was saved with scikit-learn {saved_with}, and there it is {sklearn.__version__}. {VERSIONS_HINT}",
            "saved by another scikit-learn",
        )
    return _unpickle(name, packed.artifact, manifest), manifest


def load(path: Path, pinned: str | None = None) -> tuple[Any, Manifest, bytes | None]:
    """Read, verify and unpickle the artifact at ``path``.

    Parameters
    ----------
    path : Path
    pinned : str, optional
        The only digest that the model may have; see ``Manifest.digest``.

    Returns
    -------
    classifier : scikit-learn classifier
    manifest : Manifest
    pairplot : bytes or None
        The picture of the data, as SVG, if it has the digest of the manifest.

    Raises
    ------
    ModelUnavailable
        If the artifact or its manifest is missing, damaged, of another schema or of another scikit-learn, or if the
        golden rows get other probabilities than in training. The message says which, and what to do.
    """
    manifest = read_manifest(path)
    artifact = _read(path, manifest.bytes)
    _verify(path, artifact, manifest)
    if pinned is not None and manifest.digest != pinned:
        raise ModelUnavailable(
            f"{path} has the digest {manifest.digest}, and MODEL_SHA256 allows only {pinned}.", "not the pinned digest"
        )
    return _unpickle(path, artifact, manifest), manifest, _read_pairplot(pairplot_path(path), manifest)


def _verify(name: Path | str, content: bytes, manifest: Manifest) -> None:
    """Raise ``ModelUnavailable`` if the sha256 of an artifact is not that of the manifest."""
    digest = hashlib.sha256(content).hexdigest()
    if digest != manifest.sha256:
        raise ModelUnavailable(
            f"{name} is not the artifact that its manifest describes: its sha256 is {digest}, "
            f"the manifest's {manifest.sha256}. {PAIR_HINT}",
            "wrong digest",
        )


def read_manifest(path: Path) -> Manifest:
    """Read the manifest of the artifact at ``path``, or raise ``ModelUnavailable``."""
    file = manifest_path(path)
    try:
        return msgspec.json.decode(_read(file), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ModelUnavailable(
            f"{file} is not the manifest of a model for this version of the application: {error}. Train or package the "
            "model again.",
            "wrong manifest",
        ) from error


def _read_pairplot(path: Path, manifest: Manifest) -> bytes | None:
    try:
        pairplot = _read(path)
    except ModelUnavailable:
        return None
    return pairplot if hashlib.sha256(pairplot).hexdigest() == manifest.pairplot_sha256 else None


def _write_files(path: Path, artifact: bytes, pairplot: bytes | None, manifest: bytes) -> None:
    """Write the files of a model; see ``save``."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, artifact)
    if pairplot is not None:
        _write(pairplot_path(path), pairplot)
    _write(manifest_path(path), manifest)


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path, mode=0o644, wait=True) as file:
        file.write(content)


def _read(path: Path, size: int | None = None) -> bytes:
    """Read a regular file of the given size, or of at most ``MAX_FILE_SIZE``, or raise ``ModelUnavailable``."""
    try:
        with open(path, "rb", opener=_open_nonblocking) as file:
            status = os.fstat(file.fileno())
            found = status.st_size
            if not stat.S_ISREG(status.st_mode) or (size is None and found > MAX_FILE_SIZE):
                raise ModelUnavailable(f"{path} is no file, or far too large. {PAIR_HINT}", "unreadable")
            if size not in {None, found}:
                raise ModelUnavailable(
                    f"{path} is not the artifact that its manifest describes: it has {found:,} bytes, "
                    f"the manifest's {size:,}. {PAIR_HINT}",
                    "wrong size",
                )
            return file.read(found)
    except (OSError, ValueError) as error:  # ValueError: an impossible path
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelUnavailable(f"{path} cannot be read: {reason}. {TRAIN_HINT}", "unreadable") from error


def _open_nonblocking(path: str, flags: int) -> int:
    """Open a file without waiting for a writer, in case it is a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _unpickle(name: Path | str, artifact: bytes, manifest: Manifest) -> Any:
    """Unpickle and check a classifier; both run foreign code, so any exception may come of them."""
    if missing := [package for package in manifest.packages if not _is_installed(package)]:
        needed = ", ".join(f"{package} {manifest.versions.get(package, '')}".strip() for package in missing)
        raise ModelUnavailable(f"{name} needs {needed}, which is not installed here.", "a package is missing")
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error", InconsistentVersionWarning)
            classifier = joblib.load(io.BytesIO(artifact))
        _check(classifier, manifest)
    except InconsistentVersionWarning as warning:
        raise ModelUnavailable(
            f"{name} was saved with scikit-learn {warning.original_sklearn_version}, and this is "
            f"{warning.current_sklearn_version}. Train again with the version that serves.",
            "saved by another scikit-learn",
        ) from warning
    except BaseException as error:  # SystemExit too
        raise ModelUnavailable(
            f"{name} cannot be used: {error!r}. It was saved with scikit-learn "
            f"{manifest.versions.get('scikit-learn', 'of an unknown version')}, and this is {sklearn.__version__}.",
            "unusable",
        ) from error
    return classifier


def _is_installed(package: str) -> bool:
    try:
        version(package)
    except PackageNotFoundError:
        return False
    return True


def _check(classifier: Any, manifest: Manifest) -> None:
    """Check that a classifier fits the schema, and predicts its golden rows as in training."""
    schema = manifest.schema
    if not (
        isinstance(classifier, BaseEstimator) and is_classifier(classifier) and hasattr(classifier, "predict_proba")
    ):
        raise TypeError(f"a {type(classifier).__name__} is no classifier with probabilities")
    if [summary.name for summary in manifest.features] != [feature.name for feature in schema.features]:
        raise ValueError("trained on other features, or in another order")
    if list(classifier.classes_) != [class_.value for class_ in schema.classes]:
        raise ValueError("trained to predict other classes, or in another order")
    expected = np.array([row.probabilities for row in manifest.golden_rows])
    rows = manifest.golden_array()
    predicted = classifier.predict_proba(PipelineInputs(schema, manifest.inputs).to_input(rows))
    if predicted.shape != expected.shape or not np.allclose(predicted, expected, rtol=0, atol=TOLERANCE):
        raise ValueError("does not answer its golden rows as it did in training")
