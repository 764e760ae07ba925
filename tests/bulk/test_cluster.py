import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from importlib import import_module
from pathlib import Path
from threading import Thread, Timer
from types import ModuleType
from typing import Any

import dask
import joblib
import polars as pl
import pytest
from distributed import Client
from joblib import delayed
from joblib.parallel import ThreadingBackend

from iris_app.bulk import cluster as clusters
from iris_app.bulk import parts
from iris_app.bulk.progress import Progress
from iris_app.bulk.workplace import PREFIX
from iris_app.exceptions import ClusterFailed, ModelUnavailable
from iris_app.iris import SCHEMA
from iris_app.model.artifact import Packed
from tests.bulk.conftest import Classify, flowers
from tests.support import eventually

ROWS = 100_000


class Dask:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, stack: ExitStack, folder: Path, **settings: str) -> None:
        self._stack, self._folder = stack, folder
        self._environment = os.environ | {f"DASK_DISTRIBUTED__{name}": text for name, text in settings.items()}
        self.scheduler, said = self._start("scheduler", "--port", "0", "--dashboard-address", "127.0.0.1:0")
        found = eventually(lambda: re.search(r"Scheduler at: +(tcp://\S+)", said.read_text()), self.scheduler)
        self.address = found[1]
        self.engine = self.address.replace("tcp:", "dask:")
        self.workers: list[subprocess.Popen[bytes]] = []

    def add_worker(self) -> None:
        process, said = self._start("worker", self.address, "--nthreads", "1", "--no-nanny")
        eventually(lambda: "Registered to" in said.read_text(), process)
        self.workers.append(process)

    def _start(self, what: str, *options: str) -> tuple[subprocess.Popen[bytes], Path]:
        log = self._folder / f"{len(list(self._folder.iterdir()))}.log"
        command = [sys.executable, "-m", f"distributed.cli.dask_{what}", "--host", "127.0.0.1", "--no-dashboard"]
        with log.open("wb") as stream:
            process = subprocess.Popen(
                [*command, *options], cwd=self._folder, env=self._environment, stdout=stream, stderr=stream
            )
        self._stack.callback(process.wait, 30)
        self._stack.callback(process.terminate)
        return process, log


@contextmanager
def running(folder: Path, workers: int, **settings: str) -> Iterator[Dask]:
    folder.mkdir(exist_ok=True)
    with ExitStack() as stack:
        found = Dask(stack, folder, **settings)
        for _ in range(workers):
            found.add_worker()
        yield found


@pytest.fixture(scope="module")
def dask_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    """A scheduler with two workers, for tests that leave them as they are."""
    with running(tmp_path_factory.mktemp("dask"), 2) as found:
        yield found


@pytest.fixture(autouse=True)
def _small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART", ROWS // 10)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of ten parts."""
    path = tmp_path_factory.mktemp("large") / "large.parquet"
    flowers(ROWS).write_parquet(path, row_group_size=ROWS // 20)
    return path


@pytest.fixture(scope="module")
def bad(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A file of ten parts, with two hundred bad rows in two of them."""
    path = tmp_path_factory.mktemp("bad") / "bad.parquet"
    is_bad = pl.col("flower").is_between(29_950, 30_149)
    flowers(ROWS).with_columns(petal_length=pl.when(is_bad).then(-1.0).otherwise("petal_length")).write_parquet(
        path, row_group_size=ROWS // 20
    )
    return path


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir() if path.name != ".classified.ndjson"}


def both(classify: Classify, engine: str, tmp_path: Path, *arguments: object, name: str = "answers.csv") -> None:
    """Do the same here and there, and hold what is written and said against each other."""
    said = []
    for place, where in (("here", "local"), ("there", engine)):
        (tmp_path / place).mkdir()
        result = classify(*arguments, "-o", tmp_path / place / name, "--engine", where, "--quiet")
        assert result.exit_code in {0, 1}, result.output
        said.append(result.output)
    assert said[0] == said[1]
    assert contents(tmp_path / "here") == contents(tmp_path / "there")


@pytest.mark.parametrize("form", ["csv", "ndjson", "parquet"])
def test_a_large_file_is_answered_by_a_cluster_as_it_is_here(
    form: str, classify: Classify, dask_cluster: Dask, large: Path, tmp_path: Path
) -> None:
    both(classify, dask_cluster.engine, tmp_path, large, name=f"answers.{form}")
    assert len(list((tmp_path / "there").iterdir())) == 1


def test_a_large_file_is_compressed_by_a_cluster(
    classify: Classify, dask_cluster: Dask, large: Path, tmp_path: Path
) -> None:
    for name, engine in (("here.csv", "local"), ("there.csv.gz", dask_cluster.engine)):
        assert classify(large, "-o", tmp_path / name, "--engine", engine).exit_code == 0
    assert pl.read_csv(tmp_path / "here.csv").equals(pl.read_csv(tmp_path / "there.csv.gz"))


@pytest.mark.parametrize("bad_rows", ["report", "skip", "null"])
def test_bad_rows_are_told_and_kept_by_a_cluster_as_they_are_here(
    bad_rows: str, classify: Classify, dask_cluster: Dask, bad: Path, tmp_path: Path
) -> None:
    both(classify, dask_cluster.engine, tmp_path, bad, "--bad-rows", bad_rows)
    expected = set() if bad_rows == "report" else {"answers.csv", "answers.csv.rejected"}
    assert set(contents(tmp_path / "there")) == expected


def test_a_file_whose_rows_are_all_bad_leaves_no_row(
    classify: Classify, dask_cluster: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = tmp_path / "all.parquet"
    monkeypatch.setattr(parts, "PART", 100)
    flowers(300).with_columns(petal_length=pl.lit(-1.0)).write_parquet(source, row_group_size=100)
    both(classify, dask_cluster.engine, tmp_path, source, "--bad-rows", "skip", name="answers.parquet")
    assert len(pl.read_parquet(tmp_path / "there" / "answers.parquet")) == 0


def test_files_are_answered_by_a_cluster_by_relative_paths(
    classify: Classify, dask_cluster: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for number in range(8):
        flowers(1000 + number).write_csv(f"in/{number}.csv")
    Path("in/bad.csv").write_text(f"{','.join(SCHEMA.features_by_name)}\n5.1,3.5,1.4,x\n")
    Path("in/worse.csv").write_text("no,flower\n1,2\n")
    said = [
        classify("in", "-o", name, "--engine", engine, "--bad-rows", "null").stdout
        for name, engine in (("here", "local"), ("there", dask_cluster.engine))
    ]
    assert said[0] == said[1]
    assert contents(Path("here")) == contents(Path("there"))
    again = classify("in", "-o", "there", "--engine", dask_cluster.engine, "--bad-rows", "null")
    assert "9 of 10 files were classified before." in again.stderr


def test_all_workers_do_tasks(classify: Classify, dask_cluster: Dask, large: Path, tmp_path: Path) -> None:
    with Client(dask_cluster.address, set_as_default=False) as client:
        count = lambda dask_worker: dask_worker.state.transition_counter  # noqa: E731
        before = client.run(count)
        assert classify(large, "-o", tmp_path / "out.csv", "--engine", dask_cluster.engine).exit_code == 0
        after = client.run(count)
    assert len(after) == 2
    assert all(after[worker] > before[worker] for worker in after)


def test_a_worker_that_is_killed_loses_and_doubles_no_row(classify: Classify, large: Path, tmp_path: Path) -> None:
    assert classify(large, "-o", tmp_path / "here.csv").exit_code == 0
    with running(tmp_path / "dask", 2) as found:

        def kill_half_way() -> None:
            eventually(lambda: len(list(tmp_path.glob(f"{PREFIX}*/[0-9a-f]*"))) > 4)
            found.workers[0].kill()

        killer = Thread(target=kill_half_way)
        killer.start()
        result = classify(large, "-o", tmp_path / "there.csv", "--engine", found.engine)
        killer.join()
        assert found.workers[0].wait(10) == -signal.SIGKILL
    assert result.exit_code == 0
    assert (tmp_path / "here.csv").read_bytes() == (tmp_path / "there.csv").read_bytes()
    assert pl.read_csv(tmp_path / "there.csv")["flower"].to_list() == list(range(ROWS))
    assert list(tmp_path.glob(f"{PREFIX}*")) == []


def test_what_is_interrupted_leaves_nothing(
    classify: Classify, dask_cluster: Dask, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "tell", interrupt)
    result = classify(large, "-o", tmp_path / "out.csv", "--engine", dask_cluster.engine)
    assert result.exit_code == 130
    assert list(tmp_path.iterdir()) == []


def failure(cluster: Dask, task: Any) -> str:
    """Say what is told of a task that cannot be done."""
    with pytest.raises(ClusterFailed) as failed, clusters._backend(cluster.engine) as settings:
        list(clusters._results(settings, [task]))
    return str(failed.value)


def test_a_task_that_kills_its_workers_is_given_up(tmp_path: Path) -> None:
    with running(tmp_path / "dask", 1, SCHEDULER__ALLOWED_FAILURES="0") as found:
        assert "too many workers were lost over the same task" in failure(found, delayed(os._exit)(1))


def test_a_task_that_workers_do_not_know_is_given_up(
    dask_cluster: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def work():\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    only_here = import_module("only_here")
    said = failure(dask_cluster, delayed(only_here.work)())
    assert said.startswith("The cluster failed; is the same installed there as here? ")
    assert "\n" not in said


def test_a_scheduler_that_is_lost_is_told(tmp_path: Path) -> None:
    with running(tmp_path / "dask", 1) as found, dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        Timer(1, found.scheduler.kill).start()
        assert failure(found, delayed(time.sleep)(3)) == "The cluster was lost."


def test_a_cluster_without_workers_is_told(
    classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "PATIENCE", 1)
    with running(tmp_path / "dask", 0) as found:
        result = classify(table, "-o", tmp_path / "out.csv", "--engine", found.engine)
    assert (result.exit_code, result.stderr) == (5, "classify: The cluster has no worker.\n")


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1", "127.0.0.1:x"])
def test_a_scheduler_that_cannot_be_reached_is_told(
    address: str, classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "PATIENCE", 0.5)
    result = classify(table, "-o", tmp_path / "out.csv", "--engine", f"dask://{address}")
    assert result.exit_code == 5
    assert result.stderr == f"classify: There is no Dask scheduler to be reached at dask://{address}.\n"


def test_a_worker_that_refuses_the_model_ends_all(
    classify: Classify, other: str, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "unpack", refuse)
    parts._model.cache_clear()
    result = classify(table, "-o", tmp_path / "out.csv", "--engine", other)
    assert (result.exit_code, result.stderr) == (3, "classify: It is another.\n")


def refuse(_packed: Packed) -> None:
    raise ModelUnavailable("It is another.", "another")


class Threads(ThreadingBackend):
    """A backend of the tests, in place of one for a cluster that is not here."""


class ThreadsAtTheEnd(Threads):
    """A backend that tells nothing before all is done."""

    supports_return_generator = False


@pytest.fixture(params=[("ray", Threads), ("spark", ThreadsAtTheEnd)], ids=lambda param: param[0])
def other(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of another cluster, in whose place are threads."""
    name, backend = request.param
    module, register, _ = clusters.OTHERS[name]
    folders = module.split(".")
    for depth in range(1, len(folders) + 1):
        monkeypatch.setitem(sys.modules, ".".join(folders[:depth]), ModuleType(".".join(folders[:depth])))
    setattr(sys.modules[module], register, lambda: joblib.register_parallel_backend(name, backend))
    return str(name)


def test_another_cluster_answers_as_it_is_here(classify: Classify, other: str, bad: Path, tmp_path: Path) -> None:
    both(classify, other, tmp_path, bad, "--bad-rows", "skip")


def test_another_cluster_answers_whole_files(
    classify: Classify, other: str, table: Path, bad_table: Path, tmp_path: Path
) -> None:
    both(classify, other, tmp_path, table, bad_table, name="")


@pytest.mark.parametrize(("name", "package"), [("ray", "ray"), ("spark", "joblibspark")])
def test_what_another_cluster_needs_is_named(
    name: str, package: str, classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, clusters.OTHERS[name][0].split(".")[0], None)
    result = classify(table, "-o", tmp_path / "out.csv", "--engine", name)
    assert result.exit_code == 2
    assert f"--engine {name} needs {package}: install it here and on the cluster." in result.stderr


def test_a_cluster_s_tools_are_named_where_they_are_missing(
    classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "iris_app.bulk.cluster")
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = classify(table, "-o", tmp_path / "out.csv", "--engine", "dask://127.0.0.1:1")
    assert result.exit_code == 2
    assert "install iris_app[cluster]" in result.stderr


def test_an_engine_that_is_none_is_wrong_usage(classify: Classify, table: Path, tmp_path: Path) -> None:
    result = classify(table, "-o", tmp_path / "out.csv", "--engine", "steam")
    assert result.exit_code == 2
    assert "it is local, dask://HOST:PORT, ray or spark" in " ".join(result.stderr.split())


@pytest.mark.parametrize("arguments", [("-", "-o", "out.csv"), ("{table}", "-o", "-", "--format", "csv")])
def test_a_cluster_has_no_standard_input_or_output(
    arguments: tuple[str, ...], classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = classify(*(one.format(table=table) for one in arguments), "--engine", "dask://127.0.0.1:1")
    assert result.exit_code == 2
    assert "A cluster reads and writes files" in result.stderr
