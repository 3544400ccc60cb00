"""What a number was computed with: versions, BLAS, processor, platform."""

from __future__ import annotations

import platform
import subprocess
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from threadpoolctl import threadpool_info

import adamcli

_PACKAGES = ("numpy", "matplotlib", "typer", "rich", "pydantic", "pyyaml", "threadpoolctl")


@cache
def environment() -> dict[str, Any]:
    """Everything that names this installation and machine, ready for JSON."""
    return {
        "adamcli": adamcli.__version__,
        "git_commit": git_commit(),
        "python": platform.python_version(),
        "packages": {name: _version(name) for name in _PACKAGES},
        "blas": blas(),
        "platform": platform.platform(),
        "processor": processor(),
    }


@cache
def numerics() -> dict[str, Any]:
    """What the last bits of a training depend on, besides adamcli itself."""
    kernels = [
        " ".join(str(each[fact]) for fact in ("library", "version", "kernel")) for each in blas()
    ]
    return {"numpy": _version("numpy"), "blas": kernels, "processor": processor()}


def blas() -> list[dict[str, Any]]:
    """The BLAS libraries in this process: name, version, kernel, threads."""
    return [
        {
            "library": pool.get("internal_api"),
            "version": pool.get("version"),
            "kernel": pool.get("architecture"),
            "threads": pool.get("num_threads"),
        }
        for pool in threadpool_info()
        if pool.get("user_api") == "blas"
    ]


@cache
def processor() -> str:
    """The processor's name as the system gives it."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def git_commit() -> str | None:
    """The commit of adamcli's own checkout; None for an installed package."""
    root = Path(__file__).resolve().parents[1]
    if not (root / ".git").exists():
        return None
    command = ["git", "-C", str(root), "rev-parse", "HEAD"]
    try:
        answer = subprocess.run(command, capture_output=True, text=True, timeout=5, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return answer.stdout.strip()


def _version(package: str) -> str | None:
    """The installed version of a package, None when it is not there."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None
