import errno
import fcntl
import os
import threading
from pathlib import Path

import pytest

from iris_app.exceptions import OutputFailed
from iris_app.files import atomic_write, lock_file, partial_path, read_stamp, translate_write_errors


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_in_place_when_all_went_well(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "out") as stream:
        stream.write(b"new")
        assert not (tmp_path / "out").exists()
    assert (tmp_path / "out").read_bytes() == b"new"
    assert names(tmp_path) == ["out"]


def test_nothing_changes_when_something_went_wrong(tmp_path: Path) -> None:
    (tmp_path / "out").write_bytes(b"old")
    with pytest.raises(ZeroDivisionError), atomic_write(tmp_path / "out") as stream:
        stream.write(b"half of what is n" * (1 // 0))
    assert (tmp_path / "out").read_bytes() == b"old"
    assert names(tmp_path) == ["out"]


def test_a_folder_that_was_removed_is_not_made_again(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), atomic_write(tmp_path / "gone" / "out"):
        pass
    assert names(tmp_path) == []


def test_one_process_at_a_time_writes_a_file(tmp_path: Path) -> None:
    with atomic_write(tmp_path / "out") as stream:
        with pytest.raises(OSError, match="another run is writing it"), atomic_write(tmp_path / "out"):
            pass
        stream.write(b"first")
    assert (tmp_path / "out").read_bytes() == b"first"


def test_a_writer_that_waits_comes_after_the_other(tmp_path: Path) -> None:
    def write_second() -> None:
        with atomic_write(tmp_path / "out", wait=True) as stream:
            stream.write(b"second")

    thread = threading.Thread(target=write_second)
    with atomic_write(tmp_path / "out") as stream:
        thread.start()
        stream.write(b"first")
    thread.join()
    assert (tmp_path / "out").read_bytes() == b"second"
    assert names(tmp_path) == ["out"]


def test_a_killed_writer_s_file_is_written_over(tmp_path: Path) -> None:
    partial_path(tmp_path / "out").write_bytes(b"left behind, and longer")
    with atomic_write(tmp_path / "out") as stream:
        stream.write(b"new")
    assert (tmp_path / "out").read_bytes() == b"new"


def test_a_file_that_another_process_has_just_renamed_is_left_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock, partial = fcntl.flock, partial_path(tmp_path / "out")

    def lock_late(stream: object, how: int) -> None:
        if partial.exists() and not (tmp_path / "out").exists():
            partial.rename(tmp_path / "out")  # as the other process does, between the opening and the lock
        lock(stream, how)  # type: ignore[arg-type]

    partial.write_bytes(b"the other's")
    monkeypatch.setattr(fcntl, "flock", lock_late)
    with atomic_write(tmp_path / "out") as stream:
        stream.write(b"ours")
        assert (tmp_path / "out").read_bytes() == b"the other's"
    assert (tmp_path / "out").read_bytes() == b"ours"


def test_a_replaced_file_keeps_its_permissions_and_a_new_one_follows_the_umask(tmp_path: Path) -> None:
    (tmp_path / "secret").touch(mode=0o600)
    before = os.umask(0o027)
    try:
        for name, mode in (("secret", None), ("new", None), ("model", 0o644)):
            with atomic_write(tmp_path / name, mode=mode):
                pass
    finally:
        os.umask(before)
    assert [(tmp_path / name).stat().st_mode & 0o777 for name in ("secret", "new", "model")] == [0o600, 0o640, 0o644]


@pytest.mark.parametrize("exists", [True, False])
def test_a_symbolic_link_stays_and_its_target_is_written(tmp_path: Path, exists: bool) -> None:
    (tmp_path / "elsewhere").mkdir()
    target = tmp_path / "elsewhere" / "target"
    if exists:
        target.write_bytes(b"old")
    (tmp_path / "link").symlink_to("elsewhere/target")
    with atomic_write(tmp_path / "link") as stream:
        stream.write(b"new")
    assert (tmp_path / "link").is_symlink()
    assert target.read_bytes() == b"new"
    assert names(tmp_path / "elsewhere") == ["target"]


def test_a_name_as_long_as_the_system_allows_is_written(tmp_path: Path) -> None:
    with atomic_write(tmp_path / ("n" * 255)) as stream:
        stream.write(b"new")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"new"


def test_a_device_is_written_to_as_it_is() -> None:
    with atomic_write(Path("/dev/null")) as stream:
        stream.write(b"gone")
    assert Path("/dev/null").is_char_device()


def test_a_stamp_changes_with_the_file(tmp_path: Path) -> None:
    path = tmp_path / "file"
    assert read_stamp(path) is None
    assert read_stamp("\0") is None
    path.write_bytes(b"a")
    first = read_stamp(path)
    with path.open("rb") as stream:
        assert read_stamp(stream.fileno()) == first
    with atomic_write(path) as stream:
        stream.write(b"b")
    os.utime(path, ns=(0, first.mtime_ns if first else 0))
    assert read_stamp(path) != first


def test_a_lock_that_is_held_can_be_waited_for_or_not(tmp_path: Path) -> None:
    with lock_file(tmp_path / "lock"), pytest.raises(BlockingIOError), lock_file(tmp_path / "lock", wait=False):
        pass
    with lock_file(tmp_path / "lock", wait=False):
        pass


def test_a_refusal_of_the_system_names_the_file() -> None:
    refused = pytest.raises(OutputFailed, match=r"^out\.csv cannot be written: No space left on device\.$")
    with refused, translate_write_errors("out.csv"):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
