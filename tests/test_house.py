"""The rules of the house that a machine can hold."""

import ast
import re
from pathlib import Path
from typing import get_type_hints

import pytest

import config
from iris_app.iris import SCHEMA
from tests.support import CHECKOUT

PACKAGE = CHECKOUT / "iris_app"
SOURCES = sorted(path for path in PACKAGE.rglob("*") if path.suffix in {".py", ".html", ".svg", ".css", ".js"})
DOORS = {
    "iris_app.api",
    "iris_app.bulk",
    "iris_app.inference_protocol",
    "iris_app.invocations",
    "iris_app.operations",
    "iris_app.ui",
}

# Who may import whom: a module imports only from the storeys below its own.
STOREYS = [
    {"iris_app.exceptions"},
    {"iris_app.iris", "iris_app.web.problem", "iris_app.settings", "iris_app.model.linear"},
    {"iris_app.web.response", "iris_app.web.assets", "iris_app.web.body", "iris_app.model.manifest"},
    {
        "iris_app.web.api_response",
        "iris_app.web.compression",
        "iris_app.web.headers",
        "iris_app.codecs.json_rows",
        "iris_app.codecs.csv_rows",
    },
    {"iris_app.web.request", "iris_app.web.sessions", "iris_app.worker"},
    {"iris_app.web.app", "iris_app.web.view_flags", "iris_app.observability.logs", "iris_app.observability.drift"},
    {"iris_app.model.artifact", "iris_app.model.explanation"},
    {"iris_app.observability.metrics", "iris_app.model.classifier", "iris_app.training"},
    {"iris_app.observability.recorder"},
    {"iris_app.access", "iris_app.model_service"},
    {"iris_app.model.registry"},
    DOORS,
    {"iris_app.errors"},
    {"iris_app"},
]


def relative(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name != "iris.py"], ids=relative)
def test_only_the_tables_spell_a_feature_or_a_species(path: Path) -> None:
    features = [name for one in SCHEMA.features for name in (one.name, one.form_name, one.label)]
    words = "|".join(re.escape(word) for word in features + [species.name for species in SCHEMA.classes])
    assert re.findall(rf"\b({words})\b", path.read_text(), re.IGNORECASE) == []


def place(module: str) -> str:
    """Name the door that a module belongs to, or the module itself."""
    return next((door for door in DOORS if module.startswith(f"{door}.")), module)


def storey(module: str) -> int:
    (number,) = (number for number, modules in enumerate(STOREYS) if module in modules)
    return number


def imports(tree: ast.AST) -> set[str]:
    """Name the modules of ours that a module imports, for its types alone too."""
    found: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names if alias.name.startswith("iris_app")}
        elif isinstance(node, ast.ImportFrom) and node.module == "iris_app":
            found |= {f"iris_app.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith("iris_app."):
            found.add(str(node.module))
    return found


@pytest.mark.parametrize("path", [path for path in SOURCES if path.suffix == ".py"], ids=relative)
def test_imports_run_one_way(path: Path) -> None:
    module = ".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__")
    own = place(module)
    above = {name for name in map(place, imports(ast.parse(path.read_text()))) if name != own} - {"iris_app.create_app"}
    assert {name for name in above if storey(name) >= storey(own)} == set()


def test_the_only_imports_inside_a_function_keep_scikit_learn_and_polars_out_of_start_up() -> None:
    inside = [
        (relative(path), ast.unparse(node))
        for path in SOURCES
        if path.suffix == ".py"
        for function in ast.walk(ast.parse(path.read_text()))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inside == [
        ("iris_app/bulk/command.py", "from iris_app.bulk.work import classify as work"),
        ("iris_app/bulk/work.py", "from iris_app.bulk.cluster import Cluster"),
        ("iris_app/model_service.py", "from iris_app.model.classifier import load"),
    ]


@pytest.mark.parametrize("name", sorted(get_type_hints(config)))
def test_the_readme_names_every_setting(name: str) -> None:
    assert f"`{name}`" in (CHECKOUT / "README.md").read_text()


def test_a_lock_names_hashes_and_no_addresses() -> None:
    for lock in CHECKOUT.glob("requirements*.txt"):
        text = lock.read_text()
        assert "://" not in text
        assert text.count("==") <= text.count("--hash=sha256:")


def test_what_serves_is_locked_without_what_trains_or_tests() -> None:
    names = ("", "-train", "-bulk", "-cluster", "-test")
    locks = {lock: (CHECKOUT / f"requirements{lock}.txt").read_text() for lock in names}
    locked = {lock: set(re.findall(r"^[\w.-]+==\S+", text, re.MULTILINE)) for lock, text in locks.items()}
    assert locked[""] < locked["-train"] < locked["-bulk"] < locked["-cluster"] < locked["-test"]
    heavy = ("matplotlib=", "pandas=", "polars=", "seaborn=", "setuptools=")
    assert not any(name.startswith(heavy) for name in locked[""])
