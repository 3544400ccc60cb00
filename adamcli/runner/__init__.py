"""What to train and where: blocks of runs, trained in this process or in workers."""

from __future__ import annotations

from adamcli.runner.driving import executor_for, train_runs
from adamcli.runner.planning import Block, Estimate, estimate, plan, seconds
from adamcli.runner.work import Checkpoint, Progress

__all__ = [
    "Block",
    "Checkpoint",
    "Estimate",
    "Progress",
    "estimate",
    "executor_for",
    "plan",
    "seconds",
    "train_runs",
]
