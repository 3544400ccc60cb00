"""The stacked training loop: all runs of a stack take each step together.

The loop is a generator of snapshots. It neither prints nor writes, knows no file and no
config, and does not know what it minimises: a `Problem` gives gradients for the whole
(R, P) stack, each group of rows that share a rule is updated by one call of that rule.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import Hyper, Rule, State, Step
from adamcli.problems import Problem
from adamcli.schedules import Schedule


@dataclass(frozen=True)
class Trainee:
    """How one row of a stack is trained.

    Attributes:
        clip_norm: the gradient is scaled down to at most this Euclidean norm.
        traced: places in the flat parameter vector whose every step is recorded.
    """

    rule: Rule
    schedule: Schedule
    clip_norm: float | None = None
    traced: tuple[int, ...] = ()


@dataclass(frozen=True)
class Snapshot:
    """What is known of a stack after an evaluation.

    Attributes:
        epoch: how many epochs are done.
        step: how many steps are done.
        metrics: named values of every run, each (R,) float64; NaN once a run has diverged.
        diverged_at: (R,), the first step whose loss was not finite, 0 while there is none.
        params: (R, P), live: copy what is to be kept beyond the next snapshot.
        traces: for each traced row its series since the last snapshot, each (steps, K) for
            the row's K traced places: `grad`, `update`, `lr` (steps, 1) and every slot.
    """

    epoch: int
    step: int
    metrics: dict[str, Array]
    diverged_at: Array
    params: Array
    traces: dict[int, dict[str, Array]]


def train(
    problem: Problem, trainees: Sequence[Trainee], *, epochs: int, eval_every: int = 1
) -> Iterator[Snapshot]:
    """Train a stack and yield a snapshot after every `eval_every` epochs and the last.

    A run whose loss is no longer finite is frozen where it is; the others go on with the
    same bits. Training ends early when all have diverged.

    Args:
        problem: R rows of something to minimise.
        trainees: one per row; rows that share a rule should be neighbours.
        epochs: how many; the schedules' horizon is all their steps.
        eval_every: epochs between two evaluations.
    """
    stack = _Stack(problem, trainees, total=epochs * problem.steps_per_epoch)
    for epoch in range(1, epochs + 1):
        evaluate = epoch % eval_every == 0 or epoch == epochs
        stack.train_epoch(measure=evaluate)
        if evaluate or stack.all_diverged:
            yield stack.snapshot(epoch)
        if stack.all_diverged:
            return


class _Stack:
    """The arrays of a training and what happens to them in a step."""

    def __init__(self, problem: Problem, trainees: Sequence[Trainee], total: int) -> None:
        self.problem = problem
        self.params = problem.start()
        self.grads = np.empty_like(self.params)
        self.updates = np.empty_like(self.params)
        spare = np.empty_like(self.params)
        self.groups = [_Group(trainees, rows, self, spare, total) for rows in _neighbours(trainees)]
        self.clip = _clip_column(trainees, self.params.dtype)
        self.diverged_at = np.zeros(len(trainees), dtype=np.int64)
        self.some_diverged = False
        self.measured: dict[str, Array] = {}
        self.t = 0

    @property
    def all_diverged(self) -> bool:
        """Whether no run is left to train."""
        return bool(self.diverged_at.all())

    def train_epoch(self, *, measure: bool) -> None:
        """All steps of an epoch; measures gradient and update at the last one on request."""
        last = self.problem.steps_per_epoch - 1
        # Overflow is not an accident here: it ends in a loss that is not finite.
        with np.errstate(all="ignore"):
            for batch in range(last + 1):
                self.step(batch, measure=measure and batch == last)

    def step(self, batch: int, *, measure: bool) -> None:
        """One step of every run."""
        self.t += 1
        if not self.problem.gradient(self.params, batch, self.grads):
            self.freeze(~self.problem.finite())
        if measure:
            self.measured = {"grad_norm": _norms(self.grads.astype(np.float64))[:, 0]}
        if self.clip is not None:
            _clip(self.grads, self.clip)
        for group in self.groups:
            group.step(self.t)
        if self.some_diverged:
            self.updates[self.diverged_at > 0] = 0
        np.add(self.params, self.updates, out=self.params)
        if measure:
            self.measured["update_size"] = _update_sizes(self.updates, self.problem.layout)

    def freeze(self, rows: Array) -> None:
        """Mark rows (R,) of bool as diverged at this step, unless they already were."""
        self.diverged_at[rows & (self.diverged_at == 0)] = self.t
        self.some_diverged = bool(self.diverged_at.any())

    def snapshot(self, epoch: int) -> Snapshot:
        """Evaluate every run where it stands."""
        with np.errstate(all="ignore"):
            metrics = self.problem.evaluate(self.params) | self.measured
        self.freeze(~np.isfinite(metrics["train_loss"]))
        alive = self.diverged_at == 0
        traces = {row: series for group in self.groups for row, series in group.traces()}
        return Snapshot(
            epoch=epoch,
            step=self.t,
            metrics={name: np.where(alive, values, np.nan) for name, values in metrics.items()},
            diverged_at=self.diverged_at.copy(),
            params=self.params,
            traces=traces,
        )


class _Group:
    """Neighbouring rows of a stack that one rule updates in one call."""

    def __init__(
        self, trainees: Sequence[Trainee], rows: range, stack: _Stack, spare: Array, total: int
    ) -> None:
        members = [trainees[row] for row in rows]
        here = slice(rows.start, rows.stop)
        self.rule = stacked([member.rule for member in members])
        schedules = [member.schedule for member in members]
        self.schedules = schedules if any(s != schedules[0] for s in schedules) else schedules[:1]
        self.total = total
        self.grads = stack.grads[here]
        self.state: State = self.rule.init(stack.params[here])
        self.at = Step(
            t=0,
            lr=self.rule.lr,
            params=stack.params[here],
            layout=stack.problem.layout,
            out=stack.updates[here],
            spare=spare[here],
        )
        self.recorders = [
            _Recorder(row, row - rows.start, member.traced, self)
            for row, member in zip(rows, members, strict=True)
            if member.traced
        ]

    def step(self, t: int) -> None:
        """Leave the update of step `t` in the stack's updates."""
        at = self.at
        at.t = t
        at.lr = self.rule.lr * self.factor(t)
        update = self.rule.update(self.grads, self.state, at)
        if update is not at.out:
            np.copyto(at.out, update)
        for recorder in self.recorders:
            recorder.record()

    def factor(self, t: int) -> Hyper:
        """The schedule's factor on the learning rate, a column where schedules differ."""
        if len(self.schedules) == 1:
            return self.schedules[0].factor(t, self.total)
        return np.array([[schedule.factor(t, self.total)] for schedule in self.schedules])

    def traces(self) -> Iterator[tuple[int, dict[str, Array]]]:
        """The stack's row and the series of every recorder since the last call."""
        for recorder in self.recorders:
            yield recorder.row, recorder.take()


class _Recorder:
    """Notes gradient, update, learning rate and slots of some parameters of one run."""

    def __init__(self, row: int, member: int, traced: tuple[int, ...], group: _Group) -> None:
        self.row = row
        self._group = group
        self._member = member
        width = group.grads.shape[1]
        self._places = [member * width + place for place in traced]
        self._notes: dict[str, list[list[float]]] = {}
        self._start()

    def _start(self) -> None:
        """Empty notes for every series."""
        self._notes = {name: [] for name in ("lr", "grad", "update", *self._group.state)}

    def record(self) -> None:
        """Note the step just taken; single items, since this runs at every step."""
        group, notes, places = self._group, self._notes, self._places
        lr = group.at.lr
        notes["lr"].append([lr if isinstance(lr, float) else lr.item(self._member)])
        notes["grad"].append([group.grads.item(place) for place in places])
        notes["update"].append([group.at.out.item(place) for place in places])
        for name, slot in group.state.items():
            notes[name].append([slot.item(place) for place in places])

    def take(self) -> dict[str, Array]:
        """The series since the last call, each (steps, K), float64."""
        series = {name: np.array(values, dtype=np.float64) for name, values in self._notes.items()}
        self._start()
        return series


def kind(rule: Rule) -> tuple[Any, ...]:
    """What rules must share to be one stacked rule: the class and every field that is no float."""
    fields = dataclasses.fields(rule)  # type: ignore[arg-type]
    values = [(field.name, getattr(rule, field.name)) for field in fields]
    return (type(rule), *((name, value) for name, value in values if not isinstance(value, float)))


def stacked(rules: Sequence[Rule]) -> Rule:
    """One rule for R rows: a hyperparameter that differs between them becomes a (R, 1) column.

    Args:
        rules: all of the same `kind`, with floats as hyperparameters.
    """
    columns: dict[str, Hyper] = {}
    for field in dataclasses.fields(rules[0]):  # type: ignore[arg-type]
        values = [getattr(rule, field.name) for rule in rules]
        if any(value != values[0] for value in values):
            columns[field.name] = np.array(values, dtype=np.float64)[:, None]
    stacked_rule: Rule = dataclasses.replace(rules[0], **columns)  # type: ignore[type-var]
    return stacked_rule


def _neighbours(trainees: Sequence[Trainee]) -> Iterator[range]:
    """The ranges of neighbouring rows whose rules can be stacked."""
    for _, rows in groupby(range(len(trainees)), key=lambda row: kind(trainees[row].rule)):
        members = list(rows)
        yield range(members[0], members[-1] + 1)


def _norms(grads: Array) -> Array:
    """The Euclidean norm of every row, (R, 1)."""
    norms: Array = np.sqrt((grads * grads).sum(axis=1, keepdims=True))
    return norms


def _clip_column(trainees: Sequence[Trainee], dtype: np.dtype) -> Array | None:
    """The largest gradient norm of every row, (R, 1), or None when no row has one."""
    norms = [trainee.clip_norm for trainee in trainees]
    if all(norm is None for norm in norms):
        return None
    return np.array([[np.inf if norm is None else norm] for norm in norms], dtype)


def _clip(grads: Array, largest: Array) -> None:
    """Scale the rows of `grads` that are longer than `largest`, in place."""
    norms = _norms(grads)
    np.multiply(grads, np.where(norms > largest, largest / norms, 1), out=grads)


def _update_sizes(updates: Array, layout: Layout) -> Array:
    """The average over the arrays of the mean |update| in each, (R,) float64; as the article."""
    sizes = np.abs(updates.astype(np.float64))
    means = [sizes[:, tensor.start : tensor.stop].mean(axis=1) for tensor in layout.tensors]
    total: Array = np.add.reduce(means)
    return total / len(means)
