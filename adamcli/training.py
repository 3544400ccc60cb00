"""The stacked training loop: all runs of a stack take each step together.

The loop is a generator of snapshots. It neither prints nor writes, knows no file and no
config, and does not know what it minimises: a `Problem` gives gradients for the whole
(R, P) stack, each group of rows that share a rule is updated by one call of that rule.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache, partial
from itertools import groupby

import numpy as np

from adamcli.errors import RuleError
from adamcli.history import MEASURED, Failure
from adamcli.layout import Array, Layout
from adamcli.optimizers import Averaging, Hyper, Rule, State, Step, Wrapping
from adamcli.optimizers.passes import arithmetic
from adamcli.problems import Curved, Problem
from adamcli.recorder import Recorder, Records
from adamcli.schedules import Schedule
from adamcli.settings import settings_of


@dataclass(frozen=True)
class Trainee:
    """How one row of a stack is trained.

    Attributes:
        clip_norm: the gradient is scaled down to at most this Euclidean norm.
        wrapping: what is wrapped around the rule.
        records: what is recorded at every step.
    """

    rule: Rule
    schedule: Schedule
    clip_norm: float | None = None
    records: Records = Records()
    wrapping: Wrapping = Wrapping()

    @property
    def kind(self) -> Hashable:
        """What neighbours must share to be updated by one call."""
        return kind(self.rule, self.wrapping)


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


def train(
    problem: Problem, trainees: Sequence[Trainee], *, epochs: int, eval_every: int = 1
) -> Iterator[Snapshot]:
    """Train a stack and yield a snapshot after every `eval_every` epochs and the last.

    A run whose loss is no longer finite, or whose rule fails, is frozen where it is; the
    others go on with the same bits. Training ends early when all have stopped.

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
        if evaluate or stack.all_stopped:
            yield stack.snapshot(epoch)
        if stack.all_stopped:
            return


class _Stack:
    """The arrays of a training and what happens to them in a step."""

    def __init__(self, problem: Problem, trainees: Sequence[Trainee], total: int) -> None:
        self.problem = problem
        self.curved = problem if isinstance(problem, Curved) else None
        self.params = problem.start()
        self.grads = np.empty_like(self.params)
        self.updates = np.empty_like(self.params)
        self.curvatures, self.curvatures_at = np.empty_like(self.params), 0
        self.scratch = np.empty_like(self.params), np.empty_like(self.params)
        self.clip = _clip_column(trainees, self.params.dtype)
        self.diverged_at = np.zeros(len(trainees), dtype=np.int64)
        self.failed: dict[int, Failure] = {}
        self.stopped = np.zeros(len(trainees), dtype=bool)
        self.some_stopped = False
        self.measured = {name: np.full(len(trainees), np.nan) for name in MEASURED}
        self.t = 0
        self.groups = [_Group(trainees, rows, self, total) for rows in _neighbours(trainees)]

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
            self.measured["grad_norm"] = _norms(self.grads.astype(np.float64))[:, 0]
        if self.clip is not None:
            _clip(self.grads, self.clip)
        for group in self.groups:
            group.step(self.t)
        if self.some_stopped:
            self.updates[self.stopped] = 0
        np.add(self.params, self.updates, out=self.params)
        for group in self.groups:
            group.follow()
        if measure:
            self.measured["update_size"] = _update_sizes(self.updates, self.problem.layout)

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


class _Group:
    """Neighbouring rows of a stack that one rule updates in one call."""

    def __init__(self, trainees: Sequence[Trainee], rows: range, stack: _Stack, total: int) -> None:
        members = [trainees[row] for row in rows]
        self.here = slice(rows.start, rows.stop)
        self.rule = stacked([member.rule for member in members])
        schedules = [member.schedule for member in members]
        self.schedules = schedules if any(s != schedules[0] for s in schedules) else schedules[:1]
        self.total = total
        self.stack = stack
        self.grads = stack.grads[self.here]
        params, layout = stack.params[self.here], stack.problem.layout
        self.failed = False
        self.state = self._initial_state(params, layout)
        spare, extra = (scratch[self.here] for scratch in stack.scratch)
        out = stack.updates[self.here]
        curved = stack.curved
        curvature = None if curved is None else partial(stack.curvature, curved, self.here)
        self.at = Step(0, self.rule.lr, params, layout, out, spare, extra, curvature)
        self.wrappers = members[0].wrapping.around(params, layout)
        self.average = members[0].wrapping.average(params)
        records = [member.records for member in members]
        self.recorder = Recorder(rows.start, records, self.grads, self.state, self.at)

    def step(self, t: int) -> None:
        """Leave the update of step `t` in the stack's updates."""
        at = self.at
        at.t = t
        at.lr = self.rule.lr * self.factor(t)
        if not self.failed:
            self._update()
        for wrapper in self.wrappers:
            wrapper.apply(at.out, self.grads, at)
        self.recorder.record()

    def _update(self) -> None:
        """Leave what the rule returns in the stack's updates."""
        try:
            update = self.rule.update(self.grads, self.state, self.at)
        except RuleError as error:
            self._fail(error)
            return
        if update is not self.at.out:
            np.copyto(self.at.out, update)

    def _initial_state(self, params: Array, layout: Layout) -> State:
        """The slots of the rule; none if it fails."""
        try:
            return self.rule.init(params, layout)
        except RuleError as error:
            self._fail(error)
            return {}

    def _fail(self, error: RuleError) -> None:
        """The rule is not called again; only a rule that is a group of its own may fail."""
        self.failed = True
        self.stack.fail(self.here.start, error)

    def factor(self, t: int) -> Hyper:
        """The schedule's factor on the learning rate, a column where schedules differ."""
        if len(self.schedules) == 1:
            return self.schedules[0].factor(t, self.total)
        return np.array([[schedule.factor(t, self.total)] for schedule in self.schedules])

    def follow(self) -> None:
        """Let the average of the weights, where there is one, see a step that was taken."""
        if self.average is not None:
            self.average.follow(self.at, self.stack.stopped[self.here])

    def evaluated(self) -> Array:
        """The parameters of the rows where they are evaluated."""
        if self.average is not None:
            return self.average.params
        if isinstance(self.rule, Averaging) and not self.failed:
            try:
                return self.rule.evaluated(self.at.params, self.state)
            except RuleError as error:
                self._fail(error)
        return self.at.params


def kind(rule: Rule, wrapping: Wrapping | None = None) -> Hashable:
    """What rows must share to be updated by one call.

    That is the wrapping, the class, and every field that cannot be a column: it is no float,
    or its setting says so. A rule that is `alone` shares with nobody.
    """
    if getattr(rule, "alone", False):
        return object()
    values = ((name, getattr(rule, name), column) for name, column in _fields(type(rule)))
    fixed = (
        (name, value) for name, value, column in values if not (column and isinstance(value, float))
    )
    return (type(rule), wrapping, *fixed)


@cache
def _fields(rule: type) -> tuple[tuple[str, bool], ...]:
    """The fields of a rule, and whether the setting of each lets it be a column."""
    columns = {s.name for s in settings_of(rule) if s.kind is float and s.stacks}
    return tuple((field.name, field.name in columns) for field in dataclasses.fields(rule))


def stacked(rules: Sequence[Rule]) -> Rule:
    """One rule for R rows: a hyperparameter that differs between them becomes a (R, 1) column.

    Args:
        rules: all of the same `kind`, with floats as hyperparameters.
    """
    columns: dict[str, Hyper] = {}
    for name in (f.name for f in dataclasses.fields(rules[0])):  # type: ignore[arg-type]
        values = [getattr(rule, name) for rule in rules]
        if any(value != values[0] for value in values):
            columns[name] = np.array(values, dtype=np.float64)[:, None]
    stacked_rule: Rule = dataclasses.replace(rules[0], **columns)  # type: ignore[type-var]
    return stacked_rule


def _neighbours(trainees: Sequence[Trainee]) -> Iterator[range]:
    """The ranges of neighbouring rows whose rules can be stacked."""
    for _, rows in groupby(range(len(trainees)), key=lambda row: trainees[row].kind):
        members = list(rows)
        yield range(members[0], members[-1] + 1)


def _merged(taken: Iterable[dict[int, dict[str, Array]]]) -> dict[int, dict[str, Array]]:
    """What the recorders of all groups have, by row."""
    return {row: series for rows in taken for row, series in rows.items()}


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
    long = norms > largest
    huge = long & np.isinf(norms)
    if huge.any():  # the squares overflow even where the gradient does not
        np.divide(grads, np.abs(grads).max(axis=1, keepdims=True), out=grads, where=huge)
        norms = np.where(huge, _norms(grads), norms)
    np.multiply(grads, np.where(long, largest / norms, 1), out=grads)


def _update_sizes(updates: Array, layout: Layout) -> Array:
    """The average over the arrays of the mean |update| in each, (R,) float64; as the article."""
    sizes = np.abs(updates.astype(np.float64))
    means = [sizes[:, tensor.start : tensor.stop].mean(axis=1) for tensor in layout.tensors]
    # One after another: NumPy's own sum over eight or more takes another order for one run.
    return sum(means[1:], start=means[0]) / len(means)
