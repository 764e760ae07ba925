"""Where files are classified: on a cluster, by way of joblib's own backend for it."""

import asyncio
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import CancelledError
from contextlib import closing, contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any
from warnings import catch_warnings, simplefilter

from distributed import Client, KilledWorker, rpc
from joblib import Parallel, delayed, parallel_config

from iris_app.bulk.dask_backend import DaskBackend
from iris_app.bulk.engines import Outcome
from iris_app.bulk.job import Job, RefusedRows
from iris_app.bulk.parts import Done, joined, split, work
from iris_app.bulk.plan import WrongUsage
from iris_app.bulk.progress import Progress
from iris_app.bulk.sources import STANDARD
from iris_app.bulk.workplace import workplace
from iris_app.exceptions import ClusterFailed, InputError, IrisError
from iris_app.model.artifact import Packed

DASK = "dask://"

# What registers joblib's backend for other clusters: the module, what is called there, and what to install for it.
OTHERS = {
    "ray": ("ray.util.joblib", "register_ray", "ray"),
    "spark": ("joblibspark", "register_spark", "joblibspark"),
}

# Seconds to wait for a scheduler, and for its first worker.
PATIENCE = 8

# How many tasks wait for each worker, so that workers that come later find some, too.
AHEAD = 8

# How often a task is begun again for which a worker was not fit; one that was lost with its worker is, anyway.
RETRIES = 3

# A task's place, and what came of it.
Result = tuple[tuple[int, int], Done | IrisError]


class Cluster:
    """Do jobs on a cluster, each by itself or in parts.

    Parameters
    ----------
    address : str
        ``dask://HOST:PORT``, ``ray`` or ``spark``.
    packed : Packed
        The model that answers.
    """

    def __init__(self, address: str, packed: Packed) -> None:
        if address not in OTHERS and not address.startswith(DASK):
            raise WrongUsage(f"--engine {address}: it is local, dask://HOST:PORT, ray or spark.")
        self._address = address
        self._packed = packed

    def run(self, todo: Sequence[Job], progress: Progress) -> Iterator[Outcome]:
        """Yield each job that is done, and what came of it.

        Raises
        ------
        ClusterFailed
            Where there is none, or none that does what it is told.
        OutputFailed
            Where answers cannot be written.
        ModelUnavailable
            Where a worker refuses the model.
        """
        if any(STANDARD in {job.source.path, job.output} for job in todo):
            raise WrongUsage("A cluster reads and writes files, and no standard input or output.")
        if not todo:
            return
        files = [_File(job) for job in todo]
        with workplace([job.output for job in todo]) as folder, _backend(self._address) as settings:
            tasks = [
                delayed(_place_and_work)((number, at), part, str(folder), self._packed)
                for number, file in enumerate(files)
                for at, part in enumerate(file.parts)
            ]
            with closing(_results(settings, tasks)) as results:
                open_share = 0.0
                for (number, at), result in results:
                    file = files[number]
                    file.take(at, result)
                    open_share += 1 / len(file.parts)
                    progress.tell(file.rows(at), open_share)
                    if file.is_done:
                        yield file.job, joined(file.job, file.results)
                        open_share -= 1
                        progress.next_file(open_share)


class _File:
    """A job, its parts, and what came of these so far."""

    def __init__(self, job: Job) -> None:
        self.job = job
        here = replace(job.source, folder=str(Path.cwd()))
        self.parts = [replace(job, source=source, output=str(Path(job.output).absolute())) for source in split(here)]
        self._results: dict[int, Done | InputError] = {}

    def take(self, at: int, result: Done | IrisError) -> None:
        if not isinstance(result, Done | InputError):
            raise result
        self._results[at] = result

    def rows(self, at: int) -> int:
        result = self._results[at]
        return result.summary.read if isinstance(result, Done | RefusedRows) else 0

    @property
    def is_done(self) -> bool:
        return len(self._results) == len(self.parts)

    @property
    def results(self) -> list[Done | InputError]:
        return [self._results[at] for at in range(len(self.parts))]


def _place_and_work(place: tuple[int, int], job: Job, folder: str, packed: Packed) -> Result:
    return place, work(job, folder, packed)


def _results(settings: Mapping[str, Any], tasks: Sequence[Any]) -> Generator[Result]:
    """Yield what comes of tasks as they end, or of all at the end where a backend can do no better."""
    with _telling_of_the_cluster(), parallel_config(**settings, n_jobs=-1) as chosen, catch_warnings():
        simplefilter("ignore", UserWarning)  # by which joblib says that who was interrupted had more to do
        soon = chosen["backend"].supports_return_generator
        how = {"return_as": "generator_unordered"} if soon else {}
        yield from Parallel(batch_size=1, pre_dispatch=f"{AHEAD} * n_jobs", **how)(tasks)


@contextmanager
def _backend(address: str) -> Iterator[Mapping[str, Any]]:
    """Yield what tells joblib of a cluster."""
    if not address.startswith(DASK):
        module, register, package = OTHERS[address]
        try:
            getattr(import_module(module), register)()
        except ImportError as error:
            raise WrongUsage(f"--engine {address} needs {package}: install it here and on the cluster.") from error
        yield {"backend": address}
        return
    place = f"tcp://{address.removeprefix(DASK)}"
    try:
        asyncio.run(asyncio.wait_for(_ask(place), PATIENCE))
        client: Any = Client(place, timeout=PATIENCE, set_as_default=False)  # type: ignore[no-untyped-call]
    except (OSError, ValueError) as error:
        raise ClusterFailed(f"There is no Dask scheduler to be reached at {address}.") from error
    with client:
        yield {"backend": DaskBackend(client=client, wait_for_workers_timeout=PATIENCE, retries=RETRIES)}


async def _ask(place: str) -> None:
    """Ask a scheduler who it is: a client that finds none is long busy with giving up."""
    async with rpc(place) as scheduler:  # type: ignore[no-untyped-call]
        await scheduler.identity()


@contextmanager
def _telling_of_the_cluster() -> Iterator[None]:
    """Say in a sentence what a cluster does not do."""
    try:
        yield
    except TimeoutError as error:
        raise ClusterFailed("The cluster has no worker.") from error
    except KilledWorker as error:
        raise ClusterFailed("The cluster gave up: too many workers were lost over the same task.") from error
    except CancelledError as error:
        raise ClusterFailed("The cluster was lost.") from error
    except (ImportError, RuntimeError) as error:  # RuntimeError: where a scheduler cannot read what it is sent
        sentence = " ".join(str(error).split())
        raise ClusterFailed(f"The cluster failed; is the same installed there as here? {sentence}") from error
