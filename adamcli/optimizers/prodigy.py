"""Prodigy: Adam that estimates its own learning rate, the distance that it has to go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import fields
from adamcli.optimizers.passes import (
    average,
    average_square,
    divide_by_root,
    is_zero,
    power,
    root,
    scale,
    with_l2,
    zeros,
)
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
from adamcli.optimizers.series import before
from adamcli.settings import setting


@dataclass(frozen=True, kw_only=True)
class Prodigy:
    """Prodigy: Adam in units of a distance d, which it learns from how far it has come.

    Rule:    g_t = grad,  d = d_(t-1),  length_t = lr d
             m_t = beta1 m_(t-1) + (1 - beta1) d g_t
             v_t = beta2 v_(t-1) + (1 - beta2) (d g_t)^2
             n_t = beta3 n_(t-1) + d / d0 length_t <g_t, theta_0 - theta>
             s_t = beta3 s_(t-1) + d / d0 length_t g_t
             d_hat = d_coef n_t / sum |s_t|
             d_t = the largest d_hat so far, at least d0
             update = -length_t (m_t / (sqrt(v_t) + d_t eps) + weight_decay theta)
             not decoupled: the decay is in g_t = grad + weight_decay theta instead
             bias_correction: length_t = lr d sqrt(1 - beta2^k) / (1 - beta1^k) in move k
             safeguard_warmup: s_t sees d / d0 d g_t, whatever lr is
             growth_rate: d_t is at most growth_rate d, once d has left d0
             until there is a gradient, s_t = 0, nothing moves and d stays
    Slots:   m, v, the moments in units of d, and s, (R, P), zero at the start; origin,
             theta_0, (R, P); d and d_max, the largest d_hat, d0 at the start, numerator, n,
             and with bias_correction moves, k, zero at the start, (R, 1). The sum and the
             product run over all arrays of a run
    Source:  Mishchenko and Defazio, Prodigy: An Expeditiously Adaptive Parameter-Free
             Learner, 2023, arXiv:2306.06101, in its Adam version. As prodigyopt.Prodigy;
             beta3 is sqrt(beta2) unless it is given.
    Forks:   optax.contrib.prodigy has bias_correction on, no growth_rate, and divides 0 by 0
             if the first gradient is zero. In the authors' code the d beside eps is the new
             one and the d in length_t the old one, as here.
    Use:     where nothing may be tuned; leave lr at 1 and use a schedule of lr that falls.
             Where d must be helped, change d_coef, not lr, say its authors.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("estimated distance", ("d",)),
        Panel("gradient and first moment over d", ("grad", "m_hat")),
        Panel("second moment over d squared", ("v_hat",)),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(1.0, 1e-2, 1e1, "factor on the learned learning rate")
    beta1: Hyper = fields.beta1()
    beta2: Hyper = fields.beta2()
    beta3: float | None = setting(
        None, "decay of the sums that d comes from; null for sqrt(beta2)",
        kind=float, ge=0, lt=1, optional=True, stacks=False,
    )  # fmt: skip
    eps: Hyper = fields.eps(doc="added to the root of the second moment, times d")
    weight_decay: Hyper = fields.either_decay()
    decoupled: bool = fields.decoupled(True)
    bias_correction: bool = setting(False, "divide the moments by 1 - beta^k")
    safeguard_warmup: bool = setting(False, "keep lr out of the sums that d comes from")
    d0: Hyper = setting(1e-6, "the distance at the start", gt=0)
    d_coef: Hyper = setting(1.0, "factor on the estimated distance", gt=0)
    growth_rate: float | None = setting(
        None, "the most that d may grow by in a step; null for no bound",
        kind=float, ge=1, optional=True, stacks=False,
    )  # fmt: skip

    def init(self, params: Array, layout: Layout) -> State:
        """Moments of zero, a distance of d0 and a copy of the parameters."""
        column = np.zeros((len(params), 1))
        return {
            **zeros(params, "m", "v", "s"),
            "origin": params.copy(),
            "d": column + self.d0,
            "d_max": column + self.d0,
            "numerator": column.copy(),
            **({"moves": column.copy()} if self.bias_correction else {}),
        }

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        if not self.decoupled:
            grads = with_l2(grads, self.weight_decay, step)
        length = self._length(state, step.lr)
        numerator = self._numerator(grads, state, length, step)
        self._see(grads, state, length, step)
        moving = self._estimate(state, numerator, step)
        return self._update(state, np.where(moving, length, 0.0), step)

    def _length(self, state: State, lr: Hyper) -> Array:
        """The length of the step, by the distance before it, (R, 1)."""
        length = state["d"] * lr
        if not self.bias_correction:
            return length
        k = state["moves"] + 1
        return length * root(1 - power(self.beta2, k)) / (1 - power(self.beta1, k))

    def _numerator(self, grads: Array, state: State, length: Array, step: Step) -> Array:
        """n, decayed and with the progress of this step, (R, 1); not yet in the slots."""
        way = np.subtract(state["origin"], step.params, out=step.out)
        progress = _row_sums(np.multiply(way, grads, out=way))
        return self._beta3 * state["numerator"] + state["d"] / self.d0 * length * progress

    @property
    def _beta3(self) -> Hyper:
        """The decay of the two sums."""
        return root(self.beta2) if self.beta3 is None else self.beta3

    def _see(self, grads: Array, state: State, length: Array, step: Step) -> None:
        """The slots m, v and s see a gradient."""
        measured = scale(grads, state["d"], out=step.spare)
        average(state["m"], measured, self.beta1, scratch=step.out)
        average_square(state["v"], measured, self.beta2, scratch=step.out)
        scale(state["s"], self._beta3, out=state["s"])
        weight = (state["d"] if self.safeguard_warmup else length) / self.d0
        np.add(state["s"], scale(measured, weight, out=measured), out=state["s"])

    def _estimate(self, state: State, numerator: Array, step: Step) -> Array:
        """A new distance for every run with a gradient so far; which those are, (R, 1)."""
        total = _row_sums(np.abs(state["s"], out=step.out))
        moving = total != 0
        estimate = np.divide(self.d_coef * numerator, total, out=np.zeros_like(total), where=moving)
        largest = np.maximum(state["d_max"], estimate)
        d = largest
        if self.growth_rate is not None:
            first = np.where(state["d"] == self.d0, np.maximum(state["d"], estimate), state["d"])
            d = np.minimum(largest, first * self.growth_rate)
        new = {"d": d, "d_max": largest, "numerator": numerator}
        if self.bias_correction:
            new["moves"] = state["moves"] + 1
        for name, values in new.items():
            np.copyto(state[name], values, where=moving)
        return moving

    def _update(self, state: State, length: Array, step: Step) -> Array:
        """-length (m / (sqrt(v) + d eps) + weight_decay theta), (R, P)."""
        update = divide_by_root(state["m"], state["v"], state["d"] * self.eps, out=step.out)
        scale(update, -length, out=update)
        if not self.decoupled or is_zero(self.weight_decay):
            return update
        decay = scale(step.params, length * self.weight_decay, out=step.spare)
        return np.subtract(update, decay, out=update)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The moments in units of the gradient, and the effective learning rate."""
        d = series["d"]
        length = lr * before(d, self.d0)
        if self.bias_correction:
            k = np.maximum(series["moves"], 1)
            length = length * np.sqrt(1 - self.beta2**k) / (1 - self.beta1**k)
        m_hat, v_hat = series["m"] / d, series["v"] / d**2
        effective_lr = length / (np.sqrt(v_hat) + self.eps)
        return {"m_hat": m_hat, "v_hat": v_hat, "effective_lr": effective_lr}


def _row_sums(array: Array) -> Array:
    """The sum of every row, (R, 1), whatever the dtype in float64."""
    return np.add.reduce(array, axis=1, keepdims=True).astype(np.float64)


RULES: dict[str, type[Rule]] = {"prodigy": Prodigy}
