import pickle
import sys
import types
from pathlib import Path

import joblib
import pytest
import sklearn
from sklearn.base import BaseEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.svm import LinearSVC

from iris_app.exceptions import PackagingRefused
from iris_app.packaging.loading import load_classifier

FITTED = LogisticRegression().fit([[0.0], [1.0]], [0, 1])


@pytest.mark.parametrize("dump", [joblib.dump, lambda thing, path: path.write_bytes(pickle.dumps(thing))])
def test_a_classifier_is_loaded(tmp_path: Path, dump: object) -> None:
    path = tmp_path / "model.joblib"
    dump(FITTED, path)  # type: ignore[operator]
    assert load_classifier(path).classes_.tolist() == [0, 1]


def test_what_cannot_be_served_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    joblib.dump(LinearSVC().fit([[0.0], [1.0]], [0, 1]), path)
    with pytest.raises(PackagingRefused, match="LinearSVC gives no probabilities"):
        load_classifier(path)


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"no pickle", "is no classifier that joblib.dump saved"), (None, "cannot be read: No such file")],
)
def test_what_is_no_classifier_is_refused(tmp_path: Path, content: bytes | None, says: str) -> None:
    path = tmp_path / "model.joblib"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(PackagingRefused) as refused:
        load_classifier(path)
    assert says in str(refused.value)


def test_another_version_of_scikit_learn_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "model.joblib"
    path.write_bytes(pickle.dumps(FITTED).replace(sklearn.__version__.encode(), b"0.9.9"))
    with pytest.raises(PackagingRefused, match=r"was saved by scikit-learn 0\.9\.9, and this is"):
        load_classifier(path)


def test_a_package_that_is_not_installed_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    module = types.ModuleType("birdwatching")
    module.Birds = type("Birds", (BaseEstimator,), {"__module__": "birdwatching"})  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "birdwatching", module)
    joblib.dump(module.Birds(), tmp_path / "model.joblib")
    monkeypatch.delitem(sys.modules, "birdwatching")
    with pytest.raises(PackagingRefused, match="needs the package birdwatching, which is not installed"):
        load_classifier(tmp_path / "model.joblib")


def test_a_class_of_the_script_that_trained_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    birds = type("Birds", (BaseEstimator,), {"__module__": "__main__"})
    monkeypatch.setattr(sys.modules["__main__"], "Birds", birds, raising=False)
    joblib.dump(birds(), tmp_path / "model.joblib")
    monkeypatch.delattr(sys.modules["__main__"], "Birds")
    with pytest.raises(PackagingRefused, match=r"needs what is not found here: .*Birds"):
        load_classifier(tmp_path / "model.joblib")
