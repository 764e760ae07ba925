"""What is counted, for Prometheus: in the memory of a process, or in files that the workers of gunicorn share."""

import os
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping
from functools import cache
from pathlib import Path
from threading import Lock, Thread
from typing import TypeVar

import numpy as np
import prometheus_client
from prometheus_client import CollectorRegistry, Histogram, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector

from iris_app.drift import ENOUGH, Floats, Totals, Window, sample, stability, tally
from iris_app.manifest import Manifest

# From what one flower takes to what a full batch may.
SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# Whatever else clients make up is counted as one.
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})

# Seconds after which what waits is counted, and how many requests may wait: so few that none is held up by the others.
SOON = 0.25
MOST_WAITING = 64

# How often in its window the drift's past is remembered.
SNAPSHOTS = 60

# Where prometheus_client looks for the files that processes share.
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"

# What a file of counts may hold before it must grow. It is taken at once, so that a full disk is found when the file is
# made: who writes to memory behind which there is no disk is killed.
ROOM = 256 * 1024

T = TypeVar("T")


class Metrics:
    """Count what a process answers, and tell what it and those that share its files counted.

    Parameters
    ----------
    drift_window : float
        Seconds of requests that are compared with the training.

    Attributes
    ----------
    incomplete : bool
        Whether other processes count for themselves, so that what this one could tell is not the whole.
    """

    def __init__(self, drift_window: float) -> None:
        self._registry = CollectorRegistry()
        durations = Histogram(
            "iris_http_request_duration_seconds",
            "Requests, by the time that they took.",
            ["method", "route", "status"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._durations = cache(durations.labels)
        self._rows = self._counter("iris_rows", "Rows that were classified.", "species", "door")
        self._warnings = self._counter("iris_warnings", "Doubts that predictions came with.", "code")
        self._invalid_values = self._counter("iris_invalid_values", "Values that were refused.", "field")
        self._loads = self._counter("iris_model_loads", "Attempts to load a model.", "outcome")
        self._keys = self._counter("iris_keyed_requests", "Requests that came with an API key.", "key")
        self._values = self._counter("iris_values", "Values that were classified.", "feature", "interval")
        self._drift_window = drift_window
        self._window = Window(drift_window)
        self.incomplete = False
        self._requests: deque[tuple[str, str | None, int, float]] = deque()
        self._flowers: deque[tuple[str, Mapping[str, int], Manifest, Floats]] = deque()
        self._counting = Lock()
        self._counted_at = 0.0

    def count_request(self, method: str, route: str | None, status: int, seconds: float) -> None:
        """Count a request by the pattern of its address, and the time that it took, soon.

        Many together cost a fraction of what each would in the middle of a request.
        """
        self._requests.append((method, route, status, seconds))
        if len(self._requests) >= MOST_WAITING:
            self.flush()

    def count_flowers(self, door: str, species: Mapping[str, int], manifest: Manifest, measurements: Floats) -> None:
        """Count what a request at a door is answered, soon after it is.

        Parameters
        ----------
        door : str
            Where the request came to.
        species : mapping
            How many flowers are of each.
        manifest : Manifest
            That of the model that says so.
        measurements : ndarray of shape (n, 4), float64
            A row a flower.
        """
        self._flowers.append((door, species, manifest, sample(measurements)))

    def count_warnings(self, codes: Mapping[str, int]) -> None:
        """Count the doubts that predictions came with."""
        for code, count in codes.items():
            self._warnings(code).inc(count)

    def count_invalid(self, field: str) -> None:
        """Count a value that was refused."""
        self._invalid_values(field).inc()

    def count_load(self, outcome: str) -> None:
        """Count an attempt to load a model."""
        self._loads(outcome).inc()

    def count_key(self, name: str) -> None:
        """Count a request that came with the API key of this name."""
        self._keys(name).inc()

    def expose(self, accept: str, manifest: Manifest | None) -> tuple[bytes, str]:
        """Return what was counted in the format that a client accepts, and that format's media type.

        ``manifest`` is that of the model that answers, where there is one.
        """
        self.flush()
        told = CollectorRegistry()
        told.register(self._counted())
        if manifest is not None:
            told.register(_Gauges([*self._model(manifest), *self._drift(manifest)]))
        encode, media_type = choose_encoder(accept)
        return encode(told), media_type

    def flush(self) -> None:
        """Count what waits to be counted."""
        with self._counting:
            self._counted_at = time.monotonic()
            for method, route, status, seconds in _taken(self._requests):
                self._durations(method if method in METHODS else "other", route or "none", status).observe(seconds)
            self._count_flowers()

    def keep_up(self) -> None:
        """Count what waits to be counted, and remember what was, from now until the process ends."""
        Thread(target=self._keep_up, name="metrics", daemon=True).start()

    def _keep_up(self) -> None:
        due = time.monotonic()
        while True:
            # While there are many requests, they count themselves; another thread at it would only be in their way.
            if (now := time.monotonic()) >= self._counted_at + SOON:
                self.flush()
            if now >= due:
                self._window.remember(now, self._totals())
                due = now + self._drift_window / SNAPSHOTS
            time.sleep(SOON)

    def _count_flowers(self) -> None:
        rows: Counter[tuple[str, str]] = Counter()
        by_model: dict[int, tuple[Manifest, list[Floats]]] = {}
        for door, species, manifest, measurements in _taken(self._flowers):
            for name, count in species.items():
                rows[name, door] += count
            by_model.setdefault(id(manifest), (manifest, []))[1].append(measurements)
        for labels, count in rows.items():
            if count:
                self._rows(*labels).inc(count)
        for manifest, samples in by_model.values():
            for labels, count in tally(manifest, np.concatenate(samples)):
                self._values(*labels).inc(count)

    def _counter(self, name: str, description: str, *labels: str) -> Callable[..., prometheus_client.Counter]:
        return cache(prometheus_client.Counter(name, description, labels, registry=self._registry).labels)

    def _counted(self) -> CollectorRegistry | MultiProcessCollector:
        if DIRECTORY not in os.environ:
            return self._registry
        return MultiProcessCollector(None, os.environ[DIRECTORY])  # type: ignore[no-untyped-call]

    def _totals(self) -> Totals:
        """Return how many values of each feature and interval there were since the start."""
        samples = (sample for family in self._counted().collect() for sample in family.samples)
        return {
            (sample.labels["feature"], sample.labels["interval"]): sample.value
            for sample in samples
            if sample.name == "iris_values_total"
        }

    def _model(self, manifest: Manifest) -> Iterator[Metric]:
        gauge = GaugeMetricFamily("iris_model_info", "The model that answers.", labels=["version", "sha256"])
        gauge.add_metric([manifest.version, manifest.sha256], 1)
        yield gauge

    def _drift(self, manifest: Manifest) -> Iterator[Metric]:
        """Yield how far each feature has moved from the training, where enough flowers were seen to tell."""
        totals = self._totals()
        counts = [self._window.counts(feature, totals) for feature in manifest.features]
        flowers = GaugeMetricFamily("iris_drift_flowers", "Flowers in the window that is compared with the training.")
        flowers.add_metric([], sum(counts[0]))
        yield flowers
        drift = GaugeMetricFamily("iris_drift_psi", "Population stability index of the window.", labels=["feature"])
        for feature, seen in zip(manifest.features, counts, strict=True):
            if sum(seen) >= ENOUGH:
                drift.add_metric([feature.name], stability(feature.histogram.counts, seen))
        yield drift


def _taken(waiting: deque[T]) -> list[T]:
    """Take what waits at the moment, and not what comes meanwhile."""
    return [waiting.popleft() for _ in range(len(waiting))]


class _Gauges:
    """What is true at the moment, as prometheus_client collects it."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def make_room(directory: Path, slot: int) -> None:
    """Make the files of one worker's counts, unless they are there from a worker before it, which goes on in them.

    Raises
    ------
    OSError
        Where there is no room for them.
    """
    for kind in ("counter", "histogram"):
        with (directory / f"{kind}_{slot}.db").open("ab") as file:
            if not file.tell():
                os.posix_fallocate(file.fileno(), 0, ROOM)


def share(directory: Path, slot: int) -> None:
    """Count in files that other processes read, from now on; call it before anything is counted.

    Parameters
    ----------
    directory : Path
        Where the files lie.
    slot : int
        A number that no other live process has. Who takes it over goes on counting in the same files.
    """
    os.environ[DIRECTORY] = str(directory)
    values.ValueClass = values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]
