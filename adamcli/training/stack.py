"""The arrays of a stack in training, and what happens to them in a step.

A `Problem` gives gradients for the whole (R, P) stack; each group of rows that share a rule
is updated by one call of that rule.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from adamcli.errors import RuleError
from adamcli.history import MEASURED, Failure, Memory
from adamcli.layout import Array
from adamcli.optimizers.passes import arithmetic
from adamcli.problems import Curved, Problem
from adamcli.training.group import Group
from adamcli.training.measures import clip, norms, update_sizes
from adamcli.training.trainees import Trainee, neighbours


@dataclass(frozen=True)
class Snapshot:
    """What is known of a stack after an evaluation.

    Attributes:
        epoch: how many epochs are done.
        step: how many steps are done.
        metrics: named values of every run, each (R,) float64; NaN once a run has stopped.
        diverged_at: (R,), the first step whose loss was not finite, 0 while there is none. An
            evaluation whose loss is not finite stands for the step that would come next.
        failed: for each row whose rule broke its contract, how; such a row stands still.
        params: (R, P), what was evaluated; of a stopped run, where it stands.
        traces: for each traced row its series since the last snapshot, each (steps, K) for
            the row's K traced places: `grad`, `update`, `lr` (steps, 1) and every slot.
        layers: for each row that asks for them the norms since the last snapshot, each
            (steps, T) for T named arrays: `weight`, before the step, `grad`, as the rule is
            given it, `update`.
    """

    epoch: int
    step: int
    metrics: dict[str, Array]
    diverged_at: Array
    params: Array
    traces: dict[int, dict[str, Array]]
    layers: dict[int, dict[str, Array]] = field(default_factory=dict)
    failed: dict[int, Failure] = field(default_factory=dict)

    @property
    def all_stopped(self) -> bool:
        """Whether no run is left to train."""
        return int(np.count_nonzero(self.diverged_at)) + len(self.failed) == len(self.diverged_at)


class Stack:
    """The arrays of a training and what happens to them in a step."""

    def __init__(self, problem: Problem, trainees: Sequence[Trainee], total: int) -> None:
        self.problem = problem
        self.curved = problem if isinstance(problem, Curved) else None
        self.params = problem.start()
        self.grads = np.empty_like(self.params)
        self.updates = np.zeros_like(self.params)  # as of rows that stand still, taken up again
        self.curvatures, self.curvatures_at = np.empty_like(self.params), 0
        self.scratch = np.empty_like(self.params), np.empty_like(self.params)
        self.clip = _clip_column(trainees, self.params.dtype)
        self.diverged_at = np.zeros(len(trainees), dtype=np.int64)
        self.failed: dict[int, Failure] = {}
        self.stopped = np.zeros(len(trainees), dtype=bool)
        self.some_stopped = False
        self.measured = {name: np.full(len(trainees), np.nan) for name in MEASURED}
        self.t = 0
        self.groups = [Group(trainees, rows, self, total) for rows in neighbours(trainees)]

    @property
    def all_stopped(self) -> bool:
        """Whether no run is left to train."""
        return bool(self.stopped.all())

    def train_epoch(self, *, measure: bool) -> None:
        """All steps of an epoch; measures gradient and update at the last one on request."""
        last = self.problem.steps_per_epoch - 1
        with arithmetic():
            for batch in range(last + 1):
                self.step(batch, measure=measure and batch == last)

    def step(self, batch: int, *, measure: bool) -> None:
        """One step of every run."""
        self.t += 1
        if not self.problem.gradient(self.params, batch, self.grads):
            self.freeze(~self.problem.finite(), self.t)
        if measure:
            self.measured["grad_norm"] = norms(self.grads.astype(np.float64))[:, 0]
        if self.clip is not None:
            clip(self.grads, self.clip)
        for group in self.groups:
            group.step(self.t)
        if self.some_stopped:
            self.updates[self.stopped] = 0
        np.add(self.params, self.updates, out=self.params)
        for group in self.groups:
            group.follow()
        if measure:
            self.measured["update_size"] = update_sizes(self.updates, self.problem.layout)

    def curvature(self, curved: Curved, here: slice) -> Array:
        """The curvature of some rows' losses on this step's batch, of all rows once in a step."""
        if self.curvatures_at < self.t:
            curved.curvature(self.params, self.curvatures)
            self.curvatures_at = self.t
        return self.curvatures[here]

    def freeze(self, rows: Array, step: int) -> None:
        """Mark rows (R,) of bool as diverged at a step, unless they already stand still."""
        self.diverged_at[rows & ~self.stopped] = step
        self.stopped |= rows
        self.some_stopped = bool(self.stopped.any())

    def fail(self, row: int, error: RuleError) -> None:
        """Mark a row as failed at this step, unless it already stands still."""
        if not self.stopped[row]:
            self.failed[row] = Failure(self.t, str(error), error.log)
            self.stopped[row] = self.some_stopped = True

    def snapshot(self, epoch: int) -> Snapshot:
        """Evaluate every run where it stands."""
        with np.errstate(all="ignore"):
            params = self.evaluated()
            metrics = self.problem.evaluate(params) | self.measured
        self.freeze(~np.isfinite(metrics["train_loss"]), self.t + 1)
        # The state of a rule that averages goes on, for as long as others train.
        params[self.stopped] = self.params[self.stopped]
        return Snapshot(
            epoch=epoch,
            step=self.t,
            metrics={n: np.where(self.stopped, np.nan, values) for n, values in metrics.items()},
            diverged_at=self.diverged_at.copy(),
            params=params,
            traces=_merged(group.recorder.take_series() for group in self.groups),
            layers=_merged(group.recorder.take_norms() for group in self.groups),
            failed=dict(self.failed),
        )

    def evaluated(self) -> Array:
        """The parameters at which the runs are evaluated, (R, P)."""
        return np.concatenate([group.evaluated() for group in self.groups])

    def memory(self) -> Memory | None:
        """What later steps depend on, after a step or none; None where a rule has more than slots.

        What was measured is not part of it: every snapshot is of an epoch that measures anew.
        """
        groups = [group.memory() for group in self.groups]
        if any(memory is None for memory in groups):
            return None
        parts = {f"group {k}": memory for k, memory in enumerate(groups) if memory is not None}
        failed = [[row, *dataclasses.astuple(failure)] for row, failure in self.failed.items()]
        own = {name: array.copy() for name, array in self._own().items()}
        return Memory.joined({"own": Memory({"t": self.t, "failed": failed}, own), **parts})

    def recall(self, memory: Memory) -> None:
        """Be as another stack of the same rows was at its `memory`, but for its problem.

        Raises:
            ValueError: that was a stack of other rows.
        """
        own = memory.part("own")
        own.check(self._own())
        for name, array in self._own().items():
            np.copyto(array, own.arrays[name])
        self.t = own.facts["t"]
        self.failed = {row: Failure(*failure) for row, *failure in own.facts["failed"]}
        self.stopped[...] = self.diverged_at > 0
        self.stopped[[*self.failed]] = True
        self.some_stopped = bool(self.stopped.any())
        for k, group in enumerate(self.groups):
            group.recall(memory.part(f"group {k}"))

    def _own(self) -> dict[str, Array]:
        """The arrays that are remembered besides those of the groups."""
        return {"params": self.params, "diverged_at": self.diverged_at}


def _merged(taken: Iterable[dict[int, dict[str, Array]]]) -> dict[int, dict[str, Array]]:
    """What the recorders of all groups have, by row."""
    return {row: series for rows in taken for row, series in rows.items()}


def _clip_column(trainees: Sequence[Trainee], dtype: np.dtype) -> Array | None:
    """The largest gradient norm of every row, (R, 1), or None when no row has one."""
    limits = [trainee.clip_norm for trainee in trainees]
    if all(limit is None for limit in limits):
        return None
    return np.array([[np.inf if limit is None else limit] for limit in limits], dtype)
