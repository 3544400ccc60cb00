"""The layers of DESIGN: imports run down, never up, never sideways; the start stays light."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from conftest import ROOT

PACKAGE = ROOT / "adamcli"

LAYERS = [
    [
        "errors",
        "seeding",
        "layout",
        "settings",
        "text",
        "documents",
        "palette",
        "environment",
        "reading",
    ],
    ["optimizers", "problems", "schedules", "history", "stats", "halton"],
    ["plugins"],
    ["config", "recorder"],
    ["training"],
    ["runner", "store", "checks", "reproduction"],
    ["tables", "figures"],
    ["cli"],
]
LEVEL = {module: level for level, modules in enumerate(LAYERS) for module in modules}

# Who may import a third-party package; NumPy is everybody's but the command line's.
ONLY = {
    "typer": {"cli"},
    "rich": {"tables", "cli"},
    "matplotlib": {"figures"},
    "yaml": {"config"},
    "pydantic": {"config"},
    "threadpoolctl": {"runner", "environment"},
    "dask": {"runner"},
    "distributed": {"runner"},
}
NUMERICAL = {
    "optimizers",
    "problems",
    "schedules",
    "history",
    "stats",
    "halton",
    "training",
    "layout",
    "recorder",
    "checks",
    "plugins",
}
FILES = [
    path for path in PACKAGE.rglob("*.py") if path.parent != PACKAGE or path.stem != "__main__"
]


def part(path: Path) -> str:
    """The top-level module of a file, such as `figures`."""
    return path.relative_to(PACKAGE).parts[0].removesuffix(".py")


def imported(path: Path) -> set[str]:
    """Every module that a file imports, anywhere in it."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def inner(names: set[str]) -> set[str]:
    """The parts of adamcli among imported names."""
    parts = {name.split(".")[1] for name in names if name.startswith("adamcli.")}
    return parts & LEVEL.keys()


def test_every_module_has_its_layer():
    assert {part(path) for path in FILES} == {*LEVEL, "__init__"}


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_imports_run_down_the_layers(path):
    mine = part(path)
    for other in inner(imported(path)) - {mine}:
        ground = LEVEL[mine] == LEVEL[other] == 0
        assert LEVEL[other] < LEVEL.get(mine, -1) or ground, f"{mine} imports {other}"


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(PACKAGE)))
def test_third_party_packages_stay_where_they_belong(path):
    tops = {name.split(".")[0] for name in imported(path)}
    for package, allowed in ONLY.items():
        assert package not in tops or part(path) in allowed
    outside = tops - set(sys.stdlib_module_names) - {"adamcli", "numpy"}
    assert part(path) not in NUMERICAL or not outside


def test_help_and_version_load_neither_numpy_nor_matplotlib():
    code = (
        "import sys; from adamcli.cli.main import run\n"
        "assert run(['--help']) == run(['--version']) == 0\n"
        "heavy = {'numpy', 'matplotlib', 'yaml'} & sys.modules.keys()\n"
        "assert not heavy, heavy"
    )
    subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, cwd=ROOT)
