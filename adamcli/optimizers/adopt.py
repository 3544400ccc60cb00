"""ADOPT: Adam whose divisor does not know the gradient that it divides."""

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
    coefficient,
    less_decay,
    scale,
    with_l2,
    zeros,
)
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
from adamcli.optimizers.series import before
from adamcli.settings import setting


@dataclass(frozen=True, kw_only=True)
class Adopt:
    """ADOPT: the mean of gradients that were each divided by the root mean square before them.

    Rule:    g_t = grad + weight_decay theta, with decoupled g_t = grad
             t = 1: v_1 = g_1^2 and no update
             u_t = g_t / max(sqrt(v_(t-1)), eps), kept within (t - 1)^clip_exponent of 0
             m_t = beta1 m_(t-1) + (1 - beta1) u_t
             v_t = beta2 v_(t-1) + (1 - beta2) g_t^2
             update = -lr m_t
             nesterov: update = -lr (beta1 m_t + (1 - beta1) u_t)
             decoupled: update less lr weight_decay theta, not at t = 1
    Slots:   m, the mean of u, and v, the second moment, (R, P), zero at the start; neither
             is corrected for it
    Source:  Taniguchi, Harada, Minegishi, Oshima, Jeong, Nagahara, Iiyama, Suzuki, Iwasawa
             and Matsuo, ADOPT: Modified Adam Can Converge with Any beta2 with the Optimal
             Rate, 2024, arXiv:2411.02853, in the clipped form that its authors advise. As
             their code; nesterov is that of optax.contrib.adopt.
    Forks:   the bound is (t - 1)^0.25 as in the authors' code and optax. timm has 0.333 as
             exponent, pytorch_optimizer t for t - 1, and a clip_exponent of null has none.
    Use:     in place of adam where a small beta2 makes it unstable or batches are noisy.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient", ("grad",)),
        Panel("divided gradient and its mean", ("u", "m")),
        Panel("second moment", ("v",)),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(1e-3, 1e-4, 1e-1)
    beta1: Hyper = fields.beta1(doc="decay of the mean of divided gradients")
    beta2: Hyper = fields.beta2(0.9999)
    eps: Hyper = fields.eps(1e-6, "the smallest divisor")
    clip_exponent: float | None = setting(
        0.25, "the bound on a divided gradient is (t - 1) to this; null for none",
        kind=float, ge=0, optional=True, stacks=False,
    )  # fmt: skip
    weight_decay: Hyper = fields.either_decay()
    decoupled: bool = fields.decoupled(False)
    nesterov: bool = setting(False, "look one step ahead of the mean")

    def init(self, params: Array, layout: Layout) -> State:
        """Both moments zero."""
        return zeros(params, "m", "v")

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        if not self.decoupled:
            grads = with_l2(grads, self.weight_decay, step)
        if step.t == 1:
            np.multiply(grads, grads, out=state["v"])
            step.out.fill(0)
            return step.out
        divided = self._divided(grads, state["v"], step)
        average(state["m"], divided, self.beta1, scratch=step.out)
        average_square(state["v"], grads, self.beta2, scratch=step.out)
        direction = self._ahead(state["m"], divided, step) if self.nesterov else state["m"]
        update = scale(direction, -step.lr, out=step.out)
        return less_decay(update, self.weight_decay, step) if self.decoupled else update

    def _divided(self, grads: Array, v: Array, step: Step) -> Array:
        """The gradient over its earlier root mean square, clipped; in `step.spare`."""
        divisor = np.sqrt(v, out=step.spare)
        np.maximum(divisor, coefficient(self.eps, divisor), out=divisor)
        divided = np.divide(grads, divisor, out=divisor)
        if self.clip_exponent is None:
            return divided
        bound = float(step.t - 1) ** self.clip_exponent
        return np.clip(divided, -bound, bound, out=divided)

    def _ahead(self, mean: Array, divided: Array, step: Step) -> Array:
        """The mean as if it saw the divided gradient once more; in `step.out`."""
        ahead = scale(mean, self.beta1, out=step.out)
        return np.add(ahead, scale(divided, 1 - self.beta1, out=step.spare), out=ahead)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """u and lr over its divisor; both 0 at the first step, which moves nothing."""
        divisor = np.maximum(np.sqrt(before(series["v"])), self.eps)
        divided = series["grad"] / divisor
        if self.clip_exponent is not None:
            bound = (t - 1.0) ** self.clip_exponent
            divided = np.clip(divided, -bound, bound)
        return {
            "u": np.where(t == 1, 0.0, divided),
            "effective_lr": np.where(t == 1, 0.0, lr / divisor),
        }


RULES: dict[str, type[Rule]] = {"adopt": Adopt}
