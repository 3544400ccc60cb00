"""Small stacks that several test files train."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from adamcli.optimizers import RULES, Rule
from adamcli.problems import MLP, NetworkTask, Task
from adamcli.problems.datasets import Spiral
from adamcli.schedules import Constant
from adamcli.training import Snapshot, Trainee, train

# A setting of every rule that trains the small spiral in a few epochs.
SETTINGS: dict[str, dict[str, Any]] = {
    "sgd": {"lr": 0.1},
    "sgdm": {"lr": 0.05, "momentum": 0.9},
    "nesterov": {"lr": 0.05, "momentum": 0.9},
    "signsgd": {"lr": 0.005},
    "signum": {"lr": 0.005},
    "lion": {"lr": 0.003},
    "rprop": {"lr": 0.01},
    "adagrad": {"lr": 0.1},
    "adadelta": {"lr": 3.0},
    "rmsprop": {"lr": 0.003},
    "adam": {"lr": 0.005},
    "adamw": {"lr": 0.005, "weight_decay": 0.1},
    "amsgrad": {"lr": 0.005},
    "adamax": {"lr": 0.005},
    "nadam": {"lr": 0.005},
    "adan": {"lr": 0.01},
    "radam": {"lr": 0.01},
    "adabelief": {"lr": 0.005},
    "yogi": {"lr": 0.01},
    "adopt": {"lr": 0.01},
    "schedulefree_sgd": {"lr": 0.3},
    "schedulefree_adamw": {"lr": 0.02},
    "prodigy": {"lr": 1.0},
    "lamb": {"lr": 0.02},
    "lars": {"lr": 10.0},
    "adafactor": {"lr": 0.05},
    "muon": {"lr": 0.02},
    "sophia": {"lr": 0.003, "every": 3},
    "mars": {"lr": 0.01, "other_lr": 0.01},
    "soap": {"lr": 0.01, "every": 3},
}


def rule(name: str, **changes: Any) -> Rule:
    """A rule with its test setting."""
    return RULES[name](**(SETTINGS[name] | changes))


def task(**changes: Any) -> NetworkTask:
    """A small spiral task: 100 points in batches of 32, the last of 4."""
    defaults: dict[str, Any] = {
        "dataset": Spiral(samples=100, test_samples=60, noise=0.2),
        "model": MLP(hidden=(9, 7)),
        "batch_size": 32,
        "epochs": 3,
        "dtype": "float64",
        "random": "paired",
        "seed": 0,
    }
    return NetworkTask(**(defaults | changes))


def snapshots(
    tasks: Sequence[Task], trainees: Sequence[Trainee | Rule], **options: Any
) -> list[Snapshot]:
    """All snapshots of a training, with their own copies of the parameters."""
    made = [t if isinstance(t, Trainee) else Trainee(t, Constant()) for t in trainees]
    kept = []
    for snapshot in train(tasks[0].stacked(tasks), made, epochs=tasks[0].epochs, **options):
        copied = {**vars(snapshot), "params": snapshot.params.copy()}
        kept.append(Snapshot(**copied))
    return kept


def numbers(kept: Sequence[Snapshot], row: int) -> dict[str, np.ndarray]:
    """Everything recorded of one row, as arrays."""
    traces = [snapshot.traces[row] for snapshot in kept if row in snapshot.traces]
    return {
        **{name: np.array([s.metrics[name][row] for s in kept]) for name in kept[0].metrics},
        "params": kept[-1].params[row],
        "diverged_at": kept[-1].diverged_at[row],
        **{name: np.concatenate([t[name] for t in traces]) for name in (traces or [{}])[0]},
    }
