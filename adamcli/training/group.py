"""Neighbouring rows of a stack that share a rule."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

from adamcli.errors import RuleError
from adamcli.history import Memory, laid_out, memory_axes
from adamcli.layout import Array, Layout
from adamcli.optimizers import Averaging, Hyper, State, Step
from adamcli.recorder import Recorder
from adamcli.training.trainees import Trainee, stacked

if TYPE_CHECKING:
    from adamcli.training.stack import Stack


class Group:
    """Neighbouring rows of a stack that one rule updates in one call."""

    def __init__(self, trainees: Sequence[Trainee], rows: range, stack: Stack, total: int) -> None:
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

    def memory(self) -> Memory | None:
        """What later steps depend on; None where the slots do not say it all."""
        slots = _copied(self.state)
        if slots is None:
            return None
        around = {name: array.copy() for name, array in self._around().items()}
        parts = {"slots": Memory(arrays=slots), "around": Memory(arrays=around)}
        return Memory.joined({**parts, "notes": self.recorder.memory()})

    def recall(self, memory: Memory) -> None:
        """Be as another group of the same rows was at its `memory`; the stack knows who failed.

        Raises:
            ValueError: that was a group of other rows.
        """
        self.failed = self.here.start in self.stack.failed
        slots, around = memory.part("slots"), memory.part("around")
        slots.check(self.state)
        for name, slot in slots.arrays.items():
            self.state[name] = laid_out(slot, memory_axes(slot))
        around.check(self._around())
        for name, array in self._around().items():
            np.copyto(array, around.arrays[name])
        self.recorder.recall(memory.part("notes"))

    def _around(self) -> State:
        """The changing arrays of whatever is wrapped around the rule."""
        slots = [wrapper.slots for wrapper in self.wrappers]
        if self.average is not None:
            slots.append(self.average.slots)
        return {name: array for each in slots for name, array in each.items()}


def _copied(slots: State) -> State | None:
    """Copies that a rule goes on from with the same bits; None where there can be none.

    So it is with slots that are no plain numbers, that share memory, and that are views with
    gaps: of those a product may take another path, and so round otherwise, than of a copy.
    """
    copies = {}
    for name, slot in slots.items():
        if type(slot) is not np.ndarray or slot.dtype.kind not in "fiub":
            return None
        copies[name] = laid_out(slot, memory_axes(slot))
        if not _same_strides(slot, copies[name]):
            return None
    shared = any(np.may_share_memory(a, b) for a, b in combinations(slots.values(), 2))
    return None if shared else copies


def _same_strides(one: Array, other: Array) -> bool:
    """Whether arrays of one shape lie in memory alike; along an axis of length 1 all do."""
    pairs = zip(one.shape, one.strides, other.strides, strict=True)
    return all(a == b for length, a, b in pairs if length > 1)
