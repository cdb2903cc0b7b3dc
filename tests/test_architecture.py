"""Who may know whom: the table of the README, held against the imports."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
PACKAGE = ROOT / "dqn_exp"
INGREDIENTS = 3
LIGHT = ("train", "resume", "command", "callbacks", "errors", "directories", "job_list")
FIRST_ROW_WITH_HYDRA = 19


def rows() -> dict[str, int]:
    """Module -> row, as the README's table has it."""
    table = {}
    for line in (ROOT / "README.md").read_text().splitlines():
        if match := re.match(r"\| (\d+) [^|]*\|([^|]*)\|", line):
            for name in re.findall(r"`(\w+)`", match[2]):
                table[name] = int(match[1])
    return table


def imported_modules(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports() -> dict[str, set[str]]:
    modules = {path.stem for path in PACKAGE.glob("*.py")} - {"__init__"}
    found = {}
    for name in modules:
        targets = imported_modules(PACKAGE / f"{name}.py")
        parts = [target.split(".") for target in targets if target.startswith("dqn_exp.")]
        found[name] = {part[1] for part in parts if part[1] in modules}
    return found


def test_every_module_has_a_row():
    assert set(rows()) == set(imports())


def test_imports_point_to_lower_rows():
    row = rows()
    wrong = [
        f"{name} (row {row[name]}) imports {target} (row {row[target]})"
        for name, targets in imports().items()
        for target in targets
        if row[target] >= row[name]
    ]
    assert wrong == []


def test_ingredients_do_not_know_each_other():
    row = rows()
    ingredients = {name for name, number in row.items() if number == INGREDIENTS}
    known = {"network", "weights", "buffer", "n_step", "env", "optimizer", "value", "normalization"}
    assert known <= ingredients
    assert all(not imports()[name] & ingredients for name in ingredients)


def test_only_the_entries_know_hydra():
    row = rows()
    for name in imports():
        tops = {target.split(".")[0] for target in imported_modules(PACKAGE / f"{name}.py")}
        if row[name] < FIRST_ROW_WITH_HYDRA:
            assert not tops & {"hydra", "omegaconf"}, name


def test_the_command_line_imports_nothing_heavy_at_its_start():
    heavy = {"torch", "gymnasium", "tensorboard", "numpy", "pydantic", "numba"}
    light = [PACKAGE / f"{name}.py" for name in LIGHT]
    for path in [*light, PACKAGE / "conf_dir.py", *(ROOT / "hydra_plugins").rglob("*.py")]:
        tree = ast.parse(path.read_text())
        tops = {name.split(".")[0] for node in tree.body for name in imported_names(node)}
        assert not tops & heavy, path


def imported_names(node: ast.stmt) -> list[str]:
    if isinstance(node, ast.Import):
        return [alias.name for alias in node.names]
    return [node.module] if isinstance(node, ast.ImportFrom) and node.module else []


def test_the_equation_stands_in_one_place():
    using = {path.stem for path in PACKAGE.glob("*.py") if "batch.discount" in path.read_text()}
    assert using == {"td_target"}


def test_formulas_of_termination_stand_in_one_place():
    for path in PACKAGE.glob("*.py"):
        text = path.read_text()
        assert not re.search(r"1(\.0)? - (done|terminated)|\bsqueeze\(|num_runs == 1", text), path
