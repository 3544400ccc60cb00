"""A task: all that decides what one run minimises, and from where."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from typing import Literal, Protocol, Self

from adamcli.layout import Layout
from adamcli.problems.problem import Problem

Kind = Literal["network", "surface", "stress"]
"""What a task is: a network on data, a surface in closed form, or a test of one difficulty.

Numbers of different kinds are never put into one aggregate.
"""


class Task(Protocol):
    """What one run minimises: plain settings, from which a stack makes its `Problem`."""

    @property
    def kind(self) -> Kind:
        """Which others it may be averaged with."""
        ...

    @property
    def epochs(self) -> int:
        """How long it is trained."""
        ...

    @property
    def dtype(self) -> str:
        """`float64` or `float32`."""
        ...

    @property
    def steps_per_epoch(self) -> int:
        """How many batches make an epoch."""
        ...

    @property
    def layout(self) -> Layout:
        """The named parameter arrays."""
        ...

    @property
    def metrics(self) -> tuple[str, ...]:
        """What an evaluation measures: some of `adamcli.history.METRICS`, the train loss first."""
        ...

    @property
    def stack_key(self) -> Hashable:
        """What two tasks must have in common to be rows of one stack."""
        ...

    @property
    def row_bytes(self) -> int:
        """Roughly the memory that one run of a stack needs, in bytes."""
        ...

    @property
    def evaluation_bytes(self) -> int:
        """Roughly the memory that evaluating one run needs besides, in bytes."""
        ...

    def operations(self, eval_every: int) -> float:
        """Roughly the arithmetic of a whole run, evaluations included but not the updates.

        Counted in operations of matrix products in float64; what is slower counts for more.
        """
        ...

    def stacked(self, tasks: Sequence[Self]) -> Problem:
        """The problem whose rows are these tasks, of which this is the first."""
        ...
