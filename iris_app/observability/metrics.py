"""What is counted, for Prometheus: in the memory of a process, or in files that the workers of gunicorn share."""

import os
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cache
from pathlib import Path

import numpy as np
import prometheus_client
from prometheus_client import CollectorRegistry, Histogram, values
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.multiprocess import MultiProcessCollector
from werkzeug.routing import Rule

from iris_app.model.manifest import Manifest
from iris_app.observability.drift import ENOUGH, Floats, Totals, Window, stability, tally
from iris_app.web.request import Flowers, RequestRecord

# From what one flower takes to what a full batch may.
SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# Whatever else clients make up is counted as one.
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})

# How often in its window the drift's past is remembered.
SNAPSHOTS = 60

# Where prometheus_client looks for the files that processes share.
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"

# What a file of counts may hold before it must grow. It is taken at once, so that a full disk is found when the file is
# made: who writes to memory behind which there is no disk is killed.
ROOM = 256 * 1024


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
        self._due = 0.0
        self.incomplete = False

    def count_requests(self, requests: Sequence[RequestRecord]) -> None:
        """Count requests by the patterns of their addresses and the time that they took, and what they were answered.

        Many together cost a fraction of what each would alone.
        """
        for told in requests:
            method = told.method if told.method in METHODS else "other"
            self._durations(method, told.route or "none", told.status).observe(told.seconds)
        self._count_flowers([(told.rule, told.flowers) for told in requests if told.rule and told.flowers])

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
        told = CollectorRegistry()
        told.register(self._counted())
        if manifest is not None:
            told.register(_Gauges([*self._model(manifest), *self._drift(manifest)]))
        encode, media_type = choose_encoder(accept)
        return encode(told), media_type

    def remember(self, now: float) -> None:
        """Remember what was counted, now and then: the past that the drift is measured from."""
        if now >= self._due:
            self._window.remember(now, self._totals())
            self._due = now + self._drift_window / SNAPSHOTS

    def _count_flowers(self, answered: Iterable[tuple[Rule, Flowers]]) -> None:
        rows: Counter[tuple[str, str]] = Counter()
        by_model: dict[int, tuple[Manifest, list[Floats]]] = {}
        for rule, flowers in answered:
            door = rule.endpoint.partition(".")[0]
            for name, count in flowers.species.items():
                rows[name, door] += count
            by_model.setdefault(id(flowers.manifest), (flowers.manifest, []))[1].append(flowers.sample)
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


class _Gauges:
    """What is true at the moment, as prometheus_client collects it."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def preallocate_files(directory: Path, slot: int) -> None:
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
