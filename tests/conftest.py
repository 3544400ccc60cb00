"""What every test shares: a clean environment and short experiments."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

# The command line pins BLAS to one thread before it imports NumPy; so do the tests.
for _name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"):
    os.environ[_name] = "1"

# Hundreds of tests start a process; without bytecode each would compile the package anew.
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import importlib.util

import pytest

from adamcli.cli.main import run
from adamcli.runner.planning import cores

_MOST_PROCESSES = 8


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """The whole suite runs on all cores, as far as pytest-xdist is there.

    Tests that are named run in this process, and so do all with -s, --pdb or `-n 0`.
    """
    if hasattr(config, "workerinput"):
        return  # one of those processes, which must start no others
    given = config.option
    here = given.capture == "no" or given.usepdb
    whole = config.args_source is pytest.Config.ArgsSource.TESTPATHS
    if whole and not here and getattr(given, "numprocesses", 0) is None:
        given.numprocesses = min(cores(), _MOST_PROCESSES)
        given.dist = "worksteal"


ROOT = Path(__file__).resolve().parents[1]

needs_dask = pytest.mark.skipif(
    importlib.util.find_spec("distributed") is None, reason="distributed is not installed"
)
needs_sklearn = pytest.mark.skipif(
    importlib.util.find_spec("sklearn") is None, reason="scikit-learn is not installed"
)

SHIPPED = [
    pytest.param(path, id=path.stem, marks=[needs_sklearn] if path.stem == "suite_data" else [])
    for path in sorted((ROOT / "configs").glob("*.yaml"))
]


@pytest.fixture(autouse=True)
def _plain_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """No colours and a fixed width, whatever terminal or CI the tests run in."""
    for name in ("GITHUB_ACTIONS", "FORCE_COLOR", "PY_COLORS", "CI", "ADAMCLI_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    for name, value in {"NO_COLOR": "1", "TERM": "dumb", "COLUMNS": "100"}.items():
        monkeypatch.setenv(name, value)


@pytest.fixture
def cli(capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """Run a command line in this process: exit code, stdout, stderr."""

    def call(*args: object) -> tuple[int, str, str]:
        code = run([str(arg) for arg in args])
        captured = capsys.readouterr()
        return code, captured.out, captured.err

    return call
