"""The versions of the model that were published, kept so that any of them can be put back.

Each lies in a folder of its own, whose name counts publications and holds the artifact's sha256. This module imports
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

FOLDER_NAME = re.compile("([0-9]+)-([0-9a-f]{64})")


@dataclass(frozen=True, order=True)
class Version:
    """A version that is kept: the number of its publication, its sha256, and where its artifact lies."""

    number: int
    sha256: str
    path: Path


class Registry:
    """Keep what is published, and put it in place.

    Parameters
    ----------
    folder : Path
        Where the versions are kept.
    path : Path
        Where the model lies that is served.
    pinned : str, optional
        The only sha256 that the model that is served may have.
    """

    def __init__(self, folder: Path, path: Path, pinned: str | None = None) -> None:
        self.folder = folder
        self.path = path
        self._pinned = pinned

    def kept(self) -> list[Version]:
        """List the versions, the one published last at the end.

        One that was in place when another took over counts as published just before it, however it came there.
        """
        names = (path.name for path in self.folder.glob("*-*"))
        return sorted(
            Version(int(match[1]), match[2], self.folder / match[0] / "model.joblib")
            for match in map(FOLDER_NAME.fullmatch, names)
            if match
        )

    def current(self) -> str | None:
        """Return the sha256 of what should be served, or None where nothing says what that is."""
        try:
            return read_manifest(self.path).sha256
        except ModelUnavailable:
            return None

    def publish(self, classifier: Any, training: Training, pairplot: bytes, *, keep: int) -> Manifest:
        """Put a model in place, and keep it, what was in place before it, and ``keep`` versions in all.

        Raises
        ------
        ModelUnavailable
            Where the model cannot be trusted; what was in place stays.
        """
        with self._alone():
            self._keep_what_is_in_place()
            version = self._keep(lambda path: save(path, classifier, training, pairplot))
            manifest = copy(version.path, self.path, self._pinned)
            for old in self.kept()[:-keep]:
                shutil.rmtree(old.path.parent)
            return manifest

    def rollback(self, beginning: str | None = None) -> Manifest:
        """Put in place the version whose sha256 begins so, or else the one before what is in place.

        Raises
        ------
        ModelUnavailable
            Where there is no such version, or it cannot be trusted; what was in place stays.
        """
        with self._alone():
            current = self.current()
            if current not in [version.sha256 for version in self.kept()]:
                self._keep_what_is_in_place()
            version = self._find(beginning) if beginning else self._before(current)
            return copy(version.path, self.path, self._pinned)

    def _find(self, beginning: str) -> Version:
        found = [version for version in self.kept() if version.sha256.startswith(beginning.lower())]
        if len(found) != 1:
            raise ModelUnavailable(f"{len(found) or 'No'} versions in {self.folder} begin with {beginning}.", "unknown")
        return found[0]

    def _before(self, current: str | None) -> Version:
        earlier = list(takewhile(lambda version: version.sha256 != current, self.kept()))
        if not earlier:
            raise ModelUnavailable(f"{self.folder} holds no version before the one that is in place.", "unknown")
        return earlier[-1]

    def _keep_what_is_in_place(self) -> None:
        with suppress(ModelUnavailable):
            self._keep(partial(copy, self.path))

    def _keep(self, put: Callable[[Path], Manifest]) -> Version:
        """Keep the model that is put into a new folder as the last one; it takes the place of its like."""
        new = self.folder / ".new"
        shutil.rmtree(new, ignore_errors=True)
        sha256 = put(new / "model.joblib").sha256
        kept = self.kept()
        number = kept[-1].number + 1 if kept else 1
        folder = new.rename(self.folder / f"{number:04}-{sha256}")
        for like in kept:
            if like.sha256 == sha256:
                shutil.rmtree(like.path.parent)
        return Version(number, sha256, folder / "model.joblib")

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Wait until nobody else publishes or puts back: two at once would mix their files."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with lock_file(self.folder / ".lock"):
            yield
