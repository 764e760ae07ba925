"""joblib's backend for Dask, made to fit: it computes there and nowhere else, and tells of tasks that are lost."""

from collections.abc import Callable
from concurrent.futures import Future
from functools import partial
from typing import Any

from joblib._dask import DaskDistributedBackend


class DaskBackend(DaskDistributedBackend):  # type: ignore[misc] # joblib has no types
    """See ``joblib.parallel_config`` for the parameters."""

    def effective_n_jobs(self, n_jobs: int) -> int:
        """Say how many tasks there can be at once, but not one, which joblib would do in this process."""
        workers: int = super().effective_n_jobs(n_jobs)
        return max(2, workers)

    def submit(self, func: Any, callback: Callable[[object], object]) -> Any:
        """Submit a task, and tell of what keeps it from being done, of which joblib would not hear."""
        future: Future[object] = super().submit(func, callback)
        future.add_done_callback(partial(_tell_of_failure, callback))
        return future


def _tell_of_failure(callback: Callable[[object], object], future: "Future[object]") -> None:
    if error := future.exception():
        callback(error)
