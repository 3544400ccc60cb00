"""The rule that the training loop sees in place of a plug-in's own."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import Panel, State, Step
from adamcli.plugins.answers import (
    check_array,
    check_finite,
    check_panels,
    check_series,
    check_slots,
    kind,
    names,
    words,
)
from adamcli.plugins.blame import MisdeedError, obeyed
from adamcli.plugins.contract import rule_class
from adamcli.plugins.source import Source


@dataclass(frozen=True)
class Guarded:
    """A plug-in's rule for one run: whatever it does wrong is a RuleError about that run.

    It is `alone`: its arrays have R = 1 row and its hyperparameters are Python values. The
    user's code gets arrays that cannot be written to and scratch of its own; what it returns
    is checked before anything depends on it.

    Attributes:
        source: the plug-in.
        cls: the name of its class.
        values: the hyperparameters by name.
        panels: of its trace figure; none for the usual ones.
    """

    alone: ClassVar[bool] = True

    source: Source
    cls: str
    values: Mapping[str, Any]
    panels: tuple[Panel, ...] = ()

    @property
    def lr(self) -> float:
        """The learning rate before any schedule."""
        return float(self.values["lr"])

    def init(self, params: Array, layout: Layout) -> State:
        """The state of a new rule of the user's.

        Raises:
            RuleError: it cannot be made, or its `init` does not return slots.
        """
        try:
            rule = self._rule()
            slots = obeyed(self.source, rule.init, _frozen(params), layout)
            check_slots(slots)
            return _Live(rule, slots, params)
        except MisdeedError as misdeed:
            raise misdeed.in_run(
                "before step 1: init", self.source, self._line("init")
            ) from misdeed

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (1, P).

        Raises:
            RuleError: the user's `update` does not give one.
        """
        assert isinstance(state, _Live)
        try:
            update = obeyed(
                self.source, state.rule.update, _frozen(grads), state.slots, state.step(step)
            )
            check_array(update, grads)
            check_finite(update, grads, step.layout)
            state.follow()
        except MisdeedError as misdeed:
            who = f"step {step.t}: update"
            raise misdeed.in_run(who, self.source, self._line("update")) from misdeed
        return update

    def evaluated(self, params: Array, state: State) -> Array:
        """Where the run is evaluated, (1, P): at its parameters unless the user says otherwise.

        Raises:
            RuleError: the user's `evaluated` does not give parameters.
        """
        if not isinstance(state, _Live) or not hasattr(state.rule, "evaluated"):
            return params
        try:
            point = obeyed(self.source, state.rule.evaluated, _frozen(params), state.slots)
            check_array(point, params)
        except MisdeedError as misdeed:
            line = self._line("evaluated")
            raise misdeed.in_run("at an evaluation: evaluated", self.source, line) from misdeed
        return np.array(point)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """Series derived by the user's `trace`, each (T,).

        Raises:
            RuleError: it does not give such series, or a panel has one that there is not.
        """
        given = {name: _frozen(values) for name, values in series.items()}
        try:
            derived = obeyed(self.source, self._rule().trace, given, _frozen(lr), _frozen(t))
            check_series(derived, series, len(t))
            check_panels(self.panels, {*series, *derived})
        except MisdeedError as misdeed:
            raise misdeed.in_run("at the end: trace", self.source, self._line("trace")) from misdeed
        return {name: np.array(values, np.float64) for name, values in derived.items()}

    def _rule(self) -> Any:
        """A rule of the user's class, from an execution of the file of its own."""
        cls = rule_class(self.source)
        return obeyed(self.source, lambda: cls(**self.values))

    def _line(self, method: str) -> int:
        """Where the user's method begins."""
        return self.source.line_of(self.cls, method)


class _Live(dict[str, Array]):
    """The slots of a run, for whoever records them, with the user's rule that moves them.

    Attributes:
        slots: the dict that the user's `init` returned; it may put new arrays in it.
    """

    def __init__(self, rule: Any, slots: State, params: Array) -> None:
        super().__init__(slots)
        self.rule = rule
        self.slots = slots
        self._kinds = {name: (slot.shape, slot.dtype) for name, slot in slots.items()}
        self._scratch = [np.empty_like(params) for _ in range(3)]

    def __setitem__(self, name: str, slot: Array) -> None:
        """Put another array in the place of a slot, for the user's rule too."""
        super().__setitem__(name, slot)
        dict.__setitem__(self.slots, name, slot)

    def step(self, step: Step) -> Step:
        """The step as the user sees it: parameters that cannot be changed, scratch that can."""
        out, spare, extra = self._scratch
        params = _frozen(step.params)
        return dataclasses.replace(step, params=params, out=out, spare=spare, extra=extra)

    def follow(self) -> None:
        """See the user's slots after a step, which must be of the kinds they were."""
        if self.slots.keys() != self._kinds.keys():
            what = f"changed the slots from {names(self._kinds)} to {names(self.slots)}"
            raise MisdeedError(what, fix="return every slot from init, and keep them")
        for name, slot in self.slots.items():
            expected = self._kinds[name]
            if type(slot) is not np.ndarray or (slot.shape, slot.dtype) != expected:
                what = f"left {kind(slot)} in the slot {name}, expected {words(*expected)}"
                raise MisdeedError(what, fix="keep shape and dtype of every slot")
            self[name] = slot


def _frozen(array: Array) -> Array:
    """A copy that nobody can write to, whatever flag they set."""
    return np.frombuffer(array.tobytes(), array.dtype).reshape(array.shape)
