"""Metrics for Prometheus, in memory or in files that gunicorn's workers share."""

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

from iris_app.exceptions import ConfigurationError
from iris_app.model.manifest import Manifest
from iris_app.observability.drift import (
    MIN_SAMPLE,
    DriftWindow,
    Totals,
    count_intervals,
    expected_counts,
    population_stability_index,
)
from iris_app.observability.records import RequestRecord
from iris_app.schema import Floats
from iris_app.web.request import PredictionStats

# The buckets of durations: from one row to a full batch.
SECONDS = (0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10)

# Other methods are counted as "other", since clients can invent any number.
METHODS = frozenset({"GET", "HEAD", "POST", "OPTIONS"})

# Snapshots per window of the drift.
SNAPSHOTS = 60

# The variable by which prometheus_client finds the folder of shared files.
DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"

# The initial size of a file of counts. Its disk space is allocated at once: a process that writes to mapped memory on a
# full disk is killed.
FILE_SIZE = 256 * 1024


class Metrics:
    """Count requests and rows, and expose the counts of all processes that share files.

    Parameters
    ----------
    drift_window : float
        The seconds whose rows are compared with the training.

    Attributes
    ----------
    incomplete : bool
        Whether this process cannot see the counts of the others.
    """

    def __init__(self, drift_window: float) -> None:
        self._registry = CollectorRegistry()
        durations = Histogram(
            "iris_app_http_request_duration_seconds",
            "Requests, by the time that they took.",
            ["method", "route", "status"],
            buckets=SECONDS,
            registry=self._registry,
        )
        self._durations = cache(durations.labels)
        self._rows = self._counter("iris_app_rows", "Rows that were classified.", "class", "blueprint")
        self._warnings = self._counter("iris_app_warnings", "Warnings of predictions.", "code")
        self._invalid_values = self._counter("iris_app_invalid_values", "Values that were refused.", "feature")
        self._loads = self._counter("iris_app_model_loads", "Attempts to load a model.", "outcome")
        self._keys = self._counter("iris_app_keyed_requests", "Requests with an API key.", "key")
        self._values = self._counter("iris_app_values", "Values that were classified.", "feature", "interval")
        self._drift_window = drift_window
        self._window = DriftWindow(drift_window)
        self._next_snapshot = 0.0
        self.incomplete = False

    def count_requests(self, records: Sequence[RequestRecord]) -> None:
        """Count requests by route and duration, and their rows; one call for many is much faster."""
        for record in records:
            method = record.method if record.method in METHODS else "other"
            self._durations(method, record.route or "none", record.status).observe(record.seconds)
        self._count_rows([(record.rule, record.stats) for record in records if record.rule and record.stats])

    def count_warnings(self, codes: Mapping[str, int]) -> None:
        """Count warnings of predictions by their codes."""
        for code, count in codes.items():
            self._warnings(code).inc(count)

    def count_invalid(self, feature: str) -> None:
        """Count a value that was refused."""
        self._invalid_values(feature).inc()

    def count_load(self, outcome: str) -> None:
        """Count an attempt to load a model."""
        self._loads(outcome).inc()

    def count_key(self, name: str) -> None:
        """Count a request with the API key of this name."""
        self._keys(name).inc()

    def expose(self, accept: str, manifest: Manifest | None) -> tuple[bytes, str]:
        """Return the metrics in the format that a client accepts, and its media type.

        ``manifest`` is that of the current model, if there is one.
        """
        exposed = CollectorRegistry()
        exposed.register(self._collector())
        if manifest is not None:
            exposed.register(_Gauges([*self._model_info(manifest), *self._drift(manifest)]))
        encode, media_type = choose_encoder(accept)
        return encode(exposed), media_type

    def take_snapshot(self, now: float) -> None:
        """Take a snapshot of the counts for the drift, if one is due."""
        if now >= self._next_snapshot:
            self._window.add(now, self._totals())
            self._next_snapshot = now + self._drift_window / SNAPSHOTS

    def _count_rows(self, answered: Iterable[tuple[Rule, PredictionStats]]) -> None:
        rows: Counter[tuple[str, str]] = Counter()
        by_model: dict[int, tuple[Manifest, list[Floats]]] = {}
        for rule, stats in answered:
            blueprint = rule.endpoint.partition(".")[0]
            for name, count in stats.classes.items():
                rows[name, blueprint] += count
            by_model.setdefault(id(stats.manifest), (stats.manifest, []))[1].append(stats.sample)
        for labels, count in rows.items():
            if count:
                self._rows(*labels).inc(count)
        for manifest, samples in by_model.values():
            for labels, count in count_intervals(manifest, np.concatenate(samples)):
                self._values(*labels).inc(count)

    def _counter(self, name: str, description: str, *labels: str) -> Callable[..., prometheus_client.Counter]:
        return cache(prometheus_client.Counter(name, description, labels, registry=self._registry).labels)

    def _collector(self) -> CollectorRegistry | MultiProcessCollector:
        if DIRECTORY not in os.environ:
            return self._registry
        return MultiProcessCollector(None, os.environ[DIRECTORY])  # type: ignore[no-untyped-call]

    def _totals(self) -> Totals:
        """Return the number of values of each feature and interval since the start."""
        samples = (sample for family in self._collector().collect() for sample in family.samples)
        return {
            (sample.labels["feature"], sample.labels["interval"]): sample.value
            for sample in samples
            if sample.name == "iris_app_values_total"
        }

    def _model_info(self, manifest: Manifest) -> Iterator[Metric]:
        gauge = GaugeMetricFamily(
            "iris_app_model_info", "The model that answers.", labels=["version", "digest", "name"]
        )
        gauge.add_metric([manifest.version, manifest.digest, manifest.schema.name], 1)
        yield gauge

    def _drift(self, manifest: Manifest) -> Iterator[Metric]:
        """Yield the drift of each feature from the training, given enough rows."""
        totals = self._totals()
        features = zip(manifest.schema.features, manifest.features, strict=True)
        counts = [self._window.counts(feature, summary, totals) for feature, summary in features]
        rows = GaugeMetricFamily("iris_app_drift_rows", "Rows in the window that is compared with the training.")
        rows.add_metric([], sum(counts[0]))
        yield rows
        drift = GaugeMetricFamily("iris_app_drift_psi", "Population stability index of the window.", labels=["feature"])
        for summary, seen in zip(manifest.features, counts, strict=True):
            if sum(seen) >= MIN_SAMPLE:
                drift.add_metric([summary.name], population_stability_index(expected_counts(summary), seen))
        yield drift


class _Gauges:
    """A collector of gauges."""

    def __init__(self, families: list[Metric]) -> None:
        self._families = families

    def collect(self) -> list[Metric]:
        return self._families


def preallocate_files(directory: Path, slot: int) -> None:
    """Create the files of a worker's counts, unless an earlier worker of the slot left them.

    Raises
    ------
    OSError
        If there is no space for them.
    """
    for kind in ("counter", "histogram"):
        path = directory / f"{kind}_{slot}.db"
        if not path.exists():
            try:
                path.write_bytes(bytes(FILE_SIZE))
            except OSError:
                path.unlink(missing_ok=True)
                raise


def check_directory() -> None:
    """Raise ``ConfigurationError`` if the environment names a folder for files that cannot be written."""
    directory = os.environ.get(DIRECTORY)
    if directory is not None and not os.access(directory, os.W_OK | os.X_OK):
        raise ConfigurationError(
            f"{DIRECTORY} is {directory!r}, where nothing can be written. Make that folder, or unset {DIRECTORY}: "
            "under gunicorn the application makes one itself."
        )


def enable_multiprocess(directory: Path, slot: int) -> None:
    """Count in shared files; call it before anything is counted.

    Parameters
    ----------
    directory : Path
        The folder of the files.
    slot : int
        A number that no other live process has; a later process with it continues the same files.
    """
    os.environ[DIRECTORY] = str(directory)
    # prometheus_client chooses this at import, before the fork, and names files by process id. Slots are few, as later
    # workers reuse them. See https://prometheus.github.io/client_python/multiprocess/
    values.ValueClass = values.MultiProcessValue(lambda: slot)  # type: ignore[no-untyped-call]
