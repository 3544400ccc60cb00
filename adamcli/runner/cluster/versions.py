"""Versions on the machines of a cluster: where they differ, bits may."""

from __future__ import annotations

from typing import Any

from distributed.versions import get_versions

from adamcli.errors import UsageError

PACKAGES = ("adamcli", "numpy")


def installed() -> dict[str, str]:
    """Those of this process that decide bits."""
    return deciding(get_versions(packages=PACKAGES))


def deciding(found: Any) -> dict[str, str]:
    """Those that decide bits, of a process of which `distributed` has told many."""
    packages = {name: found["packages"].get(name) or "none" for name in PACKAGES}
    python = ".".join(found["host"]["python"].split(".")[:3])
    return {**packages, "Python": python}


def check(worker: str, theirs: dict[str, str], ours: dict[str, str]) -> None:
    """Compare the versions of a worker with those of the driver.

    Raises:
        UsageError: they differ.
    """
    differing = [name for name in ours if theirs[name] != ours[name]]
    if differing:
        there = ", ".join(f"{name} {theirs[name]}" for name in differing)
        here = ", ".join(f"{name} {ours[name]}" for name in differing)
        what = f"a worker has {there}, and here is {here}"
        raise UsageError(what, where=worker, fix="install the same versions everywhere")
