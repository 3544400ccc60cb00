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
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
from adamcli.optimizers.series import before
from adamcli.settings import Search, setting


@dataclass(frozen=True, kw_only=True)
class AdaGrad:
    """AdaGrad: each step divided by the root of the sum of all squared gradients so far.

    Rule:    g_t = grad + weight_decay theta
             s_t = s_(t-1) + g_t^2
             update = -lr / (1 + (t - 1) lr_decay) g_t / (sqrt(s_t) + eps)
    Slots:   s, the sum of squares, (R, P), `initial` at the start
    Source:  Duchi, Hazan and Singer, Adaptive Subgradient Methods for Online Learning and
             Stochastic Optimization, JMLR 12, 2011, with a diagonal matrix. As
             torch.optim.Adagrad, whose are lr_decay and the L2 form of weight_decay.
    Forks:   eps outside the root, as in the paper and torch; eps_in_root puts it inside, as
             optax and Keras, which also start at initial = 0.1 with eps = 1e-7. With eps = 0
             a parameter that never had a gradient is 0 / 0, where optax leaves it alone.
    Use:     for sparse gradients: what is rarely seen keeps its large steps. In long
             training the sum only grows, and the steps die out.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient", ("grad",)),
        Panel("sum of squares", ("s",)),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(1e-2, 1e-3, 1.0)
    lr_decay: Hyper = setting(0.0, "how fast lr falls: by 1 / (1 + (t - 1) lr_decay)", ge=0)
    initial: Hyper = setting(0.0, "the sum of squares at the start", ge=0)
    eps: Hyper = fields.eps(1e-10, "added to the root", low=1e-12)
    eps_in_root: bool = setting(False, "add eps under the root instead of to it")
    weight_decay: Hyper = fields.l2()

    def init(self, params: Array, layout: Layout) -> State:
        """A sum of `initial`."""
        state = zeros(params, "s")
        state["s"] += coefficient(self.initial, params)
        return state

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        grads = with_l2(grads, self.weight_decay, step)
        square = np.multiply(grads, grads, out=step.out)
        np.add(state["s"], square, out=state["s"])
        direction = over_root(grads, state["s"], self.eps, self.eps_in_root, out=step.out)
        return scale(direction, -step.lr / (1 + (step.t - 1) * self.lr_decay), out=direction)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The effective learning rate: the decayed lr over the root."""
        divisor = traced_root(series["s"], self.eps, self.eps_in_root)
        return {"effective_lr": lr / (1 + (t - 1) * self.lr_decay) / divisor}


@dataclass(frozen=True, kw_only=True)
class AdaDelta:
    """Adadelta: the gradient in units of its own root mean square times that of the updates.

    Rule:    g_t = grad + weight_decay theta
             v_t = beta2 v_(t-1) + (1 - beta2) g_t^2
             d_t = sqrt(u_(t-1) + eps) / sqrt(v_t + eps) g_t
             u_t = beta2 u_(t-1) + (1 - beta2) d_t^2
             update = -lr d_t
    Slots:   v and u, the mean squares of the gradient and of d, (R, P), zero at the start:
             eps alone sets off the first step, about sqrt(eps / (1 - beta2)) long
    Source:  Zeiler, ADADELTA: An Adaptive Learning Rate Method, 2012, arXiv:1212.5701,
             algorithm 1, which has no lr. As torch.optim.Adadelta; beta2 is its rho.
    Forks:   none in the rule: eps is under both roots everywhere. The defaults differ: the
             paper and Keras have beta2 = 0.95, Keras lr = 1e-3 and eps = 1e-7.
    Use:     where no learning rate is known; a larger eps shortens the slow start.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient", ("grad",)),
        Panel("mean squares of gradient and of d", ("v", "u")),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(1.0, 1e-1, 1e2)
    beta2: Hyper = fields.beta2(0.9, "decay of both mean squares")
    eps: Hyper = setting(
        1e-6, "added to both mean squares under their roots", gt=0,
        search=Search(1e-8, 1e-2, trials=25),
    )  # fmt: skip
    weight_decay: Hyper = fields.l2()

    def init(self, params: Array, layout: Layout) -> State:
        """Both mean squares zero."""
        return zeros(params, "v", "u")

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        v, u, eps = state["v"], state["u"], coefficient(self.eps, grads)
        grads = with_l2(grads, self.weight_decay, step)
        average_square(v, grads, self.beta2, scratch=step.out)
        quotient = np.divide(
            np.add(u, eps, out=step.out), np.add(v, eps, out=step.spare), out=step.out
        )
        direction = np.multiply(np.sqrt(quotient, out=quotient), grads, out=step.out)
        average_square(u, direction, self.beta2, scratch=step.spare)
        return scale(direction, -step.lr, out=direction)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The effective learning rate: lr times the quotient of the roots."""
        quotient = (before(series["u"]) + self.eps) / (series["v"] + self.eps)
        return {"effective_lr": lr * np.sqrt(quotient)}


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

    contains: ClassVar[dict[str, str]] = {"sgd": "a large eps", "sgdm": "momentum with a large eps"}

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
        v = self._second_moment(state, step)
        direction = over_root(grads, v, self.eps, self.eps_in_root, out=step.out)
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
        return {"effective_lr": lr / traced_root(v, self.eps, self.eps_in_root)}


def over_root(grads: Array, square: Array, eps: Hyper, inside: bool, out: Array) -> Array:
    """out <- grads / (sqrt(square) + eps), or with eps inside grads / sqrt(square + eps)."""
    if not inside:
        return divide_by_root(grads, square, eps, out=out)
    np.add(square, coefficient(eps, square), out=out)
    return np.divide(grads, np.sqrt(out, out=out), out=out)


def traced_root(square: Array, eps: Hyper, inside: bool) -> Array:
    """What `over_root` divides by, of a series, (T,)."""
    return np.sqrt(square + eps) if inside else np.sqrt(square) + eps


RULES: dict[str, type[Rule]] = {"adagrad": AdaGrad, "adadelta": AdaDelta, "rmsprop": RMSProp}
