import shutil
import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from flask import Flask

from iris_app.exceptions import ModelUnavailable
from iris_app.model.artifact import load, save
from iris_app.model.manifest import manifest_path, pairplot_path
from iris_app.model.registry import Registry
from iris_app.model_service import get_registry
from tests.support import CHECKOUT, another, publish


@pytest.fixture
def versions(tmp_path: Path) -> Registry:
    return Registry(tmp_path / "models", tmp_path / "model.joblib")


def publish_new(versions: Registry, *regularisations: float, keep: int = 5) -> list[str]:
    return [versions.publish(*another(value), keep=keep).digest for value in regularisations]


def kept(versions: Registry) -> list[str]:
    return [version.digest for version in versions.versions()]


def current(versions: Registry) -> str:
    """Return the digest of what is in place, which must be whole."""
    return load(versions.path)[1].digest


@pytest.mark.parametrize(
    ("path", "folder"),
    [("model.joblib", "models"), ("wine.joblib", "wine-models"), ("new/loan.v2.joblib", "new/loan.v2-models")],
)
def test_each_model_has_its_versions_beside_it(make_app: Callable[..., Flask], path: str, folder: str) -> None:
    assert get_registry(make_app(MODEL_PATH=path)).folder == CHECKOUT / "instance" / folder


def test_what_is_published_is_in_place_and_kept_with_its_picture(versions: Registry) -> None:
    (published,) = publish_new(versions, 2)
    (version,) = versions.versions()
    assert current(versions) == version.digest == published
    assert [load(path)[1:] for path in (versions.path, version.path)] == [load(versions.path)[1:]] * 2
    assert load(version.path)[2]


def test_versions_are_kept_in_the_order_of_their_publication(versions: Registry) -> None:
    assert kept(versions) == []
    assert publish_new(versions, 2, 3, 4) == kept(versions)


def test_more_versions_than_wanted_are_not_kept(versions: Registry) -> None:
    published = publish_new(versions, 2, 3, 4, keep=2)
    assert kept(versions) == published[1:]


def test_publishing_a_model_again_does_not_double_it(versions: Registry) -> None:
    first, second, again = publish_new(versions, 2, 3, 2)
    assert again == first
    assert kept(versions) == [second, first]


def test_a_first_publication_keeps_what_was_in_place(versions: Registry, model_path: Path) -> None:
    old = current(versions)
    (new,) = publish_new(versions, 2)
    assert versions.path == model_path
    assert kept(versions) == [old, new]


def test_what_was_in_place_is_not_kept_when_it_cannot_be_verified(versions: Registry, model_path: Path) -> None:
    model_path.write_bytes(b"broken")
    assert publish_new(versions, 2) == kept(versions)


def test_a_model_that_may_not_be_served_is_not_put_in_place(versions: Registry, model_path: Path) -> None:
    old = current(versions)
    with pytest.raises(ModelUnavailable, match=f"MODEL_SHA256 allows only {old}"):
        Registry(versions.folder, model_path, old).publish(*another(2), keep=5)
    assert current(versions) == old


def test_the_version_before_the_one_in_place_is_put_back(versions: Registry) -> None:
    first, second, third = publish_new(versions, 2, 3, 4)
    assert [versions.rollback().digest, current(versions)] == [second, second]
    assert [versions.rollback().digest, current(versions)] == [first, first]
    assert kept(versions) == [first, second, third]


def test_before_the_first_version_there_is_none(versions: Registry) -> None:
    publish_new(versions, 2)
    with pytest.raises(ModelUnavailable, match="holds no version before the one that is in place"):
        versions.rollback()


def test_the_version_before_is_the_one_that_answered_before(versions: Registry) -> None:
    first, _ = publish_new(versions, 2, 3)
    versions.rollback()
    publish_new(versions, 4)
    assert versions.rollback().digest == first


def test_a_version_is_put_back_by_its_first_digits(versions: Registry) -> None:
    first, second, _ = publish_new(versions, 2, 3, 4)
    assert versions.rollback(first[:12]).digest == current(versions) == first
    assert versions.rollback(second.upper()).digest == current(versions) == second


def test_a_version_that_is_not_kept_is_refused(versions: Registry) -> None:
    publish_new(versions, 2)
    with pytest.raises(ModelUnavailable, match=f"No versions in {versions.folder} begin with beef00"):
        versions.rollback("beef00")


def test_digits_with_which_several_versions_begin_are_refused(versions: Registry) -> None:
    first, second = publish_new(versions, 2, 3)
    shutil.copytree(versions.versions()[0].path.parent, versions.folder / f"0003-{second[:12]}{first[12:]}")
    with pytest.raises(ModelUnavailable, match=f"2 versions in .* begin with {second[:12]}"):
        versions.rollback(second[:12])


def test_a_kept_version_that_is_damaged_is_not_put_back(versions: Registry) -> None:
    first, second = publish_new(versions, 2, 3)
    damaged = versions.versions()[0].path
    damaged.write_bytes(damaged.read_bytes()[:-1] + b"\0")
    with pytest.raises(ModelUnavailable, match=f"{damaged} is not the artifact"):
        versions.rollback()
    assert current(versions) == second
    assert kept(versions) == [first, second]


def test_what_came_by_another_way_is_kept_when_another_takes_its_place(versions: Registry) -> None:
    (first,) = publish_new(versions, 2)
    publish(versions.path, regularisation=3)
    other = current(versions)
    assert versions.rollback().digest == first
    assert kept(versions) == [first, other]


@pytest.mark.parametrize("damaged", [Path, manifest_path])
def test_a_damaged_model_in_place_is_mended_by_putting_it_back(versions: Registry, damaged: type[Path]) -> None:
    (first,) = publish_new(versions, 2)
    damaged(versions.path).write_bytes(b"broken")
    assert versions.rollback(first).digest == current(versions) == first


def test_where_nothing_says_what_is_in_place_the_last_version_is_put_back(versions: Registry) -> None:
    _, second = publish_new(versions, 2, 3)
    manifest_path(versions.path).unlink()
    assert versions.rollback().digest == second


def test_a_version_without_its_picture_is_put_back(versions: Registry) -> None:
    first, _ = publish_new(versions, 2, 3)
    pairplot_path(versions.versions()[0].path).unlink()
    assert versions.rollback().digest == current(versions) == first


def test_what_a_publication_left_that_was_killed_does_not_hinder(versions: Registry) -> None:
    save(versions.folder / ".new" / "model.joblib", *another(2))
    assert publish_new(versions, 3) == kept(versions)


def test_two_who_publish_at_once_do_not_mix_their_files(versions: Registry) -> None:
    models = [another(value) for value in (2, 3)]
    threads = [threading.Thread(target=versions.publish, args=model, kwargs={"keep": 5}) for model in models * 3]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert current(versions) == kept(versions)[-1]
    assert len(kept(versions)) == 2


def test_a_version_whose_schema_was_changed_is_not_put_back(versions: Registry) -> None:
    first, second = publish_new(versions, 2, 3)
    manifest = manifest_path(versions.versions()[0].path)
    manifest.write_bytes(manifest.read_bytes().replace(b'"species"', b'"hacked"'))
    with pytest.raises(ModelUnavailable, match="no longer holds the version that was published"):
        versions.rollback()
    assert current(versions) == second
    assert kept(versions) == [first, second]


def test_a_version_behind_a_link_is_replaced_and_its_folder_left_alone(versions: Registry, tmp_path: Path) -> None:
    publish_new(versions, 2)
    folder = versions.versions()[0].path.parent
    folder.rename(tmp_path / "elsewhere")
    folder.symlink_to(tmp_path / "elsewhere")
    again = publish_new(versions, 2)
    assert kept(versions) == again
    assert not folder.is_symlink()
    assert (tmp_path / "elsewhere" / "model.joblib").exists()
