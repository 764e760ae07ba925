"""The wheel: built from what an archive of the checkout holds, unpacked, and run in another folder."""

import contextlib
import os
import shutil
import stat
import subprocess
import sys
import zipfile
from pathlib import Path

import httpx
import joblib
import numpy as np
import pandas as pd
import pytest
from playwright.sync_api import Browser, expect
from sklearn.tree import DecisionTreeClassifier

from tests.support import CHECKOUT, serving

BUILT_FROM = ("config.py", "gunicorn.conf.py", "setup.py", "setup.cfg", "pyproject.toml", "README.md", "LICENSE")
LINKS = [path.relative_to(CHECKOUT) for path in (CHECKOUT / "iris_app").rglob("*") if path.is_symlink()]

# The command, as its script starts it; modules of the current folder are not in the way of a script.
IRIS_APP = [
    sys.executable,
    "-P",
    "-c",
    "from importlib.metadata import entry_points; entry_points(group='console_scripts')['iris-app'].load()()",
]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A wheel of what a zip holds in which links became text, as most programs unpack it."""
    folder = tmp_path_factory.mktemp("archive")
    shutil.copytree(
        CHECKOUT / "iris_app", folder / "iris_app", symlinks=True, ignore=shutil.ignore_patterns("__pycache__")
    )
    for link in map(folder.joinpath, LINKS):
        target = link.readlink()
        link.unlink()
        link.write_text(str(target))
    for name in BUILT_FROM:
        shutil.copy(CHECKOUT / name, folder)
    pip = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--no-index"]
    subprocess.run([*pip, "--wheel-dir", folder / "wheels", folder], check=True, capture_output=True)
    (path,) = folder.glob("wheels/*.whl")
    return path


@pytest.fixture(scope="module")
def site_packages(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site-packages")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(folder)
    return folder


@pytest.fixture
def environment(site_packages: Path) -> dict[str, str]:
    """The environment of a person who installed the wheel; what it needs is that of the tests."""
    names = ("IRIS_", "COVERAGE_", "GUNICORN", "WEB_", "PYTHON")
    return {name: text for name, text in os.environ.items() if not name.startswith(names)} | {
        "PYTHONPATH": str(site_packages)
    }


def test_nothing_but_the_package_lands_at_the_top_of_site_packages(site_packages: Path) -> None:
    assert sorted(path.name for path in site_packages.iterdir()) == ["iris_app", "iris_app-0.1.0.dist-info"]


def test_the_wheel_has_every_file_of_the_package_with_its_content(site_packages: Path) -> None:
    files = [
        path.relative_to(CHECKOUT)
        for path in (CHECKOUT / "iris_app").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    ]
    packed = [path.relative_to(site_packages) for path in (site_packages / "iris_app").rglob("*") if path.is_file()]
    assert sorted(packed) == sorted(files)
    assert [path for path in files if (site_packages / path).read_bytes() != (CHECKOUT / path).read_bytes()] == []


def test_the_settings_and_gunicorn_s_are_all_that_is_linked() -> None:
    assert sorted(map(str, LINKS)) == ["iris_app/cli/gunicorn_conf.py", "iris_app/settings/defaults.py"]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with a classifier and its table, and with a module of a name that Python has too."""
    frame = pd.DataFrame({"kelvin": np.arange(250.0, 300), "wet": [True, False] * 25})
    frame["weather"] = np.where(frame["kelvin"] < 273, "frost", "thaw")
    classifier = DecisionTreeClassifier(max_depth=2).fit(frame[["kelvin", "wet"]], frame["weather"])
    folder = tmp_path / "weather"
    folder.mkdir()
    joblib.dump(classifier, folder / "tree.joblib")
    frame.to_csv(folder / "days.csv", index=False)
    (folder / "random.py").write_text("raise SystemExit('the wrong module')\n")
    return folder


def test_a_model_is_packaged_and_served_in_any_folder(
    folder: Path, tmp_path: Path, environment: dict[str, str], site_packages: Path, browser: Browser
) -> None:
    package = [*IRIS_APP, "package", "tree.joblib", "--data", "days.csv", "--target", "weather", "-o", "weather.joblib"]
    subprocess.run(package, cwd=folder, env=environment, check=True, capture_output=True)
    (tmp_path / "elsewhere").mkdir()
    serve = [*IRIS_APP, "serve", "../weather/weather.joblib", "--bind=127.0.0.1:0", "--workers=1"]
    with serving(serve, tmp_path / "log", tmp_path / "elsewhere", environment) as server:
        answer = httpx.post(f"{server.url}/api/classify", json={"kelvin": 260.5, "wet": True}).json()
        page = browser.new_page(base_url=server.url)
        page.goto("/home")
        page.get_by_label("Kelvin").fill("290")
        page.get_by_label("Wet").select_option(label="No")
        page.get_by_role("button", name="Classify").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Predicted class: Thaw")
        page.close()
        loaded = Path(f"/proc/{server.process.pid}/cmdline").read_text()
    assert answer["weather"] == "frost"
    assert str(site_packages) in loaded
    assert server.process.returncode == 0
    assert stat.S_IMODE((tmp_path / "elsewhere" / "instance" / "config.py").stat().st_mode) == 0o600
    assert sorted(path.name for path in (tmp_path / "elsewhere").iterdir()) == ["instance"]


def test_the_folder_of_a_model_may_be_the_current_one(
    folder: Path, tmp_path: Path, environment: dict[str, str], trained_path: Path
) -> None:
    with contextlib.suppress(FileExistsError):
        shutil.copytree(trained_path.parent, folder / "instance")
    with serving([*IRIS_APP, "serve", "--bind=127.0.0.1:0"], tmp_path / "log", folder, environment) as server:
        assert httpx.get(f"{server.url}/readyz").json()["ready"]
    assert server.process.returncode == 0
