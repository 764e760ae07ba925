import re
import shutil
from collections.abc import Callable
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from iris_app.cli import main
from iris_app.model.registry import Registry
from tests.support import another

Rollback = Callable[..., Result]


@pytest.fixture
def versions(tmp_path: Path) -> tuple[str, str]:
    """The versions of two models: the first that was published, and the one in place."""
    registry = Registry(tmp_path / "models", tmp_path / "model.joblib")
    first, second = (registry.publish(*another(value), keep=5).version for value in (2, 3))
    return first, second


@pytest.fixture
def rollback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Rollback:
    monkeypatch.setenv("IRIS_INSTANCE_PATH", str(tmp_path))
    monkeypatch.setenv("IRIS_MODEL_PATH", "model.joblib")
    return lambda *options: CliRunner().invoke(main, ["rollback", *options], prog_name="iris-app")


def test_the_version_before_is_put_back(rollback: Rollback, versions: tuple[str, str], tmp_path: Path) -> None:
    assert rollback().output == f"version {versions[0]} is in place: {tmp_path / 'model.joblib'}\n"


def test_a_version_is_put_back_by_its_first_digits(rollback: Rollback, versions: tuple[str, str]) -> None:
    rollback()
    assert rollback(versions[1][:6]).output.startswith(f"version {versions[1]} is in place")


def test_versions_are_listed_with_when_they_were_trained_and_how_good_they_are(
    rollback: Rollback, versions: tuple[str, str]
) -> None:
    header, second, first = rollback("--list").output.splitlines()
    assert header.split() == ["version", "trained", "accuracy"]
    assert re.fullmatch(rf"{versions[1]}  \d{{4}}-\d\d-\d\d \d\d:\d\d  0.9737     in place", second)
    assert re.fullmatch(rf"{versions[0]}  \d{{4}}-\d\d-\d\d \d\d:\d\d  0.9737  ", first)


def test_a_version_without_scores_is_listed_as_unknown(rollback: Rollback, tmp_path: Path) -> None:
    classifier, training, pairplot = another(2)
    unmeasured = msgspec.structs.replace(training, scores=None)
    Registry(tmp_path / "models", tmp_path / "model.joblib").publish(classifier, unmeasured, pairplot, keep=5)
    assert rollback("--list").output.endswith("  unknown    in place\n")


def test_a_damaged_version_is_listed_as_such_and_refused(
    rollback: Rollback, versions: tuple[str, str], tmp_path: Path
) -> None:
    (manifest,) = (tmp_path / "models").glob(f"*-{versions[0]}*/*.json")
    manifest.write_text("{}")
    assert rollback("--list").output.splitlines()[-1] == f"{versions[0]}  its manifest is damaged"
    refused = rollback()
    assert refused.exit_code == 1
    assert refused.output.startswith(f"Error: {manifest} is not the manifest of a model")
    assert refused.output.count("\n") == 1


def test_without_an_older_version_nothing_is_put_back(rollback: Rollback, tmp_path: Path) -> None:
    shutil.rmtree(tmp_path / "models", ignore_errors=True)
    refused = rollback()
    assert refused.exit_code == 1
    assert refused.output.startswith("Error: ")


def test_a_version_is_not_named_where_all_are_listed(rollback: Rollback) -> None:
    refused = rollback("beef", "--list")
    assert refused.exit_code == 2
    assert "leave out VERSION" in refused.output


def test_an_empty_version_is_refused(versions: tuple[str, str], rollback: Rollback) -> None:
    result = rollback("")
    assert result.exit_code == 2
    assert "VERSION is empty" in result.output
    assert f"{versions[1]}" in next(line for line in rollback("--list").output.splitlines() if "in place" in line)
