import errno
import io
import json
import os
import pickle
import re
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import joblib
import msgspec
import numpy as np
import pytest
import sklearn
from sklearn.dummy import DummyRegressor
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from iris_app.exceptions import ModelUnavailable
from iris_app.model import artifact
from iris_app.model.artifact import load, pack, read_manifest, save, unpack
from iris_app.model.manifest import Manifest, manifest_path, pairplot_path
from iris_app.training import load_data
from tests.support import another, traced_memory, trained


def pretend(path: Path, content: bytes) -> None:
    """Put other content in the artifact's place, with a manifest that vouches for it."""
    path.write_bytes(content)
    digest = sha256(content).hexdigest()
    edit_manifest(path, lambda manifest: manifest.update(sha256=digest, bytes=len(content)))


def pretend_pickle(path: Path, content: object) -> None:
    buffer = io.BytesIO()
    joblib.dump(content, buffer)
    pretend(path, buffer.getvalue())


def edit_manifest(path: Path, edit: Callable[[dict[str, Any]], object]) -> None:
    manifest = json.loads(manifest_path(path).read_bytes())
    edit(manifest)
    manifest_path(path).write_text(json.dumps(manifest))


def refusal(path: Path) -> str:
    with pytest.raises(ModelUnavailable) as refused:
        load(path)
    return str(refused.value)


def test_what_was_saved_loads_with_its_manifest(model_path: Path) -> None:
    classifier, manifest, _ = load(model_path)
    assert type(classifier).__name__ == "Pipeline"
    assert manifest.sha256 == sha256(model_path.read_bytes()).hexdigest()
    assert manifest.version == manifest.digest[:12]


def test_the_digest_covers_the_artifact_and_the_schema(model_path: Path) -> None:
    digest = load(model_path)[1].digest
    edit_manifest(model_path, lambda manifest: manifest["schema"]["classes"].reverse())
    assert read_manifest(model_path).digest != digest


def test_the_manifest_says_when_and_with_what_the_model_was_made(model_path: Path) -> None:
    manifest = load(model_path)[1]
    assert timedelta(0) <= datetime.now(UTC) - manifest.created < timedelta(hours=1)
    assert manifest.versions == {
        "python": ".".join(map(str, sys.version_info[:3])),
        "numpy": np.__version__,
        "scikit-learn": sklearn.__version__,
        "joblib": joblib.__version__,
    }


def test_saving_makes_the_folders_that_are_missing(tmp_path: Path) -> None:
    path = tmp_path / "new" / "folder" / "model.joblib"
    save(path, *trained())
    assert sorted(file.name for file in path.parent.iterdir()) == [
        "model.joblib",
        "model.joblib.json",
        "model.joblib.svg",
    ]


def test_a_disk_that_is_full_leaves_the_old_pair(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = {file: file.read_bytes() for file in model_path.parent.iterdir()}

    def full(_descriptor: int) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        save(model_path, *trained())
    assert {file: file.read_bytes() for file in model_path.parent.iterdir()} == before


def test_a_new_artifact_with_an_old_manifest_is_refused(model_path: Path) -> None:
    old = manifest_path(model_path).read_bytes()
    save(model_path, *another(2))
    manifest_path(model_path).write_bytes(old)
    assert "is not the artifact that its manifest describes" in refusal(model_path)


@pytest.mark.parametrize("name", ["model.joblib", "model.joblib.json"])
def test_a_missing_file_is_named_with_the_remedy(model_path: Path, name: str) -> None:
    missing = model_path.with_name(name)
    missing.unlink()
    reason = f"{missing} cannot be read: No such file or directory. Train a model with scripts/train_model.py."
    assert refusal(model_path) == reason


def test_a_folder_in_the_place_of_the_artifact_is_refused(model_path: Path) -> None:
    model_path.unlink()
    model_path.mkdir()
    assert "cannot be read: Is a directory" in refusal(model_path)


def test_a_truncated_artifact_is_refused_by_its_size(model_path: Path) -> None:
    whole = model_path.read_bytes()
    model_path.write_bytes(whole[:-1])
    reason = f"its manifest describes: it has {len(whole) - 1:,} bytes, the manifest's {len(whole):,}."
    assert reason in refusal(model_path)


def test_a_file_of_another_size_is_refused_before_it_is_read(model_path: Path) -> None:
    os.truncate(model_path, 10**9)
    with traced_memory() as memory:
        assert "it has 1,000,000,000 bytes" in refusal(model_path)
    assert memory.peak < 10**6


def test_an_artifact_with_one_bit_flipped_is_refused(model_path: Path) -> None:
    content = bytearray(model_path.read_bytes())
    content[700] ^= 1
    model_path.write_bytes(content)
    assert "is not the artifact that its manifest describes" in refusal(model_path)


class Intruder:
    """What runs code when it is unpickled."""

    def __init__(self, target: Path) -> None:
        self.target = target

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (self.target,)


def test_a_pickle_with_another_digest_is_never_opened(model_path: Path) -> None:
    intrusion = model_path.with_name("intrusion")
    model_path.write_bytes(pickle.dumps(Intruder(intrusion)))
    assert "is not the artifact" in refusal(model_path)
    assert not intrusion.exists()


@pytest.mark.parametrize("content", [b"", b"{", b"\xff\xfe", b"[]", b"{}", b'{"sha256": 5}', b'"\xff"'])
def test_what_is_no_manifest_is_refused(model_path: Path, content: bytes) -> None:
    manifest_path(model_path).write_bytes(content)
    pattern = r"model.joblib.json is not the manifest of a model for this version of the application: ."
    assert re.search(pattern, refusal(model_path))


@pytest.mark.parametrize(
    "edit",
    [
        lambda manifest: manifest["classes"][1]["means"].pop(),
        lambda manifest: manifest["golden_rows"][0]["probabilities"].pop(),
        lambda manifest: manifest["training_rows"][0][0].pop(),
        lambda manifest: manifest["features"].pop(),
        lambda manifest: manifest["scores"]["confusion_matrix"][0].pop(),
    ],
    ids=["means", "probabilities", "training rows", "features", "confusion matrix"],
)
def test_a_manifest_whose_parts_do_not_fit_its_schema_is_refused(
    model_path: Path, edit: Callable[[dict[str, Any]], object]
) -> None:
    edit_manifest(model_path, edit)
    assert "not all parts have 4 features and 3 classes, as the schema has" in refusal(model_path)


def test_a_training_row_of_no_class_is_refused(model_path: Path) -> None:
    edit_manifest(model_path, lambda manifest: manifest.update(training_rows=[[[5.1, 3.5, 1.4, 0.2], 3]]))
    assert "a row of the training is of none of the 3 classes" in refusal(model_path)


def test_a_distribution_of_other_classes_is_refused(model_path: Path) -> None:
    edit_manifest(model_path, lambda manifest: manifest["distribution"]["numbers"][0]["means"].pop())
    assert "the distribution is one of other features or classes" in refusal(model_path)


def test_summaries_in_another_order_than_the_schema_are_refused(model_path: Path) -> None:
    edit_manifest(model_path, lambda manifest: manifest["features"].reverse())
    assert "trained on other features, or in another order" in refusal(model_path)


def test_a_schema_whose_classes_are_in_another_order_is_refused(model_path: Path) -> None:
    edit_manifest(model_path, lambda manifest: manifest["schema"]["classes"].reverse())
    assert "trained to predict other classes, or in another order" in refusal(model_path)


def test_a_file_that_is_no_pickle_is_refused(model_path: Path) -> None:
    pretend(model_path, b"not a pickle")
    assert re.search(
        rf"cannot be used: .* saved with scikit-learn {sklearn.__version__}, and this is", refusal(model_path)
    )


@pytest.mark.parametrize(
    "content", [{"a": "dictionary"}, DummyRegressor(), LinearSVC()], ids=lambda content: type(content).__name__
)
def test_what_is_no_classifier_with_probabilities_is_refused(model_path: Path, content: object) -> None:
    pretend_pickle(model_path, content)
    assert f"a {type(content).__name__} is no classifier with probabilities" in refusal(model_path)


def test_a_classifier_that_was_never_fitted_is_refused(model_path: Path) -> None:
    pretend_pickle(model_path, LogisticRegression())
    assert "has no attribute 'classes_'" in refusal(model_path)


def test_a_classifier_of_other_classes_is_refused(model_path: Path) -> None:
    measurements, species = load_data()
    pretend_pickle(model_path, LogisticRegression(max_iter=1000).fit(measurements, species + 1))
    assert "trained to predict other classes, or in another order" in refusal(model_path)


def test_a_classifier_that_answers_its_golden_rows_otherwise_is_refused(model_path: Path) -> None:
    pretend_pickle(model_path, LogisticRegression(max_iter=1000).fit(*load_data()))
    assert "does not answer its golden rows as it did in training" in refusal(model_path)


def test_a_model_of_another_scikit_learn_is_refused_with_both_versions(
    model_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sklearn.base.__version__", "0.1.2")
    pretend_pickle(model_path, trained()[0])
    monkeypatch.undo()
    assert f"was saved with scikit-learn 0.1.2, and this is {sklearn.__version__}" in refusal(model_path)


def test_the_manifest_is_json_that_a_person_can_read(model_path: Path) -> None:
    text = manifest_path(model_path).read_text()
    assert "\n" in text
    assert json.loads(text)["scores"]["held_out_accuracy"] == 0.9736842105263158
    assert set(json.loads(text)) == set(Manifest.__struct_encode_fields__)


def test_the_temporary_file_lies_beside_its_place(model_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Path] = []
    replace = Path.replace

    def watch(source: Path, target: Path) -> Path:
        seen.append(source)
        return replace(source, target)

    monkeypatch.setattr(Path, "replace", watch)
    save(model_path, *trained())
    assert [source.parent for source in seen] == [model_path.parent] * 3
    assert artifact.load(model_path)


@pytest.mark.parametrize("place", [manifest_path, pairplot_path])
def test_a_pipe_beside_the_model_is_not_waited_for(model_path: Path, place: Callable[[Path], Path]) -> None:
    place(model_path).unlink()
    os.mkfifo(place(model_path))
    if place is manifest_path:
        with pytest.raises(ModelUnavailable, match="is no file"):
            load(model_path)
    else:
        assert load(model_path)[2] is None


def test_a_manifest_that_is_far_too_large_is_not_read(model_path: Path) -> None:
    os.truncate(manifest_path(model_path), 10**10)
    with pytest.raises(ModelUnavailable, match="far too large"):
        load(model_path)


class Ender:
    """What ends the process where it is unpickled."""

    def __reduce__(self) -> tuple[object, ...]:
        return sys.exit, ()


def test_an_artifact_that_would_end_the_process_is_refused(model_path: Path) -> None:
    pretend_pickle(model_path, Ender())
    with pytest.raises(ModelUnavailable, match="cannot be used: SystemExit"):
        load(model_path)


def test_what_is_sent_is_what_lies_on_the_disk(trained_path: Path) -> None:
    classifier, manifest, _ = load(trained_path)
    sent, described = unpack(pack(trained_path, manifest))
    assert described == manifest
    assert joblib.hash(sent) == joblib.hash(classifier)


def test_a_model_that_was_published_meanwhile_is_not_sent(trained_path: Path) -> None:
    manifest = msgspec.structs.replace(load(trained_path)[1], sha256="0" * 64)
    with pytest.raises(ModelUnavailable, match="is not the artifact that its manifest describes"):
        pack(trained_path, manifest)


@pytest.mark.parametrize(
    ("change", "reason"),
    [({"sha256": "0" * 64}, "wrong digest"), ({"versions": {}}, "saved by another scikit-learn")],
    ids=["digest", "version"],
)
def test_what_is_sent_is_unpickled_only_where_it_fits(
    change: dict[str, Any], reason: str, trained_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    manifest = load(trained_path)[1]
    changed = msgspec.json.encode(msgspec.structs.replace(manifest, **change))
    monkeypatch.setattr(joblib, "load", lambda _: pytest.fail("it was unpickled"))
    with pytest.raises(ModelUnavailable) as refused:
        unpack(msgspec.structs.replace(pack(trained_path, manifest), manifest=changed))
    assert refused.value.reason == reason


def test_a_model_that_needs_a_package_that_is_not_here_is_refused_by_its_name(model_path: Path) -> None:
    edit_manifest(model_path, lambda manifest: manifest.update(packages=["birdwatching"]))
    assert refusal(model_path).endswith("needs birdwatching, which is not installed here.")
