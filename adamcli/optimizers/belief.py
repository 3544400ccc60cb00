"""Adam with another second moment: rectified, of the surprise, or slow to fall."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import fields
from adamcli.optimizers.adam import PANELS, adam_step, move_moments, trace_moments
from adamcli.optimizers.passes import (
    average,
    average_square,
    coefficient,
    correction,
    is_zero,
    less_decay,
    root,
    root_step,
    scale,
    with_l2,
    zeros,
)
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
from adamcli.settings import setting

_THRESHOLD = 5.0


@dataclass(frozen=True, kw_only=True)
class RAdam:
    """RAdam: Adam whose first steps wait until the second moment can be trusted.

    Rule:    g_t, m_t, v_t, m_hat, v_hat as in adam
             r_inf = 2 / (1 - beta2) - 1,  r_t = r_inf - 2 t beta2^t / (1 - beta2^t)
             k_t = sqrt((r_t - 4) (r_t - 2) r_inf / ((r_inf - 4) (r_inf - 2) r_t))
             update = -lr k_t m_hat sqrt(1 - beta2^t) / (sqrt(v_t + eps_root) + eps)
             eps_beside v_hat: update = -lr k_t m_hat / (sqrt(v_hat + eps_root) + eps)
             while r_t <= threshold: update = -lr m_hat
             decoupled: weight_decay theta joins the update, times -lr, and not g_t
    Slots:   m, v, the first and second moment, (R, P), zero at the start
    Source:  Liu, Jiang, He, Chen, Liu, Gao and Han, On the Variance of the Adaptive Learning
             Rate and Beyond, 2019, arXiv:1908.03265, algorithm 2. As torch.optim.RAdam, with
             the threshold 5 of the authors' code; the paper says 4.
    Forks:   eps is added to the root of the raw v, as in torch; eps_beside v_hat adds it to
             that of the corrected v, as in optax.
    Use:     in place of adam with warm-up. The first steps, five of them with beta2 0.999,
             are plain momentum with the same lr, so large gradients make large steps.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        *PANELS[:2],
        Panel("rectification, 0 while v is not used", ("rectification",)),
        PANELS[-1],
    )

    lr: Hyper = fields.lr(1e-3, 1e-4, 1e-1)
    beta1: Hyper = fields.beta1()
    beta2: float = fields.beta2(stacks=False)
    eps: Hyper = fields.eps(1e-8, "added to the root of the second moment")
    eps_root: Hyper = fields.eps_root(0.0, "added to the second moment under the root")
    weight_decay: Hyper = fields.either_decay()
    decoupled: bool = fields.decoupled(False)
    eps_beside: str = setting(
        "v", "the second moment that eps joins: raw or corrected", choices=("v", "v_hat")
    )
    threshold: float = setting(
        _THRESHOLD, "of r, above which the second moment is used", ge=4, stacks=False
    )

    def init(self, params: Array, layout: Layout) -> State:
        """Both moments zero."""
        return zeros(params, "m", "v")

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        grads = grads if self.decoupled else with_l2(grads, self.weight_decay, step)
        move_moments(self, grads, state, step)
        v, c2 = state["v"], correction(self.beta2, step.t) if self._corrected else 1.0
        if not is_zero(self.eps_root):
            v = np.add(v, coefficient(self.eps_root * c2, v), out=step.spare)
        update = rectified_step(self, state["m"], v, step, self.eps * root(c2), self.threshold)
        return less_decay(update, self.weight_decay, step) if self.decoupled else update

    @property
    def _corrected(self) -> bool:
        """Whether eps and eps_root join the corrected second moment."""
        return self.eps_beside == "v_hat"

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """m_hat, v_hat, k and the effective learning rate, which is lr while v is not used."""
        k = rectifications(self.beta2, t, self.threshold)
        c2 = 1 - self.beta2**t if self._corrected else np.ones(len(t))
        inside = np.sqrt(series["v"] + self.eps_root * c2) + self.eps * np.sqrt(c2)
        adapted = lr * k * np.sqrt(1 - self.beta2**t) / inside
        derived = trace_moments(self, series, lr, t)
        return {**derived, "rectification": k, "effective_lr": np.where(k > 0, adapted, lr)}


@dataclass(frozen=True, kw_only=True)
class AdaBelief:
    """AdaBelief: the step is divided by how far the gradient strays from its own mean.

    Rule:    g_t = grad + weight_decay theta, unless decoupled
             m_t = beta1 m_(t-1) + (1 - beta1) g_t
             s_t = beta2 s_(t-1) + (1 - beta2) (g_t - m_t)^2 + eps_root
             update = -lr m_hat / (sqrt(s_hat) + eps), m_hat and s_hat corrected as in adam
             amsgrad: the largest s so far in place of s
             rectify: as radam with eps beside the raw s, never its maximum
             decoupled: weight_decay theta joins the update, times -lr, and not g_t
    Slots:   m, the first moment, s, the mean square of the surprise g_t - m_t, with amsgrad
             s_max, (R, P), zero at the start
    Source:  Zhuang, Tang, Ding, Tatikonda, Dvornek, Papademetris and Duncan, AdaBelief
             Optimizer: Adapting Stepsizes by the Belief in Observed Gradients, 2020,
             arXiv:2010.07468, algorithm 2. As optax.adabelief and, with eps_root equal to
             eps, the authors' adabelief_pytorch.
    Forks:   eps_root is added at every step and stays in s, as in both; rectify and amsgrad
             are the authors', who rectify by default. The defaults of both eps are those for
             float64; for convolutional networks the authors take 1e-8.
    Use:     where gradients are steady: then s is small and steps are long.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient and its mean", ("grad", "m", "m_hat")),
        Panel("mean square of the surprise", ("s", "s_hat")),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(1e-3, 1e-4, 1e-1)
    beta1: Hyper = fields.beta1()
    beta2: float = fields.beta2(0.999, "decay of the mean square of the surprise", stacks=False)
    eps: Hyper = setting(1e-16, "added to the root of the corrected s", ge=0)
    eps_root: Hyper = fields.eps(1e-16, "added to s at every step", 1e-16, 1e-6)
    weight_decay: Hyper = fields.either_decay()
    decoupled: bool = fields.decoupled(True)
    rectify: bool = setting(False, "wait until s can be trusted, as radam does")
    amsgrad: bool = setting(False, "divide by the largest s so far")

    def init(self, params: Array, layout: Layout) -> State:
        """Mean and surprise zero."""
        return zeros(params, "m", "s", *["s_max"] * self.amsgrad)

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        grads = grads if self.decoupled else with_l2(grads, self.weight_decay, step)
        self._move_moments(grads, state, step)
        if self.rectify:
            update = rectified_step(self, state["m"], state["s"], step, self.eps)
        else:
            update = adam_step(self, state["m"], state.get("s_max", state["s"]), step)
        return less_decay(update, self.weight_decay, step) if self.decoupled else update

    def _move_moments(self, grads: Array, state: State, step: Step) -> None:
        """The slots see a gradient; uses `step.out` and `step.spare`."""
        m, s = state["m"], state["s"]
        average(m, grads, self.beta1, scratch=step.out)
        surprise = np.subtract(grads, m, out=step.spare)
        average_square(s, surprise, self.beta2, scratch=step.out)
        np.add(s, coefficient(self.eps_root, s), out=s)
        if self.amsgrad:
            np.maximum(state["s_max"], s, out=state["s_max"])

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """m_hat, s_hat and the effective learning rate."""
        square = series["s"] if self.rectify else series.get("s_max", series["s"])
        derived = trace_moments(self, {"m": series["m"], "v": square}, lr, t)
        derived["s_hat"] = derived.pop("v_hat")
        if self.rectify:
            k = rectifications(self.beta2, t)
            adapted = lr * k * np.sqrt(1 - self.beta2**t) / (np.sqrt(square) + self.eps)
            derived["effective_lr"] = np.where(k > 0, adapted, lr)
        return derived


@dataclass(frozen=True, kw_only=True)
class Yogi:
    """Yogi: Adam whose second moment rises and falls by a share of g^2, never of itself.

    Rule:    g_t, m_t, m_hat as in adam, but for m_0 = initial
             v_t = v_(t-1) - (1 - beta2) sign(v_(t-1) - g_t^2) g_t^2,  v_0 = initial
             update = -lr m_hat / (sqrt(v_hat) + eps), m_hat and v_hat corrected as in adam
             decoupled: weight_decay theta joins the update, times -lr, and not g_t
    Slots:   m, v, the first and second moment, (R, P), both `initial` at the start
    Source:  Zaheer, Reddi, Sachan, Kale and Kumar, Adaptive Methods for Nonconvex
             Optimization, NeurIPS 2018, algorithm 2. As optax.yogi and
             pytorch_optimizer.Yogi. The paper has m_0 = 0, no corrections, and takes v_0
             from a first batch.
    Forks:   m starts at `initial` too, as in every library; so parameters without a gradient
             drift a little at first. With decoupled: false as torch_optimizer.Yogi.
    Use:     where adam's steps grow too fast once gradients become small.
    """

    panels: ClassVar[tuple[Panel, ...]] = PANELS

    lr: Hyper = fields.lr(1e-2, 1e-4, 1e-1)
    beta1: Hyper = fields.beta1()
    beta2: Hyper = fields.beta2()
    eps: Hyper = fields.eps(1e-3, low=1e-8, high=1e-1)
    initial: Hyper = setting(1e-6, "both moments at the start", ge=0)
    weight_decay: Hyper = fields.either_decay()
    decoupled: bool = fields.decoupled(True)

    def init(self, params: Array, layout: Layout) -> State:
        """Both moments `initial`."""
        state = zeros(params, "m", "v")
        for moment in state.values():
            moment += coefficient(self.initial, moment)
        return state

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        grads = grads if self.decoupled else with_l2(grads, self.weight_decay, step)
        average(state["m"], grads, self.beta1, scratch=step.out)
        self._move_second(state["v"], grads, step)
        update = adam_step(self, state["m"], state["v"], step)
        return less_decay(update, self.weight_decay, step) if self.decoupled else update

    def _move_second(self, v: Array, grads: Array, step: Step) -> None:
        """v moves towards the square by a share of the square; uses `step.out`, `step.spare`."""
        square = np.multiply(grads, grads, out=step.spare)
        sign = np.subtract(v, square, out=step.out)
        np.sign(sign, out=sign)
        np.multiply(sign, scale(square, 1 - self.beta2, out=square), out=square)
        np.subtract(v, square, out=v)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """m_hat, v_hat and the effective learning rate."""
        return trace_moments(self, series, lr, t)


def rectification(beta2: float, t: int, threshold: float = _THRESHOLD) -> float:
    """RAdam's factor k at step t; 0 while the variance of the second moment is unknown.

    With beta2 below 2/3 that is always, and k need not be defined. Whether r = threshold is
    enough differs between libraries; here it is not, as in torch.
    """
    longest = 2 / (1 - beta2) - 1
    length = longest - 2 * t * beta2**t / (1 - beta2**t)
    if length <= threshold:
        return 0.0
    grown = (length - 4) * (length - 2) / length
    return math.sqrt(grown * longest / ((longest - 4) * (longest - 2)))


def rectifications(beta2: float, t: Array, threshold: float = _THRESHOLD) -> Array:
    """The factor at each of the steps t, (T,)."""
    return np.array([rectification(beta2, int(k), threshold) for k in t])


def rectified_step(
    rule: RAdam | AdaBelief,
    m: Array,
    v: Array,
    step: Step,
    eps: Hyper,
    threshold: float = _THRESHOLD,
) -> Array:
    """-lr k m_hat sqrt(c2) / (sqrt(v) + eps) of raw moments, or -lr m_hat while k is 0, (R, P)."""
    c1, c2 = correction(rule.beta1, step.t), correction(rule.beta2, step.t)
    k = rectification(rule.beta2, step.t, threshold)
    if k == 0:
        return scale(m, -step.lr / c1, out=step.out)
    return root_step(m, v, eps, step.lr * k * root(c2) / c1, out=step.out)


RULES: dict[str, type[Rule]] = {"radam": RAdam, "adabelief": AdaBelief, "yogi": Yogi}
