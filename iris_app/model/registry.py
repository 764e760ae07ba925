"""The registry of published versions, any of which can be made current again.

Each version has a folder, named by the number of its publication and the model's digest. This module imports
scikit-learn, by way of the artifact.
"""

import re
import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from functools import partial
from itertools import takewhile
from pathlib import Path
from typing import Any

from iris_app.exceptions import ModelUnavailable
from iris_app.files import lock_file
from iris_app.model.artifact import copy, read_manifest, save
from iris_app.model.manifest import Manifest, Training

FOLDER_NAME = re.compile(r"\A([0-9]+)-([0-9a-f]{64})")


@dataclass(frozen=True, order=True)
class PublishedVersion:
    """A published version: the number of its publication, its digest, and the path of its artifact."""

    number: int
    digest: str
    path: Path


class Registry:
    """Publish models, store them, and roll back to stored ones.

    Parameters
    ----------
    folder : Path
        The folder of the stored versions.
    path : Path
        The path of the current model, which is served.
    pinned : str, optional
        The only digest that the current model may have.
    """

    def __init__(self, folder: Path, path: Path, pinned: str | None = None) -> None:
        self.folder = folder
        self.path = path
        self._pinned = pinned

    def versions(self) -> list[PublishedVersion]:
        """List the stored versions in the order of their publication.

        A model that was put in place otherwise counts as published when the next one replaces it.
        """
        names = (path.name for path in self.folder.glob("*-*"))
        return sorted(
            PublishedVersion(int(match[1]), match[2], self.folder / match[0] / "model.joblib")
            for match in map(FOLDER_NAME.fullmatch, names)
            if match
        )

    def current(self) -> str | None:
        """Return the digest of the current model, or None if it has no readable manifest."""
        try:
            return read_manifest(self.path).digest
        except ModelUnavailable:
            return None

    def publish(self, classifier: Any, training: Training, pairplot: bytes | None, *, keep: int) -> Manifest:
        """Make a model current, and store it; keep at most ``keep`` versions, the previous model among them.

        Raises
        ------
        ModelUnavailable
            If the model cannot be trusted; the current one stays.
        """
        with self._locked():
            self._store_current()
            version = self._store(lambda path: save(path, classifier, training, pairplot))
            manifest = copy(version.path, self.path, self._pinned)
            for old in self.versions()[:-keep]:
                _remove(old.path.parent)
            return manifest

    def rollback(self, prefix: str | None = None) -> Manifest:
        """Make current the version whose digest starts with ``prefix``, or else the one before the current one.

        Raises
        ------
        ModelUnavailable
            If there is no such version, or it cannot be trusted; the current one stays.
        """
        with self._locked():
            current = self.current()
            if current not in [version.digest for version in self.versions()]:
                self._store_current()
            version = self._before(current) if prefix is None else self._find(prefix)
            if read_manifest(version.path).digest != version.digest:
                raise ModelUnavailable(
                    f"{version.path.parent} no longer holds the version that was published: its schema was changed.",
                    "wrong digest",
                )
            return copy(version.path, self.path, self._pinned)

    def _find(self, prefix: str) -> PublishedVersion:
        found = [version for version in self.versions() if version.digest.startswith(prefix.lower())]
        if len(found) != 1:
            raise ModelUnavailable(f"{len(found) or 'No'} versions in {self.folder} begin with {prefix}.", "unknown")
        return found[0]

    def _before(self, current: str | None) -> PublishedVersion:
        earlier = list(takewhile(lambda version: version.digest != current, self.versions()))
        if not earlier:
            raise ModelUnavailable(f"{self.folder} holds no version before the one that is in place.", "unknown")
        return earlier[-1]

    def _store_current(self) -> None:
        with suppress(ModelUnavailable):
            self._store(partial(copy, self.path))

    def _store(self, write: Callable[[Path], Manifest]) -> PublishedVersion:
        """Store a model as the latest version, in place of an older one with the same digest."""
        new = self.folder / ".new"
        shutil.rmtree(new, ignore_errors=True)
        digest = write(new / "model.joblib").digest
        versions = self.versions()
        number = versions[-1].number + 1 if versions else 1
        folder = new.rename(self.folder / f"{number:04}-{digest}")
        for version in versions:
            if version.digest == digest:
                _remove(version.path.parent)
        return PublishedVersion(number, digest, folder / "model.joblib")

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Hold the registry's lock, since two publications at once would mix their files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with lock_file(self.folder / ".lock"):
            yield


def _remove(folder: Path) -> None:
    """Remove the folder of a version, or the link that stands for it, and nothing that it leads to."""
    if folder.is_symlink():
        folder.unlink()
    else:
        shutil.rmtree(folder)
