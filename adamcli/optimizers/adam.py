"""Adam: both moments of the gradient, corrected for starting at zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar, Protocol

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import fields
from adamcli.optimizers.passes import (
    average,
    average_square,
    coefficient,
    correction,
    is_zero,
    less_decay,
    root,
    scale,
    with_l2,
    zeros,
)
from adamcli.optimizers.rule import Hyper, Panel, State, Step
from adamcli.settings import setting

PANELS = (
    Panel("first moment", ("m", "m_hat")),
    Panel("second moment", ("v", "v_hat")),
    Panel("effective learning rate", ("effective_lr",)),
)
_CORRECTION_DOC = "divide the moments by 1 - beta^t"


class TwoMoments(Protocol):
    """A rule with Adam's hyperparameters."""

    @property
    def beta1(self) -> Hyper:
        """Decay of the first moment."""
        ...

    @property
    def beta2(self) -> Hyper:
        """Decay of the second moment."""
        ...

    @property
    def eps(self) -> Hyper:
        """Added to the root of the corrected second moment."""
        ...


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam: the mean of the gradient divided by the root of its mean square.

    Rule:    g_t = grad + weight_decay theta
             m_t = beta1 m_(t-1) + (1 - beta1) g_t
             v_t = beta2 v_(t-1) + (1 - beta2) g_t^2
             m_hat = m_t / (1 - beta1^t),  v_hat = v_t / (1 - beta2^t)
             update = -lr m_hat / (sqrt(v_hat + eps_root) + eps)
             without bias_correction m_hat = m_t and v_hat = v_t
    Slots:   m, v, the first and second moment, (R, P), zero at the start
    Source:  Kingma and Ba, Adam: A Method for Stochastic Optimization, 2014,
             arXiv:1412.6980, algorithm 1. As torch.optim.Adam; weight_decay is torch's L2
             form, eps_root is optax's, bias_correction is the switch of timm's Lamb.
    Forks:   eps is added to the root of the corrected v, as in torch and optax; Keras adds
             it to the root of the raw v, which is up to 31 times as much at the first step.
    Use:     as the first choice where little is known; with lr tuned it is hard to beat.
    """

    panels: ClassVar[tuple[Panel, ...]] = PANELS

    lr: Hyper = fields.lr(1e-3, 1e-4, 1e-1)
    beta1: Hyper = fields.beta1()
    beta2: Hyper = fields.beta2()
    eps: Hyper = fields.eps()
    eps_root: Hyper = setting(0.0, "added to the corrected second moment under the root", ge=0)
    weight_decay: Hyper = fields.l2()
    bias_correction: bool = setting(True, _CORRECTION_DOC)

    def init(self, params: Array, layout: Layout) -> State:
        """Both moments zero."""
        return zeros(params, "m", "v")

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        grads = with_l2(grads, self.weight_decay, step)
        move_moments(self, grads, state, step)
        return adam_step(self, state["m"], state["v"], step, self.eps_root, self.bias_correction)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """m_hat, v_hat and the effective learning rate."""
        return trace_moments(self, series, lr, t, self.eps_root, self.bias_correction)


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """AdamW: Adam with weight decay taken out of the gradient, and so out of the moments.

    Rule:    m, v, m_hat, v_hat as in adam
             update = -lr (m_hat / (sqrt(v_hat + eps_root) + eps) + weight_decay theta)
    Slots:   m, v, the first and second moment, (R, P), zero at the start
    Source:  Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017,
             arXiv:1711.05101, algorithm 2. As torch.optim.AdamW.
    Forks:   the decay is multiplied by lr, as in torch, optax and Keras; the paper
             multiplies it by the schedule alone. The default decay is torch's; optax has
             1e-4, Keras 4e-3.
    Use:     wherever adam is used with weight decay.
    """

    panels: ClassVar[tuple[Panel, ...]] = PANELS

    lr: Hyper = fields.lr(1e-3, 1e-4, 1e-1)
    beta1: Hyper = fields.beta1()
    beta2: Hyper = fields.beta2()
    eps: Hyper = fields.eps()
    eps_root: Hyper = setting(0.0, "added to the corrected second moment under the root", ge=0)
    weight_decay: Hyper = fields.decay(1e-2)
    bias_correction: bool = setting(True, _CORRECTION_DOC)

    def init(self, params: Array, layout: Layout) -> State:
        """Both moments zero."""
        return zeros(params, "m", "v")

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        move_moments(self, grads, state, step)
        m, v = state["m"], state["v"]
        update = adam_step(self, m, v, step, self.eps_root, self.bias_correction)
        return less_decay(update, self.weight_decay, step)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """m_hat, v_hat and the effective learning rate."""
        return trace_moments(self, series, lr, t, self.eps_root, self.bias_correction)


def move_moments(rule: TwoMoments, grads: Array, state: State, step: Step) -> None:
    """The slots m and v see a gradient; uses `step.out`."""
    average(state["m"], grads, rule.beta1, scratch=step.out)
    average_square(state["v"], grads, rule.beta2, scratch=step.out)


def adam_step(
    rule: TwoMoments,
    m: Array,
    v: Array,
    step: Step,
    eps_root: Hyper = 0.0,
    bias_correction: bool = True,
) -> Array:
    """-lr m_hat / (sqrt(v_hat + eps_root) + eps) of raw moments m and v, (R, P).

    The corrections c1 and c2 are moved out of the arrays into the step length and eps, as at
    the end of section 2 of the paper:
    -lr sqrt(c2)/c1 m / (sqrt(v + eps_root c2) + eps sqrt(c2)).
    """
    c1: Hyper = 1.0
    c2: Hyper = 1.0
    if bias_correction:
        c1, c2 = correction(rule.beta1, step.t), correction(rule.beta2, step.t)
    out = step.out
    if not is_zero(eps_root):
        v = np.add(v, coefficient(eps_root * c2, out), out=out)
    np.sqrt(v, out=out)
    np.add(out, coefficient(rule.eps * root(c2), out), out=out)
    np.divide(m, out, out=out)
    return scale(out, -step.lr * root(c2) / c1, out=out)


def trace_moments(
    rule: TwoMoments,
    series: Mapping[str, Array],
    lr: Array,
    t: Array,
    eps_root: Hyper = 0.0,
    bias_correction: bool = True,
) -> dict[str, Array]:
    """m_hat, v_hat and lr / (sqrt(v_hat + eps_root) + eps) of one parameter, each (T,)."""
    c1, c2 = (1 - rule.beta1**t, 1 - rule.beta2**t) if bias_correction else (1.0, 1.0)
    m_hat, v_hat = series["m"] / c1, series["v"] / c2
    effective_lr = lr / (np.sqrt(v_hat + eps_root) + rule.eps)
    return {"m_hat": m_hat, "v_hat": v_hat, "effective_lr": effective_lr}
