import fcntl
import pickle
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest
import sklearn

from iris_app.bulk import parts
from iris_app.bulk.cluster import Cluster
from iris_app.bulk.job import Job, RefusedRows
from iris_app.bulk.parts import Done, joined, split, work
from iris_app.bulk.progress import Progress
from iris_app.bulk.sources import Source
from iris_app.bulk.summary import Summary
from iris_app.bulk.workplace import LOCK, PREFIX, workplace
from iris_app.exceptions import InvalidValue, InvalidValues, IrisError, ModelUnavailable, OutputFailed
from iris_app.model.artifact import Packed, load, pack
from iris_app.model.manifest import Manifest
from tests.bulk.conftest import flowers


@pytest.fixture
def packed(trained_path: Path) -> Packed:
    return pack(trained_path, load(trained_path)[1])


def job(source: Path, output: Path) -> Job:
    return Job(Source(str(source), "csv", source.name), str(output), "csv", "skip", f"{output}.rejected")


def test_a_file_is_parted_where_its_groups_of_rows_end(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parts, "PART", 250)
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
    one, other = (work(job(table, tmp_path / "out.csv"), str(tmp_path), packed) for _ in range(2))
    assert isinstance(one, Done)
    assert isinstance(other, Done)
    assert Path(one.output).read_bytes() == Path(other.output).read_bytes()
    assert one.output != other.output


def test_who_does_not_share_the_folder_says_so(packed: Packed, table: Path, tmp_path: Path) -> None:
    error = work(job(table, tmp_path / "out.csv"), str(tmp_path / "none"), packed)
    assert isinstance(error, OutputFailed)
    assert "all must share where answers go" in str(error)


def test_a_model_that_was_changed_on_its_way_is_refused(packed: Packed, table: Path, tmp_path: Path) -> None:
    changed = msgspec.structs.replace(packed, artifact=packed.artifact[:-1] + b"!")
    error = work(job(table, tmp_path / "out.csv"), str(tmp_path), changed)
    assert isinstance(error, ModelUnavailable)
    assert error.reason == "wrong digest"


def test_a_model_of_another_scikit_learn_is_refused(packed: Packed, table: Path, tmp_path: Path) -> None:
    manifest = msgspec.json.decode(packed.manifest, type=Manifest)
    older = msgspec.structs.replace(manifest, versions={"scikit-learn": "1.0"})
    changed = msgspec.structs.replace(packed, manifest=msgspec.json.encode(older))
    error = work(job(table, tmp_path / "out.csv"), str(tmp_path), changed)
    assert isinstance(error, ModelUnavailable)
    assert f"saved with scikit-learn 1.0, and there it is {sklearn.__version__}" in str(error)


@pytest.mark.parametrize(
    "error",
    [
        RefusedRows(Summary(read=2, rejected=1, wrong=[InvalidValue("It is wrong.", line=2)])),
        InvalidValues([lambda: InvalidValue("It is wrong.", column="pwid")]),
        ModelUnavailable("There is none.", "none"),
    ],
    ids=lambda error: type(error).__name__,
)
def test_what_goes_wrong_elsewhere_comes_back_as_it_is(error: IrisError) -> None:
    back = pickle.loads(pickle.dumps(error))  # noqa: S301
    assert type(back) is type(error)
    assert (str(back), vars(back)) == (str(error), vars(error))


def test_the_rejected_rows_of_an_earlier_run_are_removed(packed: Packed, table: Path, tmp_path: Path) -> None:
    this = job(table, tmp_path / "out.csv")
    Path(this.rejected).touch()
    done = work(this, str(tmp_path), packed)
    assert isinstance(done, Done)
    joined(this, [done])
    assert not Path(this.rejected).exists()


def test_answers_in_one_part_go_to_a_pipe_too(packed: Packed, table: Path, tmp_path: Path) -> None:
    this = job(table, Path("/dev/null"))
    done = work(this, str(tmp_path), packed)
    assert isinstance(done, Done)
    assert joined(replace(this, bad_rows="report"), [done]) == done.summary
    assert not Path(done.output).exists()


def test_nothing_to_do_needs_no_cluster(packed: Packed) -> None:
    assert list(Cluster("dask://127.0.0.1:1", packed).run([], Progress(0))) == []


def test_what_a_killed_run_left_is_removed_and_what_another_run_holds_is_not(tmp_path: Path) -> None:
    left, held = (tmp_path / f"{PREFIX}{name}" for name in ("left", "held"))
    for folder in (left, held):
        folder.mkdir()
        (folder / LOCK).touch()
    with (held / LOCK).open("wb") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with workplace([str(tmp_path / "a.csv"), str(tmp_path / "sub" / "b.csv")]) as folder:
            assert folder.parent == tmp_path
            assert sorted(tmp_path.iterdir()) == sorted([held, folder])
        assert list(tmp_path.iterdir()) == [held]


def test_a_place_that_cannot_be_written_to_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputFailed), workplace([str(tmp_path / "file" / "a.csv")]):
        pass
