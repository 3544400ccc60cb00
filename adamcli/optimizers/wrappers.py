"""What can be wrapped around any rule: a cautious mask, decay, look-ahead, averaged weights.

The training loop applies them to the update that a rule returns, the same for all rules.
Clipping by global norm acts on the gradient before the rule and is in the loop itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from adamcli.layout import Array, Layout
from adamcli.optimizers.passes import scale
from adamcli.optimizers.rule import State, Step
from adamcli.settings import setting


@dataclass(frozen=True, kw_only=True)
class Wrapping:
    """The wrappers around one optimizer; by default none.

    They act in this order: cautious, decay, lookahead, ema.
    """

    cautious: bool = setting(
        False, "leave out what an update moves along its gradient (Liang et al. 2024)"
    )
    decay: float = setting(0.0, "decoupled weight decay around any rule, times lr", ge=0)
    decay_biases: bool = setting(False, "whether `decay` shrinks vectors, the biases, too")
    lookahead: int = setting(
        0, "steps between two pulls of slow weights, 0 for none (Zhang et al. 2019)", ge=0
    )
    lookahead_alpha: float = setting(0.5, "how far the slow weights follow", gt=0, le=1)
    ema: float = setting(
        0.0, "evaluate at an average of the weights with this decay, 0 for none", ge=0, lt=1
    )

    def around(self, params: Array, layout: Layout) -> list[Wrapper]:
        """What changes the update of rows of parameters (R, P), in the order of its acting."""
        wrappers: list[Wrapper] = []
        if self.cautious:
            wrappers.append(Cautious(layout))
        if self.decay:
            wrappers.append(Decay(self.decay, params, layout, biases=self.decay_biases))
        if self.lookahead:
            wrappers.append(Lookahead(self.lookahead, self.lookahead_alpha, params))
        return wrappers

    def average(self, params: Array) -> Average | None:
        """What follows rows of parameters (R, P) to be evaluated in their place."""
        return Average(self.ema, params) if self.ema else None


class Wrapper(Protocol):
    """Changes the update of some rows.

    Attributes:
        slots: the arrays that it changes itself, as the slots of a rule.
    """

    slots: State

    def apply(self, update: Array, grads: Array, step: Step) -> None:
        """update (R, P) <- what is added to the parameters instead; may use `step.spare`."""
        ...


class Cautious:
    """Only what agrees in sign with the descent direction, scaled up for what is left out.

    Source:  Liang, Chen, Liu and Liu, Cautious Optimizers: Improving Training with One Line
             of Code, 2024, arXiv:2411.16085: per array update <- update mask / mean(mask).
             The mean is kept from falling below 1e-3, as in the authors' code and timm; the
             paper adds one to the count. The mask is of the whole update: a rule's own
             decoupled decay is masked with it, that of `decay` is not, as in C-AdamW.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self.slots: State = {}

    def apply(self, update: Array, grads: Array, step: Step) -> None:
        """update <- update mask / mean(mask), array by array."""
        mask = np.multiply(update, grads, out=step.spare)
        np.less(mask, 0, out=mask)
        for tensor in self._layout.tensors:
            part = mask[:, tensor.start : tensor.stop]
            part /= np.maximum(part.mean(axis=1, keepdims=True), 1e-3)
        np.multiply(update, mask, out=update)


class Decay:
    """Decoupled weight decay, by default of matrices only.

    Source:  Loshchilov and Hutter, Decoupled Weight Decay Regularization, 2017,
             arXiv:1711.05101; that biases are spared is common practice.
    """

    def __init__(self, rate: float, params: Array, layout: Layout, *, biases: bool) -> None:
        self._rate = rate
        self.slots: State = {}
        self._decayed = np.zeros(layout.size, params.dtype)
        for tensor in layout.tensors:
            self._decayed[tensor.start : tensor.stop] = biases or len(tensor.shape) > 1

    def apply(self, update: Array, grads: Array, step: Step) -> None:
        """update <- update - lr rate theta, where theta decays."""
        shrink = np.multiply(step.params, self._decayed, out=step.spare)
        np.subtract(update, scale(shrink, step.lr * self._rate, out=shrink), out=update)


class Lookahead:
    """Every k steps slow weights follow the fast ones part of the way, and the fast start there.

    Source:  Zhang, Lucas, Hinton and Ba, Lookahead Optimizer: k steps forward, 1 step back,
             2019, arXiv:1907.08610, algorithm 1. The rule's own state goes on at a pull, as in
             the authors' code and optax. Runs are evaluated at the fast weights, which are
             the slow ones after every k-th step.
    """

    def __init__(self, steps: int, alpha: float, params: Array) -> None:
        self._steps, self._alpha = steps, alpha
        self._slow = params.copy()
        self.slots = {"slow": self._slow}

    def apply(self, update: Array, grads: Array, step: Step) -> None:
        """At every k-th step, update <- slow + alpha (theta + update - slow) - theta."""
        if step.t % self._steps:
            return
        # Taken back from the fast weights, so that an alpha of 1 changes no bit.
        back = np.add(step.params, update, out=step.spare)
        np.subtract(back, self._slow, out=back)
        np.subtract(update, scale(back, 1 - self._alpha, out=back), out=update)
        np.add(step.params, update, out=self._slow)


class Average:
    """A moving average of the weights, at which a run is evaluated.

    Source:  Polyak and Juditsky, Acceleration of stochastic approximation by averaging, SIAM
             J. Control and Optimization 30(4), 1992, with an exponential window that starts
             at the weights after the first step, as AveragedModel and get_ema_multi_avg_fn of
             torch.optim.swa_utils.

    Attributes:
        params: (R, P), the average.
        slots: the same, by name.
    """

    def __init__(self, decay: float, params: Array) -> None:
        self._decay = decay
        self.params = params.copy()
        self.slots = {"average": self.params}

    def follow(self, step: Step, stopped: Array) -> None:
        """average <- decay average + (1 - decay) theta after a step; uses `step.spare`.

        Args:
            step: the one that was taken; its params are those that it led to.
            stopped: (R,) of bool, the rows that stand still, and so do their averages.
        """
        if step.t == 1:
            np.copyto(self.params, step.params)
            return
        change = np.subtract(step.params, self.params, out=step.spare)
        scale(change, 1 - self._decay, out=change)
        if stopped.any():
            change[stopped] = 0
        np.add(self.params, change, out=self.params)
