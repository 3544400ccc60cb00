"""Recorded trajectories of reference libraries, replayed step by step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from adamcli.checks.recorded import AtStep, Case, Folder, Recording
from adamcli.checks.words import NotOfferedError, rule_of
from adamcli.layout import Array
from adamcli.optimizers import RULES, Averaging, Rule, State, Step


@dataclass(frozen=True)
class Outcome:
    """What became of one recorded case.

    Attributes:
        id: the case's name.
        optimizer: as the case names it.
        status: `pass`, `fail` or `not offered`.
        error: the largest |a - b| / max(1, |b|) over all steps and entries; NaN if not offered.
        absolute: the largest |a - b|.
        tolerance: what `error` may be.
        step: at which step it was largest.
        reason: why the case is not offered, or how it failed.
    """

    id: str
    optimizer: str
    status: str
    error: float = float("nan")
    absolute: float = float("nan")
    tolerance: float = float("nan")
    step: int = 0
    reason: str = ""


def replay_all(
    folder: Path, optimizer: str | None = None, rules: Mapping[str, type[Rule]] = RULES
) -> Iterator[Outcome]:
    """Replay the recorded cases of one optimizer, or all: one outcome for each.

    Args:
        folder: where the index and the arrays are.
        optimizer: as the cases name it.
        rules: the rules to replay them with, by name.

    Raises:
        DataError: the folder does not hold recorded trajectories, or is damaged.
    """
    recorded = Folder(folder)
    for case in recorded.cases:
        if optimizer in (None, case.optimizer):
            yield replay(case, recorded.recording(case), rules)


def replay(case: Case, recording: Recording, rules: Mapping[str, type[Rule]] = RULES) -> Outcome:
    """Follow one recorded case: the gradients it saw, then, where it has a problem, its own."""
    try:
        rule = rule_of(case.optimizer, case.hyper, rules)
    except NotOfferedError as error:
        return Outcome(case.id, case.optimizer, "not offered", reason=str(error))
    follower = _Follower(case, recording, rule)
    outcomes = [follower.follow(lambda t, x: recording.grads[t - 1], case.tol_replay)]
    own = recording.gradient
    if own is not None and case.tol_closed is not None:
        outcomes.append(follower.follow(lambda t, x: own(x), case.tol_closed))
    return max(outcomes, key=lambda o: (o.status == "fail", o.error / o.tolerance))


class _Follower:
    """A rule on the way of a recorded case, in R = 1 row."""

    def __init__(self, case: Case, recording: Recording, rule: Rule) -> None:
        self._case, self._recording, self._rule = case, recording, rule

    def follow(self, gradient: AtStep, tolerance: float) -> Outcome:
        """Take every recorded step with gradients (P,) of step t and parameters; compare."""
        errors: list[tuple[float, float]] = []
        try:
            with np.errstate(all="ignore"):
                errors.extend(self._errors(gradient))
        except (Exception, SystemExit) as error:  # what a rule raises is how it fails
            return self._outcome("fail", tolerance, reason=f"{type(error).__name__}: {error}")
        return self._verdict(errors, tolerance)

    def _verdict(self, errors: Sequence[tuple[float, float]], tolerance: float) -> Outcome:
        """What became of the case, from how far the rule was off after each step."""
        worst = int(np.argmax([np.inf if np.isnan(off) else off for off, _ in errors]))
        off, step = errors[worst][0], worst + 1
        found = {"error": off, "absolute": max(a for _, a in errors), "step": step}
        if off <= tolerance:
            return self._outcome("pass", tolerance, **found)
        reason = f"off by {off:.3g} at step {step}, allowed {tolerance:.3g}"
        return self._outcome("fail", tolerance, **found, reason=reason)

    def _errors(self, gradient: AtStep) -> Iterator[tuple[float, float]]:
        """After each step how far the rule is off: max |a - b| / max(1, |b|), and max |a - b|."""
        path, points = self._recording.path, self._recording.points
        params = path[[0]].copy()
        state = self._rule.init(params, self._recording.layout)
        for t in range(1, len(path)):
            params += self._update(t, params, gradient(t, params[0])[None], state)
            pairs = [(params[0], path[t])]
            if points is not None:
                pairs.append((self._evaluated(params, state)[0], points[t]))
            off = np.abs([ours - theirs for ours, theirs in pairs])
            size = np.maximum(1, np.abs([theirs for _, theirs in pairs]))
            yield float((off / size).max()), float(off.max())

    def _update(self, t: int, params: Array, grads: Array, state: State) -> Array:
        """What the rule adds to the parameters at step t, (1, P)."""
        scale, curvature = self._case.lr_scale, self._recording.curvature
        lr = self._rule.lr * (scale[t - 1] if scale else 1.0)
        out, spare, extra = (np.empty_like(params) for _ in range(3))
        diagonal = partial(_row, curvature, t, params) if curvature else None
        at = Step(t, lr, params, self._recording.layout, out, spare, extra, diagonal)
        return self._rule.update(grads, state, at)

    def _evaluated(self, params: Array, state: State) -> Array:
        """Where the rule is evaluated, (1, P)."""
        rule = self._rule
        return rule.evaluated(params, state) if isinstance(rule, Averaging) else params

    def _outcome(self, status: str, tolerance: float, **found: Any) -> Outcome:
        """What became of the case."""
        case = self._case
        return Outcome(case.id, case.optimizer, status, tolerance=tolerance, **found)


def _row(curvature: AtStep, t: int, params: Array) -> Array:
    """The diagonal of the Hessian before step t as a row, (1, P)."""
    return curvature(t, params[0])[None]
