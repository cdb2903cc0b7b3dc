"""The folders and what they may import, as docs/architecture.md shows them."""

import ast
import re
import statistics
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dqn_exp"
MODULES = sorted(PACKAGE.rglob("*.py"))
TOP = {path.stem for path in PACKAGE.glob("*.py")}

BELOW_TRAINING = {"core", "env", "network", "buffer", "config", "files", "agent"}
IMPORTS = {
    "core": set(),
    "env": {"core"},
    "network": {"core"},
    "buffer": {"core"},
    "config": {"core"},
    "files": {"core"},
    "agent": {"core", "network", "buffer"},
    "training": BELOW_TRAINING,
    "analysis": {"core", "config", "files"},
    "sweep": {"core", "training", "analysis", "config", "files"},
    "search": {"core", "training", "analysis", "config", "files", "sweep"},
    "api": {"core", "env", "training", "analysis", "files", "sweep", "search"},
}
"""Folder -> folders that it may import, besides itself."""

LIGHT = ("cli", "train", "resume", "confirm", "report", "compare", "watch", "sweep/callbacks")
HEAVY = {"torch", "gymnasium", "tensorboard", "numpy", "pydantic", "numba", "matplotlib", "scipy"}
MAX_DELAYED_IMPORTS = 10


def imported_names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    if not isinstance(node, ast.ImportFrom) or not node.module:
        return []
    if node.module == "dqn_exp":
        return [f"dqn_exp.{one.name}" for one in node.names if one.name != "__version__"]
    return [node.module]


def imports_of(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        yield from imported_names(node)


@pytest.mark.parametrize("folder", IMPORTS)
def test_a_folder_imports_only_what_the_table_allows(folder):
    for path in (PACKAGE / folder).rglob("*.py"):
        parts = {name.split(".")[1] for name in imports_of(path) if name.startswith("dqn_exp.")}
        assert parts - TOP - {folder} <= IMPORTS[folder], path
        # The version is the only thing that folders take from the top.
        assert not parts & TOP or folder == "api", path


def test_every_folder_is_in_the_table():
    assert {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").exists()} == set(
        IMPORTS
    )


def test_only_sweep_and_the_top_level_know_hydra():
    for path in MODULES:
        folder = path.relative_to(PACKAGE).parts[0]
        tops = {name.split(".")[0] for name in imports_of(path)}
        if folder in IMPORTS and folder not in ("sweep", "search", "api"):
            assert not tops & {"hydra", "hydra_plugins"}, path
            assert "omegaconf" not in tops or folder == "config", path


def test_commands_and_plugins_import_nothing_heavy_at_their_start():
    paths = [PACKAGE / f"{name}.py" for name in LIGHT]
    for path in [*paths, *(ROOT / "hydra_plugins").rglob("*.py")]:
        tree = ast.parse(path.read_text())
        tops = {name.split(".")[0] for node in tree.body for name in imported_names(node)}
        assert not tops & HEAVY, path


def delayed_imports(path: Path) -> Iterator[str]:
    for function in ast.walk(ast.parse(path.read_text())):
        if isinstance(function, ast.FunctionDef):
            yield from (ast.unparse(n) for n in ast.walk(function) if imported_names(n))


def test_few_imports_stand_inside_functions():
    paths = [*MODULES, *(ROOT / "hydra_plugins").rglob("*.py")]
    found = [f"{path.name}: {line}" for path in paths for line in delayed_imports(path)]
    assert len(found) <= MAX_DELAYED_IMPORTS, found


def functions() -> Iterator[tuple[Path, ast.FunctionDef]]:
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.FunctionDef):
                yield path, node


def test_modules_and_parameter_lists_are_short():
    for path in MODULES:
        assert len(path.read_text().splitlines()) <= 300, path
    for path, function in functions():
        arguments = function.args
        names = [one.arg for one in (*arguments.args, *arguments.kwonlyargs)]
        count = len([name for name in names if name != "self"])
        assert count <= 8, f"{path}: {function.name} has {count} parameters"


def test_functions_are_short():
    lengths = [function.end_lineno - function.lineno + 1 for _, function in functions()]
    assert statistics.median(lengths) <= 8 and statistics.quantiles(lengths, n=10)[-1] <= 25


def test_the_equation_stands_in_one_place():
    using = {path.stem for path in MODULES if "batch.discount" in path.read_text()}
    assert using == {"td_target"}


def test_formulas_of_termination_stand_in_one_place():
    for path in MODULES:
        text = path.read_text()
        assert not re.search(r"1(\.0)? - (done|terminated)|\bsqueeze\(|num_runs == 1", text), path
