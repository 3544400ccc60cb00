"""What a training leaves, made without training."""

from __future__ import annotations

from collections.abc import Sequence

from adamcli.config import Experiment
from adamcli.history import RunHistory
from adamcli.store import Result, RunDirectory


def save(
    directory: RunDirectory,
    experiment: Experiment,
    histories: Sequence[RunHistory],
    seconds: float = 0.0,
) -> Result:
    """Save histories as if they were trained just now: a finished directory, or an interrupted
    one if some are missing."""
    (directory.path / "manifest.json").unlink(missing_ok=True)
    directory.begin(experiment, fresh=True)
    directory.parts.keep(histories, "some processor")
    if len(histories) < len(experiment.runs):
        return directory.load()
    return directory.finish(experiment, (), seconds)
