"""The model on disk: a joblib file and, beside it, a manifest in JSON that says what the file must be.

Nothing is unpickled before its sha256 is the manifest's, and nothing is returned that does not do what the manifest
says it does. This module imports scikit-learn; whoever must start fast imports it late.
"""

import hashlib
import io
import os
import platform
import stat
import warnings
from collections import Counter
from datetime import UTC, datetime
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
from iris_app.iris import SCHEMA
from iris_app.model.manifest import Manifest, Training, manifest_path, pairplot_path

# Probabilities computed elsewhere may differ in their last digits, by the order in which a processor adds.
TOLERANCE = 1e-9

# Bytes of a manifest or a picture, which have a hundredth of that.
LARGEST = 32 * 1024 * 1024

REMEDY = "Train a model with scripts/train_model.py."
ANOTHER_PAIR = "Put the right pair in place, or train again."
SAME_EVERYWHERE = "Install the same versions everywhere."


class Packed(msgspec.Struct, frozen=True):
    """A model as it is sent: the bytes of its artifact, and its manifest, in JSON."""

    artifact: bytes
    manifest: bytes


def save(path: Path, classifier: Any, training: Training, pairplot: bytes) -> Manifest:
    """Write the artifact and its picture, then the manifest, each whole or not at all.

    Whoever reads between them finds digests that differ and refuses the artifact, or does without the picture.
    """
    buffer = io.BytesIO()
    joblib.dump(classifier, buffer)
    artifact = buffer.getvalue()
    manifest = Manifest(
        sha256=hashlib.sha256(artifact).hexdigest(),
        bytes=len(artifact),
        pairplot_sha256=hashlib.sha256(pairplot).hexdigest(),
        created=datetime.now(UTC).replace(microsecond=0),
        versions={
            "python": platform.python_version(),
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "joblib": joblib.__version__,
        },
        **msgspec.structs.asdict(training),
    )
    _put(path, artifact, pairplot, msgspec.json.format(msgspec.json.encode(manifest)))
    return manifest


def copy(source: Path, path: Path, pinned: str | None = None) -> Manifest:
    """Verify the artifact at ``source`` as ``load`` does, and write it, its picture and its manifest as ``save`` does.

    Raises
    ------
    ModelUnavailable
        Where it cannot be trusted; nothing is written.
    """
    _, manifest, pairplot = load(source, pinned)
    _put(path, _read(source), pairplot, _read(manifest_path(source)))
    return manifest


def pack(path: Path, manifest: Manifest) -> Packed:
    """Read the artifact at ``path`` to be sent to where it does not lie.

    Raises
    ------
    ModelUnavailable
        Where it is not the one that the manifest describes.
    """
    content = _read(path, manifest.bytes)
    _verify(path, content, manifest)
    return Packed(content, msgspec.json.encode(manifest))


def unpack(packed: Packed) -> tuple[Any, Manifest]:
    """Verify and unpickle an artifact that was sent, as ``load`` does one that lies on the disk.

    Raises
    ------
    ModelUnavailable
        Where it is not whole, or made by another scikit-learn than is here; nothing is unpickled then.
    """
    manifest = msgspec.json.decode(packed.manifest, type=Manifest)
    name = f"The model that was sent to {platform.node()}"
    _verify(name, packed.artifact, manifest)
    version = manifest.versions.get("scikit-learn")
    if version != sklearn.__version__:
        raise ModelUnavailable(
            f"{name} was saved with scikit-learn {version}, and there it is {sklearn.__version__}. {SAME_EVERYWHERE}",
            "saved by another scikit-learn",
        )
    return _unpickle(name, packed.artifact, manifest), manifest


def load(path: Path, pinned: str | None = None) -> tuple[Any, Manifest, bytes | None]:
    """Read, verify and unpickle the artifact at ``path``, whose sha256 must be the ``pinned`` one where there is one.

    Returns
    -------
    classifier : scikit-learn classifier
    manifest : Manifest
    pairplot : bytes or None
        The picture of the data, as SVG, where it is there and is the manifest's.

    Raises
    ------
    ModelUnavailable
        Where the artifact or its manifest is missing, damaged, made for something else or by another scikit-learn, or
        where the classifier does not answer its golden rows as it did in training. The message says which, and what to
        do.
    """
    manifest = read_manifest(path)
    artifact = _read(path, manifest.bytes)
    digest = _verify(path, artifact, manifest)
    if pinned is not None and digest != pinned:
        raise ModelUnavailable(
            f"{path} has the sha256 {digest}, and MODEL_SHA256 allows only {pinned}.", "not the pinned digest"
        )
    return _unpickle(path, artifact, manifest), manifest, _read_pairplot(pairplot_path(path), manifest)


def _verify(name: Path | str, content: bytes, manifest: Manifest) -> str:
    """Return an artifact's sha256, which must be the manifest's."""
    digest = hashlib.sha256(content).hexdigest()
    if digest != manifest.sha256:
        raise ModelUnavailable(
            f"{name} is not the artifact that its manifest describes: its sha256 is {digest}, "
            f"the manifest's {manifest.sha256}. {ANOTHER_PAIR}",
            "wrong digest",
        )
    return digest


def read_manifest(path: Path) -> Manifest:
    """Read what the artifact at ``path`` must be, or raise ``ModelUnavailable``."""
    place = manifest_path(path)
    try:
        return msgspec.json.decode(_read(place), type=Manifest)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise ModelUnavailable(
            f"{place} is not the manifest of a model for this application: {error}", "wrong manifest"
        ) from error


def _read_pairplot(path: Path, manifest: Manifest) -> bytes | None:
    try:
        pairplot = _read(path)
    except ModelUnavailable:
        return None
    return pairplot if hashlib.sha256(pairplot).hexdigest() == manifest.pairplot_sha256 else None


def _put(path: Path, artifact: bytes, pairplot: bytes | None, manifest: bytes) -> None:
    """Write what makes a model; a reader between two of the files sees digests that differ."""
    path.parent.mkdir(parents=True, exist_ok=True)
    _write(path, artifact)
    if pairplot is not None:
        _write(pairplot_path(path), pairplot)
    _write(manifest_path(path), manifest)


def _write(path: Path, content: bytes) -> None:
    with atomic_write(path, mode=0o644, wait=True) as file:
        file.write(content)


def _read(path: Path, size: int | None = None) -> bytes:
    """Read a file, but nothing of one that has not the ``size`` that is known, or cannot be what it is for."""
    try:
        with open(path, "rb", opener=_open_at_once) as file:
            state = os.fstat(file.fileno())
            found = state.st_size
            if not stat.S_ISREG(state.st_mode) or (size is None and found > LARGEST):
                raise ModelUnavailable(f"{path} is no file, or far too large. {ANOTHER_PAIR}", "unreadable")
            if size not in {None, found}:
                raise ModelUnavailable(
                    f"{path} is not the artifact that its manifest describes: it has {found:,} bytes, "
                    f"the manifest's {size:,}. {ANOTHER_PAIR}",
                    "wrong size",
                )
            return file.read(found)
    except (OSError, ValueError) as error:  # ValueError: no file can have such a path
        reason = error.strerror if isinstance(error, OSError) else error
        raise ModelUnavailable(f"{path} cannot be read: {reason}. {REMEDY}", "unreadable") from error


def _open_at_once(path: str, flags: int) -> int:
    """Open a file without waiting for a writer, should it be a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _unpickle(name: Path | str, artifact: bytes, manifest: Manifest) -> Any:
    """Unpickle and check a classifier; both run code that is not ours, so anything can come of them."""
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
    except BaseException as error:  # it may try to end the process, too
        raise ModelUnavailable(
            f"{name} cannot be used: {error!r}. It was saved with scikit-learn "
            f"{manifest.versions.get('scikit-learn', 'of an unknown version')}, and this is {sklearn.__version__}.",
            "unusable",
        ) from error
    return classifier


def _check(classifier: Any, manifest: Manifest) -> None:
    """Hold a classifier against the tables of the domain and against its own golden rows."""
    if [(summary.name, summary.unit) for summary in manifest.features] != [
        (one.name, one.unit) for one in SCHEMA.features
    ]:
        raise ValueError("trained on other features, or in another order")
    if [summary.name for summary in manifest.classes] != SCHEMA.class_names:
        raise ValueError("trained to predict other classes, or in another order")
    if not (
        isinstance(classifier, BaseEstimator) and is_classifier(classifier) and hasattr(classifier, "predict_proba")
    ):
        raise TypeError(f"a {type(classifier).__name__} is no classifier with probabilities")
    if classifier.n_features_in_ != len(SCHEMA.features) or list(classifier.classes_) != list(
        range(len(SCHEMA.class_names))
    ):
        raise ValueError(
            f"must take {len(SCHEMA.features)} features and predict the classes 0 to {len(SCHEMA.class_names) - 1}"
        )
    seen = Counter(row.class_index for row in manifest.training_rows)
    if min(seen[index] for index in range(len(SCHEMA.class_names))) < 2:
        raise ValueError("trained on too few rows of a class")
    expected = [row.probabilities for row in manifest.golden_rows]
    answered = classifier.predict_proba(np.array([row.measurement for row in manifest.golden_rows]))
    if not np.allclose(answered, expected, rtol=0, atol=TOLERANCE):
        raise ValueError("does not answer its golden rows as it did in training")
