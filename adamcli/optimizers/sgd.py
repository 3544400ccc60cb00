"""Gradient descent: plain, with a heavy ball, with Nesterov's look ahead."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers import fields
from adamcli.optimizers.passes import is_zero, scale, with_l2, zeros
from adamcli.optimizers.rule import Hyper, Panel, Rule, State, Step
from adamcli.settings import setting


@dataclass(frozen=True, kw_only=True)
class SGD:
    """Stochastic gradient descent: a step against the gradient.

    Rule:    g_t = grad + weight_decay theta
             update = -lr g_t
    Slots:   none
    Source:  Robbins and Monro, A Stochastic Approximation Method, Annals of Mathematical
             Statistics 22, 1951. Weight decay as in torch.optim.SGD.
    Forks:   none: every library agrees.
    Use:     as the baseline that everything else must beat, and where a good schedule for
             lr is known.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient", ("grad",)),
        Panel("update", ("update",)),
        Panel("learning rate", ("effective_lr",)),
    )

    lr: Hyper = fields.lr(1e-3, 1e-3, 1.0)
    weight_decay: Hyper = fields.l2()

    def init(self, params: Array, layout: Layout) -> State:
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
             v_1 = g_1,  v_t = momentum v_(t-1) + (1 - dampening) g_t
             update = -lr v_t
    Slots:   v, the velocity, (R, P), zero at the start
    Source:  Polyak, Some methods of speeding up the convergence of iteration methods, USSR
             Computational Mathematics and Mathematical Physics 4(5), 1964. As in
             torch.optim.SGD, whose first velocity is not dampened.
    Forks:   lr stays outside the velocity, as in torch and optax; Sutskever et al. (ICML
             2013) and Keras put it inside, which is the same as long as it is constant.
    Use:     as the first choice for convolutional networks with a tuned lr and a schedule.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient and velocity", ("grad", "v")),
        Panel("update", ("update",)),
        Panel("learning rate", ("effective_lr",)),
    )

    contains: ClassVar[dict[str, str]] = {"sgd": "momentum 0"}

    lr: Hyper = fields.lr(1e-3, 1e-3, 1.0)
    momentum: Hyper = fields.momentum()
    dampening: Hyper = setting(0.0, "how much less than whole a gradient enters", ge=0, lt=1)
    weight_decay: Hyper = fields.l2()

    def init(self, params: Array, layout: Layout) -> State:
        """The velocity at rest."""
        return zeros(params, "v")

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        grads = with_l2(grads, self.weight_decay, step)
        velocity = scale(state["v"], self.momentum, out=state["v"])
        if step.t > 1 and not is_zero(self.dampening):
            grads = scale(grads, 1 - self.dampening, out=step.out)
        np.add(velocity, grads, out=velocity)
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
    Forks:   lr outside the velocity, as in sgdm.
    Use:     in place of sgdm where the loss oscillates.
    """

    panels: ClassVar[tuple[Panel, ...]] = SGDM.panels

    contains: ClassVar[dict[str, str]] = {"sgd": "momentum 0"}

    lr: Hyper = fields.lr(1e-3, 1e-3, 1.0)
    momentum: Hyper = fields.momentum()
    weight_decay: Hyper = fields.l2()

    def init(self, params: Array, layout: Layout) -> State:
        """The velocity at rest."""
        return zeros(params, "v")

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        grads = with_l2(grads, self.weight_decay, step)
        velocity = scale(state["v"], self.momentum, out=state["v"])
        np.add(velocity, grads, out=velocity)
        ahead = scale(velocity, self.momentum, out=step.out)
        return scale(np.add(ahead, grads, out=ahead), -step.lr, out=ahead)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The learning rate, the same for every parameter."""
        return {"effective_lr": lr}


RULES: dict[str, type[Rule]] = {"sgd": SGD, "sgdm": SGDM, "nesterov": Nesterov}
