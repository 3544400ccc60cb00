"""Problems: what is minimised. Datasets, the network, and the interface training sees."""

from __future__ import annotations

from adamcli.problems.bundled import BreastCancer, Digits
from adamcli.problems.costs import kept_bytes, stack_bytes, stack_seconds, traced_bytes
from adamcli.problems.datafile import File
from adamcli.problems.datasets import (
    Blobs,
    Checkerboard,
    Circles,
    Dataset,
    HeldOut,
    Moons,
    Spiral,
    Split,
    Wave,
    Xor,
)
from adamcli.problems.mlp import NetworkStack, predict
from adamcli.problems.network import MLP, NetworkTask
from adamcli.problems.objective import Objective, ObjectiveTask, Validated
from adamcli.problems.problem import Curved, Problem
from adamcli.problems.sparse import SparseLogistic
from adamcli.problems.stress import Drift, Quadratic
from adamcli.problems.surfaces import Beale, Himmelblau, Rastrigin, Rosenbrock, Saddle, Surface
from adamcli.problems.task import Kind, Task

DATASETS: dict[str, type[Dataset]] = {
    "spiral": Spiral,
    "moons": Moons,
    "circles": Circles,
    "xor": Xor,
    "blobs": Blobs,
    "checkerboard": Checkerboard,
    "wave": Wave,
    "digits": Digits,
    "breast_cancer": BreastCancer,
    "file": File,
}

PROBLEMS: dict[str, type[Objective]] = {
    "rosenbrock": Rosenbrock,
    "beale": Beale,
    "himmelblau": Himmelblau,
    "rastrigin": Rastrigin,
    "saddle": Saddle,
    "quadratic": Quadratic,
    "sparse": SparseLogistic,
    "drift": Drift,
}

__all__ = [
    "DATASETS",
    "MLP",
    "PROBLEMS",
    "Curved",
    "Dataset",
    "HeldOut",
    "Kind",
    "NetworkStack",
    "NetworkTask",
    "Objective",
    "ObjectiveTask",
    "Problem",
    "Split",
    "Surface",
    "Task",
    "Validated",
    "kept_bytes",
    "predict",
    "stack_bytes",
    "stack_seconds",
    "traced_bytes",
]
