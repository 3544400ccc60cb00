"""RMSProp: a learning rate per coordinate from the second moment alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from adamcli.layout import Array
from adamcli.optimizers.passes import average_square, divide_by_root, scale, with_l2, zeros
from adamcli.optimizers.rule import Hyper, Panel, State, Step
from adamcli.settings import setting


@dataclass(frozen=True, kw_only=True)
class RMSProp:
    """RMSProp: each step divided by a running root mean square of the gradient.

    Rule:    g_t = grad + weight_decay theta
             v_t = beta2 v_(t-1) + (1 - beta2) g_t^2
             update = -lr g_t / (sqrt(v_t) + eps)
    Slots:   v, the mean square, (R, P), zero at the start and not corrected for it: the
             first step is lr / sqrt(1 - beta2) long, whatever the gradient
    Source:  Tieleman and Hinton, Lecture 6.5 of Neural Networks for Machine Learning,
             Coursera, 2012. eps outside the root as in torch.optim.RMSprop; TensorFlow and
             optax put it inside. beta2 is 0.999 as in the article; torch has 0.99.
    """

    panels: ClassVar[tuple[Panel, ...]] = (
        Panel("gradient", ("grad",)),
        Panel("second moment", ("v",)),
        Panel("effective learning rate", ("effective_lr",)),
    )

    lr: Hyper = setting(1e-2, "learning rate", gt=0)
    beta2: Hyper = setting(0.999, "decay of the mean square", ge=0, lt=1)
    eps: Hyper = setting(1e-8, "added to the root", ge=0)
    weight_decay: Hyper = setting(0.0, "L2 penalty, added to the gradient (coupled)", ge=0)

    def init(self, params: Array) -> State:
        """A mean square of zero."""
        return {"v": zeros(params)}

    def update(self, grads: Array, state: State, step: Step) -> Array:
        """The update of one step, (R, P)."""
        grads = with_l2(grads, self.weight_decay, step)
        average_square(state["v"], grads, self.beta2, scratch=step.out)
        direction = divide_by_root(grads, state["v"], self.eps, out=step.out)
        return scale(direction, -step.lr, out=direction)

    def trace(self, series: Mapping[str, Array], lr: Array, t: Array) -> dict[str, Array]:
        """The effective learning rate lr / (sqrt(v) + eps)."""
        return {"effective_lr": lr / (np.sqrt(series["v"]) + self.eps)}
