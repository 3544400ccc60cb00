"""Problems: what is minimised. Datasets, the network, and the interface training sees."""

from __future__ import annotations

from adamcli.problems.costs import kept_bytes, stack_bytes, stack_seconds, traced_bytes
from adamcli.problems.datafile import File
from adamcli.problems.datasets import (
    Blobs,
    Checkerboard,
    Circles,
    Dataset,
    Moons,
    Spiral,
    Split,
    Xor,
)
from adamcli.problems.mlp import NetworkStack, layout_of, predict, row_bytes, stack_key
from adamcli.problems.problem import Curved, Problem
from adamcli.problems.task import MLP, Task

DATASETS: dict[str, type[Dataset]] = {
    "spiral": Spiral,
    "moons": Moons,
    "circles": Circles,
    "xor": Xor,
    "blobs": Blobs,
    "checkerboard": Checkerboard,
    "file": File,
}

__all__ = [
    "DATASETS",
    "MLP",
    "Curved",
    "Dataset",
    "NetworkStack",
    "Problem",
    "Split",
    "Task",
    "kept_bytes",
    "layout_of",
    "predict",
    "row_bytes",
    "stack_bytes",
    "stack_key",
    "stack_seconds",
    "traced_bytes",
]
