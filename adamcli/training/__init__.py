"""The stacked training loop: all runs of a stack take each step together."""

from __future__ import annotations

from adamcli.training.loop import Training, train
from adamcli.training.stack import Snapshot
from adamcli.training.trainees import Trainee, kind, stacked

__all__ = ["Snapshot", "Trainee", "Training", "kind", "stacked", "train"]
