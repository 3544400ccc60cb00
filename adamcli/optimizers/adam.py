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
    root_step,
    scale,
    with_l2,
    zeros,
)
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
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

    contains: ClassVar[dict[str, str]] = {
        "rmsprop": "beta1 0 without bias correction",
        "sgdm": "a large eps without bias correction",
    }

    lr: Hyper = fields.lr(1e-3, 1e-4, 1e-1)
    beta1: Hyper = fields.beta1()
    beta2: Hyper = fields.beta2()
    eps: Hyper = fields.eps()
    eps_root: Hyper = fields.eps_root()
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

    contains: ClassVar[dict[str, str]] = {"adam": "weight_decay 0"}

    lr: Hyper = fields.lr(1e-3, 1e-4, 1e-1)
    beta1: Hyper = fields.beta1()
    beta2: Hyper = fields.beta2()
    eps: Hyper = fields.eps()
    eps_root: Hyper = fields.eps_root()
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


@dataclass(frozen=True, kw_only=True)
class AMSGrad:
    """AMSGrad: Adam with the largest second moment so far, so that no step grows back.

    Rule:    g_t, m_t, v_t, m_hat as in adam
             x_t = max(x_(t-1), v_t)
             update = -lr m_hat / (sqrt(x_t / (1 - beta2^t) + eps_root) + eps)
             max_of v_hat: x_t = max(x_(t-1), v_t / (1 - beta2^t)), not corrected again
             decoupled: weight_decay theta joins the update, times -lr, and not g_t
    Slots:   m, v, the first and second moment, and v_max, the largest second moment, which is
             x, (R, P), zero at the start
    Source:  Reddi, Kale and Kumar, On the Convergence of Adam and Beyond, ICLR 2018,
             arXiv:1904.09237, algorithm 2. As torch.optim.Adam(amsgrad=True), with decoupled
             as torch.optim.AdamW(amsgrad=True). eps and the corrections are not the paper's;
             bias_correction: false takes the corrections out.
    Forks:   max_of v is the maximum of the raw second moment, corrected for today's step, as
             in torch and Keras; v_hat that of the corrected one, as in optax, where the large
             corrections of the first steps last.
    Use:     where adam does not settle because rare large gradients are soon forgotten.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("first moment", ("m", "m_hat")),
        Panel("second moment and its maximum", ("v", "v_max", "v_hat")),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(1e-3, 1e-4, 1e-1)
    beta1: Hyper = fields.beta1()
    beta2: Hyper = fields.beta2()
    eps: Hyper = fields.eps()
    eps_root: Hyper = fields.eps_root()
    weight_decay: Hyper = fields.either_decay()
    decoupled: bool = fields.decoupled(False)
    max_of: str = setting(
        "v", "the second moment whose maximum counts: raw or corrected", choices=("v", "v_hat")
    )
    bias_correction: bool = setting(True, _CORRECTION_DOC)

    def init(self, params: Array, layout: Layout) -> State:
        """Both moments and the maximum zero."""
        return zeros(params, "m", "v", "v_max")

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        grads = grads if self.decoupled else with_l2(grads, self.weight_decay, step)
        move_moments(self, grads, state, step)
        m, v = state["m"], self._largest(state, step)
        update = adam_step(self, m, v, step, self.eps_root, self.bias_correction)
        return less_decay(update, self.weight_decay, step) if self.decoupled else update

    def _largest(self, state: State, step: Step) -> Array:
        """The largest second moment so far, raw as `adam_step` takes it; uses `step.spare`."""
        v, largest = state["v"], state["v_max"]
        if not self._corrected_first:
            return np.maximum(largest, v, out=largest)
        c2 = correction(self.beta2, step.t)
        np.maximum(largest, scale(v, 1 / c2, out=step.spare), out=largest)
        return scale(largest, c2, out=step.spare)

    @property
    def _corrected_first(self) -> bool:
        """Whether the maximum is taken of corrected moments."""
        return self.max_of == "v_hat" and self.bias_correction

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """m_hat, v_hat (the corrected maximum) and the effective learning rate."""
        largest = series["v_max"] * (1 - self.beta2**t if self._corrected_first else 1.0)
        moments = {"m": series["m"], "v": largest}
        return trace_moments(self, moments, lr, t, self.eps_root, self.bias_correction)


@dataclass(frozen=True, kw_only=True)
class AdaMax:
    """AdaMax: Adam that divides by a decaying maximum of the gradient, the infinity norm.

    Rule:    g_t = grad + weight_decay theta
             m_t = beta1 m_(t-1) + (1 - beta1) g_t,  m_hat = m_t / (1 - beta1^t)
             u_t = max(beta2 u_(t-1), |g_t| + eps)
             update = -lr m_hat / u_t
             decoupled: weight_decay theta joins the update, times -lr, and not g_t
    Slots:   m, the first moment, and u, the decaying maximum, (R, P), zero at the start; u
             needs no correction
    Source:  Kingma and Ba, Adam: A Method for Stochastic Optimization, 2014,
             arXiv:1412.6980, algorithm 2. As torch.optim.Adamax; decoupled as optax.adamaxw.
             The paper has no eps.
    Forks:   eps joins the gradient inside the maximum, and so stays in u, as in torch and
             optax; Keras adds it to u where it divides.
    Use:     where gradients are sparse or heavy-tailed; lr is a bound on every step.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("first moment", ("m", "m_hat")),
        Panel("decaying maximum", ("u",)),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(2e-3, 1e-4, 1e-1)
    beta1: Hyper = fields.beta1()
    beta2: Hyper = fields.beta2(0.999, "decay of the maximum")
    eps: Hyper = fields.eps(1e-8, "added to the size of the gradient", positive=True)
    weight_decay: Hyper = fields.either_decay()
    decoupled: bool = fields.decoupled(False)

    def init(self, params: Array, layout: Layout) -> State:
        """The first moment and the maximum zero."""
        return zeros(params, "m", "u")

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        grads = grads if self.decoupled else with_l2(grads, self.weight_decay, step)
        m, u, out = state["m"], state["u"], step.out
        average(m, grads, self.beta1, scratch=out)
        np.add(np.abs(grads, out=out), coefficient(self.eps, out), out=out)
        np.maximum(scale(u, self.beta2, out=u), out, out=u)
        length = step.lr / correction(self.beta1, step.t)
        update = scale(np.divide(m, u, out=out), -length, out=out)
        return less_decay(update, self.weight_decay, step) if self.decoupled else update

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """m_hat and the effective learning rate: lr over the maximum."""
        return {"m_hat": series["m"] / (1 - self.beta1**t), "effective_lr": lr / series["u"]}


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
    if not is_zero(eps_root):
        v = np.add(v, coefficient(eps_root * c2, v), out=step.out)
    return root_step(m, v, rule.eps * root(c2), step.lr * root(c2) / c1, out=step.out)


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


RULES: dict[str, type[Rule]] = {"adam": Adam, "adamw": AdamW, "amsgrad": AMSGrad, "adamax": AdaMax}
