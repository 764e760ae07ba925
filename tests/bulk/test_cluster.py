import fcntl
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from threading import Thread
from typing import Any

import dask
import msgspec
import polars as pl
import pytest
import sklearn
from distributed import Client

from iris_app.bulk import cluster as clusters
from iris_app.bulk.cluster import LOCK, PREFIX, Part, merge_parts, run_on_cluster, run_part, scratch_directory, split
from iris_app.bulk.console import Progress
from iris_app.bulk.job import Job, RefusedRows
from iris_app.bulk.outcomes import Summary
from iris_app.bulk.storage.sources import Source
from iris_app.exceptions import InvalidValue, InvalidValues, IrisError, ModelUnavailable, OutputFailed
from iris_app.iris import SCHEMA
from iris_app.model.artifact import Packed, load, pack
from iris_app.model.manifest import Manifest
from tests.bulk.conftest import Classify, flowers
from tests.support import eventually

ROWS = 50_000


class Dask:
    """A scheduler and its workers, each a process of its own."""

    def __init__(self, stack: ExitStack, folder: Path, **settings: str) -> None:
        self._stack, self._folder = stack, folder
        self._environment = os.environ | {f"DASK_DISTRIBUTED__{name}": text for name, text in settings.items()}
        for name in [name for name in self._environment if name.startswith("COVERAGE")]:
            del self._environment[name]
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
    monkeypatch.setattr(clusters, "MIN_PART_ROWS", ROWS // 10)


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
    is_bad = pl.col("flower").is_between(14_950, 15_149)
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
    monkeypatch.setattr(clusters, "MIN_PART_ROWS", 100)
    flowers(300).with_columns(petal_length=pl.lit(-1.0)).write_parquet(source, row_group_size=100)
    both(
        classify,
        dask_cluster.engine,
        tmp_path,
        source,
        "--bad-rows",
        "skip",
        "--max-bad",
        "100%",
        name="answers.parquet",
    )
    assert len(pl.read_parquet(tmp_path / "there" / "answers.parquet")) == 0


def test_files_are_answered_by_a_cluster_by_relative_paths(
    classify: Classify, dask_cluster: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    for number in range(8):
        flowers(1000 + number).write_csv(f"in/{number}.csv")
    Path("in/bad.csv").write_text(f"{','.join(SCHEMA.features_by_name)}\n5.1,3.5,1.4,0.2\n5.1,3.5,1.4,x\n")
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


def test_a_worker_that_is_killed_loses_and_doubles_no_row(
    classify: Classify, dask_cluster: Dask, large: Path, tmp_path: Path
) -> None:
    assert classify(large, "-o", tmp_path / "here.csv").exit_code == 0
    dask_cluster.add_worker()
    victim = dask_cluster.workers.pop()

    def kill_half_way() -> None:
        eventually(lambda: len(list(tmp_path.glob(f"{PREFIX}*/[0-9a-f]*"))) > 3)
        victim.kill()

    killer = Thread(target=kill_half_way)
    killer.start()
    result = classify(large, "-o", tmp_path / "there.csv", "--engine", dask_cluster.engine)
    killer.join()
    assert victim.wait(10) == -signal.SIGKILL
    assert result.exit_code == 0
    assert (tmp_path / "here.csv").read_bytes() == (tmp_path / "there.csv").read_bytes()
    assert pl.read_csv(tmp_path / "there.csv")["flower"].to_list() == list(range(ROWS))
    assert list(tmp_path.glob(f"{PREFIX}*")) == []


def test_what_is_interrupted_leaves_nothing(
    classify: Classify, dask_cluster: Dask, large: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(Progress, "update", interrupt)
    result = classify(large, "-o", tmp_path / "out.csv", "--engine", dask_cluster.engine)
    assert result.exit_code == 130
    assert list(tmp_path.iterdir()) == []


Failing = Callable[[Dask, Any], str]


@pytest.fixture
def failing(classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Failing:
    """Have a cluster do something else in place of a part, and return what is said of it."""

    def run(cluster: Dask, task: Any) -> str:
        monkeypatch.setattr(clusters, "run_part", task)
        result = classify(table, "-o", tmp_path / "out.csv", "--engine", cluster.engine)
        assert result.exit_code == 5
        assert sorted(path.name for path in tmp_path.glob("*out*")) == []
        return result.stderr

    return run


@pytest.fixture(scope="module")
def lost_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Dask]:
    """A scheduler without workers, which gives up with the first that is lost."""
    with running(tmp_path_factory.mktemp("lost"), 0, SCHEDULER__ALLOWED_FAILURES="0") as found:
        yield found


def test_a_cluster_without_workers_is_named(
    classify: Classify, lost_cluster: Dask, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "TIMEOUT", 1)
    result = classify(table, "-o", tmp_path / "out.csv", "--engine", lost_cluster.engine)
    assert (result.exit_code, result.stderr) == (5, "classify: The cluster has no worker.\n")


def test_a_task_that_kills_its_workers_is_given_up(failing: Failing, lost_cluster: Dask) -> None:
    lost_cluster.add_worker()
    assert "too many workers were lost over the same task" in failing(lost_cluster, lambda *_: os._exit(1))


def test_a_scheduler_that_is_lost_is_named(failing: Failing, lost_cluster: Dask, tmp_path: Path) -> None:
    lost_cluster.add_worker()
    begun = str(tmp_path / "begun")

    def wait(*_: object) -> None:
        Path(begun).touch()
        time.sleep(60)

    def kill() -> None:
        eventually(Path(begun).exists)
        lost_cluster.scheduler.kill()
        lost_cluster.workers[-1].kill()

    killer = Thread(target=kill)
    killer.start()
    with dask.config.set({"distributed.comm.timeouts.connect": "1s"}):
        assert failing(lost_cluster, wait) == "classify: The cluster was lost.\n"
    killer.join()


def test_a_task_that_workers_do_not_know_is_given_up(
    failing: Failing, dask_cluster: Dask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "only_here.py").write_text("def work(*_):\n    pass\n")
    monkeypatch.syspath_prepend(tmp_path)
    said = failing(dask_cluster, import_module("only_here").work)
    assert said.startswith("classify: The cluster failed; is the same installed there as here? ")
    assert said.count("\n") == 1


@pytest.mark.parametrize("address", ["127.0.0.1:1", "127.0.0.1", "127.0.0.1:x"])
def test_a_scheduler_that_cannot_be_reached_is_named(
    address: str, classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(clusters, "TIMEOUT", 0.5)
    result = classify(table, "-o", tmp_path / "out.csv", "--engine", f"dask://{address}")
    assert result.exit_code == 5
    assert result.stderr == f"classify: There is no Dask scheduler to be reached at dask://{address}.\n"


def test_a_worker_that_refuses_the_model_ends_all(
    classify: Classify, dask_cluster: Dask, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> IrisError:
        return ModelUnavailable("It is another.", "another")

    monkeypatch.setattr(clusters, "run_part", refuse)
    result = classify(table, "-o", tmp_path / "out.csv", "--engine", dask_cluster.engine)
    assert (result.exit_code, result.stderr) == (3, "classify: It is another.\n")


def test_a_place_that_cannot_be_written_to_is_named(
    classify: Classify, dask_cluster: Dask, table: Path, tmp_path: Path
) -> None:
    (tmp_path / "file").touch()
    result = classify(table, "-o", tmp_path / "file" / "out.csv", "--engine", dask_cluster.engine)
    assert result.exit_code == 4


def test_an_output_that_cannot_be_put_in_place_is_named(
    classify: Classify, dask_cluster: Dask, table: Path, tmp_path: Path
) -> None:
    (tmp_path / "in" / "sub").mkdir(parents=True)
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "sub").touch()
    for name in ("a.csv", "sub/b.csv"):
        (tmp_path / "in" / name).write_bytes(table.read_bytes())
    result = classify(tmp_path / "in", "-o", tmp_path / "out", "--engine", dask_cluster.engine)
    assert (result.exit_code, (tmp_path / "out" / "a.csv").exists()) == (4, True)


def test_a_cluster_s_tools_are_named_where_they_are_missing(
    classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delitem(sys.modules, "iris_app.bulk.cluster")
    monkeypatch.setitem(sys.modules, "distributed", None)
    result = classify(table, "-o", tmp_path / "out.csv", "--engine", "dask://127.0.0.1:1")
    assert result.exit_code == 2
    assert "install iris_app[cluster]" in result.stderr


@pytest.mark.parametrize("engine", ["steam", "ray", "spark"])
def test_an_engine_that_is_none_is_wrong_usage(classify: Classify, table: Path, tmp_path: Path, engine: str) -> None:
    result = classify(table, "-o", tmp_path / "out.csv", "--engine", engine)
    assert result.exit_code == 2
    assert "it is local or dask://HOST:PORT" in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    "arguments",
    [
        ("-", "-o", "out.csv"),
        ("{table}", "-o", "-", "--format", "csv"),
        ("{table}", "-o", "s3://b/o.csv?region=us-east-1"),
    ],
)
def test_a_cluster_has_no_standard_input_or_output(
    arguments: tuple[str, ...], classify: Classify, table: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    more = ["--overwrite", "--engine", "dask://127.0.0.1:1"]
    result = classify(*(one.format(table=table) for one in arguments), *more)
    assert result.exit_code == 2
    assert "A cluster reads and writes files" in result.stderr


@pytest.fixture
def packed(trained_path: Path) -> Packed:
    return pack(trained_path, load(trained_path)[1])


def job(source: Path, output: Path) -> Job:
    return Job(Source(str(source), "csv", source.name), str(output), "csv", "skip", f"{output}.rejected")


def test_a_file_is_split_where_its_row_groups_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(clusters, "MIN_PART_ROWS", 250)
    path = tmp_path / "a.parquet"
    flowers(1000).write_parquet(path, row_group_size=100)
    found = [part.rows for part in split(Source(str(path), "parquet", path.name))]
    assert found == [(0, 300), (300, 600), (600, 900), (900, 1000)]


def test_a_small_file_stays_whole(tmp_path: Path) -> None:
    path = tmp_path / "a.parquet"
    flowers(1000).write_parquet(path, row_group_size=100)
    assert [part.rows for part in split(Source(str(path), "parquet", path.name))] == [None]


def test_what_only_looks_like_parquet_stays_whole(table: Path) -> None:
    assert len(split(Source(str(table), "parquet", table.name))) == 1


def test_what_is_done_twice_lies_in_two_places(packed: Packed, table: Path, tmp_path: Path) -> None:
    one, other = (run_part(job(table, tmp_path / "out.csv"), str(tmp_path), packed) for _ in range(2))
    assert isinstance(one, Part)
    assert isinstance(other, Part)
    assert Path(one.output).read_bytes() == Path(other.output).read_bytes()
    assert one.output != other.output


def test_a_worker_that_does_not_share_the_folder_says_so(packed: Packed, table: Path, tmp_path: Path) -> None:
    error = run_part(job(table, tmp_path / "out.csv"), str(tmp_path / "none"), packed)
    assert isinstance(error, OutputFailed)
    assert "all must share where predictions go" in str(error)


def test_a_model_that_was_changed_on_its_way_is_refused(packed: Packed, table: Path, tmp_path: Path) -> None:
    changed = msgspec.structs.replace(packed, artifact=packed.artifact[:-1] + b"!")
    error = run_part(job(table, tmp_path / "out.csv"), str(tmp_path), changed)
    assert isinstance(error, ModelUnavailable)
    assert error.reason == "wrong digest"


def test_a_model_of_another_scikit_learn_is_refused(packed: Packed, table: Path, tmp_path: Path) -> None:
    manifest = msgspec.json.decode(packed.manifest, type=Manifest)
    older = msgspec.structs.replace(manifest, versions={"scikit-learn": "1.0"})
    changed = msgspec.structs.replace(packed, manifest=msgspec.json.encode(older))
    error = run_part(job(table, tmp_path / "out.csv"), str(tmp_path), changed)
    assert isinstance(error, ModelUnavailable)
    assert f"saved with scikit-learn 1.0, and there it is {sklearn.__version__}" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        RefusedRows(Summary(read=2, rejected=1, errors=[InvalidValue("It is wrong.", line=2)])),
        InvalidValues([lambda: InvalidValue("It is wrong.", column="pwid")]),
        ModelUnavailable("There is none.", "none"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_goes_wrong_elsewhere_comes_back_as_it_is(error: IrisError) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(back) is type(error)
    assert (str(back), vars(back)) == (str(error), vars(error))


def test_parts_of_a_file_that_changed_are_not_put_together(packed: Packed, table: Path, tmp_path: Path) -> None:
    this = job(table, tmp_path / "out.csv")
    one = run_part(this, str(tmp_path), packed)
    table.write_text(table.read_text() + "5.1,3.5,1.4,0.2\n")
    other = run_part(this, str(tmp_path), packed)
    assert isinstance(one, Part)
    assert isinstance(other, Part)
    assert "It changed while it was read" in str(merge_parts(this, [one, other]))


def test_the_rejected_rows_of_an_earlier_run_are_removed(packed: Packed, table: Path, tmp_path: Path) -> None:
    this = job(table, tmp_path / "out.csv")
    Path(str(this.rejected)).write_text("file,line,columns,reasons,row\n")
    done = run_part(this, str(tmp_path), packed)
    assert isinstance(done, Part)
    merge_parts(this, [done])
    assert not Path(str(this.rejected)).exists()


def test_answers_in_one_part_go_to_a_device_too(packed: Packed, table: Path, tmp_path: Path) -> None:
    this = replace(job(table, Path("/dev/null")), bad_rows="report")
    done = run_part(this, str(tmp_path), packed)
    assert isinstance(done, Part)
    assert merge_parts(this, [done]) == done.result


def test_nothing_to_do_needs_no_cluster(packed: Packed) -> None:
    assert list(run_on_cluster("dask://127.0.0.1:1", [], packed, Progress(0, quiet=True))) == []


def test_what_a_killed_run_left_is_removed_and_what_another_run_holds_is_not(tmp_path: Path) -> None:
    left, held = (tmp_path / f"{PREFIX}{name}" for name in ("left", "held"))
    for folder in (left, held):
        folder.mkdir()
        (folder / LOCK).touch()
    with (held / LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with scratch_directory([str(tmp_path / "a.csv"), str(tmp_path / "sub" / "b.csv")]) as folder:
            assert folder.parent == tmp_path
            assert sorted(tmp_path.iterdir()) == sorted([held, folder])
        assert list(tmp_path.iterdir()) == [held]


def test_the_refused_rows_of_parts_are_added_up(table: Path, tmp_path: Path) -> None:
    job = Job(Source(str(table), "csv", table.name), str(tmp_path / "out.csv"), "csv", "report", None, None)
    merged = merge_parts(job, [RefusedRows(Summary(read=2, rejected=1)), RefusedRows(Summary(read=3, rejected=2))])
    assert str(merged) == "3 of 5 rows cannot be classified."


def test_a_model_that_a_worker_refuses_ends_the_run() -> None:
    refused = ModelUnavailable("It is damaged.", "unusable")
    future: Future[object] = Future()
    future.set_result(refused)
    with pytest.raises(ModelUnavailable, match="It is damaged"):
        clusters._result(future)


def test_the_model_is_kept_on_the_cluster_as_it_was_packed(packed: Packed) -> None:
    assert clusters._keep(packed) is packed
