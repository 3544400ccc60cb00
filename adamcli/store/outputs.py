"""The directory of run directories: finding one, listing all."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from adamcli.config import Experiment
from adamcli.errors import DamagedError, UsageError
from adamcli.store import files
from adamcli.store.contents import CONFIG
from adamcli.store.directory import RunDirectory
from adamcli.store.lock import LOCK_NAME
from adamcli.store.manifest import MANIFEST
from adamcli.text import quoted, some, suggestion

LATEST = "latest"

BEGUN = (MANIFEST, LOCK_NAME, CONFIG)
"""Files of which a training makes one before anything else."""


@dataclass(frozen=True)
class Entry:
    """One line of `adamcli runs`: what a manifest says without reading the data.

    A directory whose manifest is damaged has the status `damaged` and nothing else.
    """

    path: Path
    created: str
    status: str
    labels: tuple[str, ...]
    runs: int
    latest: bool

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        return {**asdict(self), "path": str(self.path)}


def directory_for(experiment: Experiment, out: Path) -> RunDirectory:
    """Where an experiment is or will be saved."""
    return RunDirectory(out / experiment.directory)


def name_latest(out: Path, directory: RunDirectory) -> None:
    """Let `latest` name a run directory of `out`."""
    files.point(out / LATEST, directory.path.name)


def find(run: str | None, out: Path, marks: Sequence[str] = (MANIFEST,)) -> RunDirectory:
    """The run directory that a command line names.

    Args:
        run: a path, a directory's name in `out`, or a prefix that only one has; None for
            the latest.
        marks: files of which a run directory has at least one; `BEGUN` for any that a
            training has ever claimed.

    Raises:
        UsageError: there is none, or more than one.
    """
    if run is None or run == LATEST:
        return _latest(out)
    if _is_marked(Path(run), marks):
        return RunDirectory(Path(run))
    names = sorted(path.name for path in _run_directories(out, marks))
    matches = [run] if run in names else [name for name in names if name.startswith(run)]
    if len(matches) == 1:
        return RunDirectory(out / matches[0])
    what = f"{len(matches)} runs start with" if matches else "no run named"
    fix = f"use one of {some(matches)}" if matches else suggestion(run, names)
    fix = fix if names else "train one with `adamcli run configs/spiral.yaml`"
    raise UsageError(f"{what} {quoted(run)}", where=str(out), fix=fix)


def entries(out: Path) -> list[Entry]:
    """Every directory that holds a manifest, newest first and damaged ones last."""
    latest = _latest_name(out)
    found = [_entry(path, latest) for path in _run_directories(out)]
    return sorted(found, key=lambda entry: (entry.created, entry.path.name), reverse=True)


def _entry(path: Path, latest: str) -> Entry:
    """What the manifest of a directory says."""
    is_latest = path.name == latest
    directory = RunDirectory(path)
    try:
        manifest = directory.manifest()
        runs = manifest["runs"] or [*directory.parts.entries().values()]
    except DamagedError:
        return Entry(path, "", "damaged", (), 0, is_latest)
    labels = tuple(dict.fromkeys(str(run["label"]) for run in runs))
    return Entry(path, manifest["created"], manifest["status"], labels, len(runs), is_latest)


def _run_directories(out: Path, marks: Sequence[str] = (MANIFEST,)) -> Iterator[Path]:
    """The directories in `out` that hold one of some files, as a rule a manifest."""
    if os.path.isdir(out):  # of any length, unlike Path.is_dir
        for path in out.iterdir():
            if not path.is_symlink() and _is_marked(path, marks):
                yield path


def _is_marked(path: Path, marks: Sequence[str]) -> bool:
    """Whether a directory holds one of some files; its name may be of any length."""
    return any(os.path.isfile(path / mark) for mark in marks)


def _latest(out: Path) -> RunDirectory:
    """The directory that `latest` names, or the newest."""
    name = _latest_name(out)
    if name and os.path.isfile(out / name / MANIFEST):
        return RunDirectory(out / name)
    newest = next(iter(entries(out)), None)
    if newest is None:
        raise UsageError(
            "there is no run yet", where=str(out), fix="run `adamcli run configs/spiral.yaml`"
        )
    return RunDirectory(newest.path)


def _latest_name(out: Path) -> str:
    """The name that `latest` gives, empty if there is none."""
    link = out / LATEST
    try:
        if link.is_symlink():
            return link.readlink().name
        return link.read_text(encoding="utf-8").strip() if link.is_file() else ""
    except (OSError, ValueError):
        return ""
