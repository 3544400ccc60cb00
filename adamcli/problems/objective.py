"""Objectives: problems without a network, written as `problem:` in an experiment file.

An objective is a frozen dataclass whose fields are the keys under `problem:`. All of them
have one parameter array, `x`. What a seed stands for (the start, the noise, the data) comes
from the paired streams of `adamcli.seeding`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol

import numpy as np

from adamcli.layout import Layout
from adamcli.problems.problem import Problem
from adamcli.problems.task import Kind


class Objective(Protocol):
    """The settings of a function to minimise."""

    kind: ClassVar[Kind]

    @property
    def dimensions(self) -> int:
        """P, the number of parameters."""
        ...

    @property
    def steps_per_epoch(self) -> int:
        """The steps between two evaluations at least."""
        ...

    @property
    def metrics(self) -> tuple[str, ...]:
        """What an evaluation measures, the train loss first."""
        ...

    @property
    def numbers(self) -> int:
        """How many numbers a run needs besides its parameters: its data, its matrix."""
        ...

    def problem(self, seeds: Sequence[int], dtype: np.dtype) -> Problem:
        """The problem with a row for each seed; a seed may come several times."""
        ...


@dataclass(frozen=True, kw_only=True)
class ObjectiveTask:
    """An objective at a seed; a `Task`.

    Attributes:
        seed: which start, noise and data.
        dtype: `float64` or `float32`.
        epochs: times `objective.steps_per_epoch` are its steps.
    """

    objective: Objective
    epochs: int
    dtype: str
    seed: int

    @property
    def kind(self) -> Kind:
        """That of its objective."""
        return self.objective.kind

    @property
    def steps_per_epoch(self) -> int:
        """As the objective says."""
        return self.objective.steps_per_epoch

    @property
    def metrics(self) -> tuple[str, ...]:
        """As the objective says."""
        return self.objective.metrics

    @cached_property
    def layout(self) -> Layout:
        """One array x (P,)."""
        return Layout.of({"x": (self.objective.dimensions,)})

    @property
    def stack_key(self) -> Hashable:
        """All but the seed."""
        return (self.objective, self.dtype, self.epochs)

    @property
    def row_bytes(self) -> int:
        """Parameters with their state, and the objective's own numbers."""
        size = 16 * self.objective.dimensions + 2 * self.objective.numbers
        return np.dtype(self.dtype).itemsize * size

    def operations(self, eval_every: int) -> float:
        """Every number is used a few times at each step; evaluations are nothing beside it."""
        size = 10 * self.objective.dimensions + 4 * self.objective.numbers
        return float(self.epochs * self.steps_per_epoch * size)

    def stacked(self, tasks: Sequence[ObjectiveTask]) -> Problem:
        """The objective with a row for each task's seed."""
        return self.objective.problem([task.seed for task in tasks], np.dtype(self.dtype))
