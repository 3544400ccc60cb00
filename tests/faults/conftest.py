"""How long the campaigns are, and what they say at the end of the session."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path

import pytest

from adamcli import environment
from faults.campaign import REPORTS
from faults.laboratory import Laboratory


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--faults",
        choices=("short", "full"),
        default="short",
        help="how many faults the campaigns try: what CI has time for, or all",
    )


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if REPORTS:
        terminalreporter.section("faults")
    for report in REPORTS:
        terminalreporter.line(report)


@pytest.fixture
def scaled(request: pytest.FixtureRequest) -> Callable[[int, int], int]:
    """The second of two numbers if the campaigns are to have their full length."""
    full = request.config.getoption("--faults", default="short") == "full"
    return lambda short, long: long if full else short


@pytest.fixture
def laboratory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Laboratory:
    """A small experiment; what names the machine is asked once, which is not what is tested."""
    known: Callable[[], object] = cache(environment.environment)
    monkeypatch.setattr("adamcli.store.manifest.environment", known)
    return Laboratory(tmp_path)
