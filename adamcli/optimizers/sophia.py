"""Sophia: a step divided by the curvature of the loss, and clipped."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.errors import UsageError
from adamcli.layout import Array, Layout
from adamcli.optimizers import fields
from adamcli.optimizers.passes import average, coefficient, correction, less_decay, scale, zeros
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
from adamcli.settings import Search, setting


@dataclass(frozen=True, kw_only=True)
class Sophia:
    """Sophia: the mean gradient divided by the mean curvature of the loss, and clipped.

    Rule:    m_t = beta1 m_(t-1) + (1 - beta1) grad,  m_hat = m_t / (1 - beta1^t)
             u_t = m_hat / max(gamma h_(t-1), eps), clipped to -clip ... clip
             update = -lr (u_t + weight_decay theta)
             h_t = h_(t-1), but for t = 1, 1 + every, 1 + 2 every, ...:
             h_t = beta2 h_(t-1) + (1 - beta2) D
             with D the curvature along each parameter before the step
    Slots:   m, the first moment, and h, the mean curvature, (R, P), zero at the start; h is
             not corrected for that, so the first steps are clipped, which is lr sign(m)
    Source:  Liu, Li, Hall, Liang and Ma, Sophia: A Scalable Stochastic Second-order Optimizer
             for Language Model Pre-training, 2023, arXiv:2305.14342, algorithm 3. As
             optax.contrib.sophia. D is estimated there from one random vector; here it is the
             diagonal of the Gauss-Newton matrix of the batch, exact, so that there is no
             noise but that of the batch.
    Forks:   the paper divides by h_t where optax divides by h_(t-1), and does not correct m
             for its start. Nor does the authors' code, SophiaG, which divides by rho B h with
             B the batch size and h a mean of squared sampled gradients. Not offered.
    Use:     where curvatures differ much between parameters and their diagonal is cheap;
             tune gamma until a tenth to a half of all entries are not clipped.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("first moment", ("m", "m_hat")),
        Panel("curvature", ("h",)),
        Panel("update", ("update",)),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(1e-3, 1e-4, 1e-1)
    beta1: Hyper = fields.beta1(0.965)
    beta2: Hyper = fields.beta2(0.99, "decay of the curvature")
    gamma: Hyper = setting(
        0.01, "share of the curvature that divides", gt=0, search=Search(1e-3, 1.0, trials=10)
    )
    eps: Hyper = fields.eps(1e-8, "least value of what divides")
    clip: Hyper = setting(1.0, "largest entry of a direction (rho in the paper)", gt=0)
    every: int = setting(10, "steps between two measurements of the curvature", ge=1)
    weight_decay: Hyper = fields.decay(1e-4)

    def init(self, params: Array, layout: Layout) -> State:
        """First moment and curvature zero."""
        return zeros(params, "m", "h")

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        average(state["m"], grads, self.beta1, scratch=step.out)
        direction = self._direction(state, step)
        update = less_decay(scale(direction, -step.lr, out=step.out), self.weight_decay, step)
        if (step.t - 1) % self.every == 0:
            average(state["h"], _curvature(step), self.beta2, scratch=step.spare)
        return update

    def _direction(self, state: State, step: Step) -> Array:
        """m_hat over the curvature, clipped; the correction of m is moved into the divisor."""
        correct = correction(self.beta1, step.t)
        out = scale(state["h"], self.gamma * correct, out=step.out)
        np.maximum(out, coefficient(self.eps * correct, out), out=out)
        np.divide(state["m"], out, out=out)
        limit = coefficient(self.clip, out)
        return np.clip(out, -limit, limit, out=out)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """m_hat, and lr over what m_hat was divided by, clipping included."""
        m_hat = series["m"] / (1 - self.beta1**t)
        h_before = np.concatenate([[0.0], series["h"][:-1]])
        divisor = np.maximum(np.maximum(self.gamma * h_before, self.eps), abs(m_hat) / self.clip)
        return {"m_hat": m_hat, "effective_lr": lr / divisor}


def _curvature(step: Step) -> Array:
    """The curvature of the loss along each parameter, (R, P).

    Raises:
        UsageError: the problem cannot tell.
    """
    if step.curvature is None:
        what = "sophia needs the curvature of the loss, which this problem cannot tell"
        raise UsageError(what, fix="give the problem a method `curvature`, or take another rule")
    return step.curvature()


RULES: dict[str, type[Rule]] = {"sophia": Sophia}
