"""Gradient descent: plain, with a heavy ball, with Nesterov's look ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.layout import Array
from adamcli.optimizers.passes import scale, with_l2, zeros
from adamcli.optimizers.rule import Hyper, Panel, State, Step
from adamcli.settings import setting

_LR_DOC = "learning rate"
_MOMENTUM_DOC = "how much of the velocity is kept at each step"
_L2_DOC = "L2 penalty, added to the gradient (coupled)"


@dataclass(frozen=True, kw_only=True)
class SGD:
    """Stochastic gradient descent: a step against the gradient.

    Rule:    g_t = grad + weight_decay theta
             update = -lr g_t
    Slots:   none
    Source:  Robbins and Monro, A Stochastic Approximation Method, Annals of Mathematical
             Statistics 22, 1951. Weight decay as in torch.optim.SGD.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient", ("grad",)),
        Panel("update", ("update",)),
        Panel("learning rate", ("effective_lr",)),
    )

    lr: Hyper = setting(1e-3, _LR_DOC, gt=0)
    weight_decay: Hyper = setting(0.0, _L2_DOC, ge=0)

    def init(self, params: Array) -> State:
        """No slots."""
        return {}

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        grads = with_l2(grads, self.weight_decay, step)
        return scale(grads, -step.lr, out=step.out)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The learning rate, the same for every parameter."""
        return {"effective_lr": lr}


@dataclass(frozen=True, kw_only=True)
class SGDM:
    """SGD with momentum (heavy ball): the gradient feeds a velocity that decays.

    Rule:    g_t = grad + weight_decay theta
             v_t = momentum v_(t-1) + g_t
             update = -lr v_t
    Slots:   v, the velocity, (R, P), zero at the start
    Source:  Polyak, Some methods of speeding up the convergence of iteration methods, USSR
             Computational Mathematics and Mathematical Physics 4(5), 1964. The learning rate
             stays outside the velocity, as in torch.optim.SGD; Sutskever et al. (ICML 2013)
             put it inside, which is the same as long as it is constant.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient and velocity", ("grad", "v")),
        Panel("update", ("update",)),
        Panel("learning rate", ("effective_lr",)),
    )

    lr: Hyper = setting(1e-3, _LR_DOC, gt=0)
    momentum: Hyper = setting(0.9, _MOMENTUM_DOC, ge=0, lt=1)
    weight_decay: Hyper = setting(0.0, _L2_DOC, ge=0)

    def init(self, params: Array) -> State:
        """The velocity at rest."""
        return {"v": zeros(params)}

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        velocity = _accelerate(self.momentum, grads, state, step, self.weight_decay)[1]
        return scale(velocity, -step.lr, out=step.out)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The learning rate, the same for every parameter."""
        return {"effective_lr": lr}


@dataclass(frozen=True, kw_only=True)
class Nesterov:
    """Nesterov's accelerated gradient: momentum that looks one step ahead.

    Rule:    g_t = grad + weight_decay theta
             v_t = momentum v_(t-1) + g_t
             update = -lr (g_t + momentum v_t)
    Slots:   v, the velocity, (R, P), zero at the start
    Source:  Nesterov, A method for solving the convex programming problem with convergence
             rate O(1/k^2), 1983, in the form of Sutskever, Martens, Dahl and Hinton, On the
             importance of initialization and momentum in deep learning, ICML 2013, as in
             torch.optim.SGD(nesterov=True).
    """

    panels: ClassVar[tuple[Panel, ...]] = SGDM.panels

    lr: Hyper = setting(1e-3, _LR_DOC, gt=0)
    momentum: Hyper = setting(0.9, _MOMENTUM_DOC, gt=0, lt=1)
    weight_decay: Hyper = setting(0.0, _L2_DOC, ge=0)

    def init(self, params: Array) -> State:
        """The velocity at rest."""
        return {"v": zeros(params)}

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        grads, velocity = _accelerate(self.momentum, grads, state, step, self.weight_decay)
        ahead = scale(velocity, self.momentum, out=step.out)
        return scale(np.add(ahead, grads, out=ahead), -step.lr, out=ahead)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The learning rate, the same for every parameter."""
        return {"effective_lr": lr}


def _accelerate(
    momentum: Hyper, grads: Array, state: State, step: Step, weight_decay: Hyper
) -> tuple[Array, Array]:
    """v <- momentum v + g; returns g with its L2 term, and v."""
    grads = with_l2(grads, weight_decay, step)
    velocity = scale(state["v"], momentum, out=state["v"])
    return grads, np.add(velocity, grads, out=velocity)
