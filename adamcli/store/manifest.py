"""The manifest of a run directory: what makes the files beside it count, and how they came."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from adamcli.config import Experiment
from adamcli.documents import to_json
from adamcli.environment import environment
from adamcli.errors import DamagedError
from adamcli.history import RunHistory
from adamcli.store import files, memories

MANIFEST = "manifest.json"

TRIALS = "trials"
"""The directory of what was tried, within that of an experiment that is tuned."""

SCHEMA = 1

FINISHED = "finished"
INTERRUPTED = "interrupted"

DAMAGED_FIX = "restore the file, or train again with `adamcli run CONFIG --fresh`"

Key = tuple[str, int]


def manifest_of(
    experiment: Experiment,
    runs: Sequence[Mapping[str, Any]],
    seconds: float,
    processors: Sequence[str],
) -> dict[str, Any]:
    """Everything but the hashes.

    Args:
        runs: as `entry_of` has them; none while parts hold them.
        seconds: how long the training took.
        processors: what trained them.
    """
    return {
        "schema": SCHEMA,
        "name": experiment.name,
        "status": FINISHED if len(runs) == len(experiment.runs) else INTERRUPTED,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "training_seconds": round(seconds, 3),
        "seeds": sorted({run.seed for run in experiment.runs}),
        "environment": environment(),
        "processors": [*processors],
        "plugins": [memories.memory(plugin) for plugin in experiment.plugins],
        "runs": [*runs],
    }


def entry_of(history: RunHistory) -> dict[str, Any]:
    """A run as manifests and parts list it, without its numbers over time."""
    return {
        "label": history.label,
        "optimizer": history.optimizer,
        "cell": history.cell,
        "seed": history.seed,
        "status": history.status,
        "diverged_at": history.diverged_at,
        "failure": asdict(history.failure) if history.failure else None,
        "initial": history.initial,
    }


def settled(entry: Mapping[str, Any]) -> bool:
    """Whether a run need not be trained again: all but those whose worker was lost."""
    return not (entry.get("failure") or {}).get("lost", False)


def key_of(entry: Mapping[str, Any]) -> Key:
    """The label and the seed of an entry."""
    return entry["label"], entry["seed"]


def write_manifest(directory: Path, manifest: Mapping[str, Any]) -> None:
    """Write the manifest, which makes what was written before it count.

    Raises:
        StorageError: the operating system refused.
    """
    sealed = {**manifest, "sha256": _seal(manifest)}
    files.write(directory / MANIFEST, f"{to_json(sealed)}\n".encode())


def read_manifest(directory: Path) -> dict[str, Any]:
    """What the manifest of a directory says.

    Raises:
        DamagedError: it is missing, was changed, or a newer version wrote it.
    """
    path = directory / MANIFEST
    try:
        manifest = json.loads(path.read_bytes())
        if manifest["schema"] > SCHEMA:
            raise DamagedError(
                f"written by adamcli {manifest['environment']['adamcli']}, a newer version",
                where=str(path),
                fix="update adamcli",
            )
        if manifest["sha256"] != _seal(manifest):
            raise changed(path)
        return {**manifest, "files": dict(manifest["files"]), "runs": list(manifest["runs"])}
    except FileNotFoundError as error:
        raise DamagedError(
            "no manifest.json: the training did not begin",
            where=str(directory),
            fix="run its experiment file again, or remove the directory",
        ) from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise DamagedError("not a manifest", where=str(path), fix=DAMAGED_FIX) from error


def changed(path: Path) -> DamagedError:
    """What to say of a file whose hash is another one."""
    return DamagedError(
        "the file is not what was saved (SHA-256 differs)", where=str(path), fix=DAMAGED_FIX
    )


def unreadable(path: Path, error: OSError) -> DamagedError:
    """What to say of a file that the operating system does not let us read."""
    what = f"cannot read a saved file ({error.strerror})"
    return DamagedError(what, where=str(path), fix=DAMAGED_FIX)


def _seal(manifest: Mapping[str, Any]) -> str:
    """The SHA-256 of all that a manifest says but for this hash itself."""
    said = {name: value for name, value in manifest.items() if name != "sha256"}
    return hashlib.sha256(json.dumps(said).encode()).hexdigest()
