"""How long the campaigns are, and what they say at the end of the session."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from faults.campaign import REPORTS


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
