"""Schedule-free learning: a weighted average of the iterates in place of a falling lr."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import fields
from adamcli.optimizers.passes import (
    average_square,
    correction,
    divide_by_root,
    is_zero,
    power,
    root,
    scale,
    with_l2,
    zeros,
)
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
from adamcli.optimizers.series import before, ratio
from adamcli.settings import setting

_POINTS = Panel("base z, gradients at y, average x", ("z", "y", "x"))
_WEIGHT = Panel("weight of the newest z in x", ("c",))
_LENGTH = Panel("effective learning rate", ("effective_lr",))
_WARMUP_DOC = "steps over which lr rises to its value in a line"
_R_DOC = "exponent of t in the weight of step t in the average"
_POWER_DOC = "exponent of the largest lr so far in that weight"


class Weighting(Protocol):
    """How a schedule-free rule warms up and weighs its average."""

    @property
    def warmup_steps(self) -> int:
        """Steps over which lr rises."""
        ...

    @property
    def r(self) -> float:
        """Exponent of the step number."""
        ...

    @property
    def lr_power(self) -> float:
        """Exponent of the largest lr so far."""
        ...


@dataclass(frozen=True, kw_only=True)
class ScheduleFreeSGD:
    """Schedule-free SGD: gradients are taken between a fast sequence z and its average x.

    Rule:    lr_t = lr min(1, t / warmup_steps)
             w_t = t^r max(lr_1, ..., lr_t)^lr_power,  c_t = w_t / (w_1 + ... + w_t)
             z_t = z_(t-1) - lr_t (grad at y_(t-1) + weight_decay y_(t-1))
             x_t = (1 - c_t) x_(t-1) + c_t z_t
             y_t = (1 - momentum) z_t + momentum x_t
             update = y_t - y_(t-1); evaluated at x_t = y_t + (1 - 1 / momentum) (z_t - y_t)
    Slots:   z, (R, P), theta at the start; lr_max and weight_sum, the largest lr_t and the
             sum of all w, (R, 1), zero at the start. The parameters are y; x is derived
    Source:  Defazio, Yang, Mehta, Mishchenko, Khaled and Cutkosky, The Road Less Scheduled,
             2024, arXiv:2405.15682, section 2. As schedulefree.SGDScheduleFree; a schedule of
             lr enters lr_t, though none is meant to be used.
    Forks:   optax.contrib.schedule_free_sgd is the same without warm-up; with one its first
             move has length zero while the average already weighs it.
    Use:     in place of sgdm and its schedule, where the length of the training is open; lr
             may be larger than that of sgd.
    """

    panels: ClassVar[tuple[Panel, ...]] = (_POINTS, _WEIGHT, _LENGTH)

    lr: Hyper = fields.lr(1.0, 1e-2, 1e1)
    momentum: Hyper = fields.interpolation("how far gradients are taken from z towards x")
    weight_decay: Hyper = fields.l2()
    warmup_steps: int = setting(0, _WARMUP_DOC, ge=0)
    r: float = setting(0.0, _R_DOC, ge=0, stacks=False)
    lr_power: float = setting(2.0, _POWER_DOC, ge=0, stacks=False)

    def init(self, params: Array, layout: Layout) -> State:
        """All three sequences where the parameters are."""
        return start(params)

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of y in one step, (R, P)."""
        grads = with_l2(grads, self.weight_decay, step)
        lr = warmed(self, step.lr, step.t)
        newest = weight(self, lr, state, step.t)
        return move_base(scale(grads, lr, out=step.spare), newest, self.momentum, state, step)

    def evaluated(self, params: Array, state: State) -> Array:
        """The average x, a new (R, P) array."""
        return averaged(params, state["z"], self.momentum)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """y, x, the weight c and the warmed lr."""
        lr = lr * np.minimum(1, t / max(1, self.warmup_steps))
        move = lr * series["grad"]
        points = trace_points(series, move, lr * self.weight_decay, self.momentum)
        return {**points, "effective_lr": lr}


@dataclass(frozen=True, kw_only=True)
class ScheduleFreeAdamW:
    """Schedule-free AdamW: the same averaging around RMSProp steps with a correction.

    Rule:    lr_t = lr min(1, t / warmup_steps)
             w_t = t^r max(lr_1, ..., lr_t)^lr_power,  c_t = w_t / (w_1 + ... + w_t)
             v_t = beta2 v_(t-1) + (1 - beta2) grad^2, with grad at y_(t-1)
             q_t = grad / (sqrt(v_t / (1 - beta2^t)) + eps) + weight_decay y_(t-1)
             z_t = z_(t-1) - lr_t q_t
             x_t = (1 - c_t) x_(t-1) + c_t z_t
             y_t = (1 - beta1) z_t + beta1 x_t
             update = y_t - y_(t-1); evaluated at x_t = y_t + (1 - 1 / beta1) (z_t - y_t)
    Slots:   z, (R, P), theta at the start; v, the second moment, (R, P), and lr_max and
             weight_sum, the largest lr_t and the sum of all w, (R, 1), zero at the start. The
             parameters are y; x is derived
    Source:  Defazio, Yang, Mehta, Mishchenko, Khaled and Cutkosky, The Road Less Scheduled,
             2024, arXiv:2405.15682, algorithm 1. As schedulefree.AdamWScheduleFree, which
             corrects v alone and has eps beside the root; a schedule of lr enters lr_t,
             though none is meant to be used.
    Forks:   optax.contrib.schedule_free_adamw is the same without warm-up; with one its first
             move has length zero while the average already weighs it. The decay acts at y,
             as in both; the paper names z as the other choice.
    Use:     in place of adamw and its schedule, where the length of the training is open.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        _POINTS,
        _WEIGHT,
        Panel("second moment", ("v", "v_hat")),
        _LENGTH,
    )

    lr: Hyper = fields.lr(2.5e-3, 1e-3, 1.0)
    beta1: Hyper = fields.interpolation("how far gradients are taken from z towards x")
    beta2: Hyper = fields.beta2()
    eps: Hyper = fields.eps()
    weight_decay: Hyper = setting(0.0, "decay towards 0 per unit of lr, taken at y", ge=0)
    warmup_steps: int = setting(0, _WARMUP_DOC, ge=0)
    r: float = setting(0.0, _R_DOC, ge=0, stacks=False)
    lr_power: float = setting(2.0, _POWER_DOC, ge=0, stacks=False)

    def init(self, params: Array, layout: Layout) -> State:
        """All three sequences where the parameters are, a second moment of zero."""
        return start(params) | zeros(params, "v")

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of y in one step, (R, P)."""
        average_square(state["v"], grads, self.beta2, scratch=step.out)
        lr = warmed(self, step.lr, step.t)
        newest = weight(self, lr, state, step.t)
        return move_base(self._move(grads, state, lr, step), newest, self.beta1, state, step)

    def _move(self, grads: Array, state: State, lr: Hyper, step: Step) -> Array:
        """lr q, in `step.spare`; the correction is moved out of the arrays, as in adam."""
        correct = root(correction(self.beta2, step.t))
        move = divide_by_root(grads, state["v"], self.eps * correct, out=step.spare)
        scale(move, lr * correct, out=move)
        if is_zero(self.weight_decay):
            return move
        decay = scale(step.params, lr * self.weight_decay, out=step.out)
        return np.add(move, decay, out=move)

    def evaluated(self, params: Array, state: State) -> Array:
        """The average x, a new (R, P) array."""
        return averaged(params, state["z"], self.beta1)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """y, x, the weight c, v_hat and the effective learning rate."""
        lr = lr * np.minimum(1, t / max(1, self.warmup_steps))
        v_hat = series["v"] / (1 - self.beta2**t)
        effective_lr = lr / (np.sqrt(v_hat) + self.eps)
        move = effective_lr * series["grad"]
        points = trace_points(series, move, lr * self.weight_decay, self.beta1)
        return {**points, "v_hat": v_hat, "effective_lr": effective_lr}


def start(params: Array) -> State:
    """z at the parameters and an average that has seen nothing."""
    column = np.zeros((len(params), 1))
    return {"z": params.copy(), "lr_max": column, "weight_sum": column.copy()}


def warmed(rule: Weighting, lr: Hyper, t: int) -> Hyper:
    """lr_t."""
    return lr * min(1.0, t / max(1, rule.warmup_steps))


def weight(rule: Weighting, lr: Hyper, state: State, t: int) -> Array:
    """c_t, the weight of the newest z in the average, (R, 1); 0 while every lr was 0."""
    largest, total = state["lr_max"], state["weight_sum"]
    np.maximum(largest, lr, out=largest)
    newest = float(t) ** rule.r * power(largest, rule.lr_power)
    np.add(total, newest, out=total)
    return np.divide(newest, total, out=np.zeros_like(total), where=total != 0)


def move_base(move: Array, newest: Array, beta: Hyper, state: State, step: Step) -> Array:
    """z <- z - move, and the update of y, (R, P): with the weight c = `newest` of the new z

        c (z_(t-1) - y_(t-1)) + (beta (1 - c) - 1) move,

    which is y_t - y_(t-1) once x is eliminated. `move` is not in `step.out` or `step.extra`.
    """
    update = scale(np.subtract(state["z"], step.params, out=step.out), newest, out=step.out)
    np.subtract(state["z"], move, out=state["z"])
    return np.add(update, scale(move, beta * (1 - newest) - 1, out=step.extra), out=update)


def averaged(params: Array, z: Array, beta: Hyper) -> Array:
    """x from y = params and z, a new (R, P) array."""
    ahead = np.subtract(z, params)
    return np.add(params, scale(ahead, 1 - 1 / beta, out=ahead), out=ahead)


def trace_points(
    series: Mapping[str, Array], move: Array, decay: Array, beta: Hyper
) -> dict[str, Array]:
    """y, x and c of one parameter after each step, (T,) each.

    Neither y nor x is recorded. All sequences begin at the same point, which follows from the
    first z and what led to it; from there the recorded updates, whatever was wrapped around
    the rule, lead to every y.

    Args:
        move: what z moved against, without the decay, (T,).
        decay: weight_decay times the lr of each step, (T,).
    """
    z, total = series["z"], series["weight_sum"]
    first = (z[:1] + move[:1]) / (1 - decay[:1])
    y = first + np.cumsum(series["update"])
    c = ratio(total - before(total), total)
    return {"y": y, "x": y + (1 - 1 / beta) * (z - y), "c": c}


RULES: dict[str, type[Rule]] = {
    "schedulefree_sgd": ScheduleFreeSGD,
    "schedulefree_adamw": ScheduleFreeAdamW,
}
