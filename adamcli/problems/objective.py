"""Objectives: problems without a network, written as `problem:` in an experiment file.

An objective is a frozen dataclass whose fields are the keys under `problem:`. All of them
have one parameter array, `x`. What a seed stands for (the start, the noise, the data) comes
from the paired streams of `adamcli.seeding`.
"""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import ClassVar, Protocol, Self, runtime_checkable

import numpy as np

from adamcli.layout import Layout
from adamcli.problems.problem import Problem
from adamcli.problems.task import Kind

_OPERATIONS_PER_NUMBER = 20
"""How many operations of a matrix product take as long as reading a float64 from memory."""


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

    @property
    def step_numbers(self) -> int:
        """How many numbers a step reads besides the parameters; each reading counts."""
        ...

    def problem(self, seeds: Sequence[int], dtype: np.dtype) -> Problem:
        """The problem with a row for each seed; a seed may come several times."""
        ...


@runtime_checkable
class Validated(Objective, Protocol):
    """An objective with held-out points, which tuning must not read."""

    def validated(self) -> Self:
        """The same, evaluated on points held out for tuning."""
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

    @property
    def evaluation_bytes(self) -> int:
        """Nothing that would count: all rows are evaluated as they stand."""
        return 0

    def operations(self, eval_every: int) -> float:
        """What is read of memory, since hardly any number is used twice while it is at hand."""
        objective, evaluations = self.objective, -(-self.epochs // eval_every)
        steps = self.epochs * self.steps_per_epoch
        read = steps * (objective.dimensions + objective.step_numbers)
        read += evaluations * objective.numbers
        return _OPERATIONS_PER_NUMBER * read * np.dtype(self.dtype).itemsize / 8

    def stacked(self, tasks: Sequence[ObjectiveTask]) -> Problem:
        """The objective with a row for each task's seed."""
        return self.objective.problem([task.seed for task in tasks], np.dtype(self.dtype))
