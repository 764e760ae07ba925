"""The rules of the house that a machine can hold."""

import ast
import re
from functools import cache
from pathlib import Path
from typing import get_type_hints

import pytest

import config
from iris_app.iris import SCHEMA
from tests.support import CHECKOUT

PACKAGE = CHECKOUT / "iris_app"
KINDS = {".py", ".html", ".svg", ".css", ".js"}
SOURCES = sorted(path for path in PACKAGE.rglob("*") if path.suffix in KINDS and not path.is_symlink())

# The layers, from the top: each part imports only from the layers below its own, and in the last from those behind it.
# CONTRIBUTING.md shows this list.
LAYERS = [
    ["wsgi", "cli", "iris_app"],
    ["api", "bulk", "inference_protocol", "invocations", "operations", "training", "ui", "errors"],
    ["packaging"],
    ["access", "model_service"],
    ["observability"],
    ["web"],
    ["codecs", "model"],
    ["json_types", "iris", "settings", "files", "schema", "formatting", "exceptions"],
]


def is_python(path: Path) -> bool:
    return path.suffix == ".py" or (
        path.suffix == "" and path.read_bytes().partition(b"\n")[0].endswith(b'python" "$0" "$@"\'')
    )


@cache
def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text())


def relative(path: Path) -> str:
    return str(path.relative_to(CHECKOUT))


@pytest.mark.parametrize("path", [path for path in SOURCES if path.name != "iris.py"], ids=relative)
def test_only_the_tables_spell_a_feature_or_a_species(path: Path) -> None:
    features = [name for one in SCHEMA.features for name in (one.name, one.form_name, one.label)]
    words = "|".join(re.escape(word) for word in features + [species.name for species in SCHEMA.classes])
    assert re.findall(rf"\b({words})\b", path.read_text(), re.IGNORECASE) == []


# The words of the example, which only its schema and its training say.
EXAMPLE_WORDS = re.compile(r"\b(flower|sepal|petal|species|iris(?!-app))(s|es)?\b", re.IGNORECASE)

MAY_NAME_THE_EXAMPLE = {
    "iris_app/iris.py": "the schema of the example",
    "iris_app/training.py": "trains the example",
    "iris_app/ui/templates/ui/drawings/iris.svg": "the picture of the example",
    "iris_app/packaging/inference/words.py": "knows a word that is its own plural",
}


@pytest.mark.parametrize(
    "path",
    [path for path in SOURCES if relative(path) not in MAY_NAME_THE_EXAMPLE],
    ids=relative,
)
def test_only_the_schema_and_the_training_say_the_example_s_words(path: Path) -> None:
    text = path.read_text().replace("from iris_app.iris import SCHEMA\n", "\n")
    assert [line for line in text.splitlines() if EXAMPLE_WORDS.search(line)] == []


@pytest.mark.parametrize("name", MAY_NAME_THE_EXAMPLE)
def test_a_file_that_may_say_the_example_s_words_does(name: str) -> None:
    assert EXAMPLE_WORDS.search((CHECKOUT / name).read_text())


MODULES = [path for path in SOURCES if path.suffix == ".py"]
SCRIPTS = [path for path in (CHECKOUT / "scripts").rglob("*") if path.is_file() and is_python(path)]


def docstrings(tree: ast.AST) -> list[str]:
    kinds = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    return [text for node in ast.walk(tree) if isinstance(node, kinds) and (text := ast.get_docstring(node))]


@pytest.mark.parametrize("path", MODULES, ids=relative)
def test_a_docstring_begins_neither_with_say_nor_with_a_question_word(path: Path) -> None:
    first_words = re.compile(r"(Say|Tell|Who|What|Which|Where|How|Whether)\b")
    assert [text for text in docstrings(parse(path)) if first_words.match(text)] == []


def is_private(name: str) -> bool:
    return name.startswith("_") and not (name.startswith("__") and name.endswith("__"))


def private_parts(tree: ast.AST) -> list[str]:
    """Return the private attributes and modules that code uses of anything but its own class."""
    found = []
    for node in ast.walk(tree):
        if isinstance(node, ast.Attribute) and is_private(node.attr):
            if not (isinstance(node.value, ast.Name) and node.value.id in {"self", "cls"}):
                found.append(ast.unparse(node))
        elif isinstance(node, ast.ImportFrom):
            names = [*(node.module or "").split("."), *(alias.name for alias in node.names)]
            found += [ast.unparse(node) for name in names if is_private(name)]
        elif isinstance(node, ast.Import):
            found += [alias.name for alias in node.names if any(map(is_private, alias.name.split(".")))]
    return found


# Parts of libraries that are not private by name, but internal or marked as unstable.
UNSTABLE = re.compile(
    r"ensure_sync|werkzeug\.request\b|\b(cfg|app|request)\.__dict__|register_io_source|collect_batches"
)


@pytest.mark.parametrize(
    "path", [*MODULES, *SCRIPTS, CHECKOUT / "gunicorn.conf.py", CHECKOUT / "wsgi.py"], ids=relative
)
def test_no_private_part_of_another_library_is_used(path: Path) -> None:
    text = path.read_text()
    assert private_parts(parse(path)) == []
    assert UNSTABLE.findall(text) == []


@pytest.mark.parametrize("path", [path for path in SOURCES if path.suffix in {".html", ".svg"}], ids=relative)
def test_no_template_uses_a_private_attribute(path: Path) -> None:
    expressions = re.findall(r"\{[{%].*?[%}]\}", path.read_text(), re.DOTALL)
    assert [text for text in expressions if re.search(r"\w\._\w", text)] == []


def part(module: str) -> str:
    """Return the name of the package or module of ``iris_app`` that a module belongs to."""
    names = module.split(".")
    return names[1] if len(names) > 1 else names[0]


def imports(tree: ast.AST) -> set[str]:
    """Return the parts of ``iris_app`` that a module imports, for its types alone too."""
    modules: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module == "iris_app":
            modules |= {f"iris_app.{alias.name}" for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            modules.add(node.module)
    return {part(name) for name in modules if name.partition(".")[0] == "iris_app"} - {"create_app"}


@pytest.mark.parametrize("path", [path for path in SOURCES if path.suffix == ".py"], ids=relative)
def test_imports_run_one_way(path: Path) -> None:
    own = part(".".join(path.relative_to(CHECKOUT).with_suffix("").parts).removesuffix(".__init__"))
    layer = next(index for index, parts in enumerate(LAYERS) if own in parts)
    below = {name for parts in LAYERS[layer + 1 :] for name in parts}
    below |= set(LAYERS[-1][LAYERS[-1].index(own) :]) if own in LAYERS[-1] else set()
    assert imports(parse(path)) - {own} - below == set()


def test_contributing_shows_the_layers() -> None:
    shown = re.findall(r"^    (\S.*)$", (CHECKOUT / "CONTRIBUTING.md").read_text(), re.MULTILINE)
    assert [re.split(r",\s*", line) for line in shown if line.split(",")[0] in {parts[0] for parts in LAYERS}] == LAYERS


@pytest.mark.parametrize("folder", sorted({path.parent for path in SOURCES if path.suffix == ".py"}), ids=relative)
def test_no_folder_holds_more_than_a_dozen_modules(folder: Path) -> None:
    assert len(list(folder.glob("*.py"))) <= 12


def test_the_only_imports_inside_a_function_keep_scikit_learn_and_polars_out_of_start_up() -> None:
    inside = [
        (relative(path), ast.unparse(node))
        for path in SOURCES
        if path.suffix == ".py"
        for function in ast.walk(parse(path))
        if isinstance(function, ast.FunctionDef)
        for node in ast.walk(function)
        if isinstance(node, ast.Import | ast.ImportFrom)
    ]
    assert inside == [
        ("iris_app/bulk/command.py", "from iris_app.bulk.readers.options import ReadOptions"),
        ("iris_app/bulk/command.py", "from iris_app.bulk.run import run_command"),
        ("iris_app/bulk/run.py", "from iris_app.bulk.cluster import run_on_cluster"),
        ("iris_app/cli/serve.py", "from iris_app.training import save_example"),
        ("iris_app/model/outlier_detection/groups.py", "from sklearn.covariance import LedoitWolf"),
        ("iris_app/model_service.py", "from iris_app.model.registry import Registry"),
        ("iris_app/model_service.py", "from iris_app.model.classifier import load"),
        ("iris_app/packaging/command.py", "from iris_app.packaging.run import run_command"),
        ("iris_app/packaging/tables.py", "import pyarrow.parquet as parquet"),
        ("iris_app/ui/workbooks.py", "import openpyxl"),
    ]


@pytest.mark.parametrize("name", sorted(get_type_hints(config)))
def test_the_documentation_names_every_setting(name: str) -> None:
    assert f"`{name}`" in (CHECKOUT / "docs" / "configuration.md").read_text()


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
