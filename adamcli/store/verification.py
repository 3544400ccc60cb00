"""What is damaged, missing or not ours in a run directory."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

from adamcli.errors import DamagedError
from adamcli.store import contents, files
from adamcli.store.directory import FIGURES, RunDirectory
from adamcli.store.lock import LOCK_NAME
from adamcli.store.manifest import DAMAGED_FIX, FINISHED, MANIFEST, TRIALS
from adamcli.store.parts import CHECKPOINT, PART, PARTS, check
from adamcli.store.sealed import Sealed

NOT_BEGUN = "not begun"
UNREADABLE = "unreadable"


class State(StrEnum):
    """What can be the matter with a file; the last two do no harm."""

    DAMAGED = "damaged"
    MISSING = "missing"
    LEFT_OVER = "left over"
    FOREIGN = "foreign"


_OURS = (MANIFEST, LOCK_NAME, FIGURES, PARTS, TRIALS)
_HARM = (State.DAMAGED, State.MISSING)


@dataclass(frozen=True)
class Finding:
    """A file that is not as it should be.

    Attributes:
        file: its path within the run directory.
        note: what that means.
    """

    file: str
    state: State
    note: str


@dataclass(frozen=True)
class Verification:
    """What was found in a run directory.

    Attributes:
        status: that of the training, `not begun`, or `unreadable` where no manifest tells it.
        runs: how many runs are saved and whole.
        files: how many files were compared with what was saved.
    """

    path: Path
    status: str
    runs: int
    files: int
    findings: tuple[Finding, ...]

    @property
    def harmed(self) -> tuple[Finding, ...]:
        """What was saved and is damaged or missing."""
        return tuple(each for each in self.findings if each.state in _HARM)

    @property
    def fix(self) -> str:
        """What to do about the harm."""
        if all(each.file.startswith(f"{FIGURES}/") for each in self.harmed):
            return "draw the figures again with `adamcli plot`"
        if self.status == FINISHED or any(each.file == MANIFEST for each in self.harmed):
            return DAMAGED_FIX
        return "run the same command again, which trains anew what is damaged"

    def document(self) -> dict[str, Any]:
        """The same as JSON."""
        told = {**asdict(self), "path": str(self.path), "damaged": len(self.harmed)}
        return {"run": told.pop("path"), **told}


def verify(directory: RunDirectory) -> Verification:
    """Compare every file of a run directory, and of its trials, with what was saved.

    Nothing is written. Another process may be writing: what it replaces meanwhile is read anew.
    """
    seen = directory.seen()
    while True:
        found = _verified(directory, _manifest(directory))
        before, seen = seen, directory.seen()
        if not found.harmed or seen == before:
            return found


def _manifest(directory: RunDirectory) -> Mapping[str, Any] | str:
    """The manifest, or why it cannot be had."""
    try:
        return directory.manifest()
    except DamagedError as error:
        return error.what


def _verified(directory: RunDirectory, manifest: Mapping[str, Any] | str) -> Verification:
    """What is found with a manifest, or without one."""
    owner = None if isinstance(manifest, str) else manifest.get("directory")
    parts, broken = _parts(directory, owner or directory.parts.owner)
    trials = _trials(directory)
    findings = [*broken, *_of_trials(trials)]
    if isinstance(manifest, str):
        named, listed = {}, 0
        itself = [*_without_manifest(directory, manifest, any(parts))]
        findings = [*itself, *findings]
        status = UNREADABLE if itself else NOT_BEGUN
    else:
        named, listed, status = manifest["files"], len(manifest["runs"]), manifest["status"]
        findings = [*_changed(directory.path, named), *findings]
        if not any(each.state in _HARM for each in findings):
            findings += _not_understood(directory)
    findings += _others(directory.path, named)
    read = (
        len(named) + len(parts) + (not isinstance(manifest, str)) + (trials.files if trials else 0)
    )
    return Verification(directory.path, status, listed or sum(parts), read, tuple(findings))


def _without_manifest(directory: RunDirectory, why: str, saved: bool) -> Iterator[Finding]:
    """The manifest itself, where it is damaged, or is gone from what it made count."""
    if (directory.path / MANIFEST).exists():
        yield Finding(MANIFEST, State.DAMAGED, why)
    elif saved or any((directory.path / name).exists() for name in contents.NUMBERS):
        yield Finding(MANIFEST, State.MISSING, "without it nothing here counts")


def _changed(path: Path, named: Mapping[str, str]) -> Iterator[Finding]:
    """The files that are not what the manifest names."""
    for name, sha256 in named.items():
        try:
            if files.sha256(path / name) != sha256:
                yield Finding(name, State.DAMAGED, "not what was saved (SHA-256 differs)")
        except FileNotFoundError:
            yield Finding(name, State.MISSING, "named in the manifest")
        except OSError as error:
            yield Finding(name, State.DAMAGED, f"cannot be read ({error.strerror})")


def _parts(directory: RunDirectory, owner: str) -> tuple[list[int], list[Finding]]:
    """How many runs each part and each checkpoint adds, and those that are damaged or foreign."""
    runs, findings = [], []
    for path in files.listed(directory.parts.path):
        if path.suffix not in (PART, CHECKPOINT):
            continue
        try:
            sealed = Sealed(path)
            check(sealed, owner)
            runs.append(len(sealed.facts["runs"]) if path.suffix == PART else 0)
        except FileNotFoundError:
            continue  # put together with the others meanwhile
        except DamagedError as error:
            runs.append(0)
            findings.append(_damaged_part(path, error.what))
    return runs, findings


def _damaged_part(path: Path, why: str) -> Finding:
    """A part that is damaged, or a checkpoint, which costs no more than time."""
    name = f"{PARTS}/{path.name}"
    if path.suffix == PART:
        return Finding(name, State.DAMAGED, why)
    note = "a checkpoint of no use; its runs begin again, with the same numbers"
    return Finding(name, State.LEFT_OVER, note)


def _trials(directory: RunDirectory) -> Verification | None:
    """What is found among the trials, where there are any."""
    trials = directory.trials
    begun = trials.saved or (trials.path / LOCK_NAME).exists()
    return verify(trials) if begun else None


def _of_trials(trials: Verification | None) -> Iterator[Finding]:
    """The findings among the trials, by their paths within the run directory."""
    for each in trials.findings if trials else ():
        yield replace(each, file=f"{TRIALS}/{each.file}")


def _not_understood(directory: RunDirectory) -> Iterator[Finding]:
    """What cannot be read though its bytes are those that were saved."""
    try:
        result = directory.load()
    except DamagedError as error:
        yield Finding(contents.CONFIG, State.DAMAGED, error.what)
        return
    asked = {(run.label, run.seed) for run in result.experiment.runs}
    if result.status == FINISHED and asked != {history.key for history in result.histories}:
        yield Finding(contents.CONFIG, State.DAMAGED, "asks for other runs than are saved")


def _others(path: Path, named: Mapping[str, str]) -> Iterator[Finding]:
    """What is there and counts for nothing."""
    folders = (path, path / FIGURES, path / PARTS)
    for each in (each for folder in folders for each in files.listed(folder)):
        name = each.relative_to(path).as_posix()
        if files.is_temporary(each):
            yield Finding(name, State.LEFT_OVER, "half written by a process that was killed")
        elif name in (*contents.NUMBERS, contents.CONFIG) and name not in named:
            note = "of a training that has not come to its end"
            yield Finding(name, State.LEFT_OVER, note)
        elif name not in (*named, *_OURS) and each.suffix not in (PART, CHECKPOINT):
            yield Finding(name, State.FOREIGN, "not named in the manifest; ignored")
