import os
import re
import stat
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from iris_app.cli import main
from iris_app.cli.serve import SETTINGS
from tests.support import SECRET_KEY


@pytest.fixture
def executed(monkeypatch: pytest.MonkeyPatch) -> list[list[str]]:
    """The commands that take the place of the process."""
    commands: list[list[str]] = []
    monkeypatch.setattr(os, "execv", lambda _path, command: commands.append(command))
    return commands


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The current folder, in an environment without settings that is as it was after the test."""
    clean = {name: text for name, text in os.environ.items() if not name.startswith("IRIS_")}
    monkeypatch.setattr(os, "environ", clean)
    folder = tmp_path / "current"
    folder.mkdir()
    monkeypatch.chdir(folder)
    return folder


def run(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments, prog_name="iris-app")


def test_help_names_the_commands() -> None:
    commands = run("--help").output.partition("Commands:\n")[2]
    assert re.findall(r"^  (\w+) ", commands, re.MULTILINE) == ["classify", "package", "rollback", "serve"]


def test_the_version_is_the_package_s() -> None:
    assert run("--version").output == "iris-app, version 0.1.0\n"


def test_a_model_is_served_by_gunicorn_with_its_options(
    executed: list[list[str]], trained_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(trained_path.parent)
    os.environ |= {"IRIS_SECRET_KEY": SECRET_KEY}
    assert run("serve", "model.joblib", "--workers", "3").exit_code == 0
    ((python, *options),) = executed
    assert python == sys.executable
    assert options == [*("-P", "-m", "gunicorn", "--config", str(SETTINGS)), "iris_app:create_app()", "--workers", "3"]
    assert os.environ["IRIS_MODEL_PATH"] == str(trained_path.resolve())
    assert SETTINGS.is_file()


def test_a_secret_is_written_once_below_the_current_folder(
    executed: list[list[str]], folder: Path, trained_path: Path
) -> None:
    first = run("serve", str(trained_path))
    config = folder / "instance" / "config.py"
    assert first.output == f"iris-app: writing a secret key to {config}\n"
    assert stat.S_IMODE(config.stat().st_mode) == 0o600
    text = config.read_text()
    assert re.fullmatch(r'SECRET_KEY = "[0-9a-f]{64}"\n', text)
    assert run("serve", str(trained_path)).output == ""
    assert config.read_text() == text
    assert len(executed) == 2


def test_a_secret_of_the_environment_is_enough(executed: list[list[str]], folder: Path, trained_path: Path) -> None:
    os.environ["IRIS_SECRET_KEY"] = SECRET_KEY
    assert run("serve", str(trained_path)).output == ""
    assert list(folder.iterdir()) == []
    assert len(executed) == 1


def test_the_instance_folder_may_lie_elsewhere(
    executed: list[list[str]], folder: Path, tmp_path: Path, trained_path: Path
) -> None:
    os.environ["IRIS_INSTANCE_PATH"] = "../other"
    run("serve", str(trained_path))
    assert (tmp_path / "other" / "config.py").exists()
    assert list(folder.iterdir()) == []
    assert len(executed) == 1


def test_wrong_settings_stop_the_start_with_their_names(executed: list[list[str]], trained_path: Path) -> None:
    os.environ |= {"IRIS_SECRET_KEY": "short"}
    result = run("serve", str(trained_path))
    assert result.exit_code == 1
    assert result.output.startswith("Error: IRIS_SECRET_KEY in the environment is wrong")
    assert executed == []


@pytest.mark.parametrize("missing", ["model.joblib", "model.joblib.json"])
def test_a_model_that_is_not_there_is_named(executed: list[list[str]], model_path: Path, missing: str) -> None:
    path = model_path.with_name(missing)
    path.unlink()
    result = run("serve", str(model_path))
    assert result.exit_code == 1
    assert result.output == f"Error: There is no {path}. Package a classifier with: iris-app package\n"
    assert executed == []


def test_the_example_is_trained_where_there_is_no_model(executed: list[list[str]], folder: Path) -> None:
    os.environ["IRIS_SECRET_KEY"] = SECRET_KEY
    path = folder / "instance" / "model.joblib"
    assert run("serve").output == f"iris-app: training the example at {path}\n"
    assert path.exists()
    assert len(executed) == 1


def test_the_example_does_not_take_the_place_of_a_model_that_was_named(
    executed: list[list[str]], tmp_path: Path
) -> None:
    os.environ |= {"IRIS_SECRET_KEY": SECRET_KEY, "IRIS_MODEL_PATH": str(tmp_path / "wine.joblib")}
    result = run("serve")
    assert result.output == (
        f"Error: There is no model at {tmp_path / 'wine.joblib'}. Package one with: iris-app package\n"
    )
    assert executed == []


def test_without_what_trains_a_sentence_says_what_to_install(
    executed: list[list[str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "iris_app.training", None)
    result = run("serve")
    assert result.exit_code == 1
    assert "Package one with: iris-app package. To train the example, install iris_app[train]" in result.output
    assert executed == []


def test_files_are_classified_without_a_secret(folder: Path, trained_path: Path) -> None:
    os.environ["IRIS_MODEL_PATH"] = str(trained_path)
    (folder / "rows.csv").write_text("slen,swid,plen,pwid\n5.1,3.5,1.4,0.2\n")
    result = run("classify", "rows.csv", "--output", "answers.csv")
    assert result.exit_code == 0
    assert ",setosa," in (folder / "answers.csv").read_text()
    assert not (folder / "instance").exists()
