"""Steps whose length is a share of the length of the weights, array by array."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import fields
from adamcli.optimizers.adam import adam_step, trace_moments
from adamcli.optimizers.arrays import norms, spread
from adamcli.optimizers.passes import (
    average,
    average_square,
    coefficient,
    is_zero,
    less_decay,
    scale,
    with_l2,
    zeros,
)
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
from adamcli.settings import setting

_TRUST_PANEL = Panel("trust ratio of the array", ("trust_ratio",))
_EFFECTIVE_PANEL = Panel("effective learning rate", ("effective_lr",))


@dataclass(frozen=True, kw_only=True)
class LAMB:
    """LAMB: Adam's direction, in every array as long as lr times the norm of its weights.

    Rule:    g_t = grad / max(1, |grad| / max_grad_norm), the norm over all arrays
             m, v, m_hat, v_hat as in adam
             u_t = m_hat / (sqrt(v_hat) + eps) + weight_decay theta
             trust_ratio = |theta| / |u_t| per array, 1 where one of the norms is 0
             update = -lr trust_ratio u_t
             without grad_averaging m_t = beta1 m_(t-1) + g_t
    Slots:   m, v, the first and second moment, (R, P), zero at the start; trust_ratio,
             of each array in the latest step, (R, T)
    Source:  You, Li, Reddi, Hseu, Kumar, Bhojanapalli, Song, Demmel, Keutzer and Hsieh,
             Large Batch Optimization for Deep Learning: Training BERT in 76 minutes, 2019,
             arXiv:1904.00962, algorithm 2, with the identity for its function phi. As
             optax.lamb.
    Forks:   max_grad_norm (1 by default there), trust_clip and grad_averaging are those of
             timm.optim.Lamb, which also leaves the ratio at 1 where there is no decay unless
             always_adapt. The first versions of the paper's code, and their ports, keep
             |theta| below 10 and do not correct v for its start.
    Use:     for large batches; where one learning rate must suit layers of very different
             scale.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("first moment", ("m", "m_hat")),
        Panel("second moment", ("v", "v_hat")),
        _TRUST_PANEL,
        _EFFECTIVE_PANEL,
    )

    lr: Hyper = fields.lr(1e-3, 1e-4, 1e-1, "step length per length of the weights")
    beta1: Hyper = fields.beta1()
    beta2: Hyper = fields.beta2()
    eps: Hyper = fields.eps(1e-6)
    weight_decay: Hyper = setting(0.0, "decay of the parameters, inside the trust ratio", ge=0)
    bias_correction: bool = setting(True, "divide the moments by 1 - beta^t")
    grad_averaging: bool = setting(True, "let a gradient enter m with weight 1 - beta1, else 1")
    max_grad_norm: Hyper = setting(
        None, "largest norm of the whole gradient", kind=float, gt=0, optional=True
    )
    always_adapt: bool = setting(True, "use the trust ratio where there is no weight decay too")
    trust_clip: bool = setting(False, "keep the trust ratio from exceeding 1")

    def init(self, params: Array, layout: Layout) -> State:
        """Both moments zero, every trust ratio one."""
        return zeros(params, "m", "v") | _trust_of_one(params, layout)

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        self._move_moments(self._clipped(grads, step), state, step)
        update = adam_step(self, state["m"], state["v"], step, bias_correction=self.bias_correction)
        update = less_decay(update, self.weight_decay, step)
        trust = self._trust(update, state, step)
        return np.multiply(update, spread(trust, step.layout, out=step.spare), out=update)

    def _clipped(self, grads: Array, step: Step) -> Array:
        """The gradient, no longer than `max_grad_norm`; in `step.extra` where there is one."""
        if self.max_grad_norm is None:
            return grads
        squares = np.multiply(grads, grads, out=step.spare)
        norm = np.sqrt(squares.sum(axis=1, keepdims=True))
        excess = np.maximum(norm / coefficient(self.max_grad_norm, norm), 1)
        return np.divide(grads, excess, out=step.extra)

    def _move_moments(self, grads: Array, state: State, step: Step) -> None:
        """The slots m and v see a gradient."""
        if self.grad_averaging:
            average(state["m"], grads, self.beta1, scratch=step.out)
        else:
            np.add(scale(state["m"], self.beta1, out=state["m"]), grads, out=state["m"])
        average_square(state["v"], grads, self.beta2, scratch=step.out)

    def _trust(self, update: Array, state: State, step: Step) -> Array:
        """lr |theta| / |update| per array, (R, T), for an update of -lr u."""
        weights = norms(step.params, step.layout, scratch=step.spare)
        moves = norms(update, step.layout, scratch=step.spare)
        scale(weights, step.lr, out=weights)
        trust = _ratio(weights, moves, (weights > 0) & (moves > 0), out=state["trust_ratio"])
        if not self.always_adapt:
            np.copyto(trust, 1, where=self.weight_decay == 0)
        return np.minimum(trust, 1, out=trust) if self.trust_clip else trust

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """m_hat, v_hat and the effective learning rate, which has the trust ratio in it."""
        traced = trace_moments(self, series, lr, t, bias_correction=self.bias_correction)
        return traced | {"effective_lr": series["trust_ratio"] * traced["effective_lr"]}


@dataclass(frozen=True, kw_only=True)
class LARS:
    """LARS: SGD with momentum whose gradient is scaled to the weights, array by array.

    Rule:    per array, as its trust_ratio:
             trust |theta| / (|grad| + weight_decay |theta| + eps)
             or 1 where |theta| or |grad| is 0
             d_t = trust_ratio (grad + weight_decay theta)
             v_1 = d_1,  v_t = momentum v_(t-1) + (1 - dampening) d_t
             update = -lr v_t
             nesterov: update = -lr (d_t + momentum v_t)
             trust_norm sum: |grad + weight_decay theta| + eps as the divisor
             trust_clip: min(trust_ratio / lr, 1) in place of trust_ratio
    Slots:   v, the velocity, (R, P), zero at the start; trust_ratio, of each array in the
             latest step, (R, T)
    Source:  You, Gitman and Ginsburg, Large Batch Training of Convolutional Networks, 2017,
             arXiv:1708.03888, algorithm 1. As timm.optim.Lars, with momentum 0.9 where timm
             has 0.
    Forks:   trust_norm sum is optax.lars. lr stays outside the velocity, as in timm; the
             paper and optax put it inside, which is the same as long as it is constant.
             timm leaves the ratio at 1 where there is no decay unless always_adapt, and
             trust_clip is its way to keep lr from being exceeded.
    Use:     for large batches with sgdm, mostly of convolutional networks.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient and velocity", ("grad", "v")),
        Panel("update", ("update",)),
        _TRUST_PANEL,
        _EFFECTIVE_PANEL,
    )

    lr: Hyper = fields.lr(1.0, 1e-1, 3e1, "learning rate, times the trust ratio")
    momentum: Hyper = fields.momentum()
    dampening: Hyper = setting(0.0, "how much less than whole a gradient enters", ge=0, lt=1)
    nesterov: bool = setting(False, "look one step ahead of the velocity")
    weight_decay: Hyper = fields.l2()
    trust: Hyper = setting(1e-3, "step length per length of the weights, times lr", gt=0)
    eps: Hyper = fields.eps(1e-8, "added to the norm that the trust ratio divides by")
    trust_norm: str = setting(
        "paper",
        "divide by the norms of gradient and decay (paper) or by that of their sum (sum)",
        choices=("paper", "sum"),
    )
    always_adapt: bool = setting(True, "use the trust ratio where there is no weight decay too")
    trust_clip: bool = setting(False, "divide the trust ratio by lr and keep it from exceeding 1")

    def init(self, params: Array, layout: Layout) -> State:
        """The velocity at rest, every trust ratio one."""
        return zeros(params, "v") | _trust_of_one(params, layout)

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        decayed = with_l2(grads, self.weight_decay, step)
        trust = self._trust(grads, decayed, state, step)
        spread(trust, step.layout, out=step.spare)
        direction = np.multiply(decayed, step.spare, out=step.extra)
        return scale(self._velocity(direction, state, step), -step.lr, out=step.out)

    def _trust(self, grads: Array, decayed: Array, state: State, step: Step) -> Array:
        """The ratio q of every array, (R, T), in its slot."""
        weights = norms(step.params, step.layout, scratch=step.spare)
        if self.trust_norm == "sum":
            slopes = divisor = norms(decayed, step.layout, scratch=step.spare)
        else:
            slopes = norms(grads, step.layout, scratch=step.spare)
            divisor = slopes + weights * coefficient(self.weight_decay, weights)
        divisor = divisor + coefficient(self.eps, divisor)
        adapted = (weights > 0) & (slopes > 0)
        scale(weights, self.trust, out=weights)
        return self._limited(_ratio(weights, divisor, adapted, out=state["trust_ratio"]), step)

    def _limited(self, trust: Array, step: Step) -> Array:
        """The ratio, changed in place where a switch of timm's says so."""
        if self.trust_clip:
            np.minimum(trust / coefficient(step.lr, trust), 1, out=trust)
        if not self.always_adapt:
            np.copyto(trust, 1, where=self.weight_decay == 0)
        return trust

    def _velocity(self, direction: Array, state: State, step: Step) -> Array:
        """The velocity after it has seen the direction; ahead of it with `nesterov`."""
        velocity = scale(state["v"], self.momentum, out=state["v"])
        entering = direction
        if step.t > 1 and not is_zero(self.dampening):
            # Without momentum there is nothing to dampen, in any library.
            entering = scale(direction, 1 - self.dampening * (self.momentum != 0), out=step.out)
        np.add(velocity, entering, out=velocity)
        if not self.nesterov:
            return velocity
        ahead = scale(velocity, self.momentum, out=step.out)
        return np.add(direction, ahead, out=ahead)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The effective learning rate: lr times the trust ratio."""
        return {"effective_lr": lr * series["trust_ratio"]}


def _trust_of_one(params: Array, layout: Layout) -> State:
    """The slot of the trust ratios, (R, T), all one."""
    return {"trust_ratio": np.ones((len(params), len(layout.tensors)), params.dtype)}


def _ratio(above: Array, below: Array, defined: Array, out: Array) -> Array:
    """out <- above / below where it is defined, else 1; (R, T)."""
    out.fill(1)
    return np.divide(above, below, out=out, where=defined)


RULES: dict[str, type[Rule]] = {"lamb": LAMB, "lars": LARS}
