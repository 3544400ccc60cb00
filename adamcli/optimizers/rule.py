"""What an optimizer rule is: the interface that the training loop and the tracer use."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable

from adamcli.layout import Array, Layout

Hyper = Any
"""A hyperparameter: a float, or an (R, 1) float64 column with one value per run."""

State = dict[str, Array]
"""The named slots of a rule, R first: (R, P) has a value per parameter, (R, T) one per named
array, (R, 1) one per run. These are traced; a slot of any other shape is not."""


class Panel(NamedTuple):
    """One panel of a rule's trace figure: a title and the series drawn in it."""

    title: str
    series: tuple[str, ...]


@dataclass(slots=True)
class Step:
    """Where a step is taken.

    Attributes:
        t: the number of the step, from 1.
        lr: the learning rate of this step, the schedule already applied.
        params: (R, P), the parameters before the step; read only.
        layout: where each named array lies in the P columns.
        out: (R, P), scratch that a rule may use and return.
        spare, extra: (R, P), scratch for anything else; `passes.with_l2` writes to `extra`.
        curvature: gives the diagonal of the Hessian of the loss on this step's batch, (R, P),
            or an estimate, where the problem can tell it; read only, and dear, so only called
            by rules that need it.
    """

    t: int
    lr: Hyper
    params: Array
    layout: Layout
    out: Array
    spare: Array
    extra: Array
    curvature: Callable[[], Array] | None = None


class Rule(Protocol):
    """An update rule: a frozen dataclass whose fields are its hyperparameters.

    Every row of the (R, P) arrays is a run of its own; a rule never mixes rows. A rule may have
    `contains`, which says by the name of another rule with which hyperparameters it is that
    rule, exactly or in a limit: then it need never be worse, if it is well tuned.
    """

    panels: ClassVar[tuple[Panel, ...]]

    @property
    def lr(self) -> Hyper:
        """The learning rate before any schedule."""
        ...

    def init(self, params: Array, layout: Layout) -> State:
        """The state before the first step, for parameters of shape (R, P)."""
        ...

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """What is added to the parameters, (R, P); changes the slots, never `grads`."""
        ...

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """Series derived from the recorded ones, for one parameter over T steps.

        Args:
            series: `grad`, `update` and every slot that can be traced, each (T,), after
                each step.
            lr: (T,), the learning rate of each step.
            t: (T,), the step numbers.
        """
        ...


@runtime_checkable
class Averaging(Protocol):
    """A rule whose runs are evaluated at another point than the one where it takes gradients."""

    def evaluated(self, params: Array, state: State) -> Array:
        """The parameters to evaluate and to save, a new (R, P) array."""
        ...
