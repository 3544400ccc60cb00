"""Adam and AdamW: both moments of the gradient, corrected for starting at zero."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.layout import Array
from adamcli.optimizers.passes import (
    average,
    average_square,
    divide_by_root,
    power,
    root,
    scale,
    with_l2,
    zeros,
)
from adamcli.optimizers.rule import Hyper, Panel, State, Step
from adamcli.settings import setting

_PANELS = (
    Panel("first moment", ("m", "m_hat")),
    Panel("second moment", ("v", "v_hat")),
    Panel("effective learning rate", ("effective_lr",)),
)


@dataclass(frozen=True, kw_only=True)
class Adam:
    """Adam: the mean of the gradient divided by the root of its mean square.

    Rule:    g_t = grad + weight_decay theta
             m_t = beta1 m_(t-1) + (1 - beta1) g_t
             v_t = beta2 v_(t-1) + (1 - beta2) g_t^2
             m_hat = m_t / (1 - beta1^t),  v_hat = v_t / (1 - beta2^t)
             update = -lr m_hat / (sqrt(v_hat) + eps)
             without bias_correction m_hat = m_t and v_hat = v_t
    Slots:   m, v, the first and second moment, (R, P), zero at the start
    Source:  Kingma and Ba, Adam: A Method for Stochastic Optimization, 2014,
             arXiv:1412.6980, algorithm 1. eps is added after the correction of v, as in
             torch.optim.Adam; Keras adds it before. weight_decay is torch's L2 form.
    """

    panels: ClassVar[tuple[Panel, ...]] = _PANELS

    lr: Hyper = setting(1e-3, "learning rate", gt=0)
    beta1: Hyper = setting(0.9, "decay of the first moment", ge=0, lt=1)
    beta2: Hyper = setting(0.999, "decay of the second moment", ge=0, lt=1)
    eps: Hyper = setting(1e-8, "added to the root of the corrected second moment", ge=0)
    weight_decay: Hyper = setting(0.0, "L2 penalty, added to the gradient (coupled)", ge=0)
    bias_correction: bool = setting(True, "divide the moments by 1 - beta^t")

    def init(self, params: Array) -> State:
        """Both moments zero."""
        return {"m": zeros(params), "v": zeros(params)}

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        correct1, correct2 = 1.0, 1.0
        if self.bias_correction:
            correct1, correct2 = 1 - power(self.beta1, step.t), 1 - power(self.beta2, step.t)
        grads = with_l2(grads, self.weight_decay, step)
        return _direction(self, grads, state, step, correct1, correct2)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """m_hat, v_hat and the effective learning rate lr / (sqrt(v_hat) + eps)."""
        if not self.bias_correction:
            t = np.full_like(t, np.inf, dtype=float)  # beta^inf = 0: nothing to correct
        return _corrected(self, series, lr, t)


@dataclass(frozen=True, kw_only=True)
class AdamW:
    """AdamW: Adam with weight decay taken out of the gradient, and so out of the moments.

    Rule:    m, v, m_hat, v_hat as in adam
             update = -lr (m_hat / (sqrt(v_hat) + eps) + weight_decay theta)
    Slots:   m, v, the first and second moment, (R, P), zero at the start
    Source:  Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017,
             arXiv:1711.05101, algorithm 2. The decay is multiplied by the learning rate, as
             in torch.optim.AdamW and optax; the paper multiplies by the schedule alone.
    """

    panels: ClassVar[tuple[Panel, ...]] = _PANELS

    lr: Hyper = setting(1e-3, "learning rate", gt=0)
    beta1: Hyper = setting(0.9, "decay of the first moment", ge=0, lt=1)
    beta2: Hyper = setting(0.999, "decay of the second moment", ge=0, lt=1)
    eps: Hyper = setting(1e-8, "added to the root of the corrected second moment", ge=0)
    weight_decay: Hyper = setting(1e-2, "decay of the parameters per unit of lr (decoupled)", ge=0)

    def init(self, params: Array) -> State:
        """Both moments zero."""
        return {"m": zeros(params), "v": zeros(params)}

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        correct1, correct2 = 1 - power(self.beta1, step.t), 1 - power(self.beta2, step.t)
        update = _direction(self, grads, state, step, correct1, correct2)
        decay = scale(step.params, step.lr * self.weight_decay, out=step.spare)
        return np.subtract(update, decay, out=update)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """m_hat, v_hat and the effective learning rate lr / (sqrt(v_hat) + eps)."""
        return _corrected(self, series, lr, t)


def _direction(
    rule: Adam | AdamW,
    grads: Array,
    state: State,
    step: Step,
    correct1: Hyper,
    correct2: Hyper,
) -> Array:
    """-lr m_hat / (sqrt(v_hat) + eps) after both moments have seen the gradient, (R, P).

    The corrections are moved out of the arrays into the step length and eps, as at the end
    of section 2 of the paper: -lr sqrt(c2)/c1 m / (sqrt(v) + eps sqrt(c2)).
    """
    m, v = state["m"], state["v"]
    average(m, grads, rule.beta1, scratch=step.out)
    average_square(v, grads, rule.beta2, scratch=step.out)
    direction = divide_by_root(m, v, rule.eps * root(correct2), out=step.out)
    return scale(direction, -step.lr * root(correct2) / correct1, out=direction)


def _corrected(
    rule: Adam | AdamW, series: Mapping[str, Array], lr: Array, t: Array
) -> dict[str, Array]:
    """The corrected moments and the effective learning rate of one parameter, each (T,)."""
    m_hat = series["m"] / (1 - rule.beta1**t)
    v_hat = series["v"] / (1 - rule.beta2**t)
    return {"m_hat": m_hat, "v_hat": v_hat, "effective_lr": lr / (np.sqrt(v_hat) + rule.eps)}
