"""A learning rate per coordinate from the second moment of the gradient alone."""

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
    correction,
    divide_by_root,
    scale,
    with_l2,
    zeros,
)
from adamcli.optimizers.rule import Hyper, Panel, State, Step
from adamcli.settings import setting


@dataclass(frozen=True, kw_only=True)
class RMSProp:
    """RMSProp: each step divided by a running root mean square of the gradient.

    Rule:    g_t = grad + weight_decay theta
             v_t = beta2 v_(t-1) + (1 - beta2) g_t^2
             u_t = g_t / (sqrt(v_t) + eps)
             update = -lr u_t
             centered: v_t less the square of the running mean m_t, which is the variance
             momentum: b_t = momentum b_(t-1) + u_t,  update = -lr b_t
             nesterov: update = -lr (u_t + momentum b_t)
    Slots:   v, the mean square, (R, P), not corrected for its start: the first step is
             lr / sqrt(1 - beta2) long, whatever the gradient. With centered m, with momentum
             b, (R, P), zero at the start
    Source:  Tieleman and Hinton, Lecture 6.5 of Neural Networks for Machine Learning,
             Coursera, 2012; centered: Graves, Generating Sequences With Recurrent Neural
             Networks, 2013, arXiv:1308.0850. As torch.optim.RMSprop; the variance is kept
             from falling below zero by rounding.
    Forks:   eps outside the root, as in torch; eps_in_root puts it inside, as TensorFlow,
             Keras and optax. beta2 is 0.999 as in the article; torch has 0.99, optax and
             Keras 0.9. initial, bias_correction and nesterov are optax's.
    Use:     where the scale of the gradient differs between coordinates and momentum hurts,
             as in reinforcement learning.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient", ("grad",)),
        Panel("second moment", ("v",)),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(1e-2, 1e-4, 1e-1)
    beta2: Hyper = fields.beta2(0.999, "decay of the mean square")
    eps: Hyper = fields.eps(1e-8, "added to the root")
    momentum: Hyper = setting(
        0.0, "decay of a velocity of the steps; 0 for none", ge=0, lt=1, stacks=False
    )
    centered: bool = setting(False, "divide by the deviation instead of the root mean square")
    nesterov: bool = setting(False, "look one step ahead of the velocity")
    eps_in_root: bool = setting(False, "add eps under the root instead of to it")
    initial: Hyper = setting(0.0, "the mean square at the start", ge=0)
    bias_correction: bool = setting(False, "divide the moments by 1 - beta2^t")
    weight_decay: Hyper = fields.l2()

    def init(self, params: Array, layout: Layout) -> State:
        """A mean square of `initial`."""
        state = zeros(params, "v", *["m"] * self.centered, *["b"] * bool(self.momentum))
        state["v"] += coefficient(self.initial, params)
        return state

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        grads = with_l2(grads, self.weight_decay, step)
        average_square(state["v"], grads, self.beta2, scratch=step.out)
        if self.centered:
            average(state["m"], grads, self.beta2, scratch=step.out)
        direction = self._direction(grads, self._second_moment(state, step), step)
        if self.momentum:
            direction = self._velocity(direction, state, step)
        return scale(direction, -step.lr, out=step.out)

    def _second_moment(self, state: State, step: Step) -> Array:
        """The mean square, or the variance, corrected on request; in `step.spare` if changed."""
        v = state["v"]
        correct = correction(self.beta2, step.t) if self.bias_correction else 1.0
        if self.bias_correction:
            v = scale(v, 1 / correct, out=step.spare)
        if self.centered:
            mean = scale(state["m"], 1 / correct, out=step.out)
            np.multiply(mean, mean, out=mean)
            v = np.maximum(np.subtract(v, mean, out=step.spare), 0, out=step.spare)
        return v

    def _direction(self, grads: Array, v: Array, step: Step) -> Array:
        """g / (sqrt(v) + eps), or g / sqrt(v + eps)."""
        if not self.eps_in_root:
            return divide_by_root(grads, v, self.eps, out=step.out)
        np.add(v, coefficient(self.eps, v), out=step.out)
        return np.divide(grads, np.sqrt(step.out, out=step.out), out=step.out)

    def _velocity(self, direction: Array, state: State, step: Step) -> Array:
        """The velocity after it has seen the direction; ahead of it with `nesterov`."""
        velocity = scale(state["b"], self.momentum, out=state["b"])
        np.add(velocity, direction, out=velocity)
        if not self.nesterov:
            return velocity
        ahead = scale(velocity, self.momentum, out=step.spare)
        return np.add(direction, ahead, out=step.out)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The effective learning rate: lr over the root."""
        correct = 1 - self.beta2**t if self.bias_correction else 1.0
        v = series["v"] / correct
        if self.centered:
            v = np.maximum(v - (series["m"] / correct) ** 2, 0)
        inside = np.sqrt(v + self.eps) if self.eps_in_root else np.sqrt(v) + self.eps
        return {"effective_lr": lr / inside}
